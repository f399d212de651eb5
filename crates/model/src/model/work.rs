//! What a coordinator says that it is at work on.

use super::{MigrationId, Step};

/// A coordinator that is at work now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AtWork {
    /// Who it is and what it does, in words.
    pub who: String,
    work: Work,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Work {
    /// One step after the other, of whichever migration.
    Rollout,
    /// A step of these migrations.
    Step(Step, Vec<String>),
}

impl AtWork {
    /// What a rollout says that it is doing, before anything else.
    pub const ROLLOUT: &'static str = "rollout";

    /// What `doing` means, as a coordinator words it: `backfill 0001_a 0002_b`; `None` if it is no step.
    #[must_use]
    pub fn told(holder: &str, doing: &str) -> Option<Self> {
        let mut words = doing.split_whitespace();
        let work = match words.next()? {
            word if word.starts_with(Self::ROLLOUT) => Work::Rollout,
            word => {
                let step: Step = word.parse().ok()?;
                Work::Step(step, words.map(ToOwned::to_owned).collect())
            }
        };
        Some(Self {
            who: format!("{holder}: {doing}"),
            work,
        })
    }

    /// Whether it takes this step of this migration, or is about to. A rollout may be at a backfill, which takes long.
    #[must_use]
    pub fn is_at(&self, step: Step, id: &MigrationId) -> bool {
        match &self.work {
            Work::Rollout => step == Step::Backfill,
            Work::Step(taken, ids) => {
                *taken == step && ids.iter().any(|known| *known == id.as_str())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_at_one_step_is_not_at_another() {
        let id: MigrationId = "0001_a".parse().unwrap();
        for (doing, step, is_at) in [
            ("backfill 0001_a", Step::Backfill, true),
            ("backfill 0000_z 0001_a", Step::Backfill, true),
            ("backfill 0002_b", Step::Backfill, false),
            ("backfill 0001_a", Step::Expand, false),
            ("expand 0001_a", Step::Expand, true),
            ("rollout to web=1.2.0", Step::Backfill, true),
            ("rollout to web=1.2.0", Step::Expand, false),
        ] {
            let at_work = AtWork::told("ci", doing).unwrap();
            assert_eq!(at_work.is_at(step, &id), is_at, "{doing}");
        }
        assert_eq!(AtWork::told("ci", "resolve 0001_a"), None);
        assert_eq!(AtWork::told("ci", ""), None);
    }
}
