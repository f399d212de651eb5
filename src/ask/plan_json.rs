//! A plan, or why there is none, as JSON and in the words that every picture of it has.

use serde_json::{Value, json};

use super::json::{self as shapes, by_service};
use super::planned::{Planned, Until};
use super::words::span;
use crate::planner::{MissingRelease, NoPlan, Plan, Wait};
use crate::rollout::as_json as action_json;

impl Until {
    fn to_json(&self) -> Value {
        match self {
            Self::Step(Wait::Seen(who)) => {
                json!({ "kind": "seen", "service": who.service, "version": who.version })
            }
            Self::Step(Wait::Gone(who)) => {
                json!({ "kind": "gone", "service": who.service, "version": who.version })
            }
            Self::Step(Wait::Filled) => json!({ "kind": "remaining" }),
            Self::Soaked { ms } => json!({ "kind": "soak", "for_ms": ms }),
            Self::Unused { ms } => json!({ "kind": "unused", "for_ms": ms }),
            Self::Required => json!({ "kind": "require" }),
            Self::Rehearsed => json!({ "kind": "rehearsed" }),
        }
    }

    /// When it is over; `None` where another wait of the step says it as well.
    #[must_use]
    pub fn words(&self) -> Option<String> {
        match self {
            Self::Step(Wait::Seen(who)) => Some(format!("only {} is left", who.version)),
            // The others are gone when only the new version is left.
            Self::Step(Wait::Gone(_)) => None,
            Self::Step(Wait::Filled) => Some("`remaining` is 0".to_owned()),
            Self::Soaked { ms } => Some(format!("soaked {}", span(*ms))),
            Self::Unused { ms } => Some(format!("unused for {}", span(*ms))),
            Self::Required => Some("`require` is 0".to_owned()),
            Self::Rehearsed => Some("rehearsed".to_owned()),
        }
    }
}

impl Planned {
    /// As `migrate plan --output json` prints it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        match &self.answer {
            Ok(plan) => self.plan_json(plan),
            Err(none) => self.none_json(none),
        }
    }

    fn plan_json(&self, plan: &Plan) -> Value {
        let steps: Vec<Value> = plan
            .steps
            .iter()
            .zip(&self.waits)
            .map(|(step, waits)| {
                let mut value = action_json(&step.action);
                if let Some(object) = value.as_object_mut() {
                    object.insert("live".into(), json!(by_service(&step.live)));
                    let waits: Vec<Value> = waits.iter().map(Until::to_json).collect();
                    object.insert("waits_for".into(), waits.into());
                    object.insert("notes".into(), json!(step.remarks()));
                    let refused: Vec<Value> = step.refused.iter().map(shapes::blocker).collect();
                    object.insert("refused".into(), refused.into());
                }
                value
            })
            .collect();
        let left: Vec<Value> = plan
            .left
            .iter()
            .map(|left| {
                json!({
                    "action": left.step.name(),
                    "migration": left.migration,
                    "blockers": left.blockers.iter().map(shapes::blocker).collect::<Vec<_>>(),
                })
            })
            .collect();
        json!({
            "verdict": self.verdict().name(),
            "plan": steps,
            "goal": plan.goal,
            "start": by_service(&self.problem.live),
            "rollouts": plan.rollouts(),
            "shortest": plan.is_shortest,
            "left": left,
            "blockers": [],
        })
    }

    fn none_json(&self, none: &NoPlan) -> Value {
        let ways: Vec<Value> = none
            .ways_out
            .iter()
            .map(|way| {
                json!({
                    "kind": way.way.name(),
                    "migration": way.migration,
                    "releases": way
                        .releases
                        .iter()
                        .map(|MissingRelease { service, range }| {
                            json!({ "service": service, "range": range })
                        })
                        .collect::<Vec<_>>(),
                    "message": way.message,
                })
            })
            .collect();
        json!({
            "verdict": none.verdict().name(),
            "plan": null,
            "goal": self.problem.goal,
            "start": by_service(&self.problem.live),
            "blockers": none.blockers.iter().map(shapes::blocker).collect::<Vec<_>>(),
            "ways_out": ways,
        })
    }
}
