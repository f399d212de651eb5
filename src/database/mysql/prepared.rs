//! A session as everything here expects it.

use std::time::Duration;

use super::{Flavour, Marked, Mysql, limits, own};
use crate::database::own::OwnSession;
use crate::database::{DatabaseError, ErrorKind};

impl Mysql {
    /// Looks at what the server is, makes sure that it cuts no value short in silence, and puts the limits of its sessions
    /// aside.
    pub(super) async fn prepare_session(
        &mut self,
        locks: Option<Duration>,
    ) -> Result<(), DatabaseError> {
        let wanted = "SELECT @@SESSION.sql_mode, @@version, @@SESSION.autocommit, CAST(CONNECTION_ID() AS SIGNED), @@GLOBAL.sql_mode";
        let rows = match self.rows(&format!("{wanted}, {}", own::mark())).await {
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
        let unread = |part: &&str| matches!(*part, "NO_BACKSLASH_ESCAPES" | "ANSI_QUOTES");
        if let Some(found) = mode.split(',').find(unread) {
            return Err(DatabaseError::new(
                ErrorKind::Statement,
                format!(
                    "the server's sql_mode has {found}, under which texts are read differently than this program \
                     reads them; take it out of the server's sql_mode, or SET GLOBAL sql_mode without it"
                ),
            ));
        }
        let mut set = limits::put_aside(self.flavour, locks);
        if !mode.contains("STRICT_") {
            let comma = if mode.is_empty() { "" } else { "," };
            set.push_str(&format!(", sql_mode = '{mode}{comma}STRICT_TRANS_TABLES'"));
            self.servers_mode = Some(mode);
        } else if mode != session {
            set.push_str(&format!(", sql_mode = '{mode}'"));
        }
        if row.int(2)? == 0 {
            set.push_str(", autocommit = 1");
        }
        self.plain(&set).await.map(drop)
    }
}
