//! The engine of a backfill: fills the new format for existing rows, batch by batch along a key.
//!
//! Invariant: a batch and its checkpoint commit together, so a killed run redoes nothing and skips
//! nothing. The last key is fixed at the start, so the run ends under concurrent inserts.

use std::time::{Duration, Instant};

use crate::database::{Access, Batch, Connection, DatabaseError, ErrorKind, LockTimeout};
use crate::ledger::{Cursor, Ledger, LedgerError};
use crate::model::{MigrationId, Phase};
use crate::project::{BackfillFile, BackfillRules};
use crate::sql::Part;

/// What one backfill works with.
#[derive(Clone, Copy, Debug)]
pub struct Engine<'e> {
    pub id: &'e MigrationId,
    pub rules: &'e BackfillRules,
    pub file: &'e BackfillFile,
    /// The coordinator's token, checked in the transaction of every batch.
    pub token: i64,
    pub lock_timeout: Duration,
    /// How long a batch is tried again after a lock was not granted.
    pub lock_retry_for: Duration,
}

/// Why a batch could not be done; everything before it stays done.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A version that writes only the old format was admitted, or the phase has changed.
    #[error("the backfill is not running any more: the migration is {0}")]
    Moved(Phase),
}

impl BackfillError {
    /// Whether another attempt at the same batch may succeed.
    const fn is_worth_retrying(&self) -> bool {
        match self {
            Self::Database(error) | Self::Ledger(LedgerError::Database(error)) => {
                matches!(error.kind, ErrorKind::Locked | ErrorKind::Conflict)
            }
            Self::Ledger(_) | Self::Moved(_) => false,
        }
    }
}

impl Engine<'_> {
    fn key(&self) -> &str {
        self.rules.key.first().map_or("", String::as_str)
    }

    /// Where a new run begins and ends; none for an empty table.
    ///
    /// # Errors
    /// A database error, or a key that no range can go over.
    pub async fn start(
        &self,
        connection: &mut dyn Connection,
    ) -> Result<Option<Cursor>, DatabaseError> {
        let range = connection.key_range(&self.rules.table, self.key()).await?;
        Ok(range.map(|range| Cursor {
            after: range.before_first,
            upto: range.last,
            rows: 0,
        }))
    }

    /// Runs the batch after `cursor`, and records the cursor after it in the same transaction;
    /// none when the last key is passed.
    ///
    /// # Errors
    /// See [`BackfillError`].
    pub async fn batch(
        &self,
        connection: &mut dyn Connection,
        cursor: &Cursor,
    ) -> Result<Option<Cursor>, BackfillError> {
        let batch = Batch {
            table: &self.rules.table,
            key: self.key(),
            after: &cursor.after,
            upto: &cursor.upto,
            size: self.rules.batch,
        };
        let Some(end) = connection.batch_end(&batch).await? else {
            return Ok(None);
        };
        let began = Instant::now();
        loop {
            let attempt = self.attempt(connection, cursor, &end).await;
            // A broken connection cannot be rolled back, and need not be.
            if attempt.is_err() {
                let _ = connection.rollback().await;
            }
            match attempt {
                Err(error)
                    if error.is_worth_retrying() && began.elapsed() < self.lock_retry_for =>
                {
                    pause().await;
                }
                Err(BackfillError::Database(mut error)) => {
                    error.message = format!(
                        "{}: the batch after key {} up to {} failed, and everything before it stays done: {}",
                        self.file.path.display(),
                        readable(&cursor.after),
                        readable(&end),
                        error.message
                    );
                    return Err(error.into());
                }
                other => return other.map(Some),
            }
        }
    }

    async fn attempt(
        &self,
        connection: &mut dyn Connection,
        cursor: &Cursor,
        end: &str,
    ) -> Result<Cursor, BackfillError> {
        let mut ledger = Ledger::write(connection).await?;
        ledger
            .connection()
            .limit_lock_waits(LockTimeout(self.lock_timeout))
            .await?;
        self.check_phase(&mut ledger).await?;
        let rows = ledger
            .connection()
            .run(&self.statement(&cursor.after, end))
            .await?;
        crate::crash::point("backfill.ran");
        let next = Cursor {
            after: end.to_owned(),
            upto: cursor.upto.clone(),
            rows: cursor.rows.saturating_add(rows),
        };
        ledger.record_cursor(self.id, &next).await?;
        ledger.fence(self.token).await?;
        ledger.commit().await?;
        Ok(next)
    }

    /// Makes sure that no version was admitted meanwhile that would undo the backfill.
    ///
    /// # Errors
    /// [`BackfillError::Moved`] where one was.
    pub async fn check_phase(&self, ledger: &mut Ledger<'_>) -> Result<(), BackfillError> {
        let view = ledger.view().await?;
        let applied = view
            .applied
            .iter()
            .find(|applied| applied.state.id() == self.id);
        match applied.map_or(Phase::Pending, |applied| applied.state.phase) {
            Phase::Backfilling => Ok(()),
            phase => Err(BackfillError::Moved(phase)),
        }
    }

    /// How many rows the `remaining` query still counts. A lock that is not granted is asked for
    /// again, as for a batch.
    ///
    /// # Errors
    /// A database error, or a query that returns no number.
    pub async fn remaining(&self, connection: &mut dyn Connection) -> Result<i64, DatabaseError> {
        let began = Instant::now();
        loop {
            let counted = self.count(connection).await;
            // The transaction only read, and a broken connection cannot be rolled back.
            let _ = connection.rollback().await;
            match counted {
                Err(error)
                    if error.kind == ErrorKind::Locked && began.elapsed() < self.lock_retry_for =>
                {
                    pause().await;
                }
                Err(mut error) => {
                    error.message = format!("`remaining` of {}: {}", self.id, error.message);
                    return Err(error);
                }
                Ok(count) => return Ok(count),
            }
        }
    }

    async fn count(&self, connection: &mut dyn Connection) -> Result<i64, DatabaseError> {
        connection.begin(Access::Read).await?;
        connection
            .limit_lock_waits(LockTimeout(self.lock_timeout))
            .await?;
        connection.count(&self.rules.remaining).await
    }

    /// Puts the limits of a batch into the statement.
    fn statement(&self, after: &str, upto: &str) -> String {
        let parts = self.file.statement.parts.iter();
        parts
            .map(|part| match part {
                Part::Sql(text) => text.as_str(),
                Part::After => after,
                Part::Upto => upto,
            })
            .collect()
    }
}

/// Between two attempts: long enough for whoever holds a lock, and never the same for two waiters.
async fn pause() {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(200..800))).await;
}

/// A key for messages, without what makes it a literal of one database: `E'7'::bigint` is `7`.
fn readable(literal: &str) -> &str {
    let text = literal.rsplit_once("'::").map_or(literal, |(text, _)| text);
    let text = text.strip_prefix('E').unwrap_or(text);
    let text = text.strip_prefix('\'').unwrap_or(text);
    text.strip_suffix('\'').unwrap_or(text)
}
