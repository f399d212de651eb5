//! The holder's own clock: it never steps, and goes on while the machine is suspended.

use std::ops::{Add, Sub};
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_gettime};

/// A clock that counts the time in which the machine was suspended as well.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
/// Elsewhere; on macOS this one counts suspend too.
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// A moment on the holder's own clock, in milliseconds since the machine started. It says nothing
/// about the time of day, and means nothing on another machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    #[must_use]
    pub fn now() -> Self {
        let Timespec { tv_sec, tv_nsec } = clock_gettime(CLOCK);
        // Neither part of this clock is ever negative.
        let seconds = u64::try_from(tv_sec).unwrap_or_default();
        let nanoseconds = u64::try_from(tv_nsec).unwrap_or_default();
        Self(seconds.saturating_mul(1000) + nanoseconds / 1_000_000)
    }

    /// The moment this many milliseconds after the machine started.
    #[must_use]
    pub const fn from_millis(milliseconds: u64) -> Self {
        Self(milliseconds)
    }

    pub(super) const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long it is until `later`; zero where that has passed.
    #[must_use]
    pub fn until(self, later: Self) -> Duration {
        Duration::from_millis(later.0.saturating_sub(self.0))
    }
}

/// Whole milliseconds; a part of one is dropped, so a deadline is early rather than late.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(milliseconds(duration)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        // Rounded up: earlier, never later.
        let whole = milliseconds(duration);
        let part = u64::from(Duration::from_millis(whole) < duration);
        Self(self.0.saturating_sub(whole.saturating_add(part)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_forward() {
        let first = Moment::now();
        assert!(first > Moment::from_millis(0));
        assert!(Moment::now() >= first);
    }

    #[test]
    fn parts_of_a_millisecond_make_a_deadline_earlier() {
        let moment = Moment::from_millis(10);
        assert_eq!(
            moment + Duration::from_micros(1900),
            Moment::from_millis(11)
        );
        assert_eq!(moment - Duration::from_micros(1900), Moment::from_millis(8));
        assert_eq!(moment - Duration::from_secs(1), Moment::from_millis(0));
        assert_eq!(moment.until(Moment::from_millis(4)), Duration::ZERO);
    }
}
