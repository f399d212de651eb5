//! Whether every row is as it should be: the user's query over the whole range of keys, a part at a time.

use std::time::Instant;

use super::pace::Sizes;
use super::workers::Run;
use super::{BackfillError, Report, Standing, key, statement};
use crate::database::{
    Access, Connection, DatabaseError, ErrorKind, KeyRange, LockTimeout, Start, StatementTimeout,
};
use crate::sql::range_query;

/// Rows that are not as they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The part of the keys in which they are, in words.
    pub place: String,
    /// The first of them, as the query returns them.
    pub examples: Vec<String>,
}

const EXAMPLES: u64 = 3;

impl Run<'_> {
    /// Goes over all keys of the table as they are now, and stops at the first part in which something is found.
    /// `None` if nothing is, or nothing is asked.
    ///
    /// # Errors
    /// See [`BackfillError`].
    pub async fn check(
        &self,
        connection: &mut dyn Connection,
    ) -> Result<Option<Finding>, BackfillError> {
        let Some(query) = &self.engine.rules.check else {
            return Ok(None);
        };
        let capabilities = connection.capabilities();
        // Invariant: it was read with the project. Should it not be for this database, that is an error as well.
        let query = range_query(capabilities.dialect, query.of(capabilities.dialect)).map_err(
            |errors| {
                let messages: Vec<String> = errors.iter().map(ToString::to_string).collect();
                DatabaseError::new(ErrorKind::Statement, messages.join("; "))
            },
        )?;
        let Some(mut left) = key::whole(connection, self.engine.keys()).await? else {
            return Ok(None);
        };
        let throttle = self.throttle();
        let total = connection.estimate_rows(&self.engine.rules.table).await?;
        let mut standing = Standing {
            total,
            is_check: true,
            ..Standing::default()
        };
        let (began, never) = (Instant::now(), || false);
        // It locks no row, so that a part may be as large as time allows.
        let sizes = Sizes::of(self.engine.rules.batch, 0);
        let mut size = sizes.first();
        while !left.is_done() {
            throttle.admit(connection, self.report, &never).await?;
            let started = Instant::now();
            let mut part = left.clone();
            let ahead = key::ahead(connection, self.engine.keys(), &left, size).await?;
            if let Some(end) = ahead {
                part.last = end;
            }
            let sql = statement::over(&query, &part, capabilities.row_comparison);
            let examples = self.look(connection, &sql, &part).await?;
            if !examples.is_empty() {
                return Ok(Some(Finding {
                    place: part.to_string(),
                    examples,
                }));
            }
            standing.seen += size;
            standing.rate = throttle.passed(began.elapsed(), standing.seen).await;
            (self.report)(Report::Passed(standing));
            left.start = Start::After(part.last);
            let worked = started.elapsed();
            size = sizes.next(size, worked);
            self.rest(connection, &throttle, worked, &never).await?;
        }
        Ok(None)
    }

    async fn look(
        &self,
        connection: &mut dyn Connection,
        sql: &str,
        part: &KeyRange,
    ) -> Result<Vec<String>, BackfillError> {
        connection.begin(Access::Read).await?;
        let found = async {
            let limits = &self.engine.limits;
            connection
                .limit_lock_waits(LockTimeout(limits.lock_timeout))
                .await?;
            let limit = StatementTimeout(self.engine.rules.statement_timeout);
            connection.limit_statements(limit).await?;
            connection.sample(sql, EXAMPLES).await
        }
        .await;
        // It only read, and a broken connection cannot be rolled back.
        let _ = connection.rollback().await;
        let rows = found.map_err(|mut error: DatabaseError| {
            error.message = format!("`check` of {} {part}: {}", self.engine.id, error.message);
            error
        })?;
        Ok(rows.iter().map(|row| row.join(", ")).collect())
    }
}
