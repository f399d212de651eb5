//! A lease without a database, which a test controls.
//!
//! ```
//! use phasegate_lease::test::Control;
//! use phasegate_lease::{Lease, LeaseState};
//!
//! # async fn run() -> Result<(), phasegate_lease::LeaseError> {
//! let control = Control::new();
//! let lease = Lease::builder("postgres://db/shop", "web", "1.2.0")
//!     .controlled_by(&control)
//!     .acquire()
//!     .await?;
//! control.lose();
//! assert_eq!(lease.state(), LeaseState::Lost);
//!
//! control.refuse();
//! let again = Lease::builder("postgres://db/shop", "web", "1.2.0").controlled_by(&control);
//! assert!(again.acquire().await.is_err());
//! # Ok(())
//! # }
//! ```

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering, mpsc};
use std::time::Duration;

use super::builder::{Asker, LeaseBuilder};
use super::clock::Moment;
use super::deadline::Terms;
use super::error::LeaseError;
use super::held::Lease;
use super::keeper::{self, KeeperHandle};
use super::loss::OnLoss;
use super::session_name::session_name;
use super::tenure::{FailedRenewal, Loss, Tenure};
use crate::gate::{Action, Decision, Evidence, decide};
use crate::model::{
    Declaration, Fill, Live, MigrationState, Parts, Phase, Rows, Schema, Sync, Touched, Usage,
};
use crate::process::Sign;

/// What a test does to the leases that are acquired under it, and what it sees of them.
///
/// No database is asked, and no signal is sent at a loss: only what [`LeaseBuilder::on_lost`] names is called.
///
/// ```
/// use phasegate_lease::{LeaseState, Loss, test::Control};
///
/// let control = Control::new();
/// let lease = control.lease();
/// assert!(!control.is_draining());
/// control.lose_by(Loss::Panicked);
/// assert_eq!((lease.state(), lease.loss()), (LeaseState::Lost, Some(Loss::Panicked)));
/// control.refuse();
/// // Whoever asks now is refused by the gate, and from here on admitted again.
/// control.admit();
/// let again = control.lease();
/// drop(again);
/// assert!(control.is_released());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Control(Arc<Mutex<Told>>);

#[derive(Debug, Default)]
struct Told {
    refuses: bool,
    /// Of the lease that was acquired last.
    tenure: Option<Arc<Tenure>>,
    on_loss: Option<OnLoss>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    is_draining: bool,
    is_released: bool,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Control {
    /// Whoever asks is admitted, until the test says otherwise.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A lease of `web` 1.0.0 that is held.
    ///
    /// # Panics
    /// After [`Self::refuse`].
    pub fn lease(&self) -> Lease {
        let builder = Lease::builder("sqlite://test.db", "web", "1.0.0").controlled_by(self);
        match builder.acquire_blocking() {
            Ok(lease) => lease,
            Err(error) => panic!("the test refuses its own lease: {error}"),
        }
    }

    /// Whoever asks from now on is refused: the old format that its version uses is gone.
    pub fn refuse(&self) {
        locked(&self.0).refuses = true;
    }

    /// Whoever asks from now on is admitted again.
    pub fn admit(&self) {
        locked(&self.0).refuses = false;
    }

    /// The lease that was acquired last is lost, because it could not be renewed in time.
    pub fn lose(&self) {
        let cause = Some(FailedRenewal::told("the test says so"));
        self.lose_by(Loss::DeadlinePassed { cause });
    }

    /// The lease that was acquired last is lost, for this reason.
    pub fn lose_by(&self, loss: Loss) {
        let mut told = locked(&self.0);
        let (tenure, on_loss) = (told.tenure.clone(), told.on_loss.take());
        drop(told);
        if let Some(tenure) = tenure {
            tenure.lose(loss.clone(), Moment::now());
        }
        // On this thread, so that the test sees what it did.
        if let Some(OnLoss::Call(callback)) = on_loss {
            callback(&loss);
        }
    }

    /// Whether the application has said that it is finishing its work.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        locked(&locked(&self.0).seen).is_draining
    }

    /// Whether the application has released its lease, or dropped it.
    #[must_use]
    pub fn is_released(&self) -> bool {
        locked(&locked(&self.0).seen).is_released
    }

    /// Acquires as a builder asks.
    pub(super) fn answer(&self, builder: LeaseBuilder) -> Result<Lease, LeaseError> {
        let asker = builder.into_asker();
        super::names::check(&asker.service, &asker.label, &asker.instance)?;
        let mut told = locked(&self.0);
        if told.refuses {
            return Err(LeaseError::Refused(Box::new(refusal(&asker)?)));
        }
        // No test takes as long as this lasts.
        let day = Duration::from_secs(24 * 3600);
        let terms = Terms::new(day, Terms::DEFAULT_RENEW, Terms::DEFAULT_STOP_TIMEOUT)?;
        let tenure = Arc::new(Tenure::new(terms, Moment::now()));
        let seen = Arc::<Mutex<Seen>>::default();
        let (running, over) = mpsc::channel();
        let handle = keep(&tenure, &seen, running)?;
        let name = session_name(&asker.service, &asker.label, &asker.instance);
        told.tenure = Some(Arc::clone(&tenure));
        told.on_loss = Some(asker.on_loss);
        told.seen = seen;
        // No database asks whose its sessions are.
        let lease = Lease::of(handle, tenure, (name, Sign::none()), over);
        lease.delivery().store(true, Ordering::Release);
        Ok(lease)
    }
}

