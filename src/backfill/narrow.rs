//! Which row of a batch it is that the database does not accept.
//!
//! The batch is halved down to it. What passes on the way is committed like any other batch, so the search makes progress
//! even where it is killed, and it has at most twice as many attempts as there are halvings.

use std::time::Instant;

use super::engine::{About, pause};
use super::failed::FailedOn;
use super::pace::Sizes;
use super::{BackfillError, Engine, Report, statement};
use crate::database::{
    Access, Connection, DatabaseError, ErrorKind, KeyRange, LockTimeout, Start, StatementTimeout,
};
use crate::ledger::RangeRecord;

/// Looks for one row.
pub(super) struct Search<'s> {
    pub(super) engine: &'s Engine<'s>,
    pub(super) sizes: Sizes,
    pub(super) report: &'s (dyn Fn(Report) + Send + Sync),
}

impl Search<'_> {
    /// Where the range is once every row of the batch has passed after all.
    ///
    /// # Errors
    /// The row, or what else it failed on.
    pub(super) async fn narrow(
        &self,
        connection: &mut dyn Connection,
        range: &RangeRecord,
        mut about: About,
        mut error: BackfillError,
    ) -> Result<RangeRecord, BackfillError> {
        let engine = self.engine;
        let began = Instant::now();
        if self.fails_without_rows(connection, &about.keys).await? {
            return Err(engine.named(error, FailedOn::Statement));
        }
        let mut range = range.clone();
        // Among so many of the next keys it is.
        let mut suspects = about.count.max(1);
        while suspects > 0 && !range.left.is_done() {
            if about.count == 1 {
                return Err(engine.named(error, FailedOn::Row(about.keys)));
            }
            if began.elapsed() >= engine.limits.lock_retry_for {
                return Err(engine.named(error, FailedOn::Range(about.keys)));
            }
            let size = (suspects / 2).max(1);
            (self.report)(Report::Narrowing {
                error: error.to_string(),
                keys: size,
            });
            let mut tried = About::of(&range);
            let attempt = engine
                .attempt(connection, &range, self.sizes, size, &mut tried)
                .await;
            match attempt {
                Ok(next) => {
                    range = next;
                    suspects = suspects.saturating_sub(size);
                }
                Err(found) => {
                    // A broken connection cannot be rolled back, and need not be.
                    let _ = connection.rollback().await;
                    if tried.is_of_their_statement && found.is_of_a_statement() {
                        suspects = tried.count.max(1);
                        (about, error) = (tried, found);
                    } else if found.is_worth_retrying() {
                        pause().await;
                    } else {
                        return Err(engine.named(found, FailedOn::Range(tried.keys)));
                    }
                }
            }
        }
        Ok(range)
    }

    /// Whether it is not about rows at all: over an empty range it fails as well. Nothing of that is kept.
    async fn fails_without_rows(
        &self,
        connection: &mut dyn Connection,
        keys: &KeyRange,
    ) -> Result<bool, DatabaseError> {
        let (engine, rows) = (self.engine, connection.capabilities().row_comparison);
        let empty = KeyRange {
            start: Start::After(keys.last.clone()),
            last: keys.last.clone(),
        };
        let sql = statement::over(&engine.file.statement, &empty, rows);
        connection.begin(Access::Write).await?;
        let ran = async {
            let limits = &engine.limits;
            connection
                .limit_lock_waits(LockTimeout(limits.lock_timeout))
                .await?;
            connection
                .limit_statements(StatementTimeout(engine.rules.statement_timeout))
                .await?;
            connection.run(&sql).await
        }
        .await;
        let gave_up = connection.rollback().await;
        match ran {
            Ok(_) => gave_up.map(|()| false),
            Err(error) if error.kind == ErrorKind::Statement => gave_up.map(|()| true),
            // Whatever else it is shows again.
            Err(_) => Ok(false),
        }
    }
}
