//! A lease for a Rust application, kept by a thread of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::builder::LeaseBuilder;
use super::clock::Moment;
use super::error::LeaseError;
use super::keeper::KeeperHandle;
use super::tenure::{Loss, Tenure};
use crate::database::Database;
use crate::process::{Here, Sign};

/// The right of this process to use the database, at the version that it named.
///
/// A thread of its own renews it. When it cannot be kept, another one ends the process in time, whatever the rest of the
/// process, its log or the database does: SIGTERM first, SIGKILL at the deadline; or what [`LeaseBuilder::on_lost`] and
/// [`LeaseBuilder::at_loss`] have chosen. Hold it as long as the process uses the database, then [release](Self::release) it.
///
/// A clone is the same lease. When the last one is dropped, the lease is released as well; the drop waits up to two seconds
/// until the database knows. So drop it when nothing uses the database any more. If it is dropped by a panic, the rest of the
/// process may still do: then that is a [loss](Loss::Panicked), of which everybody is told.
///
/// Giving up [`LeaseBuilder::acquire`], at any moment, leaves nothing behind: what was registered is released.
///
/// A process that is [split off](Loss::SplitOff) by `fork` has no part in it: there it is lost. Ask for a lease after the fork.
///
/// ```no_run
/// # async fn run() -> Result<std::process::ExitCode, phasegate_lease::LeaseError> {
/// let lease = phasegate_lease::Lease::builder("sqlite://shop.db", "web", env!("CARGO_PKG_VERSION"))
///     .instance("server-1")
///     .acquire()
///     .await?;
/// // What asks the database is known there by the name of the instance (`application_name`).
/// println!("{}", lease.session_name());
/// // A clone is the same lease.
/// let watched = lease.clone();
/// std::thread::spawn(move || println!("valid for {:?}, {}", watched.valid_for(), watched.state().as_str()));
/// while lease.is_valid() {
///     // one unit of work
/// #   break;
/// }
/// lease.draining().await.ok();
/// lease.release().await?;
/// // That a process stopped in good order because its lease was lost does not make it a success.
/// Ok(lease.loss().map_or(0, |loss| loss.exit_code()).into())
/// # }
/// ```
#[must_use = "the lease is held only as long as this value is"]
#[derive(Clone, Debug)]
pub struct Lease(Arc<Holding>);

/// Where a process stands with its lease.
///
/// ```
/// use phasegate_lease::{Lease, LeaseState};
///
/// /// For a load balancer that asks: the code of the answer, and its text.
/// fn ready(lease: &Lease) -> (u16, &'static str) {
///     let state = lease.state();
///     (if state.is_ready() { 200 } else { 503 }, state.as_str())
/// }
///
/// /// Whether what has begun may go on.
/// fn goes_on(lease: &Lease) -> bool {
///     matches!(lease.state(), LeaseState::Valid | LeaseState::Draining)
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeaseState {
    /// It may begin another unit of work.
    Valid,
    /// It may use the database, and is finishing its work.
    Draining,
    /// It has to stop using the database.
    Lost,
    /// It has said that it uses the database no more.
    Released,
}

impl LeaseState {
    /// In one word, as the socket of `migrate agent` says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Draining => "draining",
            Self::Lost => "lost",
            Self::Released => "released",
        }
    }

    /// Whether work that is handed to the process now may begin there.
    #[must_use]
    pub const fn is_ready(self) -> bool {
        matches!(self, Self::Valid)
    }
}

/// What the clones of a lease share.
#[derive(Debug)]
struct Holding {
    /// The process that has it.
    home: Here,
    handle: KeeperHandle,
    tenure: Arc<Tenure>,
    session_name: String,
    /// Shows on this machine whose its sessions are, until it is released: the process may have another lease.
    sign: Mutex<Option<Sign>>,
    /// Whether this process has it: one that nobody has received yet stops nobody.
    delivered: Arc<AtomicBool>,
    /// Whether it is finishing its work, whether or not the database knows.
    draining: AtomicBool,
    released: AtomicBool,
    /// Disconnected when its thread has ended.
    over: Mutex<Receiver<()>>,
}

impl Holding {
    fn is_released(&self) -> bool {
        self.released.load(Ordering::Acquire)
    }

    /// Whether a lease that seemed to be over is not: it was renewed just then. Where it is, that is recorded, so that it
    /// stays so.
    #[cold]
    fn is_renewed_at(&self, now: Moment) -> bool {
        !self.is_released() && self.tenure.look(now).is_valid_at(now)
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        const PATIENCE: Duration = Duration::from_secs(2);
        // Whoever it belongs to keeps it; and the locks of that process may be held here for ever.
        if !self.home.is_here() || self.is_released() {
            return;
        }
        let delivered = self.delivered.load(Ordering::Acquire);
        if delivered && std::thread::panicking() {
            self.tenure.lose(Loss::Panicked, Moment::now());
            return;
        }
        self.handle.begin_release();
        if delivered {
            // The process may be about to end, and its threads with it. Nothing is ever sent: it waits for their end.
            let over = self.over.get_mut().unwrap_or_else(PoisonError::into_inner);
            let _ = over.recv_timeout(PATIENCE);
        }
    }
}

