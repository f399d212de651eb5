//! What a transaction is allowed: how long it waits for locks, how long a statement of it takes, how long it says nothing.

use std::pin::pin;
use std::time::Duration;

use super::cancel::end_statement;
use super::{Flavour, Mysql};
use crate::database::stop::Stop;
use crate::database::{
    DatabaseError, ErrorKind, IDLE_IN_TRANSACTION, LockTimeout, StatementTimeout,
};

/// [`IDLE_IN_TRANSACTION`], which MySQL itself does not know.
pub(super) const IDLE_LIMIT: &str = "SET SESSION idle_transaction_timeout = 60";
pub(super) const NO_IDLE_LIMIT: &str = "SET SESSION idle_transaction_timeout = DEFAULT";
const _: () = assert!(IDLE_IN_TRANSACTION.as_secs() == 60);

/// A statement that puts aside what sessions of this server are limited to, and bounds their waits for locks.
///
/// Invariant: what we read is all of it (`sql_select_limit`), and the end of a transaction is the end (`completion_type`).
pub(super) fn put_aside(flavour: Flavour, locks: Option<Duration>) -> String {
    let own = match flavour {
        Flavour::MariaDb => {
            "max_statement_time = 0, idle_readonly_transaction_timeout = 0, idle_write_transaction_timeout = 0"
        }
        Flavour::MySql => "max_execution_time = 0",
    };
    // Between two looks of a long wait nothing is said for seconds, and a batch of another worker may take minutes.
    let mut set = format!(
        "SET SESSION {own}, wait_timeout = GREATEST(@@SESSION.wait_timeout, 3600), \
         sql_select_limit = 18446744073709551615, completion_type = 0"
    );
    if let Some(limit) = locks {
        let seconds = whole_seconds(limit);
        set.push_str(&format!(
            ", lock_wait_timeout = {seconds}, innodb_lock_wait_timeout = {seconds}"
        ));
    }
    set
}

/// All that the server knows, and at least one.
fn whole_seconds(limit: Duration) -> u64 {
    let milliseconds = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
    (milliseconds.saturating_add(999) / 1000).clamp(1, 31_536_000)
}

impl Mysql {
    /// Bounds the waits for locks on rows and on tables; whole seconds are all that the server knows.
    pub(super) async fn set_limits(&mut self, limit: LockTimeout) -> Result<(), DatabaseError> {
        let rows = self
            .rows("SELECT @@SESSION.lock_wait_timeout, @@SESSION.innodb_lock_wait_timeout")
            .await?;
        let Some(row) = rows.first() else {
            return Ok(());
        };
        let set = |tables: &dyn std::fmt::Display, rows: &dyn std::fmt::Display| {
            format!("SET SESSION lock_wait_timeout = {tables}, innodb_lock_wait_timeout = {rows}")
        };
        if self.restore.is_none() {
            self.restore = Some(set(&row.int(0)?, &row.int(1)?));
        }
        let seconds = whole_seconds(limit.0);
        self.plain(&set(&seconds, &seconds)).await.map(drop)
    }

    /// Bounds the statements of the open transaction. MySQL itself bounds only what reads.
    pub(super) async fn set_statement_limit(
        &mut self,
        limit: StatementTimeout,
    ) -> Result<(), DatabaseError> {
        let seconds = limit.0.as_secs_f64().max(0.001);
        let (variable, value) = match self.flavour {
            Flavour::MariaDb => ("max_statement_time", format!("{seconds:.3}")),
            Flavour::MySql => {
                self.limit = Some(limit.0);
                ("max_execution_time", format!("{:.0}", seconds * 1000.0))
            }
        };
        let rows = self
            .rows(&format!("SELECT CAST(@@SESSION.{variable} AS CHAR)"))
            .await?;
        let before = rows.first().map_or(Ok("0"), |row| row.text(0))?.to_owned();
        let restore = format!("SET SESSION {variable} = {before}");
        self.restore = Some(match self.restore.take() {
            Some(others) => format!("{others};\n{restore}"),
            None => restore,
        });
        self.plain(&format!("SET SESSION {variable} = {value}"))
            .await
            .map(drop)
    }

    /// Runs a statement, and has it ended when it takes longer.
    pub(super) async fn within(
        &mut self,
        limit: Duration,
        sql: &str,
    ) -> Result<u64, DatabaseError> {
        /// A server that refuses the second session may be so busy that it takes a while.
        const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);
        const LONGEST_ATTEMPT: Duration = Duration::from_secs(10);
        let (place, target) = (self.place(), self.target.clone());
        let mut running = pin!(self.plain(sql));
        let mut pause = limit;
        let ended = loop {
            if let Ok(ended) = tokio::time::timeout(pause, &mut running).await {
                return ended;
            }
            // Nothing else is sent meanwhile, so nothing else can be ended; a session that is idle already takes no notice.
            match tokio::time::timeout(LONGEST_ATTEMPT, end_statement(&target, place)).await {
                Ok(Ok(())) => break running.await,
                Ok(Err(error)) => {
                    tracing::warn!(
                        "a statement takes longer than {limit:?}, and cannot be ended: {error}"
                    );
                }
                Err(_) => tracing::warn!(
                    "a statement takes longer than {limit:?}, and cannot be ended in time"
                ),
            }
            pause = BETWEEN_ATTEMPTS;
        };
        ended.map_err(|mut error| {
            if error.code.as_deref() == Some(CANCELLED) {
                error.kind = ErrorKind::Timeout;
                error.message = format!("it took longer than {limit:?}");
            }
            error
        })
    }
}

/// The server's number of a statement that was ended by `KILL QUERY`.
const CANCELLED: &str = "1317";

impl Stop {
    /// An error of a statement, which may be that it was cancelled.
    pub(super) fn judge(&self, error: DatabaseError) -> DatabaseError {
        if error.code.as_deref() == Some(CANCELLED) && self.now().is_due() {
            return DatabaseError::interrupted();
        }
        error
    }
}
