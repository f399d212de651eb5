//! Waiting for locks: a short limit, a jittered retry, a bound, and the names of who holds them.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::error::failure;
use super::orders::Orders;
use super::{CoordinatorError, Progress};
use crate::database::{
    ConnectOptions, DatabaseError, ErrorKind, LockHolder, Target, holders_of_file,
};
use crate::ledger::LedgerError;
use crate::project::ScriptFile;
use crate::sql::Mode;

/// An attempt that did not succeed.
pub(super) enum Failed {
    /// The statement at this index.
    At(usize, DatabaseError),
    Otherwise(CoordinatorError),
}

impl From<DatabaseError> for Failed {
    fn from(error: DatabaseError) -> Self {
        Self::Otherwise(error.into())
    }
}

impl From<LedgerError> for Failed {
    fn from(error: LedgerError) -> Self {
        match error {
            // The ledger's rows are waited for under the same limit as the script's tables, and a
            // burst of starting instances may hold them: the whole script is tried again.
            LedgerError::Database(error) if error.is_contention() => Self::At(0, error),
            error => Self::Otherwise(error.into()),
        }
    }
}

impl From<CoordinatorError> for Failed {
    fn from(error: CoordinatorError) -> Self {
        Self::Otherwise(error)
    }
}

/// Tries again after a lock was not granted, with a growing pause and a bound.
pub(super) struct Retry<'a> {
    orders: Orders<'a>,
    began: Instant,
    bound: Duration,
    /// How long one attempt waits.
    limit: Duration,
    attempt: u32,
    holders: Arc<Mutex<Seen>>,
}

impl<'a> Retry<'a> {
    pub(super) fn new(orders: Orders<'a>) -> Self {
        Self {
            orders,
            began: Instant::now(),
            bound: orders.project.config.database.lock_retry_for,
            limit: orders.project.config.database.lock_timeout,
            attempt: 0,
            holders: Arc::default(),
        }
    }

    pub(super) fn watch(&self) -> LockWatch {
        LockWatch {
            holders: Arc::clone(&self.holders),
            // Where the first attempt may be the last, nobody else is going to look.
            is_retry: self.attempt > 0 || self.bound <= self.limit,
        }
    }

    /// Waits for work that waits itself, and says now and then for whom.
    pub(super) async fn telling<T>(&self, work: impl Future<Output = T>) -> T {
        let target = self.orders.target;
        // A file is looked at without a connection, and may be waited for before anything else is known.
        let is_file = target.path().is_some();
        let _watching = is_file.then(|| self.watch().start(None, target.clone()));
        let began = Instant::now();
        let mut work = pin!(work);
        let mut pause = FIRST_TOLD;
        loop {
            if let Ok(done) = tokio::time::timeout(pause, &mut work).await {
                return done;
            }
            pause = TOLD_EVERY;
            let holders = self.holders.lock().ok().and_then(|seen| seen.now());
            if let Some(holders) = holders {
                let waited = began.elapsed();
                self.orders.report(Progress::LockWait { waited, holders });
            }
        }
    }

    pub(super) async fn after(
        &mut self,
        file: &ScriptFile,
        index: usize,
        error: DatabaseError,
    ) -> Result<(), CoordinatorError> {
        if error.kind == ErrorKind::Interrupted {
            return Err(error.into());
        }
        if !error.is_contention() {
            let help = match file.script.mode {
                _ if error.kind == ErrorKind::Timeout => TIME_LIMIT,
                _ if error.kind == ErrorKind::HiddenRows => error.help().unwrap_or_default(),
                Mode::Transactional if error.code.as_deref() == Some(NEW_ENUM_VALUE) => {
                    "nothing was changed. Begin the file with `-- migrate: no-transaction`, so that the value is committed before \
                     it is used, or use it in a migration of its own; then run the same command again"
                }
                Mode::Transactional => {
                    "nothing was changed: the statements before it were undone together with it. Mend it and run the same command again"
                }
                Mode::NoTransaction => {
                    "the statements before it are done and recorded, and this one is not. Mend it and run the same command again"
                }
            };
            return Err(failure(file, index, error, help.to_owned()));
        }
        if let Err((waited, holders)) = self.pause().await {
            let line = file
                .script
                .statements
                .get(index)
                .map_or(1, |statement| statement.line);
            return Err(CoordinatorError::Locked {
                path: file.path.display().to_string(),
                line,
                waited_s: waited.as_secs(),
                holders,
            });
        }
        Ok(())
    }

