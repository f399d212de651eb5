//! Phases that another migration tool carries out: `revisions` under `[expand]`, `[backfill]` or `[contract]`.
//!
//! What they do is read from their SQL where that is a file, and judged by the rules for our own scripts; where it is none, somebody
//! has to say what it is. How it is run is the tool's own affair: a `BEGIN` in it, or an index that is built concurrently.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::directory::{Candidate, Directory};
use super::files::Revisions;
use super::finding::Finding;
use super::manifest::{MANIFEST_FILE, Manifest, Named};
use super::problem::{Problem, closest, listed, shown};
use super::reader::Located;
use super::row_writes::changes_rows;
use super::runner::Known;
use super::source::Source;
use super::surroundings::Surroundings;
use crate::model::Step;
use crate::runner::{Revision, Runner, Sql};
use crate::sql::Script;

/// The candidates for the steps whose revisions a manifest names. What is wrong with the names is said there.
pub(super) fn attach(
    source: &Source,
    manifest: &Manifest,
    directory: &Directory,
    around: &Surroundings<'_>,
) -> Vec<Candidate> {
    let mut found = Vec::new();
    for (step, named) in &manifest.revisions {
        let Some(first) = named.names.first() else {
            continue;
        };
        if directory.has(*step) {
            source.error(
                "two-ways",
                first.span.clone(),
                format!("{} has both `revisions` and a script", step.name()),
                "remove the script, or the `revisions`; a second migration can hold the other",
            );
            continue;
        }
        if *step == Step::Expand && directory.has(Step::Revert) {
            let tool = around.revisions.runner.as_ref().map(Runner::kind);
            undone_past_it(source, first, tool.unwrap_or("the tool"));
        }
        let revisions = resolve(source, *step, named, directory, around.revisions);
        let Some((revisions, all)) = revisions else {
            // They are meant, whatever is wrong with them.
            found.push(Candidate {
                step: *step,
                only: None,
                source: None,
                revisions: None,
            });
            continue;
        };
        found.push(Candidate {
            step: *step,
            only: None,
            source: sql(source, *step, (named, &all), directory, around),
            revisions: Some(revisions),
        });
    }
    found
}

/// The code of a `revert.sql` beside an expand by revisions, which is not run for that.
pub(super) const PAST_THE_TOOL: &str = "past-the-tool";

/// A script that undoes what another tool has applied, of which that tool would know nothing.
fn undone_past_it(source: &Source, first: &Located<String>, tool: &str) {
    source.error(
        PAST_THE_TOOL,
        first.span.clone(),
        format!(
            "revert.sql would undo what {tool} has applied, and the history of {tool} would still have it as applied: nothing would apply it again"
        ),
        format!(
            "remove revert.sql. {tool} takes these revisions back, once no live version needs the new format (`migrate gate revert` tells); then \
             `migrate revert` records it"
        ),
    );
}

/// The revisions that are named, by the names that the tool has for them.
fn resolve(
    source: &Source,
    step: Step,
    named: &Named,
    directory: &Directory,
    known: &Known,
) -> Option<(Revisions, Vec<Revision>)> {
    let first = named.names.first()?;
    let Some(runner) = &known.runner else {
        source.error(
            "no-runner",
            first.span.clone(),
            "`revisions` are for another migration tool, and migrate.toml names none",
            "add `[runner]` to migrate.toml, for example with `kind = \"alembic\"`",
        );
        return None;
    };
    let there = match &known.revisions {
        Ok(there) => there,
        Err(why) => {
            source.error(
                "unreadable-revisions",
                first.span.clone(),
                format!("which revisions there are cannot be read: {why}"),
                "put `dir` and `files` under `[runner]` in migrate.toml right",
            );
            return None;
        }
    };
    let mut all: Vec<Revision> = Vec::new();
    for name in &named.names {
        let revision = find(source, runner, there, name)?;
        if all.iter().any(|one| one.name == revision.name) {
            source.error(
                "duplicate-revision",
                name.span.clone(),
                format!("the revision `{}` is named twice", revision.name),
                "keep one of them",
            );
            return None;
        }
        all.push(revision);
    }
    // Whoever writes them in another order means the one in which the tool applies them.
    let place = |one: &Revision| there.iter().position(|known| known.name == one.name);
    let is_ordered = all
        .windows(2)
        .all(|pair| place(&pair[0]) <= place(&pair[1]));
    if !is_ordered && !there.is_empty() {
        all.sort_by_key(place);
        let names = all.iter().map(|one| one.name.as_str());
        source.error(
            "revisions-out-of-order",
            first.span.clone(),
            format!("{} applies these revisions in another order", runner.kind()),
            format!("write them in its order: {}", listed(names)),
        );
        return None;
    }
    let names: Vec<String> = all.iter().map(|one| one.name.clone()).collect();
    let revisions = Revisions {
        kind: runner.kind(),
        sha256: hash(runner.kind(), &names),
        names,
        path: PathBuf::from(format!(
            "{}/{MANIFEST_FILE} [{}] revisions",
            directory.path,
            step.name()
        )),
        judged: named.judged.is_some(),
        script: None,
    };
    Some((revisions, all))
}

