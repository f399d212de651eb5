//! A human's answer where the catalogue cannot tell whether a statement took effect.

use super::CoordinatorError;
use super::take::Coordinator;
use crate::ledger::{EventKind, Ledger, StepState};
use crate::model::{MigrationId, Step};

/// What became of an interrupted statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Applied,
    NotApplied,
}

impl Coordinator<'_> {
    /// Records whether the interrupted statement at `position` took effect. Returns false where
    /// no such statement is waiting for an answer.
    ///
    /// # Errors
    /// A database or ledger error.
    pub async fn resolve(
        &mut self,
        id: &MigrationId,
        position: i64,
        answer: Answer,
    ) -> Result<bool, CoordinatorError> {
        let mut ledger = Ledger::write(self.session.connection.as_mut()).await?;
        for step in Step::ALL {
            let steps = ledger.steps(id, step).await?;
            let waiting = steps
                .into_iter()
                .find(|found| found.position == position && found.state == StepState::Started);
            let Some(mut found) = waiting else { continue };
            let said = match answer {
                Answer::Applied => {
                    found.state = StepState::Done;
                    ledger.record_step(id, step, &found);
                    "applied"
                }
                Answer::NotApplied => {
                    ledger.forget_step(id, step, &found).await?;
                    "not applied"
                }
            };
            let detail =
                serde_json::json!({ "step": step.name(), "position": position, "resolved": said });
            ledger
                .append(EventKind::Statement, &self.session.actor, Some(id), &detail)
                .await?;
            ledger.fence(self.session.token).await?;
            ledger.commit().await?;
            return Ok(true);
        }
        ledger.rollback().await?;
        Ok(false)
    }
}
