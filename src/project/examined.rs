//! The scripts of a migration as one database reads them, and everything that is found in them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Step;
use crate::sql::{Dialect, Ranged, Script};

use super::allowances::{self, Needs};
use super::directory::{Candidate, Directory};
use super::files::{BackfillFile, Files, Revisions, ScriptFile, Seen};
use super::finding::{self, Finding};
use super::manifest::Manifest;
use super::revisions;
use super::rules::{self, Scripts};
use super::scripts;
use super::sequences;
use super::silenced;
use super::source::Source;
use super::surroundings::Surroundings;

#[derive(Default)]
struct Examined {
    scripts: BTreeMap<Step, Script>,
    backfill: Option<Ranged>,
    findings: BTreeMap<Step, Vec<Finding>>,
}

impl Examined {
    fn new(
        directory: &Directory,
        dialect: Dialect,
        manifest: Option<&Manifest>,
        around: &Surroundings<'_>,
    ) -> Self {
        let mut examined = Self::default();
        let ledger = around.database.ledger_named.as_deref();
        for step in Step::ALL {
            let source = directory.chosen(step, dialect);
            let Some(source) = source.and_then(|candidate| candidate.source.as_ref()) else {
                continue;
            };
            let by_runner = directory.chosen(step, dialect);
            let by_runner = by_runner.and_then(|one| one.revisions.as_ref());
            let found = if step == Step::Backfill && by_runner.is_none() {
                let key = manifest.and_then(Manifest::backfilled_key);
                let (statement, found) =
                    scripts::check_backfill(dialect, ledger, source.text(), key);
                // An allowance is for a statement of a script, and this is the only one of its own.
                let alone = statement.as_ref().map(|one| one.as_script(dialect));
                examined.scripts.extend(alone.map(|script| (step, script)));
                examined.backfill = statement;
                found
            } else {
                // A revision that fills rows is run while both formats are in use, as one that adds something.
                let held_to = match step {
                    Step::Backfill => Step::Expand,
                    step => step,
                };
                let (script, mut found) = scripts::check(held_to, dialect, source.text());
                if let Some(revisions) = by_runner {
                    revisions::leave_to_runner(step, revisions, script.as_ref(), &mut found);
                }
                // What a type was stands in the files before.
                let before = around.all.len().saturating_sub(around.later.len() + 1);
                let before = around.all.get(..before).unwrap_or_default();
                found.retain(|finding| {
                    let statements = script.as_ref().map(|script| &script.statements);
                    let statement = statements.and_then(|all| all.get(finding.excusable?));
                    let counts_on =
                        finding.code == "unknown-effect"
                            && script.as_ref().zip(finding.excusable).is_some_and(
                                |(script, index)| sequences::only_counts_on(script, index),
                            );
                    let is_eased = finding.code == "destructive-expand"
                        && statement.is_some_and(|one| {
                            rules::is_widening(before, dialect, one, rules::Wider::OfItsKind)
                                || rules::lifts_a_check(before, dialect, one)
                        });
                    !counts_on && !is_eased
                });
                examined.scripts.extend(script.map(|script| (step, script)));
                found
            };
            examined.findings.insert(step, found);
        }
        let seen = Scripts {
            dialect,
            manifest,
            expand: examined.scripts.get(&Step::Expand),
            made: None,
            contract: examined.scripts.get(&Step::Contract),
            revert: examined.scripts.get(&Step::Revert),
            backfill: examined.backfill.as_ref(),
            later: around.later,
            all: around.all,
            lint: around.lint,
        };
        for (step, finding) in rules::check(&seen, ledger) {
            let by_runner = directory.chosen(step, dialect);
            // A word is for what cannot be read: what is SQL in a file is held to the rules.
            let is_judged = by_runner
                .filter(|one| one.source.is_none())
                .and_then(|one| one.revisions.as_ref())
                .is_some_and(|revisions| revisions.judged);
            if is_judged {
                continue;
            }
            examined.findings.entry(step).or_default().push(finding);
        }
        examined
    }

    /// The statements of a step's script that need an allowance.
    fn needs(&self, step: Step) -> BTreeSet<usize> {
        let findings = self.findings.get(&step).into_iter().flatten();
        findings.filter_map(|finding| finding.excusable).collect()
    }
}