fn find(
    source: &Source,
    runner: &Runner,
    there: &[Revision],
    name: &Located<String>,
) -> Option<Revision> {
    // A tool of which no files are known takes any name.
    if there.is_empty() && runner.kind() == "command" {
        return Some(Revision {
            name: name.value.clone(),
            ..Revision::default()
        });
    }
    let mut meant = there.iter().filter(|one| one.is_meant_by(&name.value));
    match (meant.next(), meant.next()) {
        (Some(one), None) => return Some(one.clone()),
        (Some(one), Some(other)) => source.error(
            "ambiguous-revision",
            name.span.clone(),
            format!("`{}` may be `{}` or `{}`", name.value, one.name, other.name),
            "write its whole name",
        ),
        (None, _) => {
            let near = closest(&name.value, there.iter().map(|one| one.name.as_str()));
            let help = match (near, there.last()) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, Some(last)) => format!(
                    "the last one there is `{}`; where the tool's files were squashed, and every database has what is done here, remove \
                     this migration's directory",
                    last.name
                ),
                (None, None) => {
                    "there are none: put `dir` and `files` under `[runner]` in migrate.toml right"
                        .to_owned()
                }
            };
            source.error(
                "unknown-revision",
                name.span.clone(),
                format!("{} has no revision `{}`", runner.kind(), name.value),
                help,
            );
        }
    }
    None
}

/// The text of a revision's file; empty if its tool has none.
///
/// # Errors
/// A file that is not there or cannot be read: taken for empty, it would do nothing.
pub fn text_of(root: &Path, revision: &Revision) -> Result<String, Problem> {
    let Some(file) = &revision.file else {
        return Ok(String::new());
    };
    let source = Source::read(root, file)?.ok_or_else(|| {
        Problem::about(
            shown(root, file),
            "unreadable-file",
            "this file is not there",
            "put it back, or set `dir` and `files` under `[runner]` in migrate.toml right",
        )
    })?;
    Ok(source.text().to_owned())
}

/// What the revisions of a step do, where that can be read in files.
fn sql(
    manifest: &Source,
    step: Step,
    (named, all): (&Named, &[Revision]),
    directory: &Directory,
    around: &Surroundings<'_>,
) -> Option<Source> {
    let runner = around.revisions.runner.as_ref()?;
    let mut texts: Vec<(String, String)> = Vec::new();
    for (revision, name) in all.iter().zip(&named.names) {
        let file = revision.file.clone().unwrap_or_default();
        let text = match text_of(around.root, revision) {
            Ok(text) => text,
            Err(_) if named.judged.is_some() => return None,
            Err(problem) => {
                let (why, help) = (problem.message, problem.help);
                manifest.error(
                    "unreadable-revision",
                    name.span.clone(),
                    format!(
                        "what the revision `{}` does cannot be read: {file}: {why}",
                        revision.name
                    ),
                    help,
                );
                return None;
            }
        };
        match runner.tool.sql(revision, &text) {
            Sql::Written(text) => texts.push((file, text)),
            Sql::Printed(_) | Sql::Hidden if named.judged.is_some() => return None,
            hidden => {
                let how = match &hidden {
                    // Here no program is run.
                    Sql::Printed(call) => format!(
                        "`{} {}` prints it",
                        runner.command(),
                        call.arguments.join(" ")
                    ),
                    _ => format!("look at {file}"),
                };
                manifest.error(
                    "unjudged-revision",
                    name.span.clone(),
                    format!("what the revision `{}` does is not read here: it is no SQL in a file", revision.name),
                    format!(
                        "{how}; say below `[{}]` in a few words what it does and why {}: `judged = \"…\"`",
                        step.name(),
                        match step {
                            Step::Expand | Step::Backfill => "every version that is live survives it",
                            _ => "that is what is to go",
                        }
                    ),
                );
                return None;
            }
        }
    }
    match texts.as_slice() {
        [(file, text)] => Some(Source::new(file, shown(around.root, file), text)),
        texts => {
            let path = format!("{} (revisions of {})", directory.path, step.name());
            let text: Vec<String> = texts
                .iter()
                .map(|(file, text)| format!("-- {file}\n{text}"))
                .collect();
            Some(Source::new(
                &path,
                shown(around.root, &path),
                &text.join("\n"),
            ))
        }
    }
}

/// Takes out what is the tool's own affair, what somebody vouches for, and that a backfill changes rows.
pub(super) fn leave_to_runner(
    step: Step,
    revisions: &Revisions,
    script: Option<&Script>,
    findings: &mut Vec<Finding>,
) {
    const ITS_OWN: [&str; 4] = [
        "needs-no-transaction",
        "transaction-control",
        "session-setting",
        "empty-script",
    ];
    let is_of_rows = |finding: &Finding| {
        let statements = script.map(|script| &script.statements);
        let statement = statements.and_then(|all| all.get(finding.excusable?));
        statement.is_some_and(changes_rows)
    };
    findings.retain(|finding| {
        let is_its_work = step == Step::Backfill && is_of_rows(finding);
        !revisions.judged && !is_its_work && !ITS_OWN.contains(&finding.code)
    });
    for finding in findings {
        // It is in a file of the tool's, and stays there.
        if finding.help == "move it to contract.sql" {
            let instead = if is_of_rows(finding) {
                "[backfill]"
            } else {
                "[contract]"
            };
            finding.help = format!(
                "name the revision under {instead} in place of [{}]",
                step.name()
            );
        }
    }
}

fn hash(kind: &str, names: &[String]) -> String {
    let mut hash = Sha256::new();
    for part in std::iter::once(kind).chain(names.iter().map(String::as_str)) {
        hash.update(part.as_bytes());
        hash.update(b"\n");
    }
    hash.finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
