//! `[change]` in `migration.toml`, what follows from it for the declaration, and whether the scripts still follow.

mod given;
mod ground;
mod read;
mod replaced;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range as Span;
use std::path::{Path, PathBuf};

use crate::change::{
    self, Change, Formats, GENERATED, GENERATED_ONE_BY_ONE, Generated, Kind, Objection, Weight,
};
use crate::model::{Fill, Format, MigrationId, Step};
use crate::sql::Dialect;

use super::directory::{Directory, file_name, is_unwritten};
use super::later::{self, Forward};
use super::manifest::{Allowance, ContractRules, Manifest, Section, Voucher};
use super::problem::{Problem, Problems, listed, shown};
use super::query::Query;
use super::reader::Located;
use super::source::Source;

pub use ground::Ground;
pub(super) use read::read;

/// A declared change as it was read.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub header: Span<usize>,
    pub change: Change,
}

/// What follows from it, for each database that the project is for.
pub(super) type Following = BTreeMap<Dialect, Generated>;

/// What follows for each database; what cannot follow is reported, and what the migrations `before` speak against.
pub(super) fn follow(
    source: &Source,
    manifest: &mut Manifest,
    id: &MigrationId,
    (dialects, before): (&[Dialect], &[Forward]),
) -> Following {
    let mut following = Following::new();
    let Some(declared) = manifest.change.clone() else {
        return following;
    };
    for dialect in dialects {
        match change::generate(&declared.change, *dialect, number(id)) {
            Ok(generated) => {
                following.insert(*dialect, generated);
            }
            Err(wrong) => source.error(
                "cannot-follow",
                declared.header.clone(),
                wrong.message,
                wrong.help,
            ),
        }
    }
    against(source, &declared, dialects, before);
    formats(source, manifest, &declared);
    take(source, manifest, &declared, &following);
    following
}

/// What the tables speak against, as the earlier migrations leave them.
fn against(source: &Source, declared: &Declared, dialects: &[Dialect], before: &[Forward]) {
    let mut said = BTreeSet::new();
    if let Kind::RenameTable(rename) = &declared.change.kind {
        let is_there = |dialect: &&Dialect| later::table(before, **dialect, &rename.to).is_some();
        if let Some(dialect) = dialects.iter().find(is_there) {
            source.error(
                "contradicts-table",
                declared.header.clone(),
                format!(
                    "there is a table `{}` already on {}",
                    rename.to,
                    dialect.title()
                ),
                "choose another name under `to`: expand makes a view of that name",
            );
        }
    }
    for dialect in dialects {
        let Some(table) = later::table(before, *dialect, &declared.change.table) else {
            continue;
        };
        for Objection { weight, wrong } in change::objections(&declared.change, *dialect, &table) {
            if !said.insert(wrong.message.clone()) {
                continue;
            }
            let span = declared.header.clone();
            match weight {
                Weight::Error => {
                    source.error("contradicts-table", span, wrong.message, wrong.help);
                }
                Weight::IndexGoes => {
                    source.warning("index-goes", span, wrong.message, wrong.help);
                }
                Weight::ConstraintGoes => {
                    source.warning("constraint-goes", span, wrong.message, wrong.help);
                }
            }
        }
    }
}

/// As the directory has it.
fn number(id: &MigrationId) -> &str {
    id.as_str().split_once('_').map_or("", |(digits, _)| digits)
}

/// Whether the services declare the formats that such a change has.
fn formats(source: &Source, manifest: &Manifest, declared: &Declared) {
    if manifest.services.is_empty() {
        return;
    }
    let wanted = declared.change.kind.formats();
    let missing = |format: &str, example: &str| {
        source.error(
            "missing-format",
            declared.header.clone(),
            format!("this change has {format} format, and no service says which versions use it"),
            format!("write for example `{example}` under `[services.NAME]`"),
        );
    };
    let too_much = |span: Option<Span<usize>>, message: &str, help: &str| {
        if let Some(span) = span {
            source.error("surplus-format", span, message, help);
        }
    };
    let (old, new) = (
        manifest.declares(Format::Old),
        manifest.declares(Format::New),
    );
    if wanted != Formats::New && old.is_none() {
        missing("an old", "old = \"<1.2.0\"");
    }
    if wanted != Formats::Old && new.is_none() {
        missing("a new", "new = \">=1.1.0\"");
    }
    match wanted {
        Formats::Both => {}
        Formats::New => too_much(
            old,
            "this change takes nothing away, so that no version uses an old format",
            "remove `old`",
        ),
        Formats::Old => too_much(
            new,
            "this change adds nothing that a version could need",
            "remove `new`; `old` names the versions that still use, or write, what the contract ends",
        ),
    }
}

