//! What a step has left that was interrupted, or whose connection broke, in words.

use std::time::Duration;

use super::CoordinatorError;
use super::session::Session;
use crate::database::{ErrorKind, INTERRUPTED};
use crate::ledger::{Ledger, LedgerError};
use crate::model::{MigrationId, Phase, Step};

/// The outcome of a step. Where it was interrupted, what is kept is said, as it is recorded; where the connection broke,
/// that it goes on from there.
pub(super) async fn told<T>(
    session: &mut Session<'_>,
    taken: Result<T, CoordinatorError>,
    step: Step,
    id: &MigrationId,
) -> Result<T, CoordinatorError> {
    let cause = match taken {
        Err(
            CoordinatorError::Database(cause)
            | CoordinatorError::Ledger(LedgerError::Database(cause)),
        ) if cause.kind == ErrorKind::Interrupted => cause,
        Err(
            CoordinatorError::Database(cause)
            | CoordinatorError::Ledger(LedgerError::Database(cause)),
        ) if cause.kind == ErrorKind::Unreachable && session.orders.target.path().is_none() => {
            // A file has no connection that could be lost: there the cause says it all.
            let kept = kept_after_loss(session, step, id).await;
            let cause = Box::new(cause);
            return Err(CoordinatorError::Lost { cause, kept });
        }
        other => return other,
    };
    let _kept = session.orders.interrupt.hold_off();
    let phase = match phase_now(session, id).await {
        Ok(phase) => Some(phase),
        Err(error) => {
            tracing::debug!("what is recorded of {id} cannot be read: {error}");
            None
        }
    };
    let mut kept = kept(step, id, phase);
    let more = cause.message.strip_prefix(INTERRUPTED).unwrap_or_default();
    kept.push_str(more);
    Err(CoordinatorError::Interrupted {
        kept,
        next: next(step, id),
    })
}

/// What is kept of a step whose connection broke. Asked over another connection, where one can be had soon: whether the
/// last commit took effect is not to be guessed.
async fn kept_after_loss(session: &mut Session<'_>, step: Step, id: &MigrationId) -> String {
    const SOON: Duration = Duration::from_secs(5);
    let asked = async {
        let (project, target) = (session.orders.project, session.orders.target);
        let interrupt = session.orders.interrupt;
        session.connection =
            super::connect(project, target, super::Purpose::Act, interrupt).await?;
        phase_now(session, id).await
    };
    match tokio::time::timeout(SOON, asked).await {
        Ok(Ok(phase)) => format!("what was done is kept ({})", kept(step, id, Some(phase))),
        Ok(Err(error)) => {
            tracing::debug!("what is recorded of {id} cannot be read: {error}");
            "what was done is kept".to_owned()
        }
        Err(_) => "what was done is kept".to_owned(),
    }
}

/// The phase that is recorded; `None` if nothing is.
async fn phase_now(
    session: &mut Session<'_>,
    id: &MigrationId,
) -> Result<Option<Phase>, LedgerError> {
    if session.connection.is_lost() {
        session.reconnect().await;
    }
    session.connection.rollback().await?;
    let rules = session.orders.lease_rules();
    let Some(mut ledger) = Ledger::read(session.connection.as_mut()).await? else {
        return Ok(None);
    };
    ledger.judge_by(&rules);
    let view = ledger.view().await?;
    ledger.rollback().await?;
    let mut applied = view.applied.iter();
    let applied = applied.find(|applied| applied.state.id() == id);
    Ok(applied.map(|applied| applied.state.phase))
}

/// Goes on, or begins anew: each command finds out.
pub(super) fn next(step: Step, id: &MigrationId) -> String {
    format!(
        "`migrate {} {id}` goes on from what is recorded",
        step.name()
    )
}

/// By the phase that is recorded now; `None` of it where it could not be read.
fn kept(step: Step, id: &MigrationId, phase: Option<Option<Phase>>) -> String {
    let Some(phase) = phase else {
        return format!("what was done of {id} is recorded, and `migrate status` shows it");
    };
    match (step, phase.unwrap_or(Phase::Pending)) {
        (Step::Expand, Phase::Expanding) => format!(
            "the statements of {id} that were done are kept and recorded, and the one at work is not"
        ),
        (Step::Backfill, Phase::Backfilling) => format!(
            "every batch of {id} that was committed is kept, and the one at work was rolled back"
        ),
        (Step::Contract, Phase::Contracting) => format!(
            "the fence of {id} is still up: versions of the old format cannot start until its contract is run again, \
             which finishes it or lowers the fence"
        ),
        (Step::Revert, Phase::Reverting) => format!(
            "the fence of {id} is still up: versions of the new format cannot start until its revert is run again, which \
             finishes it or lowers the fence"
        ),
        (Step::Contract, phase) if phase != Phase::Contracted => format!(
            "the contract of {id} was given up: nothing was removed, and old versions may start again"
        ),
        (Step::Revert, phase) if phase != Phase::Pending => {
            format!("the revert of {id} was given up: nothing was removed")
        }
        (Step::Contract, _) => format!("{id} is contracted"),
        (Step::Revert, _) => format!("{id} is reverted, or was never expanded"),
        (Step::Expand, Phase::Pending) => format!("nothing of {id} was changed"),
        (Step::Expand, _) => format!("{id} is expanded"),
        (Step::Backfill, phase) => {
            format!("the backfill of {id} was not begun or is at its end; it is {phase}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_follows_from_what_is_recorded() {
        let id: MigrationId = "0002_split".parse().unwrap();
        for (step, phase, said) in [
            (
                Step::Expand,
                Some(None),
                "nothing of 0002_split was changed",
            ),
            (
                Step::Expand,
                Some(Some(Phase::Expanding)),
                "are kept and recorded",
            ),
            (
                Step::Backfill,
                Some(Some(Phase::Backfilling)),
                "committed is kept",
            ),
            (Step::Contract, Some(Some(Phase::Contracting)), "still up"),
            (
                Step::Contract,
                Some(Some(Phase::Backfilled)),
                "may start again",
            ),
            (Step::Revert, Some(Some(Phase::Reverting)), "still up"),
            (Step::Revert, Some(Some(Phase::Expanded)), "given up"),
            (Step::Revert, None, "migrate status"),
        ] {
            let kept = kept(step, &id, phase);
            assert!(kept.contains(said), "{step:?} {phase:?}: {kept}");
        }
    }
}
