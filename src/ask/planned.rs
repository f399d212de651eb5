//! What is asked of a planner, and what it came to.

use super::Wanted;
use crate::gate::{Blocker, Verdict};
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
    pub start: Start,
    /// Services that a migration names, and that were planned as if they did not run, because nobody said what they run.
    pub absent: Vec<String>,
    /// Why nothing can have been applied, if there is no database yet.
    pub nothing_yet: Option<String>,
}

/// Where a plan begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At versions that somebody gave, with every migration pending: of the files only the declarations count.
    OnPaper,
    /// At what was seen and recorded, in milliseconds since the epoch.
    Seen { at: i64 },
}

impl Start {
    /// The moment that times are told from; the epoch on paper.
    #[must_use]
    pub const fn now(self) -> i64 {
        match self {
            Self::OnPaper => 0,
            Self::Seen { at } => at,
        }
    }
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
    /// A plan with a step that will be refused is no way yet; on paper it is what it would be.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match &self.answer {
            Ok(_) if self.start == Start::OnPaper || self.refused().is_none() => Verdict::Go,
            Ok(_) => Verdict::Refuse,
            Err(none) => none.verdict(),
        }
    }

    /// The first step that will be refused, and why: nobody is sent half of a way.
    #[must_use]
    pub fn refused(&self) -> Option<RefusedStep<'_>> {
        let steps = self.answer.as_ref().ok()?.steps.iter();
        let mut refused = steps.enumerate().filter_map(|(at, step)| {
            let why = step.refused.first()?;
            Some(RefusedStep {
                number: at + 1,
                action: &step.action,
                why,
            })
        });
        refused.next()
    }
}

/// A step of a plan that will be refused.
#[derive(Clone, Copy, Debug)]
pub struct RefusedStep<'a> {
    /// From 1 on.
    pub number: usize,
    pub action: &'a PlanAction,
    pub why: &'a Blocker,
}
