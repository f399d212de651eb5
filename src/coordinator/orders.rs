//! What a coordinator is ordered to do, and what follows from that alone.

use std::time::Duration;

use super::lists::Lists;
use super::{CoordinatorError, Progress, Purpose, Situation};
use crate::database::{LockTimeout, Target};
use crate::gate::{Action, Blocker, Decision, decide};
use crate::interrupt::Interrupt;
use crate::ledger::LeaseRules;
use crate::model::{MigrationId, Step};
use crate::project::{Migration, Pace, Project};

/// What a coordinator works with.
pub struct Options<'a> {
    pub project: &'a Project,
    pub target: &'a Target,
    /// Whether it may make the database.
    pub purpose: Purpose,
    /// What it is doing, as others are told: `expand 0002_x`.
    pub doing: String,
    /// Why missing evidence is to be accepted; recorded.
    pub accept_unknown: Option<&'a str>,
    /// How long to wait for another coordinator, and for what blocks a contract.
    pub wait: Option<Duration>,
    /// The share of the time that a backfill works, in place of the one that is declared.
    pub pace: Option<Pace>,
    /// Where progress is reported to.
    pub report: &'a (dyn Fn(Progress) + Send + Sync),
    /// Those who let instances in by a list of what may start.
    pub lists: Option<&'a dyn Lists>,
    /// What stops it. A statement at work is cancelled, and what was begun is put in order again.
    pub interrupt: Interrupt,
}

/// The part of the options that holds as long as the coordinator is at work. Nothing changes it, so every step has a copy.
#[derive(Clone, Copy)]
pub(super) struct Orders<'a> {
    pub project: &'a Project,
    pub target: &'a Target,
    pub accepts: Accepts<'a>,
    pub wait: Option<Duration>,
    pub pace: Option<Pace>,
    pub report: &'a (dyn Fn(Progress) + Send + Sync),
    pub lists: Option<&'a dyn Lists>,
    pub interrupt: Interrupt,
}

/// What need not be shown before a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Accepts<'a> {
    Nothing,
    /// Whatever is unknown, because somebody says why; recorded.
    Unknown(&'a str),
    /// What only somebody who was there could have shown; why there was nobody is recorded.
    NobodyYet(&'static str),
}

impl Accepts<'_> {
    pub fn of(self, decision: Decision) -> Decision {
        match self {
            Self::Nothing => decision,
            Self::Unknown(_) => decision.accepting_unknown(),
            Self::NobodyYet(_) => decision.with_nobody_yet(),
        }
    }

    pub const fn reason(&self) -> &str {
        match self {
            Self::Nothing => "",
            Self::Unknown(reason) => reason,
            Self::NobodyYet(reason) => reason,
        }
    }
}

impl<'a> Orders<'a> {
    pub fn of(options: &Options<'a>) -> Self {
        Self {
            project: options.project,
            target: options.target,
            accepts: options
                .accept_unknown
                .map_or(Accepts::Nothing, Accepts::Unknown),
            wait: options.wait,
            pace: options.pace,
            report: options.report,
            lists: options.lists,
            interrupt: options.interrupt,
        }
    }

    pub fn report(self, progress: Progress) {
        (self.report)(progress);
    }

    /// How long a lock is waited for at a time.
    pub fn lock_limit(self) -> LockTimeout {
        LockTimeout(self.project.config.database.lock_timeout)
    }

    /// How the leases are read that its transactions look at again: a version that the project knows by another name
    /// has to count there as it did when the step was decided on.
    pub fn lease_rules(self) -> LeaseRules {
        crate::fleet::lease_rules(&self.project.config)
    }

    /// The files of a migration, whether or not they are in order: the gate has said of which steps they are.
    pub fn migration(self, id: &MigrationId) -> Result<&'a Migration, CoordinatorError> {
        self.project
            .as_read(id)
            .ok_or_else(|| CoordinatorError::NoFiles(id.clone()))
    }

    /// Asks the gate, and accepts missing evidence if that is ordered.
    pub fn ask(self, step: Step, id: &MigrationId, situation: &Situation) -> Decision {
        let action = Action::Step {
            step,
            migration: id.clone(),
        };
        self.accepts.of(decide(action, &situation.evidence))
    }

    /// The gate's answer without regard to missing evidence, to see what an override covers.
    pub fn overridden(self, step: Step, id: &MigrationId, situation: &Situation) -> Vec<String> {
        if self.accepts == Accepts::Nothing {
            return Vec::new();
        }
        let action = Action::Step {
            step,
            migration: id.clone(),
        };
        let decision = decide(action, &situation.evidence);
        let left = self.accepts.of(decision.clone()).blockers;
        let covered = decision.blockers.iter();
        covered
            .filter(|blocker| !left.contains(blocker))
            .map(Blocker::message)
            .collect()
    }
}
