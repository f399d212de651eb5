//! When a lease is renewed: not at once as seldom as later, because an instance proves by its renewals that it works.

use std::time::Duration;

use super::clock::Moment;
use crate::ledger::default_min_ready;

/// When an instance renews for the first time; each further time it waits twice as long, up to its terms.
const FIRST_RENEWAL: Duration = Duration::from_secs(1);

/// The moments of the renewals of one lease.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    /// How often it is renewed in the long run.
    renew: Duration,
    /// How long it has to have been held before its holder counts as serving.
    min_ready: Duration,
    /// How long after the next renewal the one after it comes.
    interval: Duration,
    /// When a renewal shows that the instance has stayed long enough; none once one has.
    proves_at: Option<Moment>,
}

impl Schedule {
    /// For a lease that is renewed every `renew`, of a service that says how long an instance has to have stayed, or not.
    pub(super) fn new(renew: Duration, min_ready: Option<Duration>) -> Self {
        Self {
            renew,
            min_ready: min_ready.unwrap_or_else(|| default_min_ready(renew)),
            interval: FIRST_RENEWAL,
            proves_at: None,
        }
    }

    /// The lease was registered before `now`.
    pub(super) fn begin(&mut self, now: Moment) {
        // Room for clocks that run at different speeds: a renewal that is a moment too early proves nothing, and the next
        // one would come much later.
        let slack = (self.min_ready / 200).max(Duration::from_millis(20));
        self.interval = FIRST_RENEWAL;
        self.proves_at = Some(now + self.min_ready + slack);
    }

    /// When the next renewal comes, after one that was asked for at `asked_at` and is done at `now`.
    pub(super) fn next(&mut self, asked_at: Moment, now: Moment) -> Moment {
        let regular = now + jittered(self.interval.min(self.renew));
        self.interval = (self.interval * 2).min(self.renew);
        match self.proves_at {
            Some(proves_at) if proves_at <= asked_at => {
                self.proves_at = None;
                regular
            }
            // A fleet that started together does not prove itself together, and is not late either.
            Some(proves_at) if proves_at < regular => {
                proves_at.max(now) + spread(self.min_ready.min(self.renew) / 20)
            }
            _ => regular,
        }
    }
}

/// Up to a tenth more or less, so that a fleet that started together does not renew together.
pub(super) fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(0.9 + 0.2 * crate::chance::fraction())
}

/// Anything up to this.
fn spread(duration: Duration) -> Duration {
    duration.mul_f64(crate::chance::fraction())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The first renewals of a lease, in milliseconds after it was registered; each takes `takes`.
    fn renewals(schedule: &mut Schedule, takes: Duration) -> Vec<u128> {
        let start = Moment::from_millis(5000);
        let (mut asked_at, mut now) = (start, start);
        schedule.begin(now);
        let each = (0..40).map(|_| {
            let at = schedule.next(asked_at, now);
            (asked_at, now) = (at, at + takes);
            start.until(at).as_millis()
        });
        each.collect()
    }

    /// The first renewal that shows that the instance has stayed.
    fn proof(renew: Duration, min_ready: Option<Duration>, takes: Duration) -> u128 {
        let least = min_ready.unwrap_or_else(|| default_min_ready(renew));
        let found = renewals(&mut Schedule::new(renew, min_ready), takes);
        let mut proofs = found.into_iter().filter(|at| *at >= least.as_millis());
        proofs.next().expect("it goes on")
    }

    #[test]
    fn an_instance_proves_itself_when_it_has_stayed_and_not_at_the_renewal_after_that() {
        for _ in 0..50 {
            for takes in [Duration::ZERO, SECOND / 10] {
                let default = proof(SECOND * 10, None, takes);
                assert!((10_000..=10_700).contains(&default), "{default}");
                let said = proof(SECOND * 10, Some(SECOND * 30), takes);
                assert!((30_000..=30_800).contains(&said), "{said}");
                let often = proof(SECOND / 10, None, takes);
                assert!((300..=450).contains(&often), "{often}");
                let seldom = proof(SECOND * 60, Some(SECOND * 2), takes);
                assert!((2000..=2300).contains(&seldom), "{seldom}");
                let at_once = proof(SECOND * 10, Some(Duration::ZERO), takes);
                assert!(at_once <= 1100, "{at_once}");
            }
        }
    }

    #[test]
    fn renewals_come_as_seldom_as_they_are_meant_to_in_the_end() {
        let found = renewals(&mut Schedule::new(SECOND * 10, None), Duration::ZERO);
        for pair in found[10..].windows(2) {
            let gap = pair[1] - pair[0];
            assert!((9000..=11_000).contains(&gap), "{found:?}");
        }
        assert!(found[0] <= 1100, "{found:?}");
    }

    #[test]
    fn one_that_is_registered_anew_proves_itself_anew() {
        let mut schedule = Schedule::new(SECOND * 10, None);
        let once = renewals(&mut schedule, Duration::ZERO);
        let again = renewals(&mut schedule, Duration::ZERO);
        assert!(again[0] <= 1100, "{again:?}");
        assert!(once.len() == again.len());
    }
}
