//! One migration: its declaration and its scripts, read and checked together.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::change::Change;
use crate::model::{Declaration, Fill, Format, MigrationId, Parts, Step};
use crate::sql::Dialect;

use super::backfill::BackfillRules;
use super::change;
use super::checks;
use super::database::DatabaseConfig;
use super::depth::Depth;
use super::directory::Directory;
use super::examined;
use super::files::{Files, NO_FILES};
use super::finding;
use super::manifest::{self, ContractRules, Manifest};
use super::probes::Probes;
use super::problem::Problem;
use super::ranges;
use super::revisions;
use super::scripts;
use super::source::{FileRef, Source};
use super::surroundings::Surroundings;

/// A migration of the project, ready to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    pub declaration: Declaration,
    /// Its directory, relative to the project's root, with `/`.
    pub dir: PathBuf,
    /// The scripts for each database that the project is for.
    ///
    /// Apart from the map, which has room for eleven of them as soon as it has one.
    pub files: BTreeMap<Dialect, Box<Files>>,
    pub contract_rules: ContractRules,
    pub backfill: Option<BackfillRules>,
    /// Statements of the application by its services, for a rehearsal.
    pub probes: BTreeMap<String, Probes>,
    /// `migration.toml`.
    pub manifest: FileRef,
}

impl Migration {
    #[must_use]
    pub fn id(&self) -> &MigrationId {
        &self.declaration.id
    }

    /// Its scripts for one database; none for a database that the project is not for, and
    /// [`super::Project::load`] refuses a URL that leads to such a one.
    #[must_use]
    pub fn files(&self, dialect: Dialect) -> &Files {
        self.files
            .get(&dialect)
            .map_or(&NO_FILES, |files| files.as_ref())
    }
}

/// A migration as it was read.
pub(super) struct Loaded {
    /// Of use as it is only if no problem is an error.
    pub migration: Migration,
    /// Whether what it declares could be read without doubt, whatever is wrong with the rest.
    pub is_declared: bool,
    /// What its scripts follow from, if they do.
    pub change: Option<Change>,
    pub problems: Vec<Problem>,
}

/// Reads and checks everything about one migration.
pub(super) fn load(mut directory: Directory, around: &Surroundings<'_>) -> Loaded {
    let mut problems = std::mem::take(&mut directory.problems);
    let dialects = &around.database.dialects;
    let looks_at_sql = around.depth == Depth::Whole;
    problems.extend(checks::variants(around.root, &directory, dialects));
    let is_blank = looks_at_sql
        && dialects
            .first()
            .is_some_and(|dialect| directory.is_blank(*dialect))
        && !directory.declares_change();
    if is_blank {
        let migration = Migration {
            declaration: declare(&directory, &Manifest::default()),
            dir: PathBuf::from(&directory.path),
            files: examined::seen_alone(&directory, dialects),
            contract_rules: ContractRules::default(),
            backfill: None,
            probes: BTreeMap::new(),
            manifest: unread_manifest(&directory),
        };
        problems.extend(not_filled_in(directory));
        return Loaded {
            migration,
            is_declared: false,
            change: None,
            problems,
        };
    }
    let mut manifest = directory.manifest.as_ref().and_then(manifest::read);
    let mut generated = BTreeMap::new();
    if let (Some(source), Some(manifest)) = (&directory.manifest, &mut manifest) {
        let before = around.all.len().saturating_sub(around.later.len() + 1);
        let before = around.all.get(..before).unwrap_or_default();
        let following = change::follow(source, manifest, &directory.id, (dialects, before));
        if looks_at_sql {
            problems.extend(change::check(around.root, &directory, &following));
        }
        if let Some(header) = manifest.change.as_ref().map(|change| change.header.clone()) {
            let allowed = change::allowed(&directory, &following, header);
            manifest.allow.extend(allowed);
        }
        generated = change::generated(&directory, following);
    }
    if let (Some(source), Some(manifest)) = (&directory.manifest, &manifest) {
        let found = revisions::attach(source, manifest, &directory, around);
        directory.candidates.extend(found);
    }
    let mut files = match around.depth {
        Depth::Whole => examined::read_scripts(&directory, around, manifest.as_ref()),
        Depth::Declared => examined::seen_alone(&directory, dialects),
    };
    for (dialect, files) in &mut files {
        if let Some(generated) = generated.remove(dialect) {
            files.trials = generated.trials;
            files.holds = generated.holds;
        }
    }
    let mut is_declared = false;
    if let (Some(source), Some(manifest)) = (&directory.manifest, &manifest) {
        checks::services(source, manifest, around.services);
        is_declared = source.is_sound();
        if looks_at_sql {
            check_queries(source, manifest, around.database);
        }
        checks::presence(source, manifest, &directory);
        checks::counted(source, manifest, dialects);
        if looks_at_sql {
            examined::check_allowances(source, manifest, &directory, around);
        }
        let declared = declare(&directory, manifest);
        if source.is_sound() {
            ranges::check(source, manifest, &declared);
            checks::meaning(source, manifest, &declared);
            is_declared = source.is_sound();
        }
    }
    let mut manifest = manifest.unwrap_or_default();
    let change = manifest.change.take().map(|declared| declared.change);
    let mut declaration = declare(&directory, &manifest);
    let mut manifest_file = unread_manifest(&directory);
    if let Some(source) = directory.manifest {
        let (file, found) = source.into_parts();
        manifest_file = file;
        problems.extend(found);
    }
    for source in directory
        .candidates
        .into_iter()
        .filter_map(|found| found.source)
    {
        problems.extend(source.into_parts().1);
    }
    if problems.iter().any(Problem::is_error) {
        // A script that is missing is still to come: what it adds is not there, and what it removes is.
        declaration.parts.expand |= manifest.declares(Format::New).is_some();
        declaration.parts.contract |= manifest.contract.is_some();
    }
    let migration = Migration {
        declaration,
        dir: PathBuf::from(directory.path),
        files,
        contract_rules: manifest
            .contract
            .and_then(|section| section.rules)
            .unwrap_or_default(),
        backfill: manifest.backfill.and_then(|section| section.rules),
        probes: manifest.probes,
        manifest: manifest_file,
    };
    Loaded {
        migration,
        is_declared,
        change,
        problems,
    }
}

