//! What a coordinator sees, and what it writes down of it before it decides.

use super::gap::record_gaps_at_work;
use super::in_ledger::End;
use super::observe::{has_shown_anything, observe_recorded};
use super::session::Session;
use super::{CoordinatorError, Drift, Situation};
use crate::ledger::EventKind;
use crate::model::{MigrationId, Step};
use crate::project::Section;

impl Session<'_> {
    /// Reads everything, and stops where an applied file was changed.
    pub(super) async fn situation(&mut self) -> Result<Situation, CoordinatorError> {
        let situation = self.observe().await?;
        let drift = situation.drift.clone();
        unchanged(drift).map(|()| situation)
    }

    /// Reads everything, and stops where a file was changed that stands in the way of this step. Asked before a fence is
    /// raised, and not behind it: what is done behind a fence may make a changed file matter.
    pub(super) async fn situation_before(
        &mut self,
        step: Step,
        id: &MigrationId,
    ) -> Result<Situation, CoordinatorError> {
        let situation = self.observe().await?;
        unchanged(situation.drift_before(step, id)).map(|()| situation)
    }

    pub(super) async fn observe(&mut self) -> Result<Situation, CoordinatorError> {
        let mut situation = observe_recorded(self.orders.project, self.connection.as_mut()).await?;
        self.record_look(&situation).await?;
        self.record_uses(&situation.view).await?;
        if record_gaps_at_work(self, &situation).await? {
            situation = observe_recorded(self.orders.project, self.connection.as_mut()).await?;
        }
        if situation.view.coordinator.token == self.token {
            // Whoever is at work is this very command: it does not wait for itself.
            situation.evidence.facts.at_work = None;
        }
        Ok(situation)
    }

    /// Remembers what this look has shown of sources other than the leases. In a transaction of its own, because it
    /// holds whatever becomes of the step.
    ///
    /// A version that never registered counts like one that was admitted: what it writes widens the row kinds,
    /// and may undo a backfill, even if it is gone at the next look. When it came nobody knows.
    async fn record_look(&mut self, situation: &Situation) -> Result<(), CoordinatorError> {
        // By settings that cannot be read nobody tells what a look has not shown.
        let is_doubtful = self.orders.project.config.is_doubtful(Section::Fleet);
        if is_doubtful || !has_shown_anything(situation) {
            return Ok(());
        }
        let look = &situation.evidence.snapshot;
        let services = self
            .orders
            .project
            .config
            .services
            .keys()
            .cloned()
            .collect();
        self.in_ledger(async |ledger| {
            ledger.record_look(look, &services).await?;
            Ok(End::Commit(()))
        })
        .await
    }

    /// Records what an override covered. In a transaction of its own, because it holds whatever becomes of the step.
    pub(super) async fn record_override(
        &mut self,
        overridden: &[String],
        id: &MigrationId,
    ) -> Result<(), CoordinatorError> {
        if overridden.is_empty() {
            return Ok(());
        }
        let reason = self.orders.accepts.reason().to_owned();
        let actor = self.actor.clone();
        self.in_ledger(async |ledger| {
            let detail = serde_json::json!({ "reason": reason, "accepted": overridden });
            ledger
                .append(EventKind::Override, &actor, Some(id), &detail)
                .await?;
            Ok(End::Commit(()))
        })
        .await
    }
}

fn unchanged(mut drift: Vec<Drift>) -> Result<(), CoordinatorError> {
    drift.dedup();
    if drift.is_empty() {
        return Ok(());
    }
    Err(CoordinatorError::Drift(drift))
}
