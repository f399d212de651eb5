//! How large a batch is, how long a rest, and how fast it goes. Pure: time comes in as numbers.

use std::collections::VecDeque;
use std::time::Duration;

use crate::project::{BatchRules, Pace};

/// How many keys the first batch has where it may adapt. A batch of so many locks its rows for milliseconds.
const FIRST: u64 = 1000;
/// The most keys in a batch where nobody says how many.
const MOST: u64 = 50_000;
/// Where nobody says how many, a batch locks no more than this part of the table. So the writers beside it meet a
/// locked row less often than one time in a hundred, however small the table is.
const PART: u64 = 100;

/// How many keys the batches over one table may have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    /// How long a batch should take; `None` if their number is fixed.
    target: Option<Duration>,
    least: u64,
    most: u64,
}

impl Sizes {
    /// As the rules say, for a table of about so many rows; 0 where that is not known.
    pub(super) fn of(rules: BatchRules, rows: u64) -> Self {
        match rules {
            BatchRules::Fixed(size) => Self {
                target: None,
                least: size,
                most: size,
            },
            BatchRules::Adaptive {
                target,
                least,
                most,
            } => {
                let part = if rows == 0 { MOST } else { rows / PART };
                let gentle = part.clamp(FIRST, MOST).max(least);
                Self {
                    target: Some(target),
                    least,
                    most: most.unwrap_or(gentle),
                }
            }
        }
    }

    /// How many keys the first batch has.
    pub(super) fn first(self) -> u64 {
        FIRST.clamp(self.least, self.most)
    }

    /// How many keys the first batch of a later run has, where the one before would have had `size`; 0 where there
    /// was none.
    pub(super) fn resumed(self, size: u64) -> u64 {
        match size {
            0 => self.first(),
            size => size.clamp(self.least, self.most),
        }
    }

    /// How many keys the next batch has, after one of `keys` that took so long. It comes near what would take the
    /// target time by at most doubling or halving: one slow batch says little.
    pub(super) fn next(self, keys: u64, took: Duration) -> u64 {
        let Some(target) = self.target else {
            return self.most;
        };
        let took = took.as_micros().max(1);
        let fitting = u128::from(keys) * target.as_micros() / took;
        let fitting = u64::try_from(fitting).unwrap_or(u64::MAX);
        fitting
            .clamp(keys / 2, keys.saturating_mul(2))
            .clamp(self.least, self.most)
    }
}

/// How many keys a batch has that is tried again: after the first failure as many, then half as many each time.
pub(super) const fn retry_size(keys: u64, failures: u32) -> u64 {
    if failures < 2 || keys < 2 {
        keys
    } else {
        keys / 2
    }
}

/// How long to rest after working for so long.
pub(super) fn rest(pace: Pace, worked: Duration) -> Duration {
    let share = u32::try_from(pace.thousandths()).unwrap_or(1000).max(1);
    worked
        .saturating_mul(1000 - share.min(1000))
        .checked_div(share)
        .unwrap_or_default()
}

/// How fast keys were passed in the latest seconds.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// When, since some beginning, and how many keys had been passed by then.
    marks: VecDeque<(Duration, u64)>,
}

impl Meter {
    const WINDOW: Duration = Duration::from_secs(10);

