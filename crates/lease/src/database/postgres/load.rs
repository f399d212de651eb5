//! How busy the server is, and how far its replicas are behind.

use std::time::Duration;

use super::Postgres;
use crate::database::{DatabaseError, ErrorKind};

fn unreadable(what: &str) -> DatabaseError {
    DatabaseError::new(ErrorKind::Statement, what)
}

impl Postgres {
    pub(super) async fn lag(&mut self) -> Result<Duration, DatabaseError> {
        let rows = self.rows("SELECT pg_is_in_recovery()").await?;
        let follows = rows.first().map_or(Ok(0), |row| row.int(0))? != 0;
        let milliseconds = if follows {
            self.own_lag().await?
        } else {
            self.lag_of_followers().await?
        };
        Ok(Duration::from_millis(
            u64::try_from(milliseconds).unwrap_or_default(),
        ))
    }

    async fn own_lag(&mut self) -> Result<i64, DatabaseError> {
        let rows = self
            .rows(
                "SELECT (SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'), \
                 CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0 ELSE \
                 (extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::bigint END",
            )
            .await?;
        let row = rows
            .first()
            .ok_or_else(|| unreadable("the replica says nothing"))?;
        if row.int(0)? == 0 {
            return Err(unreadable(
                "the replica receives nothing from its primary, or does not let us see it: that needs the role pg_read_all_stats",
            ));
        }
        row.optional_int(1)?
            .ok_or_else(|| unreadable("the replica has not replayed anything yet"))
    }

    async fn lag_of_followers(&mut self) -> Result<i64, DatabaseError> {
        // Without the right to see them, the rows are there and their columns are NULL. A follower that has
        // nothing to replay reports no lag.
        let rows = self
            .rows(
                "SELECT count(*), count(*) FILTER (WHERE state IS NULL), \
                 count(*) FILTER (WHERE state <> 'streaming'), \
                 coalesce(max((extract(epoch FROM replay_lag) * 1000)::bigint), 0) FROM pg_stat_replication \
                 WHERE state IS DISTINCT FROM 'backup'",
            )
            .await?;
        let row = rows
            .first()
            .ok_or_else(|| unreadable("the server says nothing of its replicas"))?;
        if row.int(0)? == 0 {
            return Err(unreadable("no replica is connected to this server"));
        }
        if row.int(1)? > 0 {
            return Err(unreadable(
                "the server does not let us see its replicas: that needs the role pg_read_all_stats",
            ));
        }
        if row.int(2)? > 0 {
            return Err(unreadable("a replica is not streaming yet"));
        }
        row.int(3)
    }

    pub(super) async fn count_active(&mut self) -> Result<i64, DatabaseError> {
        let rows = self
            .rows(
                "SELECT count(*) FILTER (WHERE state = 'active'), count(*) FILTER (WHERE state IS NULL) \
                 FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
                 AND (backend_type IS NULL OR backend_type = 'client backend')",
            )
            .await?;
        let row = rows
            .first()
            .ok_or_else(|| unreadable("the server lists no sessions"))?;
        if row.int(1)? > 0 {
            return Err(unreadable(
                "the server does not say which sessions are at work: that needs the role pg_read_all_stats",
            ));
        }
        row.int(0)
    }
}
