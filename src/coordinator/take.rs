//! Taking one step, or several that go together: what is told of it, and what is remembered.

use super::reading::refuse_misread;
use super::session::Coordinator;
use super::{CoordinatorError, Outcome, contract, expand, revert};
use crate::model::{MigrationId, Step};

impl Coordinator<'_> {
    /// Carries out one step.
    ///
    /// # Errors
    /// Whatever kept it from being carried out; see [`CoordinatorError`].
    pub async fn take(
        &mut self,
        step: Step,
        id: &MigrationId,
    ) -> Result<Outcome, CoordinatorError> {
        if step != Step::Expand {
            self.known = None;
        }
        if let Some(migration) = self.project().as_read(id) {
            refuse_misread(migration, step, self.connection.as_ref())?;
        }
        let taken = match step {
            Step::Expand => expand::run(self, id).await,
            Step::Backfill => self.backfill_over_outages(id).await,
            Step::Contract => contract::run(self, id).await,
            Step::Revert => revert::run(self, id).await,
        };
        let told = self.told(taken, step, id).await;
        self.remember_failure(&told, step, id).await;
        told
    }

    /// Carries out one step of the first of these migrations, and of those after it that can share its transaction. One
    /// outcome for each, and at least one where there is a migration.
    ///
    /// # Errors
    /// As of [`Self::take`].
    pub async fn take_first(
        &mut self,
        step: Step,
        ids: &[MigrationId],
    ) -> Result<Vec<Outcome>, CoordinatorError> {
        match (step, ids) {
            (_, []) => Ok(Vec::new()),
            (Step::Expand, [id, ..]) => {
                let taken = self.expand_together(ids).await;
                match self.told(taken, step, id).await {
                    Ok(outcomes) => Ok(outcomes),
                    Err(error) => {
                        let failed = Err(error);
                        self.remember_failure(&failed, step, id).await;
                        failed.map(|outcome| vec![outcome])
                    }
                }
            }
            (_, [id, ..]) => Ok(vec![self.take(step, id).await?]),
        }
    }
}
