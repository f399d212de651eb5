//! Files that were changed after they were applied.

use std::collections::BTreeMap;
use std::fmt;

use crate::gate::{Flaw, Flawed};
use crate::ledger::{AppliedFile, View};
use crate::model::{Declaration, MigrationId, Phase, Step};
use crate::project::{Migration, Project, Seen};
use crate::sql::Dialect;

/// A file that is not as it was when its phase was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    pub migration: MigrationId,
    pub path: String,
    pub why: String,
    pub what: Changed,
}

/// What was changed of a migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Another migration has its number.
    Directory,
    Declaration,
    /// The script of an applied phase.
    Script(Step),
}

impl Drift {
    /// Whether it stands in the way of a step.
    ///
    /// What comes next builds on everything that was applied. A revert takes away, by the declaration that is recorded,
    /// and runs nothing but its own script.
    #[must_use]
    pub fn stops(&self, step: Step, id: &MigrationId) -> bool {
        step != Step::Revert
            || (self.migration == *id
                && matches!(
                    self.what,
                    Changed::Directory | Changed::Script(Step::Revert)
                ))
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.why)
    }
}

/// What to do about files that were changed.
#[must_use]
pub fn way_out(drift: &[Drift]) -> String {
    match drift.first() {
        Some(first) if first.what == Changed::Directory => format!(
            "where two branches have taken one number, `migrate renumber {here}` gives a free one to what is not applied; where the \
             directory was renamed, give it its name back, {applied}",
            here = first.path,
            applied = first.migration
        ),
        Some(first) => format!(
            "`migrate show {id}` shows the difference. Put the file back as it was applied, and make the change in a new \
             migration; what was not contracted can also be reverted (`migrate revert {id}`), mended and expanded again",
            id = first.migration
        ),
        None => {
            "put the files back as they were applied, and make the change in a new migration".into()
        }
    }
}

/// What they stand in the way of, as the gate has to know it: the same as [`Drift::stops`].
pub(super) fn flaws_of(drift: &[Drift]) -> Vec<Flaw> {
    let flaw = |of: Flawed, one: &Drift| Flaw {
        of,
        error: one.to_string(),
        help: way_out(std::slice::from_ref(one)),
    };
    let first = drift.first().into_iter();
    let every_step = first.map(|one| flaw(Flawed::Applied(one.migration.clone()), one));
    let own_revert = drift
        .iter()
        .filter(|one| one.stops(Step::Revert, &one.migration))
        .map(|one| flaw(Flawed::Step(one.migration.clone(), Step::Revert), one));
    every_step.chain(own_revert).collect()
}

/// The files that are not as they were when their phases were applied. What cannot be read is a flaw, and no change that
/// anybody knows of.
pub(super) fn drift(
    project: &Project,
    view: &View,
    files: &[AppliedFile],
    dialect: Dialect,
) -> Vec<Drift> {
    let mut found = Vec::new();
    if !project.config.database.dialects.contains(&dialect) {
        // Which of the scripts are meant is not known, and that is told.
        return found;
    }
    let mut files_of = BTreeMap::<u64, Vec<&AppliedFile>>::new();
    for file in files {
        files_of.entry(file.number).or_default().push(file);
    }
    for applied in &view.applied {
        let id = applied.state.id();
        let mut add = |what: Changed, path: String, why: &str| {
            found.push(Drift {
                migration: id.clone(),
                path,
                why: why.to_owned(),
                what,
            });
        };
        let Some(migration) = project.as_read(id) else {
            // Another checkout may well know migrations that this one does not.
            if let Some(namesake) = project.ids().find(|other| other.number() == id.number()) {
                add(
                    Changed::Directory,
                    namesake.to_string(),
                    &format!("the database knows migration {} as {id}", id.number()),
                );
            }
            continue;
        };
        let declared = match project.flaws.of(id) {
            Some(broken) => broken.declared(),
            None => Some(&migration.declaration),
        };
        if declared.is_some_and(|now| !same_meaning(&applied.state.declaration, now)) {
            add(
                Changed::Declaration,
                migration.manifest.path.display().to_string(),
                "its services, sync or rows were changed after the migration was applied",
            );
        }
        // A backfill that is not finished may be mended, and then begins at the first key.
        let is_open = matches!(applied.state.phase, Phase::Expanded | Phase::Backfilling);
        let files = files_of.get(&id.number()).into_iter().flatten();
        for file in files.filter(|file| !(is_open && file.step() == Some(Step::Backfill))) {
            let Some(step) = file.step() else {
                continue;
            };
            let what = Changed::Script(step);
            match migration.files(dialect).seen.get(&step) {
                Some(Seen::Unreadable) => {}
                None => add(
                    what,
                    file.path.clone(),
                    &format!("the file is gone, though {} was applied", file.phase),
                ),
                Some(Seen::Read { path, sha256 }) if *sha256 != file.sha256 => {
                    add(
                        what,
                        path.display().to_string(),
                        &format!("it was changed after {} was applied", file.phase),
                    );
                    let now = migration.files(dialect);
                    if let (Step::Expand, Some(revert)) = (step, &now.revert)
                        && now.are_generated_together()
                    {
                        // It would take away what this expand adds, and not what is there.
                        add(
                            Changed::Script(Step::Revert),
                            revert.path.display().to_string(),
                            "it was generated anew after expand was applied",
                        );
                    }
                }
                Some(Seen::Read { .. }) => {}
            }
        }
    }
    found
}

/// Whether what is declared now means what was recorded.
pub(super) fn same_meaning(recorded: &Declaration, now: &Declaration) -> bool {
    recorded.services == now.services
        && recorded.sync == now.sync
        && recorded.rows == now.rows
        && recorded.parts.backfill == now.parts.backfill
}

/// The script of a step as it is now: its path and its hash, where it could be read.
pub(super) fn hash_now(
    migration: &Migration,
    step: Step,
    dialect: Dialect,
) -> Option<(String, String)> {
    match migration.files(dialect).seen.get(&step)? {
        Seen::Read { path, sha256 } => Some((path.display().to_string(), sha256.clone())),
        Seen::Unreadable => None,
    }
}
