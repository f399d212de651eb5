//! Why a question has no answer.

use crate::coordinator::CoordinatorError;
use crate::database::DatabaseError;
use crate::ledger::LedgerError;
use crate::project::{Problems, UnknownMigration};

/// What keeps a question from being understood, or from being answered.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Coordinator(Box<CoordinatorError>),
    /// migrate.toml is not in order, and the answer would rest on it.
    #[error(transparent)]
    Files(#[from] Problems),
    #[error(transparent)]
    UnknownMigration(#[from] UnknownMigration),
    #[error("whether there is a migration `{wanted}` is not known: {why}")]
    Unlisted {
        wanted: String,
        why: String,
        help: String,
    },
    #[error("the service `{service}` is not named in migrate.toml")]
    UnknownService { service: String, named: Vec<String> },
    #[error("{why}")]
    Unplaced { why: String, help: String },
}

impl From<CoordinatorError> for AskError {
    fn from(error: CoordinatorError) -> Self {
        match error {
            CoordinatorError::Database(error) => Self::Database(error),
            CoordinatorError::Ledger(error) => Self::Ledger(error),
            error => Self::Coordinator(Box::new(error)),
        }
    }
}
