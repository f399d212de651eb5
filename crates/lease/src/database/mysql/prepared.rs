//! A session as everything here expects it.

use std::sync::Arc;
use std::time::Duration;

use super::quoted::identifier;
use super::{Flavour, Marked, Mysql, Target, capabilities, limits, own as marks};
use crate::database::own::OwnSession;
use crate::database::{Apart, DatabaseError, ErrorKind};
use crate::sql::ServerReading;

/// The sql_mode of our session and that of the server.
#[derive(Clone)]
pub(super) struct Modes {
    pub own: String,
    pub servers: String,
    /// That of the user's statements, where it is another one than our own: a text without characters may mean NULL to them.
    pub scripts: Option<String>,
}

/// Makes NULL of texts without characters as they are read, the defaults of our own tables among them.
const EMPTY_IS_NULL: &str = "EMPTY_STRING_IS_NULL";

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
        let wanted = "SELECT @@SESSION.sql_mode, @@version, @@SESSION.autocommit, CAST(CONNECTION_ID() AS SIGNED), @@GLOBAL.sql_mode, DATABASE(), \
             ABS(TIMESTAMPDIFF(SECOND, NOW(), SYSDATE()))";
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
        let application = row.optional_text(5)?.unwrap_or_default();
        let apart = apart(&self.target, application)?;
        self.capabilities = Arc::new(capabilities::of(self.flavour, apart));
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
        let strict = |parts: &[&str]| {
            let parts = parts.join(",");
            let comma = if parts.is_empty() { "" } else { "," };
            if mode.contains("STRICT_") {
                parts
            } else {
                format!("{parts}{comma}STRICT_TRANS_TABLES")
            }
        };
        let scripts = read.contains(&EMPTY_IS_NULL).then(|| strict(&read));
        let ours: Vec<&str> = read
            .into_iter()
            .filter(|part| *part != EMPTY_IS_NULL)
            .collect();
        let own = strict(&ours);
        let mut set = limits::put_aside(self.flavour, locks);
        if own != session {
            set.push_str(&format!(", sql_mode = '{own}'"));
        }
        if own != mode {
            self.modes = Some(Modes {
                own,
                servers: mode,
                scripts,
            });
        }
        if row.int(2)? == 0 {
            set.push_str(", autocommit = 1");
        }
        // Leases are judged by a clock that goes. Where it goes, nothing is set: not every user may.
        if row.optional_int(6)?.is_some_and(|apart| apart > 1) {
            set.push_str(", timestamp = DEFAULT");
        }
        // A server may let its sessions write only where they say so.
        self.together(&[&set, "SET SESSION TRANSACTION READ WRITE"])
            .await
            .map(drop)
    }
}

/// Where the ledger is, if the project or the URL names a database of its own for it.
fn apart(target: &Target, application: &str) -> Result<Option<Apart>, DatabaseError> {
    let Some(ledger) = target.ledger()? else {
        return Ok(None);
    };
    if ledger.eq_ignore_ascii_case(application) {
        return Err(DatabaseError::bad_url(format!(
            "`{application}` cannot be the ledger's own database (`ledger`): it is the application's. Leave `ledger` out where the \
             ledger is to be there, or name another one"
        )));
    }
    Ok(Some(Apart {
        create: format!("CREATE DATABASE IF NOT EXISTS {}", identifier(ledger)),
        beside: format!(
            "{}.{}",
            identifier(application),
            capabilities::LEDGER_PREFIX
        ),
        ledger: ledger.to_owned(),
        application: application.to_owned(),
    }))
}
