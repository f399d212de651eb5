//! What is asked, and what comes back.

use serde_json::{Value, json};

use super::json::{decision, event};
use crate::gate::{Decision, Verdict};
use crate::ledger::Event;
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
    /// What was done, after the event of this number, or from the first.
    Log { after: Option<i64> },
}

impl Question {
    pub(super) const fn records(&self) -> Record {
        match self {
            Self::Deploy { record, .. } | Self::Step { record, .. } => *record,
            Self::Log { .. } => Record::Nothing,
        }
    }
}

/// A version of a service, as somebody calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub service: String,
    pub label: String,
}

/// Whether what a look has shown is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Record {
    #[default]
    Nothing,
    /// Whom the sources show, and what was let through.
    Look,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The gate's, and what it rests on.
    Gate {
        decision: Decision,
        snapshot: Box<Snapshot>,
    },
    Log(Vec<Event>),
}

impl Answer {
    /// What it comes to. What is only told is *go*.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::Gate { decision, .. } => decision.verdict,
            Self::Log(_) => Verdict::Go,
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
            Self::Log(events) => json!({ "events": events.iter().map(event).collect::<Vec<_>>() }),
        }
    }
}
