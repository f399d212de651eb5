//! How busy the server is, how far it is behind, and how long a statement may take.

use std::pin::pin;
use std::time::Duration;

use futures_util::future::join;
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Column as _, Connection as _, Executor as _, Row as _};

use super::{Flavour, Mysql, from_sqlx};
use crate::database::{DatabaseError, ErrorKind, StatementTimeout};

fn unreadable(what: &str) -> DatabaseError {
    DatabaseError::new(ErrorKind::Statement, what)
}

impl Mysql {
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
        const INTERRUPTED: &str = "1317";
        /// A server that refuses the second session may be so busy that it takes a while.
        const BETWEEN_ATTEMPTS: Duration = Duration::from_secs(1);
        const CONNECTING: Duration = Duration::from_secs(10);
        let (kill, options) = (format!("KILL QUERY {}", self.id), self.options.clone());
        let mut running = pin!(self.plain(sql));
        let mut pause = limit;
        let mut other = loop {
            if let Ok(ended) = tokio::time::timeout(pause, &mut running).await {
                return ended;
            }
            tokio::select! {
                ended = &mut running => return ended,
                other = tokio::time::timeout(CONNECTING, MySqlConnection::connect_with(&options)) => {
                    match other.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into())) {
                        Ok(other) => break other,
                        Err(error) => tracing::warn!(
                            "a statement takes longer than {limit:?}, and no session can be had to end it: {error}"
                        ),
                    }
                }
            }
            pause = BETWEEN_ATTEMPTS;
        };
        // Both are waited for: what is sent next must not be what is killed.
        let killing = other.execute(sqlx::raw_sql(AssertSqlSafe(kill)));
        let (ended, killed) = join(running, killing).await;
        if let Err(error) = killed {
            tracing::debug!("ending a statement that takes longer than {limit:?}: {error}");
        }
        ended.map_err(|mut error| {
            if error.code.as_deref() == Some(INTERRUPTED) {
                error.kind = ErrorKind::Timeout;
                error.message = format!("it took longer than {limit:?}");
            }
            error
        })
    }

    /// Of this server, which has to be a replica: a primary does not know how far others are behind.
    pub(super) async fn lag(&mut self) -> Result<Duration, DatabaseError> {
        self.begin_now().await?;
        let rows = sqlx::raw_sql("SHOW REPLICA STATUS")
            .fetch_all(&mut self.inner)
            .await
            .map_err(|error| from_sqlx(&error))?;
        let mut longest = None;
        for row in &rows {
            let column = row.columns().iter().position(|column| {
                let name = column.name();
                name.eq_ignore_ascii_case("Seconds_Behind_Master")
                    || name.eq_ignore_ascii_case("Seconds_Behind_Source")
            });
            let seconds: Option<u64> =
                column.and_then(|index| row.try_get_unchecked(index).ok().flatten());
            let seconds = seconds.ok_or_else(|| unreadable("the replica is not running"))?;
            longest = longest.max(Some(seconds));
        }
        longest.map(Duration::from_secs).ok_or_else(|| {
            unreadable(
                "this server is no replica, and a primary does not know how far others are behind: name them in `replicas` under `[database]` in migrate.toml",
            )
        })
    }

    pub(super) async fn count_active(&mut self) -> Result<i64, DatabaseError> {
        let rows = self
            .rows("SHOW GLOBAL STATUS LIKE 'Threads_running'")
            .await?;
        let running = rows
            .first()
            .and_then(|row| row.text(1).ok())
            .and_then(|text| text.parse::<i64>().ok());
        // This session is one of them.
        running
            .map(|running| running.saturating_sub(1))
            .ok_or_else(|| unreadable("the server does not say how many sessions are at work"))
    }
}