/// Puts what follows into the manifest, where nothing else may say it.
fn take(source: &Source, manifest: &mut Manifest, declared: &Declared, following: &Following) {
    let Some(first) = following.values().next() else {
        return;
    };
    if let Some(said) = &manifest.sync {
        if said.value != first.sync {
            source.error(
                "contradictory-sync",
                said.span.clone(),
                format!(
                    "`sync` follows from `[change]`, and is \"{}\"",
                    first.sync.name()
                ),
                "remove it",
            );
        }
    } else {
        manifest.sync = Some(Located {
            value: first.sync,
            span: declared.header.clone(),
        });
    }
    let each = |of: &dyn Fn(&Generated) -> Option<String>| {
        let own = following
            .iter()
            .filter_map(|(dialect, generated)| Some((*dialect, of(generated)?)));
        Query::following(own.collect())
    };
    match (&mut manifest.backfill, &first.filling) {
        (section, Some(filling)) => {
            let section = section.get_or_insert_with(|| Section {
                header: declared.header.clone(),
                rules: Some(super::backfill::following()),
                queries: Vec::new(),
                range_queries: Vec::new(),
            });
            if let Some(rules) = &mut section.rules {
                rules.table.clone_from(&filling.table);
                rules.key.clone_from(&filling.key);
                rules.remaining = each(&|generated| {
                    generated
                        .filling
                        .as_ref()
                        .map(|filling| filling.remaining.clone())
                });
                rules.check = Some(each(&|generated| {
                    generated
                        .filling
                        .as_ref()
                        .map(|filling| filling.check.clone())
                }));
                rules.fill = Fill::Checked;
            }
        }
        (Some(section), None) => source.error(
            "surplus-backfill",
            section.header.clone(),
            "this change fills nothing, so that there is nothing to say about a backfill",
            "remove `[backfill]`",
        ),
        (None, None) => {}
    }
    if first.require.is_empty() {
        return;
    }
    let section = manifest.contract.get_or_insert_with(|| Section {
        header: declared.header.clone(),
        rules: Some(ContractRules::default()),
        queries: Vec::new(),
        range_queries: Vec::new(),
    });
    if let Some(rules) = &mut section.rules {
        for index in 0..first.require.len() {
            rules
                .require
                .push(each(&|generated| generated.require.get(index).cloned()));
        }
    }
}

/// Whether a script is generated, by its first line, or holds nothing yet, as `migrate new` writes it; otherwise it is
/// somebody's own.
fn is_generated(text: &str) -> bool {
    let first = text.lines().next().unwrap_or_default().trim_end();
    first == GENERATED || first == GENERATED_ONE_BY_ONE || is_unwritten(text)
}

/// Scripts that no longer follow from the declaration, or are not written yet.
pub(super) fn check(root: &Path, directory: &Directory, following: &Following) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut missing = BTreeSet::new();
    let mut differing = BTreeSet::new();
    for step in Step::ALL {
        for (dialect, generated) in following {
            let wanted = generated.scripts.get(&step);
            let Some(chosen) = directory.chosen(step, *dialect) else {
                if wanted.is_some() {
                    missing.insert(step);
                }
                continue;
            };
            let text = chosen.source.as_ref().map(Source::text);
            let Some(text) = text.filter(|text| is_generated(text)) else {
                continue;
            };
            if is_unwritten(text) {
                if wanted.is_some() {
                    missing.insert(step);
                }
                continue;
            }
            if wanted.is_some_and(|wanted| wanted == text) || !differing.insert(chosen.file_name())
            {
                continue;
            }
            let file = shown(root, &format!("{}/{}", directory.path, chosen.file_name()));
            let (message, help) = differs(wanted.is_some(), *dialect, number(&directory.id));
            problems.push(Problem::about(file, "does-not-follow", message, help));
        }
    }
    if !missing.is_empty() {
        let steps = listed(missing.iter().map(|step: &Step| step.name()));
        problems.push(Problem::about(
            shown(
                root,
                &format!("{}/{}", directory.path, super::MANIFEST_FILE),
            ),
            "not-generated",
            format!("the scripts that follow from `[change]` are not written: {steps}"),
            format!("run `migrate generate {}`", number(&directory.id)),
        ));
    }
    problems
}

