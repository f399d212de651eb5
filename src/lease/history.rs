//! What the project's other migration tool has applied, for whoever is let in: as the gate counts it.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use phasegate_lease::lease::History;

use crate::database::{Connection, Dialect, ErrorKind};
use crate::model::{MigrationId, Shown, Step};
use crate::project::Project;
use crate::runner::{self, Applied, Revision, Runner, Standing};

/// The history of a project's tool, and the revisions that are asked about; `None` where no step of it is carried out by a tool
/// whose history is a table. `tell` says, once in a process, that it cannot be read.
#[must_use]
pub fn history_of(project: &Project, dialect: Dialect, tell: fn(&str)) -> Option<Arc<dyn History>> {
    let runner = project.config.runner.as_ref()?;
    // What only a program tells is not asked by whoever is let in.
    if matches!(runner.history(), runner::History::Command(_)) {
        return None;
    }
    let mut steps = Vec::new();
    for migration in project.by_revisions(dialect) {
        for (step, revisions) in &migration.files(dialect).revisions {
            steps.push((migration.id().clone(), *step, revisions.names.clone()));
        }
    }
    if steps.is_empty() {
        return None;
    }
    match runner.revisions(&project.root) {
        Ok(known) => Some(Arc::new(OfTool {
            runner: runner.clone(),
            known,
            steps,
            tell,
        })),
        Err(why) => {
            say_unread(tell, runner, &why);
            None
        }
    }
}

#[derive(Debug)]
struct OfTool {
    runner: Runner,
    known: Vec<Revision>,
    /// Each step that it carries out, and by which revisions.
    steps: Vec<(MigrationId, Step, Vec<String>)>,
    tell: fn(&str),
}

#[async_trait::async_trait]
impl History for OfTool {
    async fn shown(&self, connection: &mut dyn Connection) -> Vec<Shown> {
        let applied = match runner::applied(&self.runner, &self.known, &[], connection).await {
            Ok(applied) => applied,
            Err(error) => {
                // Whatever else is wrong with the connection, the admission itself meets.
                if matches!(error.kind, ErrorKind::Permission | ErrorKind::Statement) {
                    say_unread(self.tell, &self.runner, &error.to_string());
                }
                return Vec::new();
            }
        };
        let is_done = |name: &&String| {
            let is_it = |one: &Applied| one.revision == **name && one.standing == Standing::Done;
            applied.iter().any(is_it)
        };
        let steps = self.steps.iter();
        steps
            .map(|(migration, step, names)| {
                let (there, gone) = names.iter().partition::<Vec<&String>, _>(is_done);
                Shown {
                    migration: migration.clone(),
                    step: *step,
                    tool: self.runner.kind(),
                    there: there.into_iter().cloned().collect(),
                    gone: gone.into_iter().cloned().collect(),
                }
            })
            .collect()
    }
}

/// Whoever starts goes by what is recorded then, as it always did.
fn say_unread(tell: fn(&str), runner: &Runner, why: &str) {
    static IS_SAID: AtomicBool = AtomicBool::new(false);
    if !IS_SAID.swap(true, Ordering::Relaxed) {
        tell(&format!(
            "whether a revision of {} was applied past the gate is not known here: {why}; versions are let in by what is recorded alone. Let this \
             user read that table, or ask `migrate gate deploy` with one who may",
            runner.kind()
        ));
    }
}
