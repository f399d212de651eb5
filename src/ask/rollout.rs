//! The last rollout: what is done, where it is, and what it waits for.

use serde_json::{Value, json};

use super::{Looked, json as shapes};
use crate::coordinator::Situation;
use crate::gate::Verdict;
use crate::ledger::{RolloutRecord, RolloutState, RolloutStepState};
use crate::model::LiveGroup;
use crate::planner::PlanAction;
use crate::rollout::{Arrival, as_json as action_json, read_action};

impl Looked {
    /// How the last rollout stands: *hold* while somebody is at work on it, *refuse* where somebody has to take it up.
    #[must_use]
    pub fn verdict_of_the_rollout(&self) -> Verdict {
        let open = self.beside.rollout.as_ref();
        let open = open.filter(|record| record.state == RolloutState::Open);
        match (open, self.situation.view.coordinator.is_rolling_out()) {
            (None, _) => Verdict::Go,
            (Some(_), true) => Verdict::Hold,
            (Some(_), false) => Verdict::Refuse,
        }
    }

    /// As `migrate rollout status --output json` prints it.
    #[must_use]
    pub fn rollout_json(&self) -> Value {
        let Some(record) = &self.beside.rollout else {
            return json!({ "rollout": null });
        };
        let waits = waits_for(record, &self.situation);
        json!({
            "verdict": self.verdict_of_the_rollout().name(),
            "rollout": as_json(record),
            "at_work": self.situation.view.coordinator.describe(),
            "waits_for": waits.as_ref().map(arrival_json),
        })
    }
}

/// What the fleet has to show for the step that was begun, unless it does; `None` where the rollout is over.
#[must_use]
pub fn waits_for(record: &RolloutRecord, situation: &Situation) -> Option<Arrival> {
    if record.state != RolloutState::Open {
        return None;
    }
    let begun = record
        .steps
        .iter()
        .find(|step| step.state == RolloutStepState::Begun)?;
    let Ok(PlanAction::Roll { service, to, .. }) = read_action(&begun.action) else {
        return None;
    };
    let arrival = Arrival::judged(&situation.evidence, &service, &to);
    (!arrival.is_complete()).then_some(arrival)
}

/// A rollout as it is recorded.
#[must_use]
pub fn as_json(record: &RolloutRecord) -> Value {
    let steps: Vec<Value> = record
        .steps
        .iter()
        .map(|step| {
            let action = read_action(&step.action);
            let mut value = action.map_or_else(|_| json!({}), |action| action_json(&action));
            if let Some(object) = value.as_object_mut() {
                object.insert("state".into(), step.state.name().into());
                object.insert("reached".into(), step.reached.into());
                object.insert(
                    "started_at".into(),
                    step.started_at.map(shapes::time).into(),
                );
                object.insert("done_at".into(), step.done_at.map(shapes::time).into());
            }
            value
        })
        .collect();
    json!({
        "id": record.id,
        "goal": serde_json::from_str::<Value>(&record.goal).unwrap_or(Value::Null),
        "state": record.state.name(),
        "stopped": Some(&record.stopped).filter(|why| !why.is_empty()),
        "began_at": shapes::time(record.began_at),
        "began_by": record.began_by,
        "ended_at": record.ended_at.map(shapes::time),
        "steps": steps,
    })
}

fn groups_json(groups: &[LiveGroup]) -> Value {
    let groups = groups.iter().map(|group| {
        json!({
            "version": group.label.text,
            "state": group.state.name(),
            "instances": group.instances,
            "examples": group.examples,
            "source": group.source,
        })
    });
    groups.collect()
}

/// What a rollout waits for.
#[must_use]
pub fn arrival_json(arrival: &Arrival) -> Value {
    json!({
        "service": arrival.service,
        "version": arrival.to,
        "serving": arrival.serving,
        "wanted": arrival.wanted,
        "missing": arrival.missing().name(),
        "coming": groups_json(&arrival.coming),
        "refused": arrival.refused,
        "others": groups_json(&arrival.others),
        "blind": arrival.blind.iter().map(|source| &source.name).collect::<Vec<_>>(),
    })
}
