//! A session as everything here expects it.

use std::time::Duration;

use super::{Flavour, Marked, Mysql, limits, own as marks};
use crate::database::own::OwnSession;
use crate::database::{DatabaseError, ErrorKind};
use crate::sql::ServerReading;

/// The sql_mode of our session and that of the server.
#[derive(Clone)]
pub(super) struct Modes {
    pub own: String,
    pub servers: String,
}

/// Modes that stand for several others.
const MODES_OF_OTHERS: &[&str] = &[
    "ANSI",
    "DB2",
    "MAXDB",
    "MSSQL",
    "MYSQL323",
    "MYSQL40",
    "ORACLE",
    "POSTGRESQL",
];

impl Mysql {
    /// Looks at what the server is, makes sure that it cuts no value short in silence, and puts the limits of its sessions
    /// aside.
    pub(super) async fn prepare_session(
        &mut self,
        locks: Option<Duration>,
    ) -> Result<(), DatabaseError> {
        let wanted = "SELECT @@SESSION.sql_mode, @@version, @@SESSION.autocommit, CAST(CONNECTION_ID() AS SIGNED), @@GLOBAL.sql_mode";
        let rows = match self.rows(&format!("{wanted}, {}", marks::mark())).await {
            Ok(rows) => {
                self.marked = Marked::Yes;
                rows
            }
            Err(error) if error.kind == ErrorKind::Unreachable => return Err(error),
            Err(error) => {
                tracing::debug!("other processes will not know this session: {error}");
                self.rows(wanted).await?
            }
        };
        let Some(row) = rows.first() else {
            return Ok(());
        };
        // The driver asks for IGNORE_SPACE, which makes reserved words of names such as `count`.
        let global = row.optional_text(4)?.unwrap_or_default();
        let is_ours = |part: &&str| *part != "IGNORE_SPACE" || global.contains("IGNORE_SPACE");
        let session = row.optional_text(0)?.unwrap_or_default();
        let mode: Vec<&str> = session.split(',').filter(is_ours).collect();
        let mode = mode.join(",");
        self.id = row.int(3)?;
        self.own = Some(OwnSession::new(self.id));
        if row.text(1)?.contains("MariaDB") {
            self.flavour = Flavour::MariaDb;
        }
        let reading = |part: &str| match part {
            "ANSI_QUOTES" => Some(ServerReading::QuotedNames),
            "NO_BACKSLASH_ESCAPES" => Some(ServerReading::PlainBackslash),
            _ => None,
        };
        self.readings = mode.split(',').filter_map(reading).collect();
        // Statements of ours, and what was read in files, are read as they are written. `ORACLE` and its kin bring along more
        // than they say, and are taken back with what they bring.
        let whole = |part: &&str| reading(part).is_none() && !MODES_OF_OTHERS.contains(part);
        let read: Vec<&str> = mode.split(',').filter(whole).collect();
        let mut own = read.join(",");
        if !mode.contains("STRICT_") {
            let comma = if own.is_empty() { "" } else { "," };
            own = format!("{own}{comma}STRICT_TRANS_TABLES");
        }
        let mut set = limits::put_aside(self.flavour, locks);
        if own != session {
            set.push_str(&format!(", sql_mode = '{own}'"));
        }
        if own != mode {
            self.modes = Some(Modes { own, servers: mode });
        }
        if row.int(2)? == 0 {
            set.push_str(", autocommit = 1");
        }
        // A server may let its sessions write only where they say so.
        self.together(&[&set, "SET SESSION TRANSACTION READ WRITE"])
            .await
            .map(drop)
    }
}
