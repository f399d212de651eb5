//! What is asked of a planner, and what it came to.

use super::Wanted;
use crate::gate::{Flaw, Flawed, Verdict};
use crate::planner::{NoPlan, Plan, PlanAction, Problem, Wait};

/// Where a plan is to end, and what may be on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Goal {
    /// The version that each service is to end at.
    pub to: Vec<Wanted>,
    /// Releases that may be rolled out on the way.
    pub via: Vec<Wanted>,
    /// More of them, as far as they lie between what runs and what is wanted.
    pub releases: Vec<Wanted>,
}

/// What planning came to, and what it started from.
#[derive(Clone, Debug)]
pub struct Planned {
    pub problem: Problem,
    pub answer: Result<Plan, Box<NoPlan>>,
    /// What each step waits for, in the order of the steps.
    pub waits: Vec<Vec<Until>>,
    /// Milliseconds since the epoch; 0 on paper.
    pub now: i64,
    /// Services that a migration names, and that were planned as if they did not run, because nobody said what they run.
    pub absent: Vec<String>,
    /// Why nothing can have been applied, if there is no database yet.
    pub nothing_yet: Option<String>,
    /// What of the files is not in order.
    pub(super) flaws: Vec<Flaw>,
}

/// What is waited for at a step: until it is over, or before a contract begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Until {
    Step(Wait),
    Soaked { ms: u64 },
    Unused { ms: u64 },
    Required,
    Rehearsed,
}

impl Planned {
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match &self.answer {
            Ok(_) => Verdict::Go,
            Err(none) => none.verdict(),
        }
    }

    /// The first step that cannot run from these files, and what is wrong with them: nobody is sent half of a way.
    #[must_use]
    pub fn cannot_run(&self) -> Option<(&PlanAction, &Flaw)> {
        let plan = self.answer.as_ref().ok()?;
        let mut steps = plan.steps.iter();
        steps.find_map(|step| against(&step.action, &self.flaws).map(|flaw| (&step.action, flaw)))
    }
}

/// What is wrong with the files of a step.
pub(super) fn against<'f>(action: &PlanAction, flaws: &'f [Flaw]) -> Option<&'f Flaw> {
    let PlanAction::Schema { step, migration } = action else {
        return None;
    };
    flaws
        .iter()
        .find(|flaw| matches!(&flaw.of, Flawed::Step(id, kept) if id == migration && kept == step))
}
