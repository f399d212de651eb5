//! Waiting for locks: a short limit, a jittered retry, a bound, and the names of who holds them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::error::failure;
use super::{CoordinatorError, Progress};
use crate::database::{ConnectOptions, DatabaseError, ErrorKind, LockHolder, Target};
use crate::interrupt::Interrupt;
use crate::ledger::LedgerError;
use crate::project::{Project, ScriptFile};
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
            LedgerError::Database(error) if is_of_a_lock(&error) => Self::At(0, error),
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
pub(super) struct Retry {
    began: Instant,
    bound: Duration,
    attempt: u32,
    holders: Arc<Mutex<Vec<LockHolder>>>,
    /// Ends a pause. The next attempt then fails because of it.
    interrupt: Interrupt,
}

impl Retry {
    pub(super) fn new(project: &Project, interrupt: Interrupt) -> Self {
        Self {
            began: Instant::now(),
            bound: project.config.database.lock_retry_for,
            attempt: 0,
            holders: Arc::default(),
            interrupt,
        }
    }

    pub(super) fn watch(&self) -> LockWatch {
        LockWatch {
            holders: Arc::clone(&self.holders),
            is_retry: self.attempt > 0,
        }
    }

    pub(super) async fn after(
        &mut self,
        report: &(dyn Fn(Progress) + Send + Sync),
        file: &ScriptFile,
        index: usize,
        error: DatabaseError,
    ) -> Result<(), CoordinatorError> {
        if error.kind == ErrorKind::Interrupted {
            return Err(error.into());
        }
        if !is_of_a_lock(&error) {
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
        if let Err((waited, holders)) = self.pause(report).await {
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
        report: &(dyn Fn(Progress) + Send + Sync),
        error: LedgerError,
    ) -> Result<(), CoordinatorError> {
        let cause = match error {
            LedgerError::Database(error) if is_of_a_lock(&error) => Box::new(error),
            error => return Err(error.into()),
        };
        let paused = self.pause(report).await;
        paused.map_err(|(waited, holders)| CoordinatorError::LedgerLocked {
            cause,
            waited_s: waited.as_secs(),
            holders,
        })
    }

    /// Lets others go first, and says so; how long it was tried and who was in the way, where it is long enough.
    pub(super) async fn pause(
        &mut self,
        report: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), (Duration, Vec<LockHolder>)> {
        let holders = self
            .holders
            .lock()
            .map(|held| held.clone())
            .unwrap_or_default();
        self.attempt += 1;
        let waited = self.began.elapsed();
        if waited >= self.bound {
            return Err((waited, holders));
        }
        report(Progress::LockRetry {
            attempt: self.attempt,
            holders,
        });
        // Jitter keeps two waiters from meeting at each attempt; the pause lets the queue behind
        // the lock drain.
        let pause = 500 * u64::from(self.attempt.min(8)) + fastrand::u64(0..500);
        self.interrupt.pause(Duration::from_millis(pause)).await;
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

/// Whether it may go away when others have ended what they are doing. A statement that took too long may not: it would
/// take as long again.
pub(super) fn is_of_a_lock(error: &DatabaseError) -> bool {
    matches!(error.kind, ErrorKind::Locked | ErrorKind::Conflict)
}

/// Looks from a second connection at who holds the lock that a statement waits for.
pub(super) struct LockWatch {
    holders: Arc<Mutex<Vec<LockHolder>>>,
    /// Whether a lock was not granted before.
    pub(super) is_retry: bool,
}

impl LockWatch {
    pub(super) fn start(&self, session: Option<i64>, target: Target) -> Watching {
        let Some(session) = session else {
            return Watching(None);
        };
        let seen = Arc::clone(&self.holders);
        Watching(Some(tokio::spawn(async move {
            // Most statements are done before anybody has to look.
            tokio::time::sleep(Duration::from_millis(200)).await;
            let Ok(mut connection) =
                crate::database::connect(&target, ConnectOptions::default()).await
            else {
                return;
            };
            while let Ok(found) = connection.lock_holders(session).await {
                if !found.is_empty()
                    && let Ok(mut holders) = seen.lock()
                {
                    *holders = found;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
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
