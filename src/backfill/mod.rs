//! The engine of a backfill: fills the new format for existing rows, batch by batch along a key.
//!
//! | file | owns |
//! | --- | --- |
//! | `pace` | pure: how large a batch is, how long a rest, how fast it goes |
//! | `statement` | pure: a statement with the ends of a range put in |
//! | `engine` | what one backfill works with |
//! | `batch` | one batch: in one transaction with its checkpoint, tried again, split |
//! | `narrow` | which row of a batch it is that fails |
//! | `failed` | pure: what a batch failed on and how it goes on, in words |
//! | `key` | whether it can go along a key, and keys that are read exactly |
//! | `ranges` | which keys there are, and how workers share them |
//! | `hold` | pure: what it waits for |
//! | `throttle` | what makes a backfill wait: signals, and what somebody asked for |
//! | `workers` | batches one after the other, and beside each other |
//! | `check` | whether every row is as it should be |
//!
//! Invariant: a batch and its checkpoint commit together, so a killed run redoes nothing that was committed and
//! skips nothing. The last key is fixed at the start, so the run ends under concurrent inserts. Ranges of keys do
//! not overlap, so no two workers touch the same row because of their keys.

mod batch;
mod check;
mod engine;
mod failed;
mod hold;
mod key;
mod narrow;
mod pace;
mod ranges;
mod statement;
mod throttle;
mod workers;

use crate::database::{DatabaseError, ErrorKind};
use crate::ledger::LedgerError;
use crate::model::Phase;

pub use check::Finding;
pub use engine::{Engine, Limits};
pub use failed::{FailedBatch, FailedOn};
pub use hold::{Hold, Signal};
pub use key::against;
pub use statement::over;
pub use workers::{Run, Totals};

/// How a running backfill gets on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    Passed(Standing),
    /// It waits, and for what.
    Held(Hold),
    /// It does not wait any more.
    Released,
    /// A batch did not get through and is tried again, with so many keys.
    Retry {
        error: String,
        keys: u64,
    },
    /// A batch failed, and the row that it failed on is looked for, among so many keys.
    Narrowing {
        error: String,
        keys: u64,
    },
    /// Something that does not stop it.
    Warning(String),
}

/// Where a backfill stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Keys passed.
    pub seen: u64,
    /// Rows changed.
    pub changed: u64,
    /// About how many rows there are; 0 where that is not known.
    pub total: u64,
    /// Keys a second, lately.
    pub rate: u64,
    /// Whether it is the final check that runs.
    pub is_check: bool,
}

/// Why a batch could not be done; everything before it stays done.
#[derive(Debug, thiserror::Error)]
pub enum BackfillError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database does not accept what it does to a row.
    #[error("{0}")]
    Failed(Box<FailedBatch>),
    /// It cannot go along this key of this table.
    #[error("{0}")]
    Key(String),
    /// A version that writes only the old format was admitted, or the phase has changed.
    #[error("the backfill is not running any more: the migration is {0}")]
    Moved(Phase),
}

impl BackfillError {
    const fn database(&self) -> Option<&DatabaseError> {
        match self {
            Self::Database(error) | Self::Ledger(LedgerError::Database(error)) => Some(error),
            Self::Failed(failed) => Some(&failed.cause),
            Self::Ledger(_) | Self::Moved(_) | Self::Key(_) => None,
        }
    }

    /// Whether it is the statement, or one of its rows, that the database does not accept.
    fn is_of_a_statement(&self) -> bool {
        self.database()
            .is_some_and(|error| error.kind == ErrorKind::Statement)
    }

    /// Whether another attempt at the same batch may succeed.
    fn is_worth_retrying(&self) -> bool {
        // The next attempt at it is smaller, and so takes less time.
        self.database()
            .is_some_and(|error| error.is_contention() || error.kind == ErrorKind::Timeout)
    }
}