/// Reads every script once for each database that runs it, and reports what is found.
pub(super) fn read_scripts(
    directory: &Directory,
    around: &Surroundings<'_>,
    manifest: Option<&Manifest>,
) -> BTreeMap<Dialect, Box<Files>> {
    let database = around.database;
    let allow = manifest.map(|manifest| manifest.allow.as_slice());
    let mut files: BTreeMap<Dialect, Box<Files>> = BTreeMap::new();
    let mut found: Vec<Vec<(Dialect, Vec<Finding>)>> = Vec::new();
    found.resize_with(directory.candidates.len(), Vec::new);
    for dialect in database.dialects.iter().copied() {
        let mut examined = Examined::new(directory, dialect, manifest, around);
        let files = files.entry(dialect).or_default();
        files.seen = seen(directory, dialect);
        for (candidate, found) in directory.candidates.iter().zip(&mut found) {
            let chosen = directory.chosen(candidate.step, dialect);
            let is_chosen = chosen.is_some_and(|chosen| std::ptr::eq(chosen, candidate));
            if let Some(revisions) = candidate.revisions.as_ref().filter(|_| is_chosen) {
                files.revisions.insert(candidate.step, revisions.clone());
            }
            let Some(source) = candidate.source.as_ref().filter(|_| is_chosen) else {
                continue;
            };
            let step = candidate.step;
            let mut findings = examined.findings.remove(&step).unwrap_or_default();
            let script = examined.scripts.remove(&step);
            if let Some(script) = &script {
                findings = silenced::apply(source.text(), script, findings);
                findings = allowances::apply(allow, step, script, findings);
                findings = finding::errors_first(findings);
                findings = finding::gathered(script, findings);
            }
            found.push((dialect, findings));
            let script = script.map(|script| {
                let vouched = allow
                    .map(|allow| allowances::excused(allow, step, &script))
                    .unwrap_or_default();
                ScriptFile::new(&source.file, script, vouched)
            });
            if candidate.revisions.is_some() {
                if let Some(revisions) = files.revisions.get_mut(&step) {
                    revisions.script = script;
                }
                continue;
            }
            match step {
                Step::Expand => files.expand = script,
                Step::Contract => files.contract = script,
                Step::Revert => files.revert = script,
                Step::Backfill => {
                    let statement = examined.backfill.take();
                    files.backfill =
                        statement.map(|statement| BackfillFile::new(&source.file, statement));
                }
            }
        }
    }
    for (candidate, found) in directory.candidates.iter().zip(found) {
        if let Some(source) = &candidate.source {
            finding::report(source, found, database);
        }
    }
    files
}

/// Scripts that nobody has to read.
pub(super) fn seen_alone(
    directory: &Directory,
    dialects: &[Dialect],
) -> BTreeMap<Dialect, Box<Files>> {
    let of = |dialect: &Dialect| {
        let seen = seen(directory, *dialect);
        let files = Files {
            seen,
            ..Files::default()
        };
        (*dialect, Box::new(files))
    };
    dialects.iter().map(of).collect()
}

/// The scripts of one database, by what tells whether they were changed.
fn seen(directory: &Directory, dialect: Dialect) -> BTreeMap<Step, Seen> {
    let of_step = |step: Step| {
        if !directory.is_listed {
            return Some((step, Seen::Unreadable));
        }
        let chosen = directory.chosen(step, dialect)?;
        if let Some(revisions) = &chosen.revisions {
            let Revisions { path, sha256, .. } = revisions.clone();
            return Some((step, Seen::Read { path, sha256 }));
        }
        let source = chosen.source.as_ref();
        let seen = source.map_or(Seen::Unreadable, |source| Seen::Read {
            path: source.file.path.clone(),
            sha256: source.file.sha256.clone(),
        });
        Some((step, seen))
    };
    Step::ALL.into_iter().filter_map(of_step).collect()
}

/// An allowance may be for a database that the project is not checked for this time.
pub(super) fn check_allowances(
    source: &Source,
    manifest: &Manifest,
    directory: &Directory,
    around: &Surroundings<'_>,
) {
    if manifest.allow.is_empty() {
        return;
    }
    let examined: Vec<(Dialect, Examined)> = Dialect::ALL
        .iter()
        .map(|dialect| {
            let examined = Examined::new(directory, *dialect, Some(manifest), around);
            (*dialect, examined)
        })
        .collect();
    for step in Step::ALL {
        let unread = |candidate: Option<&Candidate>, examined: &Examined| {
            // A common script that only one database can read; its own problems are reported.
            let is_own = candidate.is_some_and(|candidate| candidate.only.is_some());
            is_own && !examined.scripts.contains_key(&step)
        };
        let is_unread = examined
            .iter()
            .any(|(dialect, examined)| unread(directory.chosen(step, *dialect), examined));
        let scripts: Vec<Needs<'_>> = examined
            .iter()
            .filter_map(|(_, examined)| {
                let script = examined.scripts.get(&step)?;
                let statements = examined.needs(step);
                Some(Needs { script, statements })
            })
            .collect();
        if !is_unread && (!scripts.is_empty() || !directory.has(step)) {
            allowances::check(source, &manifest.allow, step, &scripts);
        }
    }
}
