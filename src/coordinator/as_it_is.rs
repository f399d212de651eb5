//! The record of an expand whose effect is there already: a database that has the schema which a migration makes for a new one.

use serde_json::Value;

use super::CoordinatorError;
use super::change::{Becomes, PhaseTransition, move_to};
use super::in_ledger::End;
use super::script::{Run, record_script};
use super::take::Coordinator;
use crate::ledger::Entry;
use crate::model::{MigrationId, MigrationState, Step};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordedAsItIs {
    Done,
    /// It was recorded, or applied, before.
    Already,
    /// These were applied here before it.
    After(Vec<MigrationId>),
}

impl Coordinator<'_> {
    /// Records the expand of a migration as done, and runs nothing of it. The caller has made sure that all of it is there.
    /// `detail`, an object, is for its event.
    ///
    /// # Errors
    /// A database or ledger error.
    pub async fn record_as_it_is(
        &mut self,
        id: &MigrationId,
        detail: Value,
    ) -> Result<RecordedAsItIs, CoordinatorError> {
        let situation = self.session.observe().await?;
        let applied: Vec<MigrationId> = situation
            .view
            .applied
            .iter()
            .map(|applied| applied.state.id().clone())
            .collect();
        if applied.contains(id) {
            return Ok(RecordedAsItIs::Already);
        }
        if !applied.is_empty() {
            return Ok(RecordedAsItIs::After(applied));
        }
        let dialect = self.session.connection.capabilities().dialect;
        let migration = self.session.orders.migration(id)?;
        let Some(file) = &migration.files(dialect).expand else {
            return Err(CoordinatorError::NoFiles(id.clone()));
        };
        let state = MigrationState::pending(migration.declaration.clone());
        let (token, actor) = (self.session.token, self.session.actor.clone());
        self.session
            .in_ledger(async |ledger| {
                let change = PhaseTransition {
                    entry: Entry::New,
                    detail: detail.clone(),
                    ..PhaseTransition::new(&state, Becomes::After(Step::Expand))
                };
                let run = Run {
                    step: Step::Expand,
                    file,
                    change,
                    recheck: None,
                };
                record_script(ledger, &run);
                crate::crash::point("baseline.recording");
                let change = run.change.clone_with(file, &[]);
                move_to(ledger, token, &actor, change).await?;
                Ok(End::Commit(()))
            })
            .await?;
        crate::crash::point("baseline.recorded");
        Ok(RecordedAsItIs::Done)
    }
}
