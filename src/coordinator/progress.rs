//! What happens while a step is carried out, for whoever shows it.

use std::time::Duration;

use super::Weighed;
use crate::database::{LockHolder, OpenTransaction, Severity};
use crate::gate::Decision;
use crate::ledger::CoordinatorRow;
use crate::model::MigrationId;

/// What happens while a step is carried out.
#[derive(Clone, Debug)]
pub enum Progress {
    WaitingForCoordinator {
        row: CoordinatorRow,
        /// How long it is waited for where it is not renewed.
        at_most: Duration,
    },
    /// A statement begins; positions count from 1.
    Statement {
        path: String,
        position: usize,
        of: usize,
        text: String,
    },
    /// What the server says about a statement that did not fail.
    Said {
        path: String,
        line: usize,
        severity: Severity,
        text: String,
    },
    /// What a step is about to cost those who use its tables.
    Weighed(Weighed),
    /// Somebody has been at work for long, and is waited for.
    Busy(OpenTransaction),
    /// A lock was not granted; it will be tried again.
    LockRetry {
        attempt: u32,
        holders: Vec<LockHolder>,
    },
    /// A statement waits for others to end, as long as it takes.
    LockWait {
        waited: Duration,
        holders: Vec<LockHolder>,
    },
    /// An index whose concurrent build failed is there.
    InvalidIndex { name: String, fate: IndexFate },
    /// A statement of a coordinator that is gone still runs; it is waited for.
    StillRunning { path: String, sessions: Vec<i64> },
    /// Another migration tool is at work, or its statement is.
    Runner(String),
    /// A cluster has a new list, and takes its time until it goes by it.
    Settling,
    /// The database does not answer, and is asked again.
    Unreachable(String),
    /// The fence is up and something still blocks.
    Waiting(Decision),
    Backfill {
        migration: MigrationId,
        report: crate::backfill::Report,
    },
}

/// What becomes of an index whose concurrent build failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IndexFate {
    /// It is being dropped, to be built again.
    BuiltAgain,
    /// It could not be dropped, for this reason.
    Left(String),
}
