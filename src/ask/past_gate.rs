//! What was done with another migration tool without asking here.

use serde_json::{Value, json};

use crate::coordinator::{PastDone, PastGate, Situation};

/// Adds it to an answer, if there is any.
pub(super) fn add_to(answer: &mut Value, situation: &Situation) {
    let all: Vec<Value> = situation.past_gate.iter().map(of).collect();
    if let (false, Some(object)) = (all.is_empty(), answer.as_object_mut()) {
        object.insert("past_gate".into(), all.into());
    }
}

fn of(past: &PastGate) -> Value {
    json!({
        "migration": past.migration.as_str(), "step": past.step.name(), "runner": past.runner, "revisions": past.revisions,
        "done": match past.done { PastDone::Applied => "applied", PastDone::TakenBack => "taken_back" },
        "at": past.at, "message": past.message(), "help": past.help(),
    })
}
