//! When a holder has to stop: pure arithmetic on its own clock.

use std::time::Duration;

use super::clock::Moment;
use super::error::LeaseError;

/// How long a lease lasts and how it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    lease: Duration,
    renew: Duration,
    /// What the application gets between SIGTERM and SIGKILL, where the lease is long enough.
    stop_timeout: Duration,
}

impl Terms {
    pub const DEFAULT_LEASE: Duration = Duration::from_secs(600);
    pub const DEFAULT_RENEW: Duration = Duration::from_secs(10);
    pub const DEFAULT_STOP_TIMEOUT: Duration = Duration::from_secs(10);

    const SHORTEST_LEASE: Duration = Duration::from_secs(1);
    const LONGEST_LEASE: Duration = Duration::from_secs(7 * 24 * 3600);
    const SHORTEST_RENEW: Duration = Duration::from_millis(50);

    /// # Errors
    /// [`LeaseError::Terms`] for a lease under a second or over a week, and for a renewal that
    /// leaves no room for two misses.
    pub fn new(
        lease: Duration,
        renew: Duration,
        stop_timeout: Duration,
    ) -> Result<Self, LeaseError> {
        let refuse = |reason: String| Err(LeaseError::Terms { reason });
        if lease < Self::SHORTEST_LEASE || lease > Self::LONGEST_LEASE {
            return refuse(format!(
                "a lease lasts between one second and a week, and {lease:?} does not"
            ));
        }
        if renew < Self::SHORTEST_RENEW || renew > lease / 3 {
            return refuse(format!(
                "a lease of {lease:?} is renewed at least every {:?} and at most every {:?}, and {renew:?} is not between",
                lease / 3,
                Self::SHORTEST_RENEW,
            ));
        }
        Ok(Self {
            lease,
            renew,
            stop_timeout,
        })
    }

    #[must_use]
    pub const fn lease(&self) -> Duration {
        self.lease
    }

    #[must_use]
    pub const fn renew(&self) -> Duration {
        self.renew
    }

    /// How long before the database lets the lease run out the application has to be dead: room
    /// for clocks that run at different speeds, and for what is still on its way to the database.
    pub(super) fn margin(&self) -> Duration {
        const LEAST: Duration = Duration::from_millis(50);
        (self.lease / 50).max(LEAST)
    }

    /// What the application gets between SIGTERM and SIGKILL.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.stop_timeout.min(self.lease / 4)
    }

    /// How long one renewal may take before it is given up for the next one. A login takes its time, however often renewals
    /// come.
    #[must_use]
    pub(super) fn patience(&self) -> Duration {
        const ENOUGH: Duration = Duration::from_secs(5);
        self.renew.max(ENOUGH.min(self.lease / 4))
    }

    /// How often the clock is looked at, because timers stand still while the machine is suspended.
    #[must_use]
    pub fn tick(&self) -> Duration {
        const LONGEST: Duration = Duration::from_millis(200);
        (self.renew / 4).min(LONGEST)
    }
}

/// Until when the application may run, as far as its own side knows.
///
/// Invariant: `kill_at` is before the database lets the lease run out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline {
    stop_at: Moment,
    kill_at: Moment,
}

impl Deadline {
    /// The deadline of a lease that was asked for at `asked_at`, a moment before the request was
    /// sent: the database cannot have counted from an earlier one.
    #[must_use]
    pub fn counted_from(asked_at: Moment, terms: &Terms) -> Self {
        let kill_at = asked_at + (terms.lease - terms.margin());
        Self {
            stop_at: kill_at - terms.grace(),
            kill_at,
        }
    }

    /// When the application is asked to stop (SIGTERM).
    #[must_use]
    pub const fn stop_at(&self) -> Moment {
        self.stop_at
    }

    /// When it is stopped (SIGKILL).
    #[must_use]
    pub const fn kill_at(&self) -> Moment {
        self.kill_at
    }

