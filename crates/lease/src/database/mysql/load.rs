//! How busy the server is, and how far it is behind.

use std::time::Duration;

use sqlx::{Column as _, Row as _};

use super::Mysql;
use super::follows::Shown;
use crate::database::{DatabaseError, ErrorKind, Row, Server};

fn unreadable(what: &str) -> DatabaseError {
    DatabaseError::new(ErrorKind::Statement, what)
}

/// What tells a server from others, whichever of these variables it has: that servers have numbers of their own is only
/// required of those of which one follows the other, and the usual number is 1. And up to where it has ever followed another one.
const IDENTITY: &str = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uid', 'server_uuid', 'group_replication_group_name', 'gtid_slave_pos')";
/// Of a Galera cluster, whose nodes all hold the same; and whether MariaDB follows another server now.
const STATUS: &str = "SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_state_uuid', 'Slave_running', 'Slaves_running')";

/// What one of the variables that were asked for holds.
fn value<'r>(rows: &'r [Row], name: &str) -> Option<&'r str> {
    let named = rows
        .iter()
        .find(|row| row.text(0).is_ok_and(|found| found == name));
    let value = named.and_then(|row| row.text(1).ok());
    value.filter(|value| !value.is_empty())
}

/// Which server this is: a cluster whose members hold the same is one server. Its number comes first, which is all that
/// earlier builds have recorded.
fn identified(number: &str, identity: &[Row], status: &[Row]) -> String {
    let who = value(status, "wsrep_cluster_state_uuid")
        .or_else(|| value(identity, "group_replication_group_name"));
    if let Some(cluster) = who {
        return format!("cluster/{cluster}");
    }
    match value(identity, "server_uuid").or_else(|| value(identity, "server_uid")) {
        Some(own) => format!("{number}/{own}"),
        None => number.to_owned(),
    }
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

    /// A server that nobody may write to, or that follows another one, does not know what holds now.
    pub(super) async fn refuse_replica(&mut self, server: Server) -> Result<(), DatabaseError> {
        if server == Server::Any {
            return Ok(());
        }
        let look = "SELECT CAST(@@GLOBAL.read_only AS CHAR), CAST(@@GLOBAL.server_id AS CHAR)";
        let looks = [look, IDENTITY, STATUS];
        let mut answers = self.together(&looks).await?.into_iter();
        let mut next = || answers.next().map(|answer| answer.rows).unwrap_or_default();
        let (rows, identity, status) = (next(), next(), next());
        let number = rows.first().and_then(|row| row.text(1).ok());
        self.server = number.map(|number| identified(number, &identity, &status));
        let read_only = rows.first().map(|row| row.text(0)).transpose()?;
        if matches!(read_only, None | Some("0" | "OFF")) {
            let runs =
                |name| value(&status, name).is_some_and(|value| !matches!(value, "OFF" | "0"));
            let shown = Shown {
                runs: runs("Slave_running") || runs("Slaves_running"),
                has_followed: value(&identity, "gtid_slave_pos").is_some(),
            };
            return self.refuse_follower(server, shown).await;
        }
        let what = match self.lag().await {
            Ok(lag) => format!("this is a replica, {} s behind", lag.as_secs()),
            Err(_) => "this server is read only, as replicas are".to_owned(),
        };
        Err(DatabaseError::new(ErrorKind::Standby, what))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::Value;

    #[test]
    fn servers_with_the_same_number_are_told_apart_and_a_cluster_is_one() {
        let row = |name: &str, value: &str| {
            Row(vec![Value::Text(name.into()), Value::Text(value.into())])
        };
        let mariadb = [row("server_uid", "4Nf4=")];
        assert_eq!(identified("1", &mariadb, &[]), "1/4Nf4=");
        assert_ne!(
            identified("1", &[row("server_uid", "other")], &[]),
            identified("1", &mariadb, &[])
        );
        let mysql = [
            row("group_replication_group_name", ""),
            row("server_uuid", "aaaa-1"),
        ];
        assert_eq!(identified("7", &mysql, &[]), "7/aaaa-1");
        assert_eq!(identified("7", &[], &[]), "7");
        let galera = [row("wsrep_cluster_state_uuid", "c-1")];
        assert_eq!(identified("1", &mariadb, &galera), "cluster/c-1");
        assert_eq!(identified("2", &[], &galera), "cluster/c-1");
        let alone = [row("wsrep_cluster_state_uuid", "")];
        assert_eq!(identified("1", &mariadb, &alone), "1/4Nf4=");
        let group = [row("group_replication_group_name", "g-1")];
        assert_eq!(identified("7", &group, &[]), "cluster/g-1");
    }
}
