//! How busy the server is, and how far it is behind.

use std::time::Duration;

use sqlx::{Column as _, Row as _};

use super::Mysql;
use crate::database::{DatabaseError, ErrorKind};

fn unreadable(what: &str) -> DatabaseError {
    DatabaseError::new(ErrorKind::Statement, what)
}

impl Mysql {
    /// Of this server, which has to be a replica: a primary does not know how far others are behind.
    pub(super) async fn lag(&mut self) -> Result<Duration, DatabaseError> {
        self.begin_now().await?;
        let rows = self.fetch(sqlx::raw_sql("SHOW REPLICA STATUS")).await?;
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