/// Does what a keeper does, without a database.
fn keep(
    tenure: &Arc<Tenure>,
    seen: &Arc<Mutex<Seen>>,
    running: mpsc::Sender<()>,
) -> Result<KeeperHandle, LeaseError> {
    let (handle, mut requests) = keeper::requests();
    let (tenure, seen) = (Arc::clone(tenure), Arc::clone(seen));
    std::thread::Builder::new()
        .name("phasegate-lease".into())
        .spawn(move || {
            let _running = running;
            while let Some(request) = requests.blocking_recv() {
                let is_lost = tenure.loss().is_some();
                let mut seen = locked(&seen);
                match request {
                    keeper::KeeperRequest::Drain(_) if is_lost => {}
                    keeper::KeeperRequest::Drain(reply) => {
                        seen.is_draining = true;
                        // Whoever asked may not wait for the answer.
                        let _ = reply.send(Ok(()));
                    }
                    keeper::KeeperRequest::Release(reply) => {
                        seen.is_released = true;
                        let _ = reply.send(Ok(()));
                        return;
                    }
                }
            }
        })?;
    Ok(handle)
}

/// What the gate says of a version that uses a format which is gone.
fn refusal(asker: &Asker) -> Result<Decision, LeaseError> {
    let touched = || -> Result<Touched, LeaseError> {
        Ok(Touched {
            old: ">=0.0.0".parse().ok(),
            new: None,
        })
    };
    let usage = Usage {
        reads: touched()?,
        writes: touched()?,
    };
    let id = "0001_of_the_test"
        .parse()
        .map_err(|error| LeaseError::Terms {
            reason: format!("{error}"),
        })?;
    let mut state = MigrationState::pending(Declaration {
        id,
        description: "what a test says is gone".to_owned(),
        services: [(asker.service.clone(), usage)].into(),
        sync: Sync::default(),
        rows: Rows::default(),
        parts: Parts {
            contract: true,
            ..Parts::default()
        },
        fill: Fill::default(),
    });
    state.phase = Phase::Contracted;
    let evidence = Evidence {
        schema: Schema::new(vec![state]),
        ..Evidence::default()
    };
    let who = Live {
        service: asker.service.clone(),
        version: asker.label.parse()?,
    };
    Ok(decide(Action::Deploy(vec![who]), &evidence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::BlockerKind;
    use crate::lease::LeaseState;
    use crate::lease::blocking::block_on;
    use crate::process::{ONE_SIGN, holds_in_a_child};

    #[test]
    fn a_test_sees_what_the_application_says_and_loses_its_lease() {
        let control = Control::new();
        let lease = control.lease();
        assert_eq!(lease.state(), LeaseState::Valid);
        assert!(lease.valid_for() > Duration::from_secs(3600));
        block_on(lease.draining()).unwrap();
        assert!(control.is_draining() && lease.is_valid());
        assert_eq!(lease.state(), LeaseState::Draining);
        control.lose();
        assert_eq!(lease.state(), LeaseState::Lost);
        assert!(matches!(
            block_on(lease.lost()),
            Loss::DeadlinePassed { cause: Some(_) }
        ));
        assert!(block_on(lease.draining()).is_err());
        assert_eq!(lease.valid_for(), Duration::ZERO);
        assert!(!control.is_released());
        block_on(lease.release()).unwrap();
        assert!(control.is_released());
        assert_eq!(lease.state(), LeaseState::Released);
    }

    #[test]
    fn one_that_is_dropped_is_released_and_a_callback_is_told() {
        let control = Control::new();
        let (told, hear) = mpsc::channel();
        let lease = Lease::builder("mysql://me:secret@h/d", "web", "1.2.0")
            .controlled_by(&control)
            .on_lost(move |loss| drop(told.send(loss.to_string())))
            .acquire_blocking()
            .unwrap();
        control.lose_by(Loss::Panicked);
        assert!(hear.try_recv().unwrap().contains("panicked"));
        drop(lease);
        assert!(control.is_released());
    }

    #[test]
    fn a_refusal_is_one_of_the_gate() {
        let control = Control::new();
        control.refuse();
        let ask = || {
            Lease::builder("postgres://h/d", "web", "1.2.0")
                .controlled_by(&control)
                .acquire_blocking()
        };
        let Err(LeaseError::Refused(decision)) = ask() else {
            panic!("it is admitted");
        };
        assert_eq!(decision.blockers[0].kind(), BlockerKind::OldFormatGone);
        control.admit();
        assert!(ask().is_ok_and(|lease| lease.is_valid()));
    }

    #[test]
    fn a_process_that_is_split_off_has_no_part_in_it() {
        let _alone = ONE_SIGN.lock().unwrap_or_else(PoisonError::into_inner);
        let control = Control::new();
        let lease = control.lease();
        assert!(holds_in_a_child(|| {
            !lease.is_valid()
                && lease.valid_for() == Duration::ZERO
                && lease.state() == LeaseState::Lost
                && lease.loss() == Some(Loss::SplitOff)
        }));
        assert!(lease.is_valid() && lease.loss().is_none());
        assert!(!control.is_released());
    }

    #[test]
    fn each_clone_of_a_builder_asks_for_a_lease_of_its_own() {
        let control = Control::new();
        let (told, heard) = mpsc::channel();
        let builder = Lease::builder("sqlite://test.db", "web", "1.0.0")
            .controlled_by(&control)
            .on_lost(move |loss| drop(told.send(loss.to_string())));
        control.refuse();
        assert!(builder.clone().acquire_blocking().is_err());
        control.admit();
        for _ in 0..2 {
            let lease = builder.clone().acquire_blocking().unwrap();
            control.lose();
            assert!(!lease.is_valid());
            assert!(heard.recv().unwrap().contains("the test says so"));
        }
    }
}
