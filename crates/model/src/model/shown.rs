//! What another migration tool's own history shows of what a step has it do, beside what is recorded of that step.

use super::{MigrationId, Phase, Step};

/// What the history of a tool shows of the revisions that carry out a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub migration: MigrationId,
    pub step: Step,
    /// The kind of the tool.
    pub tool: &'static str,
    /// Those that are applied.
    pub there: Vec<String>,
    /// Those that are not.
    pub gone: Vec<String>,
}

/// What was done past the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PastDone {
    Applied,
    TakenBack,
}

impl Shown {
    /// What was done past the gate, where the migration is recorded in this phase; `None` where that is no other than what is shown.
    #[must_use]
    pub const fn past(&self, phase: Phase) -> Option<PastDone> {
        let (some_there, some_gone) = (!self.there.is_empty(), !self.gone.is_empty());
        match self.step {
            Step::Expand if matches!(phase, Phase::Pending) && some_there => {
                Some(PastDone::Applied)
            }
            Step::Contract if !phase.contract_has_begun() && some_there => Some(PastDone::Applied),
            Step::Expand if phase.expand_is_done() && some_gone => Some(PastDone::TakenBack),
            // That it is there before its turn says nothing: it stays in the history where the backfill has to begin again.
            Step::Backfill if is_filled(phase) && some_gone => Some(PastDone::TakenBack),
            _ => None,
        }
    }
}

impl PastDone {
    /// The step that it is as good as: what is gone is as good as being taken away. `None` where nothing was taken away.
    #[must_use]
    pub const fn is_as(self, step: Step) -> Option<Step> {
        match (self, step) {
            (Self::Applied, Step::Expand) => None,
            (Self::Applied, _) => Some(Step::Contract),
            (Self::TakenBack, _) => Some(Step::Revert),
        }
    }
}

/// Whether the rows of a migration in this phase are filled.
const fn is_filled(phase: Phase) -> bool {
    matches!(
        phase,
        Phase::Backfilled | Phase::Contracting | Phase::Contracted
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_counts_where_it_is_not_what_is_recorded() {
        use PastDone::{Applied, TakenBack};
        for (step, phase, there, gone, done, is_as) in [
            (Step::Expand, Phase::Pending, 0, 2, None, None),
            (Step::Expand, Phase::Pending, 1, 1, Some(Applied), None),
            (Step::Expand, Phase::Expanding, 1, 1, None, None),
            (Step::Expand, Phase::Expanded, 2, 0, None, None),
            (
                Step::Expand,
                Phase::Expanded,
                1,
                1,
                Some(TakenBack),
                Some(Step::Revert),
            ),
            (Step::Backfill, Phase::Expanded, 1, 0, None, None),
            (Step::Backfill, Phase::Backfilling, 0, 1, None, None),
            (
                Step::Backfill,
                Phase::Backfilled,
                0,
                1,
                Some(TakenBack),
                Some(Step::Revert),
            ),
            (Step::Contract, Phase::Expanded, 0, 1, None, None),
            (
                Step::Contract,
                Phase::Expanded,
                1,
                0,
                Some(Applied),
                Some(Step::Contract),
            ),
            (Step::Contract, Phase::Contracting, 1, 0, None, None),
            (Step::Contract, Phase::Contracted, 0, 1, None, None),
        ] {
            let shown = Shown {
                migration: "0001_title".parse().unwrap(),
                step,
                tool: "alembic",
                there: vec!["a".into(); there],
                gone: vec!["b".into(); gone],
            };
            let past = shown.past(phase);
            assert_eq!(past, done, "{step:?} {phase:?} {there} {gone}");
            let taken = past.and_then(|done| done.is_as(step));
            assert_eq!(taken, is_as, "{step:?} {phase:?}");
        }
    }
}
