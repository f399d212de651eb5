//! The fence: a phase in which no version behind it is admitted any more, so that what is seen
//! from then on can only become less.
//!
//! It is a record and no lock. A lock would end with the session that holds it, and be lost behind a pooler; the record outlives its
//! coordinator, and the door reads it in the transaction in which it admits. So a fence may be left up by whoever was killed behind it. Nothing
//! is wrong then: the next run of the same command finishes the step or takes the fence down, and until then the versions that run go on.
//! docs/protocol.md tells it from the outside.

use super::change::{Becomes, PhaseTransition, WayBack, move_to};
use super::facts::measure;
use super::gap::judge;
use super::in_ledger::End;
use super::orders::Orders;
use super::past_return::past_return;
use super::recheck::Recheck;
use super::session::Session;
use super::situation::seen_elsewhere;
use super::sync::watch;
use super::{CoordinatorError, Outcome, Situation};
use crate::gate::{Action, Decision, decide};
use crate::ledger::{Ledger, LedgerError};
use crate::model::{MigrationId, MigrationState, Phase, Step};

/// The one way in: records that `step` has begun, and no version behind its fence is admitted any more. Where an earlier
/// run has left it up, there is nothing to record.
///
/// Whatever comes after it goes through [`leave_fence`], also where this fails: an error may come after all was
/// committed.
pub(super) async fn raise_fence(
    session: &mut Session<'_>,
    state: &MigrationState,
    situation: &Situation,
    step: Step,
) -> Result<(), CoordinatorError> {
    if state.begun(step, &[]).phase == state.phase {
        return Ok(());
    }
    let others = seen_elsewhere(&situation.evidence.snapshot);
    session
        .change_phase(PhaseTransition {
            others: &others,
            way_back: WayBack::Kept,
            ..PhaseTransition::new(state, Becomes::Begun(step))
        })
        .await
}

/// The one way out from behind a fence, however the step ended: unless it was carried out, the fence comes down, or
/// it is said that it stays up, why, and what to do.
pub(super) async fn leave_fence(
    session: &mut Session<'_>,
    step: Step,
    id: &MigrationId,
    ended: Result<Outcome, CoordinatorError>,
) -> Result<Outcome, CoordinatorError> {
    match &ended {
        Ok(Outcome::Done(_) | Outcome::Already { .. }) => return ended,
        // Another coordinator is at work, and the fence is its own.
        Err(
            CoordinatorError::Ledger(LedgerError::Superseded { .. })
            | CoordinatorError::Moved { .. },
        ) => return ended,
        Ok(Outcome::Blocked(_)) | Err(_) => {}
    }
    let _kept = session.orders.interrupt.hold_off();
    let mut lowered = lower_fence(session, step, id).await;
    if let Err(error) = &lowered
        && (error.is_passing() || session.connection.is_lost())
    {
        tracing::debug!("lowering the fence of {id}: {error}");
        session.reconnect().await;
        lowered = lower_fence(session, step, id).await;
    }
    let why = match lowered {
        Ok(Fence::Down) => return ended,
        Ok(Fence::Up) => format!("some statements of its {} have run already", step.name()),
        Err(error) => error.to_string(),
    };
    let stays = format!(
        "the fence of {id} stays up ({why}), so that versions of the {} format cannot start: run `migrate {} {id}` \
         again, which finishes it or lowers the fence",
        match step {
            Step::Revert => "new",
            _ => "old",
        },
        step.name(),
    );
    match ended {
        Ok(Outcome::Blocked(mut decision)) => {
            decision.notes.push(stays);
            Ok(Outcome::Blocked(decision))
        }
        Err(CoordinatorError::Interrupted { kept, next }) => Err(CoordinatorError::Interrupted {
            kept: format!("{kept}; {stays}"),
            next,
        }),
        // What is recorded says it all.
        Err(error) if error.is_interruption() => Err(error),
        Err(cause) => Err(CoordinatorError::Fenced {
            cause: Box::new(cause),
            stays,
        }),
        done => done,
    }
}

/// Goes back to the phase before the fence was raised, by what is recorded, unless statements behind it have run.
pub(super) async fn lower_fence(
    session: &mut Session<'_>,
    step: Step,
    id: &MigrationId,
) -> Result<Fence, CoordinatorError> {
    let _kept = session.orders.interrupt.hold_off();
    let files = (id, session.orders.project.as_read(id));
    let (token, actor) = (session.token, session.actor.clone());
    session
        .in_ledger(async |ledger| {
            let view = ledger.view().await?;
            let mut applied = view.applied.iter();
            let behind = match step {
                Step::Revert => Phase::Reverting,
                _ => Phase::Contracting,
            };
            let fenced = applied
                .find(|applied| applied.state.id() == id)
                .filter(|applied| applied.state.phase == behind);
            let Some(fenced) = fenced else {
                return Ok(End::GiveUp(Fence::Down));
            };
            let way_back = fenced.step_back;
            // Statement by statement, an earlier run may have taken away a part already.
            let (Some(to), false) = (way_back, past_return(files, step, ledger).await?) else {
                return Ok(End::GiveUp(Fence::Up));
            };
            let change = PhaseTransition {
                detail: serde_json::json!({ "stepped_back": true }),
                ..PhaseTransition::new(&fenced.state, Becomes::GivenUp(to))
            };
            move_to(ledger, token, &actor, change).await?;
            Ok(End::Commit(Fence::Down))
        })
        .await
}

/// What has become of a fence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fence {
    Down,
    Up,
}

/// Asks the gate again inside the transaction: the leases as they are now, the other sources as
/// they were when last asked.
///
/// The decision before it rests on a look that is over. Between that look and the lock on admissions somebody may have been admitted, a
/// backfill undone, a trigger dropped; so whatever the database itself can tell is read anew here, where nobody can change it any more before
/// the commit. A source elsewhere cannot be locked, and asking it would hold the locks for as long as it takes: that is what the fence is for.
pub(super) struct FromInside<'r> {
    pub step: Step,
    pub id: &'r MigrationId,
    pub situation: &'r Situation,
    pub orders: Orders<'r>,
}

#[async_trait::async_trait]
impl Recheck for FromInside<'_> {
    async fn decide(&self, ledger: &mut Ledger<'_>) -> Result<Decision, CoordinatorError> {
        let view = ledger.view().await?;
        let mut evidence = self.situation.evidence.clone();
        evidence.snapshot = view.refresh(&evidence.snapshot);
        let dialect = ledger.capabilities().dialect;
        evidence.schema = super::situation::schema(self.orders.project, &view, dialect);
        let project = self.orders.project;
        if matches!(self.step, Step::Backfill | Step::Contract) {
            let watched = watch(project, &evidence.schema, Some(self.id), ledger).await?;
            judge(&watched, &view, &mut evidence);
        }
        if let (Step::Contract, Some(migration)) = (self.step, project.as_read(self.id)) {
            let measured = measure((project, migration), &view, &evidence, ledger);
            evidence.facts = measured.await?;
        }
        let action = Action::Step {
            step: self.step,
            migration: self.id.clone(),
        };
        Ok(self.orders.accepts.of(decide(action, &evidence)))
    }
}
