//! What can go wrong with the ledger.

use crate::database::DatabaseError;

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
    /// Somebody else owns it, or has put code on it.
    #[error(
        "nothing was written to the ledger, because it is not what this program has made: {}",
        .0.join("; ")
    )]
    Foreign(Vec<String>),
    /// Somebody else coordinates now; nothing of the transaction was kept.
    #[error("another coordinator has taken over ({holder}), so nothing was changed")]
    Superseded { holder: String },
}

impl LedgerError {
    /// What a user can do about it, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            Self::Database(error) => error.help(),
            Self::Newer { .. } => Some(
                "use the version of `migrate` that wrote it, or a newer one; nothing has been changed",
            ),
            Self::Damaged(_) => Some(
                "`migrate log --verify` checks the history; restore the ledger's tables from a backup",
            ),
            Self::Elsewhere { .. } => Some(
                "add `?options=-c%20search_path%3D…` with those schemas to the URL, or give the role that search_path (ALTER ROLE … \
                 SET search_path). One database holds one ledger: what is in another schema is not migrated by it. Where a schema \
                 was renamed, say so over a connection that looks in it under its new name: `migrate resolve --schemas-renamed --reason TEXT`",
            ),
            Self::Foreign(_) => Some(
                "connect as the role that owns all of it, which is the coordinator's, or have a superuser hand it over (ALTER … OWNER TO …), and drop what \
                 else is named here. A ledger of which nobody knows, made before the first command, was put there by somebody: \
                 find out who, and what else",
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
