//! How far a backfill is, over all the connections that it was at work on.

use std::sync::atomic::AtomicU64;

use crate::ledger::BackfillRecord;

/// What a command knows of the backfill that it is at.
#[derive(Debug, Default)]
pub(super) struct Filled {
    /// How many batches it has seen through.
    pub passed: AtomicU64,
    /// How far the backfill was when the command began with it, where it has.
    pub before: Option<Tally>,
}

/// How far a backfill is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) seen: u64,
    pub(super) changed: u64,
    pub(super) batches: u64,
}

impl Tally {
    pub(super) fn of(record: &BackfillRecord) -> Self {
        Self {
            seen: record.seen(),
            changed: record.changed(),
            batches: record.batches(),
        }
    }

    /// What was done since then.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            seen: self.seen.saturating_sub(before.seen),
            changed: self.changed.saturating_sub(before.changed),
            batches: self.batches.saturating_sub(before.batches),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_since() {
        let tally = |seen| Tally {
            seen,
            changed: seen / 2,
            batches: 1,
        };
        assert_eq!(tally(10).since(tally(4)).seen, 6);
        assert_eq!(tally(10).since(tally(4)).changed, 3);
        // A statement that was mended begins anew.
        assert_eq!(tally(1).since(tally(4)).seen, 0);
    }
}
