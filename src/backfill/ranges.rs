//! Which keys there are, and how workers share them.

use super::{BackfillError, Engine, Report, key};
use crate::database::{
    Access, Connection, DatabaseError, KeyRange, Keys, LockTimeout, Start, Writers,
};
use crate::ledger::{BackfillRecord, Entry, Ledger, RangeRecord};
use crate::model::Step;

/// How many ranges there are for each worker, so that one that was given much is not waited for.
const RANGES_PER_WORKER: u64 = 4;
/// Where the size of a table is not known, this many ranges are marked off at most.
const MOST_RANGES: usize = 512;

impl Engine<'_> {
    pub(super) fn keys(&self) -> Keys<'_> {
        Keys {
            table: &self.rules.table,
            columns: &self.rules.key,
        }
    }

    /// How many batches run beside each other on this database.
    pub(super) const fn workers(&self, writers: Writers) -> u64 {
        match writers {
            Writers::One => 1,
            Writers::Many => self.rules.workers,
        }
    }

    /// Fixes the ranges that the backfill goes over, and records them.
    ///
    /// # Errors
    /// A database error, or a key that no range can go over.
    pub async fn prepare(
        &self,
        connection: &mut dyn Connection,
        report: &(dyn Fn(Report) + Send + Sync),
    ) -> Result<BackfillRecord, BackfillError> {
        self.refresh_statistics(connection, report).await;
        let total = connection.estimate_rows(&self.rules.table).await?;
        let mut ranges = Vec::new();
        if let Some(whole) = key::whole(connection, self.keys()).await? {
            for (position, left) in (1..).zip(self.share(connection, whole, total).await?) {
                ranges.push(RangeRecord {
                    position,
                    left,
                    seen: 0,
                    changed: 0,
                    batches: 0,
                    size: 0,
                });
            }
        }
        let mut ledger = Ledger::write(connection).await?;
        self.check_phase(&mut ledger).await?;
        let sha256 = &self.file.sha256;
        ledger.open_backfill(self.id, total, sha256);
        ledger.record_ranges(self.id, &ranges)?;
        // It may have been mended since the backfill began.
        let path = self.file.path.display().to_string();
        ledger.record_file(Entry::Known, self.id, Step::Backfill, &path, sha256);
        ledger.fence(self.token).await?;
        ledger.commit().await?;
        let recorded = self.recorded(connection).await?;
        recorded.ok_or(BackfillError::Moved(crate::model::Phase::Pending))
    }

    /// The backfill as it is recorded.
    ///
    /// # Errors
    /// A database error.
    pub async fn recorded(
        &self,
        connection: &mut dyn Connection,
    ) -> Result<Option<BackfillRecord>, BackfillError> {
        let records = Ledger::backfills(connection).await?;
        let number = self.id.number();
        Ok(records.into_iter().find(|record| record.number == number))
    }

    /// Without it the first batches may each read the whole table. Where it cannot be had, the backfill is slower and
    /// no less right.
    async fn refresh_statistics(
        &self,
        connection: &mut dyn Connection,
        report: &(dyn Fn(Report) + Send + Sync),
    ) {
        if let Err(error) = self.try_refresh(connection).await {
            let table = &self.rules.table;
            report(Report::Warning(format!(
                "the planner's statistics of {table} could not be refreshed, so the backfill may be slow: {error}"
            )));
            // A broken connection shows again in what comes next.
            let _ = connection.rollback().await;
        }
    }

    async fn try_refresh(&self, connection: &mut dyn Connection) -> Result<(), DatabaseError> {
        connection.begin(Access::Write).await?;
        connection
            .limit_lock_waits(LockTimeout(self.limits.lock_timeout))
            .await?;
        connection.refresh_statistics(self.keys()).await?;
        connection.commit().await
    }

    /// Ranges of about the same number of keys. Their ends are found in the index, one after the other.
    async fn share(
        &self,
        connection: &mut dyn Connection,
        whole: KeyRange,
        total: u64,
    ) -> Result<Vec<KeyRange>, BackfillError> {
        let workers = self.workers(connection.capabilities().writers);
        let mut ranges = Vec::new();
        let mut left = whole;
        if workers > 1 {
            let step = (total / (workers * RANGES_PER_WORKER)).max(1);
            while ranges.len() < MOST_RANGES
                && let Some(end) = key::ahead(connection, self.keys(), &left, step).await?
                && end != left.last
            {
                ranges.push(KeyRange {
                    start: left.start,
                    last: end.clone(),
                });
                left.start = Start::After(end);
            }
        }
        ranges.push(left);
        Ok(ranges)
    }
}
