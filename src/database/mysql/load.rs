//! How busy the server is, and how far it is behind.

use std::time::Duration;

use sqlx::{Column as _, Row as _};

use super::Mysql;
use crate::database::{DatabaseError, ErrorKind, Server};

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

    /// A server that nobody may write to, or that follows another one, does not know what holds now. Where each of two
    /// servers follows the other, the one that may be written is the primary: it is followed as well.
    pub(super) async fn refuse_replica(&mut self, server: Server) -> Result<(), DatabaseError> {
        if server == Server::Any {
            return Ok(());
        }
        // Servers of which one follows the other have numbers of their own.
        let look = "SELECT CAST(@@GLOBAL.read_only AS CHAR), CAST(@@GLOBAL.server_id AS CHAR)";
        let rows = self.rows(look).await?;
        self.server = rows
            .first()
            .and_then(|row| row.text(1).ok())
            .map(ToOwned::to_owned);
        let read_only = rows.first().map(|row| row.text(0)).transpose()?;
        let is_writable = matches!(read_only, None | Some("0" | "OFF"));
        if is_writable && (server == Server::Writable || !self.only_follows().await) {
            return Ok(());
        }
        let what = match self.lag().await {
            Ok(lag) => format!("this is a replica, {} s behind", lag.as_secs()),
            Err(_) if is_writable => "this server follows another one".to_owned(),
            Err(_) => "this server is read only, as replicas are".to_owned(),
        };
        Err(DatabaseError::new(ErrorKind::Standby, what))
    }

    /// Whether it follows another server and nobody follows it, as far as its rights let it see.
    async fn only_follows(&mut self) -> bool {
        let running =
            "SHOW GLOBAL STATUS WHERE Variable_name IN ('Slave_running', 'Slaves_running')";
        let rows = self.rows(running).await.unwrap_or_default();
        let mut values = rows.iter().filter_map(|row| row.text(1).ok());
        let follows = if rows.is_empty() {
            // MySQL itself tells it only to those who may look at its replication.
            self.lag().await.is_ok()
        } else {
            values.any(|value| !matches!(value, "OFF" | "0"))
        };
        let followed =
            "SELECT count(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'";
        follows && {
            let rows = self.rows(followed).await.unwrap_or_default();
            rows.first().and_then(|row| row.int(0).ok()) == Some(0)
        }
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
