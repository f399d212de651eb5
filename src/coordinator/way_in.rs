//! The one way into a step: what is known is asked about, what an override covers is remembered, and only then the step begins.

use super::by_runner::taken_back;
use super::session::Session;
use super::{CoordinatorError, Outcome, Situation};
use crate::gate::{Decision, Verdict};
use crate::model::{MigrationId, MigrationState, Phase, Step};

/// A step that may be taken, and what that rests on.
pub(super) struct Ready {
    pub situation: Situation,
    /// The migration as it was when the step was decided on.
    pub state: MigrationState,
    pub decision: Decision,
}

/// What came of asking.
pub(super) enum Asked {
    Ready(Box<Ready>),
    /// There is nothing to do, or something is in the way. Nothing was changed but for what the look has shown.
    Ended(Outcome),
}

/// Asks the gate about a step.
///
/// The order matters. An override is recorded before anything is done by it, because it holds whatever becomes of the step; and a
/// step that is taken already ends here, before its files are looked for: an old checkout may not have them any more.
pub(super) async fn asked(
    session: &mut Session<'_>,
    step: Step,
    id: &MigrationId,
    situation: Situation,
) -> Result<Asked, CoordinatorError> {
    let decision = session.orders.ask(step, id, &situation);
    let overridden = session.orders.overridden(step, id, &situation);
    session.record_override(&overridden, id).await?;
    if decision.verdict != Verdict::Go {
        return Ok(Asked::Ended(Outcome::Blocked(decision)));
    }
    let Some(state) = situation.evidence.schema.get(id).cloned() else {
        return Err(CoordinatorError::NoFiles(id.clone()));
    };
    if step == Step::Expand && is_taken(step, state.phase) {
        // What is recorded is true only as long as the tool that did it has not undone it.
        if let Some(decision) = taken_back(session, id, &situation).await? {
            return Ok(Asked::Ended(Outcome::Blocked(decision)));
        }
    }
    if is_taken(step, state.phase) {
        return Ok(Asked::Ended(already(step, id, &decision)));
    }
    Ok(Asked::Ready(Box::new(Ready {
        situation,
        state,
        decision,
    })))
}

/// Whether nothing is left to do in this phase. Of a backfill that is for its own queries to say: rows may have been written past it.
const fn is_taken(step: Step, phase: Phase) -> bool {
    match step {
        Step::Expand => phase.expand_is_done(),
        Step::Backfill => false,
        Step::Contract => matches!(phase, Phase::Contracted),
        Step::Revert => matches!(phase, Phase::Pending),
    }
}

/// A step that was taken already.
pub(super) fn already(step: Step, id: &MigrationId, decision: &Decision) -> Outcome {
    Outcome::Already {
        migration: id.clone(),
        step,
        note: decision.notes.join("; "),
    }
}
