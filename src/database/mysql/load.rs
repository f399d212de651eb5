//! How busy the server is, how far it is behind, and how long a statement may take.

use std::time::Duration;

use sqlx::{Column as _, Row as _};

use super::{Flavour, Mysql, from_sqlx};
use crate::database::{DatabaseError, ErrorKind, StatementTimeout};

fn unreadable(what: &str) -> DatabaseError {
    DatabaseError::new(ErrorKind::Statement, what)
}

impl Mysql {
    /// MySQL itself bounds only what reads.
    pub(super) async fn set_statement_limit(
        &mut self,
        limit: StatementTimeout,
    ) -> Result<(), DatabaseError> {
        if self.flavour == Flavour::MySql {
            return Ok(());
        }
        let rows = self
            .rows("SELECT CAST(@@SESSION.max_statement_time AS CHAR)")
            .await?;
        let before = rows.first().map_or(Ok("0"), |row| row.text(0))?.to_owned();
        let seconds = limit.0.as_secs_f64().max(0.001);
        let restore = format!("SET SESSION max_statement_time = {before}");
        self.restore = Some(match self.restore.take() {
            Some(others) => format!("{others};\n{restore}"),
            None => restore,
        });
        self.plain(&format!("SET SESSION max_statement_time = {seconds:.3}"))
            .await
            .map(drop)
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
