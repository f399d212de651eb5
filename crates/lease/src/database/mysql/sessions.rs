//! Which applications are connected.

use std::collections::BTreeMap;

use super::rights::Rights;
use super::{Mysql, own};
use crate::database::own::is_own_session;
use crate::database::{DatabaseError, ErrorKind, Reach, Row, Session, Whose, Wire};

/// Who is no client: the server's own threads, what replicates, events, and whoever has not logged in yet.
const CLIENTS: &str = "p.command NOT IN ('Daemon', 'Binlog Dump', 'Binlog Dump GTID', 'Connect', 'Register Slave', 'Slave_IO', \
     'Slave_SQL', 'Slave_worker', 'Slave worker') AND p.user NOT IN ('system user', 'event_scheduler', 'unauthenticated user')";

impl Mysql {
    /// The sessions of everybody who is in this database or may reach it, under the name that the application gave to its
    /// connection (`program_name`), or else under that of its user.
    pub(super) async fn list_sessions(&mut self) -> Result<Vec<Session>, DatabaseError> {
        self.require_process_right().await?;
        let named = "coalesce((SELECT a.attr_value FROM performance_schema.session_connect_attrs a \
                     WHERE a.processlist_id = p.id AND a.attr_name = 'program_name'), p.user)";
        let listed = |name: &str| {
            format!(
                "SELECT p.id, {name}, p.user, p.host, {}, p.db = DATABASE(), p.db FROM information_schema.processlist p \
                 WHERE p.id <> CONNECTION_ID() AND {CLIENTS} ORDER BY p.id",
                own::is_marked("p.id")
            )
        };
        let rows = match self.rows(&listed(named)).await {
            Ok(rows) => rows,
            Err(error) => {
                tracing::debug!("the names of sessions cannot be read: {error}");
                self.rows(&listed("p.user")).await?
            }
        };
        let server_since = self.started_at().await;
        let mut sessions = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut session = read(row)?;
            session.server_since = server_since;
            sessions.push(session);
        }
        self.reaching(sessions).await
    }

    /// Those of these sessions that may reach this database.
    async fn reaching(&mut self, sessions: Vec<Session>) -> Result<Vec<Session>, DatabaseError> {
        let is_away =
            |session: &Session| session.whose == Whose::Others && session.reach != Reach::Within;
        if !sessions.iter().any(is_away) {
            return Ok(sessions);
        }
        let mut rights = Rights::of(self).await?;
        let mut known = BTreeMap::<String, Option<bool>>::new();
        let mut reaching = Vec::with_capacity(sessions.len());
        for mut session in sessions {
            if is_away(&session)
                && let Reach::Granted { database } = &session.reach
            {
                let reaches = known
                    .entry(session.user.clone())
                    .or_insert_with_key(|user| rights.reaches(user));
                match reaches {
                    Some(false) => continue,
                    Some(true) => {}
                    None => {
                        session.reach = Reach::Unseen {
                            database: database.clone(),
                        };
                    }
                }
            }
            reaching.push(session);
        }
        Ok(reaching)
    }

    pub(super) async fn own_wire(&mut self) -> Result<Wire, DatabaseError> {
        let sql =
            "SELECT host, @@port FROM information_schema.processlist WHERE id = CONNECTION_ID()";
        let rows = self.rows(sql).await?;
        let Some(row) = rows.first() else {
            return Ok(Wire::read(None, None, None));
        };
        let (address, port) = client(row.optional_text(0)?.unwrap_or_default());
        Ok(Wire::read(
            Some(address),
            port.map(i64::from),
            row.optional_int(1)?,
        ))
    }

    /// The sessions in this database that change the schema, or have been writing rows for a while.
    pub(super) async fn changing(&mut self) -> Result<Vec<i64>, DatabaseError> {
        let rows = self
            .rows(
                "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID() AND db = DATABASE() \
                 AND command NOT IN ('Sleep', 'Daemon') \
                 AND (upper(trim(info)) REGEXP '^(ALTER|CREATE|DROP|RENAME|TRUNCATE)[^A-Z]' \
                 OR (time >= 1 AND upper(trim(info)) REGEXP '^(UPDATE|INSERT|DELETE|REPLACE)[^A-Z]'))",
            )
            .await?;
        rows.iter().map(|row| row.int(0)).collect()
    }

    /// When the server was started, in milliseconds since the epoch.
    async fn started_at(&mut self) -> Option<i64> {
        let uptime = self.rows("SHOW GLOBAL STATUS LIKE 'Uptime'").await.ok()?;
        let seconds: i64 = uptime.first()?.text(1).ok()?.parse().ok()?;
        let now = super::capabilities::NOW_MS;
        let rows = self.rows(&format!("SELECT {now}")).await.ok()?;
        let now = rows.first()?.int(0).ok()?;
        Some(now.saturating_sub(seconds.saturating_mul(1000)))
    }

    /// Without it the process list is not complete, and says nothing about who is absent.
    async fn require_process_right(&mut self) -> Result<(), DatabaseError> {
        let grants = self.rows("SHOW GRANTS").await?;
        let sees_all = grants
            .iter()
            .filter_map(|row| row.text(0).ok())
            .any(|grant| {
                grant.split_once(" ON *.*").is_some_and(|(rights, _)| {
                    rights.contains("ALL PRIVILEGES") || rights.contains("PROCESS")
                })
            });
        if sees_all {
            return Ok(());
        }
        Err(DatabaseError::new(
            ErrorKind::Permission,
            "it sees only its own sessions: GRANT PROCESS ON *.* to the user in the database URL",
        ))
    }
}

/// The address and the port of a client, as the process list writes them. One that came over the network has a port.
fn client(host: &str) -> (&str, Option<u16>) {
    let (address, port) = match host.rsplit_once(':') {
        Some((address, port)) => (address, port.parse().ok()),
        None => (host, None),
    };
    (if address == "localhost" { "" } else { address }, port)
}

/// A session as the process list has it. One that is not in this database may reach it, until its rights were looked at.
fn read(row: &Row) -> Result<Session, DatabaseError> {
    let id = row.int(0)?;
    let host = row.optional_text(3)?.unwrap_or_default();
    let (address, port) = client(host);
    // No connection of ours gives itself a name here: one that is called so is that of a user, or a pretence.
    let application = match row.optional_text(1)?.unwrap_or_default() {
        crate::database::own::APPLICATION_NAME => "",
        name => name,
    };
    let is_ours = row.optional_int(4)? == Some(1) || is_own_session(id);
    Ok(Session {
        id,
        application: application.to_owned(),
        user: row.text(2)?.to_owned(),
        address: Some(address.to_owned()),
        port,
        whose: if is_ours { Whose::Ours } else { Whose::Others },
        reach: match row.optional_int(5)? {
            Some(1) => Reach::Within,
            _ => Reach::Granted {
                database: row.optional_text(6)?.map(ToOwned::to_owned),
            },
        },
        ..Session::default()
    })
}