impl Lease {
    /// The lease that `handle` speaks for. Whoever keeps it drops the other end of `over` at its end.
    pub(super) fn of(
        handle: KeeperHandle,
        tenure: Arc<Tenure>,
        (session_name, sign): (String, Sign),
        over: Receiver<()>,
    ) -> Self {
        Self(Arc::new(Holding {
            home: Here::now(),
            handle,
            tenure,
            sign: Mutex::new(Some(sign)),
            session_name,
            delivered: Arc::default(),
            draining: AtomicBool::new(false),
            released: AtomicBool::new(false),
            over: Mutex::new(over),
        }))
    }

    /// Whether the process has it.
    pub(super) fn delivery(&self) -> &Arc<AtomicBool> {
        &self.0.delivered
    }

    /// Begins to ask for a lease in a database: that of a URL, of connect options of sqlx, or of a pool, see [`Database`]. The
    /// version is that of the application, for instance `env!("CARGO_PKG_VERSION")`.
    pub fn builder(
        database: impl Into<Database>,
        service: impl Into<String>,
        version: impl Into<String>,
    ) -> LeaseBuilder {
        LeaseBuilder::new(database.into(), service.into(), version.into())
    }

    /// Whether another unit of work may begin. A look at the clock and two loads: it can be asked often, by every thread, and is
    /// right even in a process that stood still.
    #[inline]
    #[must_use]
    pub fn is_valid(&self) -> bool {
        let now = Moment::now();
        self.0.home.is_here() && (self.0.tenure.lasts_at(now) || self.0.is_renewed_at(now))
    }

    /// How long another unit of work may take, should the lease not be renewed meanwhile; nothing where it is not valid.
    #[must_use]
    pub fn valid_for(&self) -> Duration {
        let now = Moment::now();
        if !self.0.home.is_here() || self.0.is_released() {
            return Duration::ZERO;
        }
        let held = self.0.tenure.look(now);
        match held.loss {
            Some(_) => Duration::ZERO,
            None => now.until(held.deadline.stop_at()),
        }
    }

    /// Where this process stands with its lease.
    #[must_use]
    pub fn state(&self) -> LeaseState {
        let holding = &self.0;
        if holding.is_released() {
            LeaseState::Released
        } else if !self.is_valid() {
            LeaseState::Lost
        } else if holding.draining.load(Ordering::Acquire) {
            LeaseState::Draining
        } else {
            LeaseState::Valid
        }
    }

    /// Why the process has to stop using the database, if it has to.
    #[must_use]
    pub fn loss(&self) -> Option<Loss> {
        if !self.0.home.is_here() {
            return Some(Loss::SplitOff);
        }
        if self.0.is_released() {
            // What it was when it was released.
            return self.0.tenure.loss();
        }
        self.0.tenure.look(Moment::now()).loss
    }

    /// What this process should call its database sessions (`application_name` of PostgreSQL): then a look at the
    /// database shows whose they are, and none of them holds up a contract as somebody who never registered.
    #[must_use]
    pub fn session_name(&self) -> &str {
        &self.0.session_name
    }

    /// Resolves when the process has to stop using the database, and says why. Never resolves after a
    /// release.
    pub async fn lost(&self) -> Loss {
        if !self.0.home.is_here() {
            return Loss::SplitOff;
        }
        let mut changes = self.0.tenure.subscribe();
        loop {
            let loss = changes.borrow_and_update().loss.clone();
            match loss {
                Some(loss) if !self.0.is_released() => return loss,
                _ => {}
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Says that this instance is finishing its work. It keeps its lease. From here [`Self::state`] says so, whatever the
    /// database answers.
    ///
    /// # Errors
    /// [`LeaseError::NotHeld`] after a loss; [`LeaseError::Timeout`] where the database does not record it within five seconds.
    /// Then it is recorded as soon as the database answers. Neither keeps the process from finishing.
    pub async fn draining(&self) -> Result<(), LeaseError> {
        if !self.0.home.is_here() {
            return Err(LeaseError::NotHeld);
        }
        self.0.draining.store(true, Ordering::Release);
        self.0.handle.draining().await
    }

    /// Ends the lease: from here this process may not use the database. To release it again does nothing.
    ///
    /// # Errors
    /// Whatever keeps the database from being told within a few seconds; the version then counts as
    /// live until the lease runs out by itself.
    pub async fn release(&self) -> Result<(), LeaseError> {
        if !self.0.home.is_here() {
            return Err(LeaseError::NotHeld);
        }
        if self.0.released.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        self.0.tenure.end();
        let sign = self.0.sign.lock();
        drop(sign.unwrap_or_else(PoisonError::into_inner).take());
        self.0.handle.release().await
    }
}
