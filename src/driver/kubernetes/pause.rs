//! Where an Argo Rollout waits to be told to go on: a pure function of the object.

use serde_json::Value;

use crate::cluster::{Controller, Resource};
use crate::driver::Hold;

/// The place where it waits for a word; `None` if it does not, or if the word is not a driver's to say: a pause that has its own
/// time ends by itself, and what an analysis or a person has stopped is theirs to let go.
pub(super) fn held(resource: Resource, workload: &Controller) -> Option<Hold> {
    let (spec, status) = (&workload.spec, &workload.status);
    if resource != Resource::ROLLOUT || spec.paused == Some(true) {
        return None;
    }
    let strategy = spec.strategy.as_ref()?;
    let mut reasons = status.pause_conditions.iter().flatten();
    let (reason, None) = (reasons.next()?, reasons.next()) else {
        return None;
    };
    let hash = status.current_pod_hash.as_deref().unwrap_or_default();
    match reason.reason.as_str() {
        "CanaryPauseStep" => {
            let steps = strategy.get("canary")?.get("steps")?.as_array()?;
            let index = status.current_step_index?;
            let is_open = is_open(steps.get(index)?.get("pause")?, "duration");
            let before = steps.iter().take(index).rev();
            let mut weights = before.filter_map(|step| step.get("setWeight")?.as_i64());
            is_open.then(|| Hold {
                step: part(weights.next().unwrap_or_else(|| share(workload))),
                at: format!("{hash}/{index}"),
            })
        }
        "BlueGreenPause" => {
            let is_open = is_open(strategy.get("blueGreen")?, "autoPromotionSeconds");
            is_open.then(|| Hold {
                step: part(share(workload)),
                at: hash.to_owned(),
            })
        }
        _ => None,
    }
}

/// Whether it has no end of its own.
fn is_open(pause: &Value, time: &str) -> bool {
    pause.get(time).is_none_or(Value::is_null)
}

/// How many percent of its pods are of the new version.
fn share(workload: &Controller) -> i64 {
    let status = &workload.status;
    status.updated_replicas.saturating_mul(100) / status.replicas.max(1)
}

/// It is a part, and never the whole.
fn part(percent: i64) -> u8 {
    u8::try_from(percent.clamp(1, 99)).unwrap_or(99)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(strategy: Value, conditions: Value, more: Value) -> Option<Hold> {
        let mut object = json!({
            "metadata": { "name": "web" },
            "spec": { "replicas": 4, "strategy": strategy },
            "status": {
                "replicas": 4, "updatedReplicas": 1, "currentStepIndex": 3, "currentPodHash": "7f", "pauseConditions": conditions,
            },
        });
        for (key, value) in more.as_object().unwrap() {
            object["spec"][key] = value.clone();
        }
        held(Resource::ROLLOUT, &serde_json::from_value(object).unwrap())
    }

    fn canary(pause: Value) -> Value {
        json!({ "canary": { "steps": [{ "setWeight": 5 }, { "pause": {} }, { "setWeight": 20 }, { "pause": pause }] } })
    }

    fn because(reason: &str) -> Value {
        json!([{ "reason": reason, "startTime": "2026-01-01T00:00:00Z" }])
    }

    #[test]
    fn only_a_pause_that_waits_for_a_word_is_one() {
        let hold = |step, at: &str| {
            Some(Hold {
                step,
                at: at.to_owned(),
            })
        };
        let paused = || because("CanaryPauseStep");
        let table = [
            (canary(json!({})), paused(), json!({}), hold(20, "7f/3")),
            // It ends by itself.
            (
                canary(json!({ "duration": "5m" })),
                paused(),
                json!({}),
                None,
            ),
            (
                canary(json!({ "duration": 300 })),
                paused(),
                json!({}),
                None,
            ),
            // Somebody has to look.
            (
                canary(json!({})),
                because("InconclusiveAnalysisRun"),
                json!({}),
                None,
            ),
            (canary(json!({})), paused(), json!({ "paused": true }), None),
            (
                canary(json!({})),
                json!([{ "reason": "CanaryPauseStep" }, { "reason": "InconclusiveAnalysisRun" }]),
                json!({}),
                None,
            ),
            (canary(json!({})), Value::Null, json!({}), None),
            (
                json!({ "blueGreen": {} }),
                because("BlueGreenPause"),
                json!({}),
                hold(25, "7f"),
            ),
            (
                json!({ "blueGreen": { "autoPromotionSeconds": 30 } }),
                because("BlueGreenPause"),
                json!({}),
                None,
            ),
        ];
        for (strategy, conditions, more, wanted) in table {
            let shown = format!("{strategy} {conditions} {more}");
            assert_eq!(of(strategy, conditions, more), wanted, "{shown}");
        }
    }
}
