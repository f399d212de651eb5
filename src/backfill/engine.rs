//! What one backfill works with, and what an attempt at a batch is about.

use std::time::Duration;

use crate::database::KeyRange;
use crate::ledger::RangeRecord;
use crate::model::MigrationId;
use crate::project::{BackfillFile, BackfillRules};

/// What one backfill works with.
#[derive(Clone, Copy, Debug)]
pub struct Engine<'e> {
    pub id: &'e MigrationId,
    pub rules: &'e BackfillRules,
    pub file: &'e BackfillFile,
    /// The coordinator's token, checked in the transaction of every batch.
    pub token: i64,
    pub limits: Limits,
}

/// How long a batch waits.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub lock_timeout: Duration,
    /// How long a batch is tried again after a lock was not granted.
    pub lock_retry_for: Duration,
}

/// What an attempt at a batch was about.
pub(super) struct About {
    pub(super) keys: KeyRange,
    /// How many keys that are; 0 before they are counted.
    pub(super) count: u64,
    /// Whether the user's statement was begun, so that an error may be about its rows.
    pub(super) is_of_their_statement: bool,
}

impl About {
    pub(super) fn of(range: &RangeRecord) -> Self {
        Self {
            keys: range.left.clone(),
            count: 0,
            is_of_their_statement: false,
        }
    }
}

/// Between two attempts: long enough for whoever holds a lock, and never the same for two waiters.
pub(super) async fn pause() {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(200..800))).await;
}
