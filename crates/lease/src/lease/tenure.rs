//! What a holder knows of its own lease: shared between who renews it, who stops the application
//! and who asks.

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;

use super::clock::Moment;
use super::deadline::{Deadline, Terms};
use super::error::{LeaseError, describe};
use super::validity::Validity;
use crate::gate::Decision;

/// Why an application has to stop.
///
/// ```
/// use phasegate_lease::{Lease, Loss};
///
/// async fn stopped(lease: &Lease) -> u8 {
///     let loss = lease.lost().await;
///     match &loss {
///         Loss::DeadlinePassed { cause: Some(cause) } => eprintln!("not renewed: {}", cause.message),
///         other => eprintln!("{other}"),
///     }
///     eprintln!("{}", loss.help());
///     loss.exit_code()
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// The lease could not be renewed in time.
    DeadlinePassed {
        /// The latest attempt; `None` if the process or its machine stood still.
        cause: Option<FailedRenewal>,
    },
    /// The database lost or ended the lease, and the gate does not admit the version again.
    Refused(Box<Decision>),
    /// What held the lease has panicked: nobody asks any more whether it still holds.
    Panicked,
    /// The process was split off (`fork`) from the one that holds the lease: nothing renews it here, nor ends this process.
    SplitOff,
}

/// Why a renewal failed, and what can be done about it.
///
/// ```
/// use phasegate_lease::{FailedRenewal, Loss};
///
/// fn cause(loss: &Loss) -> Option<&FailedRenewal> {
///     match loss {
///         Loss::DeadlinePassed { cause } => cause.as_ref(),
///         _ => None,
///     }
/// }
///
/// fn told(loss: &Loss) -> String {
///     cause(loss).map_or_else(String::new, |cause| format!("{} ({})", cause.message, cause.help))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedRenewal {
    pub message: String,
    pub help: &'static str,
}

const REACH: &str = "make sure that the database can be reached, then start the application again; a longer lease outlasts longer outages";

impl FailedRenewal {
    pub(super) fn of(error: &LeaseError) -> Self {
        let help = match error.help() {
            Some(help) if error.is_locked() => help,
            _ => REACH,
        };
        Self {
            message: error.to_string(),
            help,
        }
    }

    /// One of which somebody else says why.
    #[cfg(feature = "test")]
    pub(super) fn told(why: &str) -> Self {
        Self {
            message: why.to_owned(),
            help: REACH,
        }
    }
}

impl fmt::Display for FailedRenewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeadlinePassed { cause: Some(cause) } => {
                write!(f, "the lease could not be renewed in time: {cause}")
            }
            Self::DeadlinePassed { cause: None } => f.write_str(
                "the lease could not be renewed in time, because the process or its machine stood still",
            ),
            Self::Refused(decision) => write!(
                f,
                "the database does not know the lease any more, and asked again: {}",
                describe(decision)
            ),
            Self::Panicked => f.write_str("the part of the process that held the lease has panicked"),
            Self::SplitOff => f.write_str("this process was split off from the one that holds the lease, which is not its own"),
        }
    }
}

impl Loss {
    /// What a user can do about it.
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::DeadlinePassed { cause: Some(cause) } => cause.help,
            Self::DeadlinePassed { cause: None } => {
                "see what stopped it (a suspended machine, a debugger, SIGSTOP, a container without CPU), then start the application \
                 again; a longer lease outlasts longer pauses"
            }
            Self::Refused(_) => "start a version that `migrate status` lists as admissible",
            Self::Panicked => "see the panic, and start the application again",
            Self::SplitOff => {
                "ask for a lease after the fork, in each process that uses the database"
            }
        }
    }

    /// The exit code of a process that has stopped because of it: that it did so in good order does not make it a success.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        1
    }
}

/// The holder's side of a lease at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub deadline: Deadline,
    /// Set once and for all: a lost lease does not come back.
    pub loss: Option<Loss>,
    /// Why the latest attempt to renew failed; `None` after one that succeeded.
    pub last_error: Option<FailedRenewal>,
}

impl Held {
    /// What a holder knows that was admitted upon a request of `asked_at`.
    #[must_use]
    pub fn admitted(asked_at: Moment, terms: &Terms) -> Self {
        Self {
            deadline: Deadline::counted_from(asked_at, terms),
            loss: None,
            last_error: None,
        }
    }

