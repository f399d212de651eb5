//! What is asked, and what comes back.

use serde_json::{Value, json};

use super::json::{decision, event};
use super::{Events, Goal, Looked, Planned, Record, Status, Wanted};
use crate::gate::{Decision, Verdict};
use crate::ledger::{Event, KnownHead};
use crate::model::{Snapshot, Step};

/// A question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// May instances of these versions start now, beside those that run?
    Deploy {
        versions: Vec<Wanted>,
        record: Record,
    },
    /// May this step be taken now? The migration by its number or name.
    Step {
        step: Step,
        migration: String,
        record: Record,
    },
    /// Which phase is each migration in, what does it wait for, and which versions may start?
    Status { record: Record },
    /// Which versions are live?
    Fleet { record: Record },
    /// Which steps and rollouts lead from what is live to these versions?
    Plan { goal: Goal, record: Record },
    /// How does the last rollout stand?
    Rollout,
    /// What was done?
    Log(Events),
}

impl Question {
    pub(super) const fn records(&self) -> Record {
        match self {
            Self::Deploy { record, .. }
            | Self::Step { record, .. }
            | Self::Status { record }
            | Self::Fleet { record }
            | Self::Plan { record, .. } => *record,
            Self::Rollout | Self::Log(_) => Record::Nothing,
        }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub enum Answer {
    /// The gate's, and what it rests on.
    Gate {
        decision: Decision,
        snapshot: Box<Snapshot>,
    },
    Status(Box<Status>),
    Fleet(Box<Looked>),
    Plan(Box<Planned>),
    Rollout(Box<Looked>),
    Log(Log),
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The events that were asked for.
    pub events: Vec<Event>,
    /// The number of the last event that there is, or of the one after which was asked; 0 where there is none.
    pub end: i64,
    /// Where the log ends, whatever was asked for; `None` without a ledger.
    pub head: Option<KnownHead>,
    /// Why there is nothing yet: a database file that is not there is an empty database.
    pub nothing_yet: Option<String>,
}

impl Log {
    /// As `migrate log --output json` prints it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json!({
            "events": self.events.iter().map(event).collect::<Vec<_>>(),
            "log_head": self.head.as_ref().map(KnownHead::to_string),
        })
    }
}

impl Answer {
    /// What it comes to. What is only told is *go*, but for a fleet of which some source says nothing.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self {
            Self::Gate { decision, .. } => decision.verdict,
            Self::Fleet(looked) => looked.verdict_of_the_fleet(),
            Self::Plan(planned) => planned.verdict(),
            Self::Rollout(looked) => looked.verdict_of_the_rollout(),
            Self::Status(_) | Self::Log(_) => Verdict::Go,
        }
    }

    /// As `--output json` prints it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match self {
            Self::Gate {
                decision: decided,
                snapshot,
            } => decision(decided, snapshot),
            Self::Status(status) => status.to_json(),
            Self::Fleet(looked) => looked.fleet_json(),
            Self::Plan(planned) => planned.to_json(),
            Self::Rollout(looked) => looked.rollout_json(),
            Self::Log(log) => log.to_json(),
        }
    }
}
