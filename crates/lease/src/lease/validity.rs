//! Until when a lease is valid, as one number that every thread can read.

use std::sync::atomic::{AtomicU64, Ordering};

use super::clock::Moment;

/// What [`Tenure`](super::Tenure) knows under its lock, for whoever asks often: one load, and nobody waits for anybody.
///
/// On lines of the cache of its own: what others write beside it would slow every reader.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Validity(AtomicU64);

/// No moment is before it.
const OVER: u64 = 0;

impl Validity {
    pub(super) const fn new(until: Moment) -> Self {
        Self(AtomicU64::new(until.as_millis()))
    }

    /// The lease is renewed, or has less time than it had.
    ///
    /// Invariant: what is over stays over, whoever comes later.
    pub(super) fn move_to(&self, until: Moment) {
        let moved = |before| (before != OVER).then_some(until.as_millis());
        // Nothing is moved where it is over.
        let _ = self
            .0
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, moved);
    }

    /// It is lost, or given back.
    pub(super) fn end(&self) {
        self.0.store(OVER, Ordering::Release);
    }

    pub(super) fn lasts_at(&self, now: Moment) -> bool {
        now.as_millis() < self.0.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_over_stays_over() {
        let validity = Validity::new(Moment::from_millis(10));
        assert!(validity.lasts_at(Moment::from_millis(9)));
        assert!(!validity.lasts_at(Moment::from_millis(10)));
        validity.move_to(Moment::from_millis(20));
        assert!(validity.lasts_at(Moment::from_millis(19)));
        validity.end();
        assert!(!validity.lasts_at(Moment::from_millis(0)));
        validity.move_to(Moment::from_millis(30));
        assert!(!validity.lasts_at(Moment::from_millis(0)));
    }
}