/// What is vouched for with the declaration, in scripts that are as they follow from it.
pub(super) fn allowed(
    directory: &Directory,
    following: &Following,
    header: Span<usize>,
) -> Vec<Allowance> {
    let mut allowances = Vec::new();
    for (dialect, generated) in following {
        for allowed in &generated.allow {
            let chosen = directory.chosen(allowed.step, *dialect);
            let text = chosen
                .and_then(|chosen| chosen.source.as_ref())
                .map(Source::text);
            if text == generated.scripts.get(&allowed.step).map(String::as_str) {
                allowances.push(Allowance {
                    step: allowed.step,
                    statement: Located {
                        value: allowed.statement.clone(),
                        span: header.clone(),
                    },
                    by: Voucher::Change,
                });
            }
        }
    }
    allowances
}

fn differs(is_wanted: bool, dialect: Dialect, number: &str) -> (String, String) {
    if is_wanted {
        (
            format!(
                "on {} this script does not follow from `[change]`",
                dialect.title()
            ),
            format!(
                "`migrate generate {number}` writes it anew; without its first line it is your own, and nobody compares it"
            ),
        )
    } else {
        (
            format!(
                "nothing follows from `[change]` on {} for this step",
                dialect.title()
            ),
            format!(
                "`migrate generate {number}` removes it; without its first line it is your own"
            ),
        )
    }
}

/// A change, or what is wrong with it.
type OrProblems<T> = Result<T, Problems>;

/// A migration with a declared change, for writing its scripts.
#[derive(Clone, Debug)]
pub struct DeclaredChange {
    pub id: MigrationId,
    /// Relative to the project's root, with `/`.
    pub dir: PathBuf,
    /// What its files are to hold, by name.
    pub files: BTreeMap<String, String>,
    /// Files that are generated and no longer wanted.
    pub surplus: Vec<String>,
    /// Steps whose scripts are somebody's own and stay as they are.
    pub own: Vec<String>,
}

impl DeclaredChange {
    /// The declared changes of the project in `dir`, each with what is wrong with it where something is.
    ///
    /// # Errors
    /// What keeps the project from being read at all.
    pub fn all(
        dir: &Path,
        url_override: Option<&str>,
    ) -> Result<Vec<(MigrationId, OrProblems<Self>)>, Problems> {
        let (config, listing) = super::listed_in(dir, url_override)?;
        let mut found = Vec::new();
        let dialects = &config.database.dialects;
        let forward = Forward::of_all(&listing.found, dialects);
        for (at, directory) in listing.found.into_iter().enumerate() {
            let before = forward.get(..at).unwrap_or_default();
            let Some(source) = &directory.manifest else {
                continue;
            };
            let Some(mut manifest) = super::manifest::read(source) else {
                continue;
            };
            if !manifest.is_of_a_change {
                continue;
            }
            let following = follow(source, &mut manifest, &directory.id, (dialects, before));
            let id = directory.id.clone();
            let change = source.is_sound().then(|| Self::of(&directory, &following));
            let problems = directory.manifest.map(|source| source.into_parts().1);
            found.push((id, change.ok_or(Problems(problems.unwrap_or_default()))));
        }
        Ok(found)
    }

    fn of(directory: &Directory, following: &Following) -> Self {
        let mut files = BTreeMap::new();
        let mut own = Vec::new();
        for step in Step::ALL {
            let texts: Vec<(Dialect, Option<&String>)> = following
                .iter()
                .map(|(dialect, generated)| (*dialect, generated.scripts.get(&step)))
                .collect();
            let is_own = |dialect: Dialect| {
                let chosen = directory.chosen(step, dialect)?;
                let text = chosen.source.as_ref()?.text();
                (!is_generated(text)).then(|| chosen.file_name())
            };
            let others: BTreeSet<String> = texts
                .iter()
                .filter_map(|(dialect, _)| is_own(*dialect))
                .collect();
            let is_one = others.is_empty()
                && texts
                    .windows(2)
                    .all(|pair| matches!(pair, [(_, a), (_, b)] if a == b));
            for (dialect, text) in texts {
                if is_own(dialect).is_some() {
                    continue;
                }
                if let Some(text) = text {
                    let only = (!is_one).then_some(dialect);
                    files.insert(file_name(step, only), text.clone());
                }
            }
            own.extend(others);
        }
        let there = directory.candidates.iter().filter_map(|candidate| {
            let text = candidate.source.as_ref()?.text();
            let name = candidate.file_name();
            (is_generated(text) && !files.contains_key(&name)).then_some(name)
        });
        let surplus = there.collect();
        Self {
            id: directory.id.clone(),
            dir: PathBuf::from(&directory.path),
            files,
            surplus,
            own,
        }
    }
}