    /// Moves the deadline after a renewal that was asked for at `asked_at` and confirmed before
    /// `now`; false where that was too late.
    ///
    /// Invariant: a confirmation counts only before the deadline that it moves. Then the renewal was
    /// committed before the lease would have run out, and nobody can have seen it run out.
    pub fn renew(&mut self, asked_at: Moment, now: Moment, terms: &Terms) -> bool {
        self.expire(now);
        let counts = self.loss.is_none();
        if counts {
            self.deadline = Deadline::counted_from(asked_at, terms);
            self.last_error = None;
        }
        counts
    }

    /// Records the loss where the deadline has passed; whether this changed anything.
    pub fn expire(&mut self, now: Moment) -> bool {
        let expires = self.loss.is_none() && !self.deadline.lasts_at(now);
        if expires {
            self.loss = Some(Loss::DeadlinePassed {
                cause: self.last_error.clone(),
            });
        }
        expires
    }

    /// Records that the application has to stop now; only the first loss counts.
    pub fn lose(&mut self, loss: Loss, now: Moment, terms: &Terms) -> bool {
        let first = self.loss.is_none();
        if first {
            self.deadline = self.deadline.brought_forward_to(now, terms);
            self.loss = Some(loss);
        }
        first
    }

    /// Whether the application may go on at `now`.
    #[must_use]
    pub fn is_valid_at(&self, now: Moment) -> bool {
        self.loss.is_none() && self.deadline.lasts_at(now)
    }
}

/// The shared knowledge, and the rules by which it changes.
///
/// Invariant: whoever wakes up calls [`Tenure::look`] before anything else, so that a process that
/// stood still past its deadline stops before it does anything.
#[derive(Debug)]
pub struct Tenure {
    terms: Terms,
    held: watch::Sender<Held>,
    /// Invariant: written under the lock of `held` alone, but for the end.
    validity: Validity,
}

impl Tenure {
    #[must_use]
    pub fn new(terms: Terms, asked_at: Moment) -> Self {
        let held = Held::admitted(asked_at, &terms);
        Self {
            terms,
            validity: Validity::new(held.deadline.stop_at()),
            held: watch::Sender::new(held),
        }
    }

    /// Changes what is known, and what can be read of it without a lock.
    fn change(&self, change: impl FnOnce(&mut Held) -> bool) {
        self.held.send_if_modified(|held| {
            let is_told = change(held);
            match held.loss {
                Some(_) => self.validity.end(),
                None => self.validity.move_to(held.deadline.stop_at()),
            }
            is_told
        });
    }

    /// Whether the application may go on at `now`, by one load. Where it may not, [`Self::look`] says why.
    pub(super) fn lasts_at(&self, now: Moment) -> bool {
        self.validity.lasts_at(now)
    }

