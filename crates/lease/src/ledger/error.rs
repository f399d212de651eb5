//! What can go wrong with the ledger.

use crate::database::{DatabaseError, ErrorKind};
use crate::model::LostLedger;

/// An error while reading or writing the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(
        "the ledger in this database has format {found}, and this program knows formats up to {supported}"
    )]
    Newer { found: i64, supported: i64 },
    #[error("the ledger is damaged: {0}")]
    Damaged(String),
    /// Migrations of this ledger ran under other schemas than those of this session.
    #[error(
        "this ledger is for the schemas `{recorded}` (search_path), and here names are looked for in `{schemas}`"
    )]
    Elsewhere { recorded: String, schemas: String },
    /// It is in a database of its own, and this command was not told so, or was told another one.
    #[error(
        "the ledger of this database is in a database of its own, `{0}`, and nothing here says so"
    )]
    Apart(String),
    /// It is in the application's database, and the project says that it has one of its own.
    #[error("the ledger is to be in `{ledger}`, and it is in `{application}` itself")]
    Within { ledger: String, application: String },
    /// The ledger there is that of another database.
    #[error("the ledger in `{ledger}` is not that of `{application}`{}", of_whom(.ledger, .of.as_deref()))]
    NotOfHere {
        ledger: String,
        application: String,
        of: Option<String>,
    },
    /// It was made, and is not there any more.
    #[error(
        "`{application}` has its ledger in `{ledger}`, and there is none there: what is recorded is lost, or was not restored"
    )]
    Lost { ledger: String, application: String },
    /// There is none, or it tells of nothing, where something was applied.
    #[error("{0}")]
    Missing(LostLedger),
    /// Its database is not there, and this user may not make it; or he has no right in it, and is not told which it is.
    #[error(
        "the ledger's database `{ledger}` does not exist, or this user has no right in it ({why}). For the coordinator somebody who may \
             has to run: {create}; GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX ON `{ledger}`.* TO …"
    )]
    NoPlace {
        ledger: String,
        create: String,
        why: String,
    },
    /// Somebody else owns it, has put code on it, or has altered it.
    #[error(
        "the ledger is neither read nor written to, because it is not what this program has made: {}",
        .0.join("; ")
    )]
    Foreign(Vec<String>),
    /// Somebody else coordinates now; nothing of the transaction was kept.
    #[error("another coordinator has taken over ({holder}), so nothing was changed")]
    Superseded { holder: String },
}

/// What to do where a table of a ledger is not there that has others.
const TABLE_GONE: &str = "a table of the ledger is gone, and with it what it told: restore the ledger as a whole from a backup (docs/stuck.md). Until \
     then nothing is answered, and nothing was changed";

/// Whose a ledger is instead.
fn of_whom(ledger: &str, of: Option<&str>) -> String {
    match of {
        Some(of) => format!(", but that of `{of}`"),
        None => format!(", but that of `{ledger}` itself"),
    }
}

impl LedgerError {
    /// What a user can do about it, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Database(error) if error.kind == ErrorKind::NoTable => Some(TABLE_GONE),
            Self::Database(error) => error.help(),
            Self::Newer { .. } => Some(
                "use the version of `migrate` that wrote it, or a newer one; nothing has been changed",
            ),
            Self::Damaged(_) => Some(
                "put back what was there, from a backup; as far as the ledger can be read, `migrate log --verify` says what was changed",
            ),
            Self::Elsewhere { .. } => Some(
                "add `?options=-c%20search_path%3D…` with those schemas to the URL, or give the role that search_path (ALTER ROLE … \
                 SET search_path). One database holds one ledger: what is in another schema is not migrated by it. Where a schema \
                 was renamed, say so over a connection that looks in it under its new name: `migrate resolve --schemas-renamed --reason TEXT`",
            ),
            Self::Apart(_) => Some(
                "say the same everywhere: `ledger = \"…\"` under [database] in migrate.toml with that name or, for an instance that has \
                 only a URL, `?ledger=…` in it; docs/grants.md says why. Nothing has been changed",
            ),
            Self::Within { .. } => Some(
                "leave `ledger` out of migrate.toml and of the URL, or move the ledger first, as docs/grants.md says; nothing has been changed",
            ),
            Self::NotOfHere { .. } => Some(
                "give each application's database a ledger of its own: another name in `ledger`. Where this database was copied from \
                 that one, drop the table `phasegate_meta` in the copy, which is the mark that it has a ledger; where it was renamed, say so in the \
                 ledger: UPDATE phasegate_meta SET head = '…' WHERE id = 3",
            ),
            Self::Lost { .. } => Some(
                "restore the ledger's database from the backup of the same moment. Without a ledger everything would be allowed, so nothing \
                 is answered and nothing was changed; where this is a copy that never had one, drop the table `phasegate_meta` here",
            ),
            Self::Missing(_) => Some(LostLedger::HELP),
            Self::NoPlace { .. } => Some(
                "docs/grants.md has the statements for the coordinator, for instances and for readers; nothing was changed",
            ),
            Self::Foreign(_) => Some(
                "connect as the role that owns all of it, which is the coordinator's, or have a superuser hand it over (ALTER … OWNER TO …), drop what \
                 else is named here, and undo what was done to a column. A ledger of which nobody knows, made before the first command, was \
                 put there by somebody: find out who, and what else",
            ),
            Self::Superseded { .. } => {
                Some("see what it does with `migrate log`, then run the command again")
            }
        }
    }

    /// Whether trying again may help without anybody doing anything.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Database(error) if error.is_passing())
    }
}

/// Why statements of the user's did not all run.
#[derive(Debug)]
pub enum RunError {
    /// The one at this index failed.
    Statement(usize, DatabaseError),
    /// What was to be recorded before them.
    Ledger(LedgerError),
}

impl From<LedgerError> for RunError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl From<RunError> for LedgerError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Statement(_, error) => error.into(),
            RunError::Ledger(error) => error,
        }
    }
}
