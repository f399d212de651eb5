//! A backfill goes on over lost connections: a restart of the server, a failover, a pooler that is replaced.
//!
//! Invariant: nothing is guessed about the batch that was at work. Each is committed together with its checkpoint, so
//! whether the last commit took effect is read from the ledger, like everything else, by beginning again from there.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::session::Coordinator;
use super::{CoordinatorError, Done, Outcome, Progress, backfill};
use crate::database::{DatabaseError, ErrorKind};
use crate::ledger::{BackfillRecord, Ledger, LedgerError};
use crate::model::{MigrationId, Step};

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

/// A connection that is lost.
struct Outage {
    since: Instant,
    /// How many batches had passed by then.
    passed: u64,
}

impl Coordinator<'_> {
    /// The backfill, begun again from what is recorded whenever the connection was lost, as long as somebody answers within
    /// `lock_retry_for`.
    pub(super) async fn backfill_over_outages(
        &mut self,
        id: &MigrationId,
    ) -> Result<Outcome, CoordinatorError> {
        let began = Instant::now();
        self.tally = None;
        let mut outage: Option<Outage> = None;
        loop {
            let error = match backfill::run(self, id).await {
                Ok(outcome) if outage.is_none() => return Ok(outcome),
                Ok(outcome) => return self.in_sum(outcome, began).await,
                Err(error) => error,
            };
            let Some(cause) = self.lost(&error) else {
                return Err(error);
            };
            let passed = self.passed.load(Ordering::Relaxed);
            // What breaks again and again without getting on is one outage.
            let since = match &outage {
                Some(outage) if outage.passed == passed => outage.since,
                _ => Instant::now(),
            };
            outage = Some(Outage { since, passed });
            self.connect_again(since, cause).await?;
        }
    }

    /// What an error says of a connection that was lost; none where it says something else.
    fn lost(&self, error: &CoordinatorError) -> Option<DatabaseError> {
        // A file has no connection that could be lost.
        if self.options.target.path().is_some() {
            return None;
        }
        match error {
            CoordinatorError::Database(cause)
            | CoordinatorError::Ledger(LedgerError::Database(cause))
                if matches!(
                    cause.kind,
                    ErrorKind::Unreachable | ErrorKind::Full | ErrorKind::Standby
                ) =>
            {
                Some(cause.clone())
            }
            _ => None,
        }
    }

    /// Connects again, with growing pauses between the attempts.
    async fn connect_again(
        &mut self,
        since: Instant,
        mut cause: DatabaseError,
    ) -> Result<(), CoordinatorError> {
        let bound = self.project().config.database.lock_retry_for;
        for attempt in 1_u32.. {
            let waited = since.elapsed();
            if waited >= bound {
                let so_long = format!("{} (tried for {} s)", cause.message, waited.as_secs());
                cause.message = so_long;
                return Err(cause.into());
            }
            self.report(Progress::Unreachable(cause.to_string()));
            // Jitter, because many may have lost theirs at the same moment.
            let pause = 500 * u64::from(attempt.min(10)) + fastrand::u64(0..500);
            let pause = Duration::from_millis(pause).min(bound.saturating_sub(waited));
            let interrupt = self.options.interrupt;
            interrupt.pause(pause).await;
            if interrupt.is_due() {
                return Err(DatabaseError::interrupted().into());
            }
            let (project, target) = (self.options.project, self.options.target);
            match super::connect(project, target, super::Purpose::Act, interrupt).await {
                Ok(connection) => {
                    std::mem::replace(&mut self.connection, connection)
                        .close()
                        .await;
                    return Ok(());
                }
                // The one that follows may be promoted yet.
                Err(error) if error.is_passing() || error.kind == ErrorKind::Standby => {
                    cause = error
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// The outcome of a backfill that lost its connection on the way, with what was done before that.
    async fn in_sum(
        &mut self,
        outcome: Outcome,
        began: Instant,
    ) -> Result<Outcome, CoordinatorError> {
        let note = "the connection was lost on the way, and it went on from what is recorded";
        match (outcome, self.tally) {
            (Outcome::Done(mut done), _) => {
                done.took = began.elapsed();
                done.notes.push(note.to_owned());
                Ok(Outcome::Done(done))
            }
            // It was at its end, and only the answer was lost.
            (
                Outcome::Already {
                    migration,
                    step: Step::Backfill,
                    ..
                },
                Some(before),
            ) => {
                let records = Ledger::backfills(self.connection.as_mut()).await?;
                let mut records = records.into_iter();
                let record = records.find(|record| record.number == migration.number());
                let done =
                    record.map_or(Tally::default(), |record| Tally::of(&record).since(before));
                Ok(Outcome::Done(Done {
                    migration,
                    step: Step::Backfill,
                    statements: done.batches,
                    rows: done.changed,
                    keys: done.seen,
                    took: began.elapsed(),
                    notes: vec![note.to_owned()],
                }))
            }
            (outcome, _) => Ok(outcome),
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
