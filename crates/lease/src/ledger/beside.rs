//! What is recorded beside the phases, read at once for whoever shows all of it.

use super::backfills::{BACKFILLS, RANGES, read_backfills};
use super::failures::{FAILURES, read_failures};
use super::rollouts::{LAST_ROLLOUT, LAST_STEPS, read_rollout};
use super::{BackfillRecord, FailureRecord, Ledger, LedgerError, RolloutRecord};
use crate::database::{Connection, DatabaseError, ErrorKind};

/// What is recorded beside the phases.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    pub backfills: Vec<BackfillRecord>,
    /// Why steps failed the last time.
    pub failures: Vec<FailureRecord>,
    /// The rollout that began last.
    pub rollout: Option<RolloutRecord>,
}

impl Ledger<'_> {
    /// What is recorded beside the phases, in a transaction of its own; nothing where the database has no ledger.
    ///
    /// # Errors
    /// A database error, or contents that this program did not write.
    pub async fn beside(connection: &mut dyn Connection) -> Result<Beside, LedgerError> {
        let Some(mut ledger) = Ledger::read(connection).await? else {
            return Ok(Beside::default());
        };
        let queries = [BACKFILLS, RANGES, FAILURES, LAST_ROLLOUT, LAST_STEPS];
        let read = ledger.query_all(queries).await;
        ledger.rollback().await?;
        match read {
            Ok([backfills, ranges, failures, rollout, steps]) => Ok(Beside {
                backfills: read_backfills(&backfills, &ranges)?,
                failures: read_failures(&failures)?,
                rollout: read_rollout(&rollout, &steps)?,
            }),
            // One of them is not there, or not for this user: the others are told all the same.
            Err(LedgerError::Database(error)) if hides(&error) => Ok(Beside {
                backfills: Ledger::backfills(connection).await?,
                failures: Ledger::failures(connection).await?,
                rollout: last_rollout(connection).await?,
            }),
            Err(error) => Err(error),
        }
    }
}

/// Whether a table is from after this ledger was made, or not for this user.
fn hides(error: &DatabaseError) -> bool {
    matches!(error.kind, ErrorKind::NoTable | ErrorKind::Permission)
}

/// The rollout that began last; `None` where this user may not look, or the ledger is from before there were rollouts.
async fn last_rollout(
    connection: &mut dyn Connection,
) -> Result<Option<RolloutRecord>, LedgerError> {
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(None);
    };
    let last = ledger.last_rollout().await;
    ledger.rollback().await?;
    match last {
        Err(LedgerError::Database(error)) if hides(&error) => Ok(None),
        other => other,
    }
}
