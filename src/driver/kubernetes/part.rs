//! A part of a Deployment at the new version, and nothing of it that goes on by itself: new pods beside all that are there.
//!
//! They serve as soon as they are ready, and count as *available* only after longer than any step holds; and as no pod may be
//! unavailable meanwhile (`maxUnavailable` 0), the controller makes as many as there may be beside the others (`maxSurge`) and then
//! waits. How the Deployment was before is written down at it, and put back with the last step.
//!
//! Invariant: the template of the pods that are there never has to wait like this, or none of them would be available. So what makes
//! new pods wait comes and goes in one change with the template, whichever way that goes.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::progress::{Progress, is_observed};
use crate::cluster::Controller;

/// Where it is written down how the Deployment was.
const ANNOTATION: &str = "phasegate/before-steps";
/// How long a new pod has to have been ready, in seconds: a year.
const HOLD: i64 = 365 * 24 * 60 * 60;
/// A step is at most this many percent, unless it is the last: beyond, there would be more new pods than others.
pub(super) const MOST: u8 = 50;

/// How many pods are of the new version, beside how many others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub new: i64,
    others: i64,
}

/// What a step changes, and the last one puts back. Where the server has nothing it writes what it takes, or leaves it out for 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Before {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_ready_seconds: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    progress_deadline_seconds: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    strategy: Option<Value>,
}

impl Part {
    /// As much as `step` percent, and one at least; `None` where there are no pods.
    pub fn of(step: u8, workload: &Controller) -> Option<Self> {
        let others = workload.spec.replicas.unwrap_or(1);
        let step = i64::from(step.min(MOST));
        (others > 0).then(|| Self {
            new: (others.saturating_mul(step) / (100 - step)).max(1),
            others,
        })
    }

    pub fn words(self) -> String {
        format!("{} new beside {} others", self.new, self.others)
    }

    /// Whether the Deployment is so already, as far as it depends on what is asked of it.
    pub fn is_asked(self, workload: &Controller) -> bool {
        let surge = workload
            .spec
            .strategy
            .as_ref()
            .and_then(|strategy| strategy.pointer("/rollingUpdate/maxSurge"));
        is_held(workload) && surge == Some(&json!(self.new))
    }

    /// What has to be changed beside the template.
    ///
    /// # Errors
    /// Why it cannot be.
    pub fn ask(self, workload: &Controller) -> Result<Vec<Value>, String> {
        let mut changes = Vec::new();
        if !is_held(workload) {
            let spec = &workload.spec;
            let kind = spec.strategy.as_ref().and_then(|one| one.get("type"));
            if kind == Some(&json!("Recreate")) {
                return Err(
                    "its strategy is Recreate, which stops every pod first: there are no steps in it. Set it to RollingUpdate, or leave out \
                     `steps`"
                        .to_owned(),
                );
            }
            let before = Before {
                min_ready_seconds: spec.min_ready_seconds,
                progress_deadline_seconds: spec.progress_deadline_seconds,
                strategy: spec.strategy.clone(),
            };
            let before = serde_json::to_string(&before).map_err(|error| error.to_string())?;
            if workload.metadata.annotations.is_none() {
                changes.push(set("/metadata/annotations", json!({})));
            }
            changes.push(set(&annotation(), json!(before)));
        }
        changes.push(set("/spec/minReadySeconds", json!(HOLD)));
        // It has to be longer than that.
        changes.push(set("/spec/progressDeadlineSeconds", json!(HOLD + 1)));
        let rolling = json!({ "maxSurge": self.new, "maxUnavailable": 0 });
        changes.push(set(
            "/spec/strategy",
            json!({ "type": "RollingUpdate", "rollingUpdate": rolling }),
        ));
        Ok(changes)
    }

    /// How far it is.
    pub fn judged(self, workload: &Controller) -> Progress {
        let name = format!("deployment/{}", workload.metadata.name);
        if !is_observed(workload) {
            return Progress::Coming(format!("{name}: its controller has not looked at it yet"));
        }
        let status = &workload.status;
        let all = self.new + self.others;
        if status.updated_replicas == self.new
            && status.replicas == all
            && status.ready_replicas == all
        {
            return Progress::Complete;
        }
        Progress::Coming(format!(
            "{name}: {} of {} are of the new version, beside {} others, {} of all ready",
            status.updated_replicas,
            self.new,
            status.replicas - status.updated_replicas,
            status.ready_replicas
        ))
    }
}

/// Whether new pods of it wait for a step.
pub(super) fn is_held(workload: &Controller) -> bool {
    workload.spec.min_ready_seconds == Some(HOLD)
}

