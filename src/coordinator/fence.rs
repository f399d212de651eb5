//! The fence: a phase in which no version behind it is admitted any more, so that what is seen
//! from then on can only become less.

use super::change::{Move, WayBack, move_to};
use super::in_ledger::End;
use super::past_return::past_return;
use super::script::{Recheck, seen_elsewhere};
use super::session::Coordinator;
use super::{CoordinatorError, Situation};
use crate::gate::{Action, Decision, decide};
use crate::ledger::{Entry, Ledger};
use crate::model::{Live, MigrationId, MigrationState, Phase, Step};

impl Coordinator<'_> {
    /// Records that `step` has begun: no version behind its fence is admitted any more. Returns the
    /// phase to go back to.
    pub(super) async fn raise_fence(
        &mut self,
        state: &MigrationState,
        situation: &Situation,
        step: Step,
    ) -> Result<Phase, CoordinatorError> {
        if state.begun(step, &[]).phase == state.phase {
            let applied = situation
                .view
                .applied
                .iter()
                .find(|applied| applied.state.id() == state.id());
            return Ok(applied
                .and_then(|applied| applied.step_back)
                .unwrap_or(state.phase));
        }
        let others = seen_elsewhere(&situation.evidence.snapshot);
        let becomes = move |state: &MigrationState, live: &[Live]| state.begun(step, live);
        let (token, actor) = (self.token, self.actor.clone());
        self.in_ledger(async |ledger| {
            let change = Move {
                entry: Entry::Known,
                state,
                others: &others,
                becomes: &becomes,
                way_back: WayBack::Kept,
                detail: serde_json::json!({}),
            };
            Ok(End::Commit(move_to(ledger, token, &actor, change).await?))
        })
        .await
    }

    /// Goes back to the phase before the fence was raised, unless statements behind it have run.
    pub(super) async fn lower_fence(
        &mut self,
        state: &MigrationState,
        to: Phase,
    ) -> Result<(), CoordinatorError> {
        if state.phase == to || !matches!(state.phase, Phase::Contracting | Phase::Reverting) {
            return Ok(());
        }
        let step = match state.phase {
            Phase::Reverting => Step::Revert,
            _ => Step::Contract,
        };
        let becomes = move |state: &MigrationState, live: &[Live]| state.given_up(to, live);
        let migration = self.migration(state.id())?;
        let (token, actor) = (self.token, self.actor.clone());
        self.in_ledger(async |ledger| {
            // Statement by statement, an earlier run may have taken away a part already.
            if past_return(migration, step, ledger).await? {
                tracing::warn!(
                    "the fence of {id} stays up, because some statements of its {step} have run already: \
                     run `migrate {step} {id}` again to finish it",
                    id = state.id(),
                    step = step.name(),
                );
                return Ok(End::GiveUp(()));
            }
            // A fence raised before anything was recorded is lowered to nothing being recorded.
            let change = Move {
                entry: Entry::Known,
                state,
                others: &[],
                becomes: &becomes,
                way_back: WayBack::None,
                detail: serde_json::json!({ "stepped_back": true }),
            };
            move_to(ledger, token, &actor, change).await?;
            Ok(End::Commit(()))
        })
        .await
    }

    /// After an error: goes back where nothing was changed, and stays where statements have run.
    /// Returns the error, which is what matters even where going back fails as well.
    pub(super) async fn lower_fence_after(
        &mut self,
        error: CoordinatorError,
        state: &MigrationState,
        to: Phase,
    ) -> CoordinatorError {
        let is_superseded = matches!(
            error,
            CoordinatorError::Ledger(crate::ledger::LedgerError::Superseded { .. })
        );
        if is_superseded {
            return error;
        }
        if let Err(second) = self.lower_fence(state, to).await {
            tracing::warn!(
                "the fence of {} is still up ({second}): run the same command again to finish it or to lower it",
                state.id()
            );
        }
        error
    }
}

/// What a recheck has to know of the coordinator.
pub(super) struct RecheckRules {
    pub(super) project: crate::project::Project,
    pub(super) accept_unknown: bool,
}

impl RecheckRules {
    pub(super) fn of(coordinator: &Coordinator<'_>) -> Self {
        Self {
            project: coordinator.project().clone(),
            accept_unknown: coordinator.options.accept_unknown.is_some(),
        }
    }
}

/// Asks the gate again inside the transaction: the leases as they are now, the other sources as
/// they were when last asked.
pub(super) struct FromInside<'r> {
    pub step: Step,
    pub id: &'r MigrationId,
    pub situation: &'r Situation,
    pub coordinator: RecheckRules,
}

#[async_trait::async_trait]
impl Recheck for FromInside<'_> {
    async fn decide(&self, ledger: &mut Ledger<'_>) -> Result<Decision, CoordinatorError> {
        ledger.judge_by(&crate::fleet::lease_rules(&self.coordinator.project.config));
        let view = ledger.view().await?;
        let mut evidence = self.situation.evidence.clone();
        evidence.snapshot = view.refresh(&evidence.snapshot);
        evidence.schema = super::observe::schema(&self.coordinator.project, &view);
        if self.step == Step::Contract {
            let rules = self
                .coordinator
                .project
                .migrations
                .iter()
                .find(|migration| migration.id() == self.id);
            if let Some(migration) = rules {
                evidence.facts =
                    super::facts::measure(migration, self.id, &view, &evidence.schema, ledger)
                        .await?;
            }
        }
        let action = Action::Step {
            step: self.step,
            migration: self.id.clone(),
        };
        let decision = decide(action, &evidence);
        Ok(if self.coordinator.accept_unknown {
            decision.accepting_unknown()
        } else {
            decision
        })
    }
}