    /// As [`Self::after`], where it was the ledger that was locked.
    pub(super) async fn after_ledger(
        &mut self,
        error: LedgerError,
    ) -> Result<(), CoordinatorError> {
        let cause = match error {
            LedgerError::Database(error) if error.is_contention() => Box::new(error),
            error => return Err(error.into()),
        };
        let paused = self.pause().await;
        paused.map_err(|(waited, holders)| CoordinatorError::LedgerLocked {
            cause,
            waited_s: waited.as_secs(),
            holders,
        })
    }

    /// Lets others go first, and says so; how long it was tried and who was in the way, where it is long enough.
    pub(super) async fn pause(&mut self) -> Result<(), (Duration, Vec<LockHolder>)> {
        let holders = self
            .holders
            .lock()
            .map(|seen| seen.last.clone())
            .unwrap_or_default();
        self.attempt += 1;
        let waited = self.began.elapsed();
        if waited >= self.bound {
            return Err((waited, holders));
        }
        self.orders.report(Progress::LockRetry {
            attempt: self.attempt,
            holders,
        });
        // Jitter keeps two waiters from meeting at each attempt; the pause lets the queue behind
        // the lock drain.
        let pause = 500 * u64::from(self.attempt.min(8)) + fastrand::u64(0..500);
        // The next attempt fails if it was ended by an interrupt.
        let pause = Duration::from_millis(pause);
        self.orders.interrupt.pause(pause).await;
        Ok(())
    }
}

/// PostgreSQL's code of an enum value that is used in the transaction that has added it.
const NEW_ENUM_VALUE: &str = "55P04";

/// What to do about a statement that was ended while it worked. The limits of the role are put aside for it.
pub(super) const TIME_LIMIT: &str = "nobody holds a lock: the statement was cancelled, or a limit on its time ended it. Such a limit is one \
     that the script sets for itself, that stands at a function which it calls, or, behind a pooler, that of the role \
     (`SHOW statement_timeout`; `ALTER ROLE … SET statement_timeout = 0`, or connect past the pooler). Raise it and run the \
     same command again";

/// How soon it is said whom a statement waits for, and how often then.
const FIRST_TOLD: Duration = Duration::from_secs(4);
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Who was seen to hold a lock that is waited for.
#[derive(Debug, Default)]
struct Seen {
    last: Vec<LockHolder>,
    /// Whether the latest look has shown them.
    is_current: bool,
}

impl Seen {
    fn note(&mut self, found: Vec<LockHolder>) {
        self.is_current = !found.is_empty();
        if self.is_current {
            self.last = found;
        }
    }

    fn now(&self) -> Option<Vec<LockHolder>> {
        self.is_current.then(|| self.last.clone())
    }
}

/// Looks from a second connection at who holds the lock that a statement waits for.
pub(super) struct LockWatch {
    holders: Arc<Mutex<Seen>>,
    /// Whether a lock was not granted before, or there is no other attempt.
    pub(super) is_retry: bool,
}

impl LockWatch {
    pub(super) fn start(&self, session: Option<i64>, target: Target) -> Watching {
        /// Most statements are done before anybody has to look.
        const BEFORE: Duration = Duration::from_millis(200);
        const BETWEEN: Duration = Duration::from_millis(200);
        let seen = Arc::clone(&self.holders);
        let note = move |found| {
            if let Ok(mut seen) = seen.lock() {
                seen.note(found);
            }
        };
        if target.path().is_some() {
            // To open the file once more would wait for the same lock.
            return Watching(Some(tokio::spawn(async move {
                loop {
                    tokio::time::sleep(BEFORE).await;
                    note(holders_of_file(&target));
                }
            })));
        }
        let Some(session) = session else {
            return Watching(None);
        };
        Watching(Some(tokio::spawn(async move {
            tokio::time::sleep(BEFORE).await;
            let Ok(mut connection) =
                crate::database::connect(&target, ConnectOptions::default()).await
            else {
                return;
            };
            while let Ok(found) = connection.lock_holders(session).await {
                note(found);
                tokio::time::sleep(BETWEEN).await;
            }
        })))
    }
}

/// Stops watching when it goes out of scope.
pub(super) struct Watching(Option<tokio::task::JoinHandle<()>>);

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