/// What has to be changed so that it is as it was before the first step.
///
/// # Errors
/// How it was is not known any more.
pub(super) fn let_go(workload: &Controller) -> Result<Vec<Value>, String> {
    let written = workload.metadata.annotation(ANNOTATION);
    let before: Option<Before> = written.and_then(|text| serde_json::from_str(text).ok());
    let Some(before) = before else {
        return Err(format!(
            "a step holds it, and how it was before is not written in its annotation {ANNOTATION} any more. Somebody has changed that: write \
             what it is to be put back to, for example `kubectl annotate --overwrite deployment/{} \
             '{ANNOTATION}={{\"minReadySeconds\":0,\"progressDeadlineSeconds\":600,\"strategy\":{{\"type\":\"RollingUpdate\"}}}}'`, and run the \
             same command again. Do not change its template or minReadySeconds by hand: the one without the other makes the pods of the \
             version before count as unavailable, or lets the rollout go on",
            workload.metadata.name
        ));
    };
    let put_back = [
        (
            "/spec/minReadySeconds",
            before.min_ready_seconds.map(Value::from),
        ),
        (
            "/spec/progressDeadlineSeconds",
            before.progress_deadline_seconds.map(Value::from),
        ),
        ("/spec/strategy", before.strategy),
    ];
    let mut changes: Vec<Value> = put_back
        .into_iter()
        .map(|(path, value)| match value {
            Some(value) => set(path, value),
            None => json!({ "op": "remove", "path": path }),
        })
        .collect();
    changes.push(json!({ "op": "remove", "path": annotation() }));
    Ok(changes)
}

fn annotation() -> String {
    format!("/metadata/annotations/{}", ANNOTATION.replace('/', "~1"))
}

/// Of a field that is there it takes the place.
fn set(path: &str, value: Value) -> Value {
    json!({ "op": "add", "path": path, "value": value })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(replicas: i64, more: Value) -> Controller {
        let mut spec = json!({ "replicas": replicas });
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        serde_json::from_value(
            json!({ "metadata": { "name": "web", "generation": 3 }, "spec": spec }),
        )
        .unwrap()
    }

    #[test]
    fn a_part_is_no_more_than_was_asked_and_one_at_least() {
        for (step, replicas, new) in [
            (10, 10, 1),
            (25, 10, 3),
            (50, 10, 10),
            (10, 9, 1),
            (10, 3, 1),
            (1, 1000, 10),
            (33, 2, 1),
        ] {
            let part = Part::of(step, &deployment(replicas, json!({}))).unwrap();
            assert_eq!(
                (part.new, part.others),
                (new, replicas),
                "{step} {replicas}"
            );
        }
        assert_eq!(Part::of(10, &deployment(0, json!({}))), None);
    }

    #[test]
    fn what_was_there_is_written_down_once_and_put_back() {
        let strategy = json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": 1 } });
        let before = json!({ "progressDeadlineSeconds": 600, "strategy": strategy });
        let mut workload = deployment(10, before.clone());
        let part = Part::of(10, &workload).unwrap();
        let asked = part.ask(&workload).unwrap();
        assert_eq!(asked[0]["path"], "/metadata/annotations");
        let written: Value = serde_json::from_str(asked[1]["value"].as_str().unwrap()).unwrap();
        assert_eq!(written, before);
        // As the server then has it.
        workload.metadata.annotations = Some(
            [(
                ANNOTATION.to_owned(),
                asked[1]["value"].as_str().unwrap().to_owned(),
            )]
            .into(),
        );
        workload.spec.min_ready_seconds = Some(HOLD);
        workload.spec.strategy = Some(asked[4]["value"].clone());
        assert!(part.is_asked(&workload));
        let more = Part::of(50, &workload).unwrap();
        assert!(!more.is_asked(&workload));
        let asked = more.ask(&workload).unwrap();
        assert!(
            asked.iter().all(|one| one["path"] != annotation()),
            "{asked:?}"
        );
        let put_back = let_go(&workload).unwrap();
        assert_eq!(
            put_back,
            [
                json!({ "op": "remove", "path": "/spec/minReadySeconds" }),
                json!({ "op": "add", "path": "/spec/progressDeadlineSeconds", "value": 600 }),
                json!({ "op": "add", "path": "/spec/strategy", "value": strategy }),
                json!({ "op": "remove", "path": "/metadata/annotations/phasegate~1before-steps" }),
            ]
        );
        for annotation in [None, Some("{}x")] {
            workload.metadata.annotations =
                annotation.map(|text| [(ANNOTATION.to_owned(), text.to_owned())].into());
            let lost = let_go(&workload).unwrap_err();
            assert!(
                lost.contains("kubectl annotate --overwrite deployment/web"),
                "{lost}"
            );
        }
        let recreate = deployment(3, json!({ "strategy": { "type": "Recreate" } }));
        let refused = Part::of(10, &recreate).unwrap().ask(&recreate).unwrap_err();
        assert!(refused.contains("Recreate"), "{refused}");
    }

    #[test]
    fn a_part_is_there_when_all_of_it_is_ready_beside_all_others() {
        let part = Part::of(50, &deployment(2, json!({}))).unwrap();
        let judge = |observed: i64, replicas: i64, updated: i64, ready: i64| {
            let mut workload = deployment(2, json!({}));
            workload.status = serde_json::from_value(json!({
                "observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated, "readyReplicas": ready,
            }))
            .unwrap();
            part.judged(&workload)
        };
        assert_eq!(judge(3, 4, 2, 4), Progress::Complete);
        for (observed, replicas, updated, ready) in [
            (2, 4, 2, 4),
            (3, 4, 2, 3),
            (3, 3, 1, 3),
            (3, 3, 2, 3),
            (3, 4, 4, 4),
        ] {
            let progress = judge(observed, replicas, updated, ready);
            assert!(matches!(progress, Progress::Coming(_)), "{progress:?}");
        }
    }
}