    /// The lease is given back: it is valid no more, and that is no loss.
    pub(super) fn end(&self) {
        self.validity.end();
    }

    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.terms
    }

    /// Told of every change.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Held> {
        self.held.subscribe()
    }

    /// Looks at the clock, and records the loss where the deadline has passed.
    pub fn look(&self, now: Moment) -> Held {
        self.change(|held| held.expire(now));
        self.held.borrow().clone()
    }

    /// The loss that was recorded, if one was.
    pub(super) fn loss(&self) -> Option<Loss> {
        self.held.borrow().loss.clone()
    }

    /// How long the application may go on at `now` without a renewal.
    pub(super) fn left(&self, now: Moment) -> Duration {
        now.until(self.held.borrow().deadline.stop_at())
    }

    /// As [`Held::renew`], for everybody who shares the knowledge.
    pub(super) fn renewed(&self, asked_at: Moment, now: Moment) -> bool {
        let mut counts = false;
        self.change(|held| {
            counts = held.renew(asked_at, now, &self.terms);
            // Where it does not count, the loss may have been found just now.
            true
        });
        counts
    }

    /// Remembers why a renewal failed; answers how long there is to try again.
    pub(super) fn failed(&self, error: FailedRenewal, now: Moment) -> Duration {
        let mut left = Duration::ZERO;
        self.change(|held| {
            left = now.until(held.deadline.stop_at());
            if held.loss.is_none() {
                held.last_error = Some(error);
            }
            held.expire(now)
        });
        left
    }

    /// The application has to stop now; whether it did not have to before.
    pub(super) fn lose(&self, loss: Loss, now: Moment) -> bool {
        let mut is_first = false;
        self.change(|held| {
            is_first = held.lose(loss, now, &self.terms);
            is_first
        });
        is_first
    }

    /// How long to sleep before the next look, given that something else is due at `due`.
    pub(super) fn nap(&self, now: Moment, due: Option<Moment>) -> Duration {
        let held = self.held.borrow();
        let deadlines = [held.deadline.stop_at(), held.deadline.kill_at()];
        deadlines
            .into_iter()
            .chain(due)
            .filter(|moment| *moment > now)
            .map(|moment| now.until(moment))
            .fold(self.terms.tick(), Duration::min)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::{DatabaseError, ErrorKind};

    const fn at(seconds: u64) -> Moment {
        Moment::from_millis(seconds * 1000)
    }

    fn failure(message: &str) -> FailedRenewal {
        FailedRenewal {
            message: message.to_owned(),
            help: "",
        }
    }

    /// Stops at 74 s, kills at 98 s.
    fn tenure() -> Tenure {
        let terms = Terms::new(
            Duration::from_secs(100),
            Duration::from_secs(10),
            Duration::from_secs(24),
        )
        .unwrap();
        Tenure::new(terms, at(0))
    }

    #[test]
    fn a_renewal_moves_the_deadline_to_when_it_was_asked_for() {
        let tenure = tenure();
        assert!(!tenure.lasts_at(at(74)));
        assert!(tenure.renewed(at(10), at(70)));
        assert!(tenure.lasts_at(at(83)) && !tenure.lasts_at(at(84)));
        let held = tenure.look(at(83));
        assert!(held.is_valid_at(at(83)));
        assert_eq!(held.deadline.stop_at(), at(84));
    }

    #[test]
    fn a_confirmation_after_the_deadline_is_too_late() {
        let tenure = tenure();
        assert!(!tenure.renewed(at(73), at(74)));
        assert_eq!(
            tenure.look(at(74)).loss,
            Some(Loss::DeadlinePassed { cause: None })
        );
        // Not even one that was asked for later.
        assert!(!tenure.renewed(at(80), at(81)));
        assert_eq!(tenure.look(at(81)).deadline.kill_at(), at(98));
    }

    #[test]
    fn an_error_is_the_cause_only_until_a_renewal_succeeds() {
        let tenure = tenure();
        assert_eq!(
            tenure.failed(failure("no route"), at(20)),
            Duration::from_secs(54)
        );
        assert!(tenure.renewed(at(30), at(31)));
        tenure.failed(failure("no answer"), at(40));
        let loss = tenure.look(at(104)).loss;
        let cause = Some(failure("no answer"));
        assert_eq!(loss, Some(Loss::DeadlinePassed { cause }));
    }

    #[test]
    fn what_helps_follows_from_what_failed() {
        let helps = |error: LeaseError| {
            let cause = Some(FailedRenewal::of(&error));
            Loss::DeadlinePassed { cause }.help()
        };
        let database = |kind| LeaseError::Database(DatabaseError::new(kind, ""));
        let locked = helps(database(ErrorKind::Locked));
        assert!(locked.contains("end its session"), "{locked}");
        let away = helps(database(ErrorKind::Unreachable));
        assert!(away.contains("can be reached"), "{away}");
        let stood_still = Loss::DeadlinePassed { cause: None }.help();
        assert!(stood_still.contains("SIGSTOP"), "{stood_still}");
    }

    #[test]
    fn the_first_loss_stands_and_ends_the_grace() {
        let tenure = tenure();
        let refusal = crate::gate::decide(
            crate::gate::Action::Deploy(Vec::new()),
            &crate::gate::Evidence::default(),
        );
        let loss = Loss::Refused(Box::new(refusal));
        tenure.lose(loss.clone(), at(5));
        let held = tenure.look(at(90));
        assert_eq!(held.loss, Some(loss));
        assert_eq!(held.deadline.kill_at(), at(29));
        assert!(!held.is_valid_at(at(6)));
        assert!(!tenure.lasts_at(at(5)));
    }

    #[test]
    fn one_that_is_given_back_is_not_valid_again() {
        let tenure = self::tenure();
        tenure.end();
        assert!(tenure.renewed(at(10), at(11)));
        assert!(!tenure.lasts_at(at(11)));
        assert_eq!(tenure.loss(), None);
    }

    #[test]
    fn nobody_sleeps_past_what_is_due() {
        let tenure = tenure();
        let tick = Duration::from_millis(200);
        assert_eq!(tenure.nap(at(0), None), tick);
        let due = Moment::from_millis(5);
        assert_eq!(tenure.nap(at(0), Some(due)), Duration::from_millis(5));
        let soon = Moment::from_millis(73_990);
        assert_eq!(tenure.nap(soon, None), Duration::from_millis(10));
        assert_eq!(tenure.nap(at(99), Some(at(98))), tick);
    }
}
