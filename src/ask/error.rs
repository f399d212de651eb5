//! Why a question has no answer.

use crate::coordinator::CoordinatorError;
use crate::database::DatabaseError;
use crate::ledger::LedgerError;
use crate::model::Version;
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
    /// The project was read less far than this question takes.
    #[error("the scripts of the migrations have to be judged before this is answered")]
    Unjudged,
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
    #[error("{service} cannot end at both {} and {}", .versions[0], .versions[1])]
    TwoGoals {
        service: String,
        versions: Box<[Version; 2]>,
    },
    #[error("{why}")]
    Unplaced { why: String, help: String },
}

impl AskError {
    /// What to do next, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Database(error) => error.help().map(str::to_owned),
            Self::Ledger(error) => error.help().map(str::to_owned),
            Self::Coordinator(error) => error.help(),
            Self::Unjudged => Some("ask again, with the project read whole".to_owned()),
            Self::Files(_) => Some("`migrate check` shows each in its place".to_owned()),
            Self::UnknownMigration(error) => {
                miette::Diagnostic::help(error).map(|help| help.to_string())
            }
            Self::Unlisted { help, .. } | Self::Unplaced { help, .. } => Some(help.clone()),
            Self::UnknownService { named, .. } => {
                Some(format!("named there: {}", named.join(", ")))
            }
            Self::TwoGoals { .. } => Some(
                "name each service once as a goal, and releases on the way as `via`".to_owned(),
            ),
        }
    }
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
