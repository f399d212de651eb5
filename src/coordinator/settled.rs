//! Whether an answer may rest on files of which nobody has judged the SQL: nothing of them is left to be run, and each is what
//! was applied.
//!
//! Invariant: a look at a project that was read less than whole is enough only where the same ledger has all of it complete. Where it
//! is not, every answer is *unknown*.

use std::collections::BTreeMap;

use super::drift::same_meaning;
use crate::gate::{Flaw, Flawed};
use crate::ledger::{AppliedFile, View};
use crate::model::{MigrationState, Phase, Step, Sync};
use crate::project::{Depth, Migration, Project, Seen};
use crate::sql::Dialect;

/// Whether the files were read far enough for what the ledger knows.
pub(super) fn is_enough(
    project: &Project,
    view: &View,
    files: &[AppliedFile],
    dialect: Dialect,
) -> bool {
    if project.depth == Depth::Whole {
        return true;
    }
    if !project.config.database.dialects.contains(&dialect) {
        return false;
    }
    let mut files_of: BTreeMap<u64, Vec<&AppliedFile>> = BTreeMap::new();
    for file in files {
        files_of.entry(file.number).or_default().push(file);
    }
    project.migrations.iter().all(|migration| {
        let number = migration.id().number();
        let at = view
            .applied
            .binary_search_by_key(&number, |applied| applied.state.id().number());
        let applied = at.ok().and_then(|at| view.applied.get(at));
        let recorded = files_of.get(&number).map_or(&[][..], Vec::as_slice);
        applied.is_some_and(|applied| is_over(&applied.state, migration))
            && is_as_applied(migration, recorded, dialect)
    })
}

/// What keeps anybody from taking such an answer for one.
pub(super) fn unjudged() -> Flaw {
    Flaw {
        of: Flawed::Settings,
        error:
            "the migrations are not as they were a moment ago, and nobody has judged their scripts"
                .to_owned(),
        help: "ask again".to_owned(),
    }
}

/// Whether no step of it is left but a revert, as the files declare it, and nothing that they say is relied on any more.
fn is_over(state: &MigrationState, migration: &Migration) -> bool {
    let declared = &migration.declaration;
    if state.id() != migration.id() || !same_meaning(&state.declaration, declared) {
        return false;
    }
    let is_applied = state.phase != Phase::Pending && state.is_complete_with(declared.parts);
    is_applied && (state.phase == Phase::Contracted || declared.sync == Sync::None)
}

/// Whether the scripts that phases have run are those that are there, each with the text that it has.
fn is_as_applied(migration: &Migration, recorded: &[&AppliedFile], dialect: Dialect) -> bool {
    let seen = &migration.files(dialect).seen;
    let is_recorded = |step: Step, sha256: &String| {
        let mut of_step = recorded.iter().filter(|file| file.step() == Some(step));
        of_step.next().is_some_and(|file| file.sha256 == *sha256)
    };
    let all_recorded = seen.iter().all(|(step, seen)| match seen {
        Seen::Read { sha256, .. } => *step == Step::Revert || is_recorded(*step, sha256),
        Seen::Unreadable => false,
    });
    let all_there = recorded.iter().all(|file| {
        let step = file.step();
        step.is_some_and(|step| step == Step::Revert || seen.contains_key(&step))
    });
    all_recorded && all_there
}
