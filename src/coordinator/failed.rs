//! What a step failed on is written down, for whoever looks later from somewhere else.

use std::time::Duration;

use super::session::Session;
use super::{CoordinatorError, Outcome};
use crate::database::LockTimeout;
use crate::gate::BlockerKind;
use crate::ledger::{Ledger, LedgerError};
use crate::model::{MigrationId, Step};

/// Records why a step was not carried out, where that is not said by what is recorded anyway. Only a help: where it cannot
/// be written, the command says it all the same.
pub(super) async fn remember_failure(
    session: &mut Session<'_>,
    ended: &Result<Outcome, CoordinatorError>,
    step: Step,
    id: &MigrationId,
) {
    let Some(message) = worth_telling(ended) else {
        return;
    };
    if let Err(error) = write_failure(session, step, id, &message).await {
        tracing::debug!("why {id} failed is not recorded: {error}");
        let _ = session.connection.rollback().await;
    }
}

async fn write_failure(
    session: &mut Session<'_>,
    step: Step,
    id: &MigrationId,
    message: &str,
) -> Result<(), LedgerError> {
    const SOON: Duration = Duration::from_secs(2);
    let _kept = session.orders.interrupt.hold_off();
    session.connection.rollback().await?;
    let mut ledger = Ledger::write(session.connection.as_mut()).await?;
    // Nobody waits for long to hear what they know already.
    ledger.unsent().limit_lock_waits(LockTimeout(SOON)).await?;
    ledger
        .record_failure(id, step, message, &session.actor)
        .await?;
    ledger.commit().await
}

/// What a failure says; `None` if it passes by itself, or where the record and the files say it.
fn worth_telling(ended: &Result<Outcome, CoordinatorError>) -> Option<String> {
    match ended {
        Err(error) if error.is_interruption() => None,
        // To run it again says the same for ever: what ends that is told wherever the failure is.
        Err(error) if error.is_unresolved() => {
            let help = error.help().unwrap_or_default();
            Some(format!("{error}; {help}"))
        }
        Err(
            error @ (CoordinatorError::Script(_)
            | CoordinatorError::Batch(_)
            | CoordinatorError::Key { .. }
            | CoordinatorError::Locked { .. }
            | CoordinatorError::Fenced { .. }),
        ) => Some(error.to_string()),
        Err(CoordinatorError::Database(error)) if !error.is_passing() => Some(error.to_string()),
        // The queries of the migration itself: what is live shows at each look.
        Ok(Outcome::Blocked(decision)) => {
            let failing = decision.blockers.iter();
            let mut failing = failing.filter(|blocker| blocker.kind() == BlockerKind::Requirement);
            failing.next().map(|blocker| blocker.message())
        }
        _ => None,
    }
}
