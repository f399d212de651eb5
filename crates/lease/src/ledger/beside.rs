//! What is recorded beside the phases, read at once for whoever shows all of it.

use super::backfills::{BACKFILLS, RANGES, read_backfills};
use super::events::{HEAD, KnownHead};
use super::failures::{FAILURES, read_failures};
use super::rollouts::{LAST_ROLLOUT, LAST_STEPS, read_rollout};
use super::{BackfillRecord, FailureRecord, Ledger, LedgerError, RolloutRecord};
use crate::database::{Connection, DatabaseError, ErrorKind};
use crate::model::{MigrationId, Phase};

/// What is recorded beside the phases.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    pub backfills: Vec<BackfillRecord>,
    /// Why steps failed the last time.
    pub failures: Vec<FailureRecord>,
    /// The rollout that began last.
    pub rollout: Option<RolloutRecord>,
    /// Since when fences are up.
    pub fences: Vec<FenceRecord>,
    /// Where the log ends; `None` without a ledger.
    pub log_head: Option<KnownHead>,
}

/// A fence that is up: versions of one format are kept out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FenceRecord {
    pub id: MigrationId,
    /// Milliseconds since the epoch, by the database's clock.
    pub since: i64,
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
        let queries = [BACKFILLS, RANGES, FAILURES, LAST_ROLLOUT, LAST_STEPS, HEAD];
        let read = ledger.query_all(queries).await;
        ledger.rollback().await?;
        match read {
            Ok([backfills, ranges, failures, rollout, steps, head]) => Ok(Beside {
                backfills: read_backfills(&backfills, &ranges)?,
                failures: read_failures(&failures)?,
                rollout: read_rollout(&rollout, &steps)?,
                fences: Vec::new(),
                log_head: Some(KnownHead::read(&head)?),
            }),
            // One of them is not there, or not for this user: the others are told all the same.
            Err(LedgerError::Database(error)) if hides(&error) => Ok(Beside {
                backfills: Ledger::backfills(connection).await?,
                failures: Ledger::failures(connection).await?,
                rollout: last_rollout(connection).await?,
                fences: Vec::new(),
                log_head: log_head(connection).await?,
            }),
            Err(error) => Err(error),
        }
    }
}

impl Ledger<'_> {
    /// Since when the fences of these migrations are up, each with the phase that it is: the log tells, because the time of the
    /// phase itself goes on behind a fence. In a transaction of its own; without those of which this user may not know.
    ///
    /// # Errors
    /// A database error, or contents that this program did not write.
    pub async fn fences(
        connection: &mut dyn Connection,
        of: &[(MigrationId, Phase)],
    ) -> Result<Vec<FenceRecord>, LedgerError> {
        const RAISED: &str = "SELECT at FROM {events} WHERE migration = ? AND kind = 'phase' AND detail LIKE ? \
                              AND detail NOT LIKE ? ORDER BY seq DESC LIMIT 1";
        let mut found = Vec::new();
        if of.is_empty() {
            return Ok(found);
        }
        let Some(mut ledger) = Ledger::read(connection).await? else {
            return Ok(found);
        };
        for (id, phase) in of {
            let [to, from] = ["to", "from"].map(|key| format!("%\"{key}\":\"{}\"%", phase.name()));
            let values = [id.as_str().into(), to.as_str().into(), from.as_str().into()];
            let rows = match ledger.query(RAISED, &values).await {
                Ok(rows) => rows,
                Err(LedgerError::Database(error)) if hides(&error) => break,
                Err(error) => return Err(error),
            };
            if let Some(row) = rows.first() {
                let since = row.int(0)?;
                found.push(FenceRecord {
                    id: id.clone(),
                    since,
                });
            }
        }
        ledger.rollback().await?;
        Ok(found)
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

async fn log_head(connection: &mut dyn Connection) -> Result<Option<KnownHead>, LedgerError> {
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(None);
    };
    let head = ledger.log_head().await?;
    ledger.rollback().await?;
    Ok(Some(head))
}