    /// Whether the application may go on at `now`.
    #[must_use]
    pub fn lasts_at(&self, now: Moment) -> bool {
        now < self.stop_at
    }

    /// The deadline of an application that has to stop now, whatever its lease would still allow.
    #[must_use]
    pub(super) fn brought_forward_to(self, now: Moment, terms: &Terms) -> Self {
        Self {
            stop_at: self.stop_at.min(now),
            kill_at: self.kill_at.min(now + terms.grace()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn terms_are_checked() {
        let second = Duration::from_secs(1);
        let terms = |lease, renew| Terms::new(lease, renew, second);
        assert!(terms(Terms::DEFAULT_LEASE, Terms::DEFAULT_RENEW).is_ok());
        assert!(terms(second, second / 3).is_ok());
        assert!(terms(second, second / 2).is_err());
        assert!(terms(second / 2, second / 10).is_err());
        assert!(terms(second * 600, Duration::ZERO).is_err());
        assert!(terms(Duration::MAX, second).is_err());
    }

    #[test]
    fn the_default_lease() {
        let terms = Terms::new(
            Terms::DEFAULT_LEASE,
            Terms::DEFAULT_RENEW,
            Terms::DEFAULT_STOP_TIMEOUT,
        )
        .unwrap();
        let deadline = Deadline::counted_from(Moment::from_millis(1000), &terms);
        assert_eq!(deadline.kill_at(), Moment::from_millis(589_000));
        assert_eq!(deadline.stop_at(), Moment::from_millis(579_000));
        assert!(deadline.lasts_at(Moment::from_millis(578_999)));
        assert!(!deadline.lasts_at(Moment::from_millis(579_000)));
        let now = deadline.brought_forward_to(Moment::from_millis(5000), &terms);
        assert_eq!(now.stop_at(), Moment::from_millis(5000));
        assert_eq!(now.kill_at(), Moment::from_millis(15_000));
    }

    proptest! {
        /// Times in microseconds of true time; each clock runs up to 0.1 % fast or slow, starts
        /// anywhere, and shows whole milliseconds.
        #[test]
        fn the_holder_is_dead_before_the_database_says_so(
            asked_at in 0_u64..1_000_000_000_000,
            delay in 0_u64..30_000_000,
            lease_ms in 1000_u64..604_800_000,
            stop_ms in 0_u64..600_000,
            holder_ppm in -1000_i64..=1000,
            database_ppm in -1000_i64..=1000,
            holder_start in 0_i128..1_000_000_000,
            database_start in 0_i128..1_000_000_000_000,
        ) {
            let shown = |true_us: i128, ppm: i64, start: i128| {
                start + true_us * i128::from(1_000_000 + ppm) / 1_000_000 / 1000
            };
            let lease = Duration::from_millis(lease_ms);
            let terms = Terms::new(lease, lease / 3, Duration::from_millis(stop_ms)).unwrap();
            let before = shown(i128::from(asked_at), holder_ppm, holder_start);
            let deadline =
                Deadline::counted_from(Moment::from_millis(u64::try_from(before).unwrap()), &terms);
            prop_assert!(deadline.stop_at() <= deadline.kill_at());
            prop_assert!(deadline.stop_at() > Moment::from_millis(u64::try_from(before).unwrap()));

            // The database stamps the lease when the request arrives.
            let stamped = shown(i128::from(asked_at + delay), database_ppm, database_start);
            let expires_at = stamped + i128::from(lease_ms);
            // The true time at which the holder's clock reaches its deadline.
            let left = i128::from(u64::try_from(
                Moment::from_millis(0).until(deadline.kill_at()).as_millis(),
            ).unwrap()) - before;
            // A clock that shows whole milliseconds may reach a moment one of them late.
            let killed_true =
                i128::from(asked_at) + (left + 1) * 1000 * 1_000_000 / i128::from(1_000_000 + holder_ppm);
            prop_assert!(shown(killed_true, database_ppm, database_start) <= expires_at);
        }
    }
}