    /// Takes a mark, and returns the keys a second up to it.
    pub(super) fn mark(&mut self, at: Duration, seen: u64) -> u64 {
        self.marks.push_back((at, seen));
        while self.marks.len() > 2
            && let Some((oldest, _)) = self.marks.get(1)
            && at.saturating_sub(*oldest) > Self::WINDOW
        {
            self.marks.pop_front();
        }
        let Some((from, before)) = self.marks.front() else {
            return 0;
        };
        let micros = at.saturating_sub(*from).as_micros();
        if micros == 0 {
            return 0;
        }
        let keys = u128::from(seen.saturating_sub(*before));
        u64::try_from(keys * 1_000_000 / micros).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sizes(rows: u64) -> Sizes {
        let rules = BatchRules::Adaptive {
            target: Duration::from_millis(200),
            least: 100,
            most: None,
        };
        Sizes::of(rules, rows)
    }

    fn after(keys: u64, milliseconds: u64) -> u64 {
        sizes(0).next(keys, Duration::from_millis(milliseconds))
    }

    #[test]
    fn batches_come_near_the_target_time() {
        assert_eq!(sizes(0).first(), 1000);
        assert_eq!(after(1000, 200), 1000);
        assert_eq!(after(1000, 160), 1250);
        assert_eq!(after(1000, 250), 800);
        // By a factor of two at most, and within the bounds.
        assert_eq!(after(1000, 1), 2000);
        assert_eq!(after(1000, 60_000), 500);
        assert_eq!(after(40_000, 1), 50_000);
        assert_eq!(after(150, 60_000), 100);
        assert_eq!(after(0, 0), 100);
        assert_eq!(after(u64::MAX, 0), 50_000);
        let fixed = Sizes::of(BatchRules::Fixed(7), 1_000_000);
        assert_eq!(fixed.first(), 7);
        assert_eq!(fixed.next(3, Duration::from_secs(60)), 7);
    }

    #[test]
    fn a_steady_load_is_met_within_a_few_batches() {
        // A hundred keys a millisecond.
        let mut size = sizes(0).first();
        for _ in 0..8 {
            size = sizes(0).next(size, Duration::from_micros(size * 10));
        }
        assert_eq!(size, 20_000);
    }

    #[test]
    fn no_batch_locks_much_of_the_table() {
        for (rows, most) in [
            (1, 1000),
            (100_000, 1000),
            (300_000, 3000),
            (5_000_000, 50_000),
            (u64::MAX, 50_000),
        ] {
            assert_eq!(sizes(rows).next(1_000_000, Duration::ZERO), most, "{rows}");
        }
        // Whoever names a number gets it.
        let asked = |least, most| {
            let target = Duration::from_millis(200);
            let rules = BatchRules::Adaptive {
                target,
                least,
                most,
            };
            Sizes::of(rules, 100).next(1_000_000, Duration::ZERO)
        };
        assert_eq!(asked(100, Some(20_000)), 20_000);
        assert_eq!(asked(5000, None), 5000);
    }

    #[test]
    fn a_later_run_keeps_to_the_rules_of_its_day() {
        assert_eq!(sizes(0).resumed(0), 1000);
        assert_eq!(sizes(0).resumed(70_000), 50_000);
        assert_eq!(sizes(0).resumed(7), 100);
        let fixed = Sizes::of(BatchRules::Fixed(7), 0);
        assert_eq!(fixed.resumed(70_000), 7);
    }

    #[test]
    fn failures_split_a_batch() {
        assert_eq!(retry_size(1000, 1), 1000);
        assert_eq!(retry_size(1000, 2), 500);
        assert_eq!(retry_size(1, 9), 1);
    }

    #[test]
    fn rests() {
        let worked = Duration::from_millis(200);
        let pace = |share| Pace::from_share(share).unwrap();
        assert_eq!(rest(Pace::FULL, worked), Duration::ZERO);
        assert_eq!(rest(pace(0.5), worked), worked);
        assert_eq!(rest(pace(0.25), worked), worked * 3);
    }

    #[test]
    fn rates() {
        let mut meter = Meter::default();
        assert_eq!(meter.mark(Duration::ZERO, 500), 0);
        assert_eq!(meter.mark(Duration::from_secs(1), 1500), 1000);
        // What was long ago does not count any more.
        assert_eq!(meter.mark(Duration::from_secs(60), 1500), 0);
        assert_eq!(meter.mark(Duration::from_secs(61), 3500), 33);
        assert_eq!(meter.mark(Duration::from_secs(72), 3500), 0);
    }
}
