//! One batch: in one transaction with its checkpoint, tried again, and split where it does not get through.

use std::time::Instant;

use super::engine::{About, pause};
use super::failed::{FailedBatch, FailedOn};
use super::pace::{Sizes, retry_size};
use super::{BackfillError, Engine, Report, key, narrow, statement};
use crate::database::{
    Access, Connection, DatabaseError, ErrorKind, KeyRange, LockTimeout, Start, StatementTimeout,
};
use crate::ledger::{Ledger, LedgerError, RangeRecord};
use crate::model::Phase;
use crate::span;

impl Engine<'_> {
    /// Runs the next batch of a range, and records how far the range is in the same transaction.
    pub(super) async fn batch(
        &self,
        connection: &mut dyn Connection,
        range: &RangeRecord,
        sizes: Sizes,
        report: &(dyn Fn(Report) + Send + Sync),
    ) -> Result<RangeRecord, BackfillError> {
        let mut size = sizes.resumed(range.size);
        let began = Instant::now();
        for failures in 1.. {
            let mut about = About::of(range);
            let span = span::batch();
            let attempt = self.attempt(connection, range, sizes, size, &mut about);
            let error = match span::within(span.clone(), attempt).await {
                Ok(next) => {
                    span.record("phasegate.keys", next.seen.saturating_sub(range.seen));
                    span.record("phasegate.rows", next.changed.saturating_sub(range.changed));
                    return Ok(next);
                }
                Err(error) => error,
            };
            // A broken connection cannot be rolled back, and need not be.
            let _ = connection.rollback().await;
            if about.is_of_their_statement && error.is_of_a_statement() {
                let found = narrow::Search {
                    engine: self,
                    sizes,
                    report,
                };
                return found.narrow(connection, range, about, error).await;
            }
            if !error.is_worth_retrying() || began.elapsed() >= self.limits.lock_retry_for {
                return Err(self.named(error, FailedOn::Range(about.keys)));
            }
            size = retry_size(size, failures);
            report(Report::Retry {
                error: error.to_string(),
                keys: size,
            });
            pause().await;
        }
        Ok(range.clone())
    }

    /// Says which keys an error is about.
    pub(super) fn named(&self, error: BackfillError, on: FailedOn) -> BackfillError {
        match error {
            // It says nothing about these keys.
            BackfillError::Database(cause)
            | BackfillError::Ledger(LedgerError::Database(cause))
                if !matches!(
                    cause.kind,
                    ErrorKind::Unreachable
                        | ErrorKind::Full
                        | ErrorKind::NoSpace
                        | ErrorKind::Interrupted
                ) =>
            {
                BackfillError::Failed(Box::new(FailedBatch {
                    migration: self.id.clone(),
                    path: self.file.path.clone(),
                    columns: self.rules.key.clone(),
                    on,
                    cause,
                }))
            }
            other => other,
        }
    }

    pub(super) async fn attempt(
        &self,
        connection: &mut dyn Connection,
        range: &RangeRecord,
        sizes: Sizes,
        size: u64,
        about: &mut About,
    ) -> Result<RangeRecord, BackfillError> {
        let rows = connection.capabilities().row_comparison;
        let began = Instant::now();
        let mut ledger = Ledger::write(connection).await?;
        let limits = &self.limits;
        let connection = ledger.connection().await?;
        connection
            .limit_lock_waits(LockTimeout(limits.lock_timeout))
            .await?;
        connection
            .limit_statements(StatementTimeout(self.rules.statement_timeout))
            .await?;
        self.check_phase(&mut ledger).await?;
        let connection = ledger.connection().await?;
        let ahead = key::ahead(connection, self.keys(), &range.left, size).await?;
        let keys = match ahead {
            Some(end) => {
                about.keys.last = end;
                size
            }
            None => connection.count_keys(self.keys(), &range.left).await?,
        };
        about.count = keys;
        let mut changed = 0;
        if keys > 0 {
            let sql = statement::over(&self.file.statement, &about.keys, rows);
            // What it puts off until the commit fails there.
            about.is_of_their_statement = true;
            changed = connection.run(&sql).await?;
            crate::crash::point("backfill.ran");
        }
        let worked = began.elapsed();
        let next = RangeRecord {
            position: range.position,
            left: KeyRange {
                start: Start::After(about.keys.last.clone()),
                last: range.left.last.clone(),
            },
            seen: range.seen.saturating_add(keys),
            changed: range.changed.saturating_add(changed),
            batches: range.batches.saturating_add(u64::from(keys > 0)),
            // The end of a range says little.
            size: if keys == size {
                sizes.next(keys, worked)
            } else {
                size
            },
        };
        ledger.record_checkpoint(self.id, &next, self.token).await?;
        ledger.commit().await?;
        Ok(next)
    }

    /// Makes sure that no version was admitted meanwhile that would undo the backfill.
    ///
    /// # Errors
    /// [`BackfillError::Moved`] where one was.
    pub async fn check_phase(&self, ledger: &mut Ledger<'_>) -> Result<(), BackfillError> {
        match ledger.phase_of(self.id).await? {
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
                    if error.kind == ErrorKind::Locked
                        && began.elapsed() < self.limits.lock_retry_for =>
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

    /// The keys of a few rows that `remaining` counts, where it is a plain count whose rows can be looked at.
    pub async fn examples(&self, connection: &mut dyn Connection) -> Vec<String> {
        const EXAMPLES: u64 = 3;
        let dialect = connection.capabilities().dialect;
        let query = self.rules.remaining.of(dialect).trim_start();
        let Some(rest) = without_count(query) else {
            return Vec::new();
        };
        let sql = format!("SELECT {} {rest}", self.rules.key.join(", "));
        let found = async {
            connection.begin(Access::Read).await?;
            let limit = LockTimeout(self.limits.lock_timeout);
            connection.limit_lock_waits(limit).await?;
            connection.sample(&sql, EXAMPLES).await
        }
        .await;
        // It only read, and examples are no more than a help.
        let _ = connection.rollback().await;
        let rows: Vec<Vec<String>> = found.unwrap_or_default();
        rows.iter().map(|row| row.join(", ")).collect()
    }

    async fn count(&self, connection: &mut dyn Connection) -> Result<i64, DatabaseError> {
        connection.begin(Access::Read).await?;
        connection
            .limit_lock_waits(LockTimeout(self.limits.lock_timeout))
            .await?;
        let dialect = connection.capabilities().dialect;
        connection.count(self.rules.remaining.of(dialect)).await
    }
}

/// What follows `SELECT count(*)`.
fn without_count(query: &str) -> Option<&str> {
    let mut rest = query;
    for word in ["select", "count", "(", "*", ")"] {
        rest = rest.trim_start();
        let (head, tail) = rest.split_at_checked(word.len())?;
        if !head.eq_ignore_ascii_case(word) {
            return None;
        }
        rest = tail;
    }
    let rest = rest.trim_start();
    let begins = rest.get(..5)?;
    (begins.eq_ignore_ascii_case("from ") || begins.eq_ignore_ascii_case("from\n")).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_counts() {
        for (query, rest) in [
            ("SELECT count(*) FROM t WHERE a", Some("FROM t WHERE a")),
            ("select COUNT ( * )\n from t", Some("from t")),
            ("SELECT count(a) FROM t", None),
            ("SELECT count(*) + 1 FROM t", None),
            ("VALUES (1)", None),
            ("", None),
            ("SELECT count(*)é", None),
        ] {
            assert_eq!(without_count(query), rest, "{query}");
        }
    }
}
