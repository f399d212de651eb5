//! Batches one after the other, and beside each other on ranges of their own.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::pace::{Sizes, rest};
use super::throttle::Throttle;
use super::{BackfillError, Engine, Report, Standing};
use crate::database::{ConnectOptions, Connection, DatabaseError, Target};
use crate::ledger::{BackfillRecord, RangeRecord};

/// One run of a backfill, from where it stands to the end.
#[derive(Clone, Copy)]
pub struct Run<'r> {
    pub engine: Engine<'r>,
    /// Where more workers connect to.
    pub target: &'r Target,
    pub options: ConnectOptions,
    /// The URLs of the replicas whose lag is looked at, and the directory that they are relative to.
    pub replicas: (&'r [String], &'r Path),
    pub report: &'r (dyn Fn(Report) + Send + Sync),
}

/// What one run has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Keys passed.
    pub seen: u64,
    /// Rows changed.
    pub changed: u64,
    pub batches: u64,
    pub workers: u64,
}

/// What the workers of a run share.
struct Shared {
    began: Instant,
    total: u64,
    sizes: Sizes,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<RangeRecord>,
    /// Since the backfill began, and not only in this run.
    seen: u64,
    changed: u64,
    batches: u64,
    has_failed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next range that nobody works on; `None` if another worker has failed.
    fn take(&self) -> Option<RangeRecord> {
        let mut state = self.state();
        if state.has_failed {
            return None;
        }
        state.waiting.pop_front()
    }

    fn has_failed(&self) -> bool {
        self.state().has_failed
    }

    fn passed(&self, before: &RangeRecord, after: &RangeRecord) -> Standing {
        let mut state = self.state();
        state.seen += after.seen.saturating_sub(before.seen);
        state.changed += after.changed.saturating_sub(before.changed);
        state.batches += after.batches.saturating_sub(before.batches);
        Standing {
            seen: state.seen,
            changed: state.changed,
            total: self.total,
            ..Standing::default()
        }
    }
}

impl Run<'_> {
    pub(super) fn throttle(&self) -> Throttle<'_> {
        let (urls, root) = self.replicas;
        let replicas = urls.iter().map(|url| Target::parse(url, root)).collect();
        Throttle::new(self.engine, replicas)
    }

    /// Runs every batch that is left. On an error, each worker ends its own batch first.
    ///
    /// # Errors
    /// See [`BackfillError`].
    pub async fn go(
        &self,
        main: &mut dyn Connection,
        record: &BackfillRecord,
    ) -> Result<Totals, BackfillError> {
        let open = record.ranges.iter().filter(|range| !range.left.is_done());
        let waiting: VecDeque<RangeRecord> = open.cloned().collect();
        let wanted = self.engine.workers(main.capabilities().writers);
        let workers = wanted.min(u64::try_from(waiting.len()).unwrap_or(u64::MAX));
        let before = (record.seen(), record.changed());
        let shared = Shared {
            began: Instant::now(),
            total: record.total,
            sizes: Sizes::of(self.engine.rules.batch, record.total),
            state: Mutex::new(State {
                waiting,
                seen: before.0,
                changed: before.1,
                ..State::default()
            }),
        };
        let throttle = self.throttle();
        let mut others = self.connect(workers.saturating_sub(1)).await?;
        let first = self.work(main, &shared, &throttle);
        let beside = others
            .iter_mut()
            .map(|connection| self.work(connection.as_mut(), &shared, &throttle));
        let (first, beside) = futures_util::future::join(first, join_all(beside)).await;
        for connection in others {
            connection.close().await;
        }
        first?;
        beside.into_iter().collect::<Result<Vec<()>, _>>()?;
        let state = shared.state();
        Ok(Totals {
            seen: state.seen.saturating_sub(before.0),
            changed: state.changed.saturating_sub(before.1),
            batches: state.batches,
            workers,
        })
    }

    async fn connect(&self, count: u64) -> Result<Vec<Box<dyn Connection>>, DatabaseError> {
        let mut connections = Vec::new();
        for _ in 0..count {
            connections.push(crate::database::connect(self.target, self.options).await?);
        }
        Ok(connections)
    }

    async fn work(
        &self,
        connection: &mut dyn Connection,
        shared: &Shared,
        throttle: &Throttle<'_>,
    ) -> Result<(), BackfillError> {
        let worked = self.work_through(connection, shared, throttle).await;
        if worked.is_err() {
            shared.state().has_failed = true;
        }
        worked
    }

    async fn work_through(
        &self,
        connection: &mut dyn Connection,
        shared: &Shared,
        throttle: &Throttle<'_>,
    ) -> Result<(), BackfillError> {
        let is_over = || shared.has_failed();
        let mut size = 0;
        while let Some(mut range) = shared.take() {
            if range.size == 0 {
                range.size = size;
            }
            while !range.left.is_done() {
                throttle.admit(connection, self.report, &is_over).await?;
                if is_over() {
                    return Ok(());
                }
                let began = Instant::now();
                let next = self
                    .engine
                    .batch(connection, &range, shared.sizes, self.report)
                    .await?;
                let mut standing = shared.passed(&range, &next);
                standing.rate = throttle.passed(shared.began.elapsed(), standing.seen).await;
                (self.report)(Report::Passed(standing));
                crate::crash::point("backfill.batch");
                range = next;
                self.rest(connection, throttle, began.elapsed(), &is_over)
                    .await?;
            }
            size = range.size;
        }
        Ok(())
    }

    /// Rests after working for so long, at the pace that is wanted by then.
    pub(super) async fn rest(
        &self,
        connection: &mut dyn Connection,
        throttle: &Throttle<'_>,
        worked: Duration,
        is_over: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<(), BackfillError> {
        const STEP: Duration = Duration::from_millis(500);
        let began = Instant::now();
        loop {
            let pace = throttle.admit(connection, self.report, is_over).await?;
            let left = rest(pace, worked).saturating_sub(began.elapsed());
            if left.is_zero() || is_over() {
                return Ok(());
            }
            tokio::time::sleep(left.min(STEP)).await;
        }
    }
}