/// Where the declaration would be.
fn unread_manifest(directory: &Directory) -> FileRef {
    FileRef {
        path: PathBuf::from(format!("{}/{}", directory.path, manifest::MANIFEST_FILE)),
        text: "".into(),
        sha256: String::new(),
    }
}

/// What is not written yet is not wrong: what to write is said once.
fn not_filled_in(directory: Directory) -> Vec<Problem> {
    let mut candidates = directory.candidates;
    candidates.sort_by_key(|candidate| candidate.step);
    let first = candidates.into_iter().next();
    let Some(source) = first.and_then(|first| first.source) else {
        return Vec::new();
    };
    source.error(
        "not-filled-in",
        0..0,
        "this migration is not filled in yet: its scripts hold nothing but comments",
        "write what adds the new format in `expand.sql` and what removes the old one in `contract.sql`, delete the file that is not \
         needed, and say in `migration.toml` which versions use what",
    );
    source.into_parts().1
}

fn declare(directory: &Directory, manifest: &Manifest) -> Declaration {
    let needs_no_statement =
        manifest.nothing_to_do.is_some() && manifest.declares(Format::New).is_some();
    Declaration {
        id: directory.id.clone(),
        description: manifest.description.clone(),
        services: manifest.services.clone(),
        sync: manifest
            .sync
            .as_ref()
            .map_or_else(Default::default, |sync| sync.value),
        rows: manifest.rows,
        parts: Parts {
            expand: directory.has(Step::Expand) || needs_no_statement,
            backfill: manifest.backfill.is_some(),
            contract: directory.has(Step::Contract),
            // What the tool has taken back is recorded as undone.
            revert: directory.has(Step::Revert) || manifest.revisions.contains_key(&Step::Expand),
        },
        fill: manifest
            .backfill
            .as_ref()
            .and_then(|section| section.rules.as_ref())
            .map_or(Fill::Unsaid, |rules| rules.fill),
    }
}

/// How many columns the backfill's key has, where that could be read.
fn key_width(manifest: &Manifest) -> Option<usize> {
    let section = manifest.backfill.as_ref()?;
    section.rules.as_ref().map(|rules| rules.key.len())
}

fn check_queries(source: &Source, manifest: &Manifest, database: &DatabaseConfig) {
    let width = key_width(manifest);
    let ledger = database.ledger_named.as_deref();
    let backfill = manifest
        .backfill
        .iter()
        .flat_map(|section| &section.queries);
    let contract = manifest
        .contract
        .iter()
        .flat_map(|section| &section.queries);
    for query in backfill.chain(contract) {
        let findings = database
            .dialects
            .iter()
            .map(|dialect| {
                (
                    *dialect,
                    scripts::check_query(source, (*dialect, ledger), query),
                )
            })
            .collect();
        finding::report(source, findings, database);
    }
    let range_queries = manifest
        .backfill
        .iter()
        .flat_map(|section| &section.range_queries);
    for query in range_queries {
        let findings = database
            .dialects
            .iter()
            .map(|dialect| {
                (
                    *dialect,
                    scripts::check_range_query(source, (*dialect, ledger), query, width),
                )
            })
            .collect();
        finding::report(source, findings, database);
    }
}
