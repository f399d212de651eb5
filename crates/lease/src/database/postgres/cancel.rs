//! Cancelling a statement at the server, from a second connection.

use sqlx::{AssertSqlSafe, Connection as _};

use super::{literal, login};
use crate::database::{DatabaseError, Row, Target, Value};
use crate::interrupt::Interrupt;

/// How many characters of a message it is known by: more than the server keeps by default.
const BEGINNING: usize = 2000;

/// Where the statements of a connection run, for whoever cancels them.
pub(super) struct Place {
    /// Of the open transaction: behind a pooler, each may run in another session.
    pub session: Option<i64>,
    /// What the first message of each transaction begins with, so that it is like no other.
    mark: String,
}

impl Place {
    pub(super) fn new() -> Self {
        Self {
            session: None,
            mark: format!("/* {:016x} */", crate::chance::number()),
        }
    }

    pub(super) fn marked(&self, begin: &str) -> String {
        format!("{} {begin}", self.mark)
    }

    /// Asked with the first statement of each transaction that can be interrupted: where it runs. In passing it has the
    /// server look now and then whether its client is still there, because one that was killed can cancel nothing.
    pub(super) fn asked(version: Option<u32>) -> &'static str {
        match version {
            // The setting came with this version, and not for every system.
            Some(140_000..) => {
                "SELECT pg_catalog.pg_backend_pid(), CASE WHEN pg_catalog.version() OPERATOR(pg_catalog.~) 'linux' \
                 THEN pg_catalog.set_config('client_connection_check_interval', '5s', true) END"
            }
            _ => "SELECT pg_catalog.pg_backend_pid()",
        }
    }

    /// Takes note of the answer.
    pub(super) fn found(&mut self, rows: &[Row]) {
        if let Some(Value::Int(session)) = rows.first().and_then(|row| row.0.first()) {
            self.session = Some(*session);
        }
    }

    /// Cancels the message that begins like this, in the session where it was sent: behind a pooler that may be somebody
    /// else's by now, and theirs must not be met. Where `is_alone` no other message begins like it, and any session will do.
    pub(super) async fn cancel(
        &self,
        target: &Target,
        known_by: &str,
        is_alone: bool,
    ) -> Result<(), DatabaseError> {
        let text = literal(known_by);
        let session = self.session.unwrap_or_default();
        let sql = format!(
            "SELECT pg_catalog.pg_cancel_backend(pid) FROM (\
             SELECT pid FROM pg_catalog.pg_stat_activity WHERE pid OPERATOR(pg_catalog.<>) pg_catalog.pg_backend_pid() \
             AND (pid OPERATOR(pg_catalog.=) {session} OR {is_alone}) \
             AND datname OPERATOR(pg_catalog.=) pg_catalog.current_database() \
             AND usename OPERATOR(pg_catalog.=) session_user AND state OPERATOR(pg_catalog.=) 'active' \
             AND pg_catalog.length(query) OPERATOR(pg_catalog.>=) least(pg_catalog.length({text}), 90) \
             AND pg_catalog.starts_with({text}, pg_catalog.left(query, {BEGINNING})) \
             ORDER BY (pid OPERATOR(pg_catalog.=) {session}) DESC LIMIT 1) AS found"
        );
        let target = target.current().await?;
        let mut other = login::log_in(&target, &[]).await?;
        let asked = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut other).await;
        asked.map_err(|error| super::from_sqlx(&error))?;
        // It was asked for; the farewell changes nothing.
        let _ = other.close().await;
        Ok(())
    }
}

/// As much of a message as it is known by; nothing where nobody would cancel it.
pub(super) fn beginning_of(message: &str, interrupt: Interrupt) -> String {
    if interrupt.is_listening() {
        message.chars().take(BEGINNING).collect()
    } else {
        String::new()
    }
}
