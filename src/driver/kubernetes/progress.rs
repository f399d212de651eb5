//! How far a workload is, as its controller says: a pure function of the object.

use crate::cluster::{Controller, Resource};

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Every pod is of the new template, serves, and those before have ended as far as the controller tells.
    Complete,
    /// In words.
    Coming(String),
    /// It does not go on by itself, for this reason and with this way out.
    Stuck(String),
}

/// Invariant: what the controller has not yet looked at is not complete.
pub(super) fn judged(resource: Resource, workload: &Controller) -> Progress {
    let name = format!("{}/{}", resource.short, workload.metadata.name);
    if !is_observed(workload) {
        return Progress::Coming(format!("{name}: its controller has not looked at it yet"));
    }
    match resource {
        Resource::STATEFUL_SET => stateful_set(&name, workload),
        Resource::DAEMON_SET => daemon_set(&name, workload),
        Resource::ROLLOUT => rollout(&name, workload),
        _ => deployment(&name, workload),
    }
}

/// Whether its controller speaks of what is asked of it now.
pub(super) fn is_observed(workload: &Controller) -> bool {
    let observed = match &workload.status.observed_generation {
        Some(serde_json::Value::Number(number)) => number.as_i64(),
        // As Argo Rollouts has it.
        Some(serde_json::Value::String(text)) => text.parse().ok(),
        _ => None,
    };
    observed >= Some(workload.metadata.generation)
}

fn deployment(name: &str, workload: &Controller) -> Progress {
    let (spec, status) = (&workload.spec, &workload.status);
    let wanted = spec.replicas.unwrap_or(1);
    if spec.paused == Some(true) {
        return Progress::Stuck(format!(
            "{name} is paused: `kubectl rollout resume {name}` lets it go on"
        ));
    }
    let failed = ["Progressing", "ReplicaFailure"]
        .into_iter()
        .find_map(|kind| {
            let condition = status.condition(kind)?;
            let reason = condition.reason.as_deref().unwrap_or_default();
            let is_over = reason == "ProgressDeadlineExceeded" && condition.status == "False";
            let is_refused = kind == "ReplicaFailure" && condition.status == "True";
            let message = condition.message.as_deref().unwrap_or_default();
            (is_over || is_refused).then(|| (is_over, format!("{name}: {reason}: {message}")))
        });
    let is_complete = status.updated_replicas == wanted
        && status.replicas == wanted
        && status.available_replicas == wanted
        && status.terminating_replicas.unwrap_or(0) == 0;
    match failed {
        _ if is_complete => Progress::Complete,
        Some((true, why)) => Progress::Stuck(why),
        // Quotas and limits pass.
        Some((false, why)) => Progress::Coming(why),
        None => {
            let mut words = format!(
                "{name}: {} of {wanted} are of the new version, {} available",
                status.updated_replicas, status.available_replicas
            );
            let before = status.replicas - status.updated_replicas;
            if before > 0 {
                words.push_str(&format!(", {before} of others"));
            }
            if let Some(terminating @ 1..) = status.terminating_replicas {
                words.push_str(&format!(", {terminating} terminating"));
            }
            Progress::Coming(words)
        }
    }
}

fn stateful_set(name: &str, workload: &Controller) -> Progress {
    let (spec, status) = (&workload.spec, &workload.status);
    let wanted = spec.replicas.unwrap_or(1);
    let strategy = spec.update_strategy.as_ref();
    if strategy.and_then(|strategy| strategy.kind.as_deref()) == Some("OnDelete") {
        return Progress::Stuck(format!(
            "{name} replaces its pods only when somebody deletes them (`OnDelete`): set its updateStrategy to RollingUpdate"
        ));
    }
    let rolling = strategy.and_then(|strategy| strategy.rolling_update.as_ref());
    if let Some(partition @ 1..) = rolling.and_then(|rolling| rolling.partition) {
        return Progress::Stuck(format!(
            "{name} keeps the pods below {partition} at the version before (`partition`): set it to 0"
        ));
    }
    let is_of_one = status.current_revision == status.update_revision;
    if is_of_one && status.ready_replicas == wanted && status.replicas == wanted {
        return Progress::Complete;
    }
    Progress::Coming(format!(
        "{name}: {} of {wanted} are of the new version, {} ready",
        status.updated_replicas, status.ready_replicas
    ))
}

fn daemon_set(name: &str, workload: &Controller) -> Progress {
    let (spec, status) = (&workload.spec, &workload.status);
    let wanted = status.desired_number_scheduled;
    let strategy = spec.update_strategy.as_ref();
    if strategy.and_then(|strategy| strategy.kind.as_deref()) == Some("OnDelete") {
        return Progress::Stuck(format!(
            "{name} replaces its pods only when somebody deletes them (`OnDelete`): set its updateStrategy to RollingUpdate"
        ));
    }
    if status.updated_number_scheduled == wanted && status.number_available == wanted {
        return Progress::Complete;
    }
    Progress::Coming(format!(
        "{name}: {} of {wanted} are of the new version, {} available",
        status.updated_number_scheduled, status.number_available
    ))
}

fn rollout(name: &str, workload: &Controller) -> Progress {
    let status = &workload.status;
    let wanted = workload.spec.replicas.unwrap_or(1);
    let said = status.message.as_deref().unwrap_or_default();
    match status.phase.as_deref().unwrap_or_default() {
        "Healthy" if status.updated_replicas == wanted && status.available_replicas == wanted => {
            Progress::Complete
        }
        "Degraded" => Progress::Stuck(format!("{name} is degraded: {said}")),
        phase => Progress::Coming(format!(
            "{name} is {phase} {said}: {} of {wanted} are of the new version, {} available",
            status.updated_replicas, status.available_replicas
        )),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn judge(resource: Resource, generation: i64, spec: Value, status: Value) -> Progress {
        let json = json!({ "metadata": { "name": "web", "generation": generation }, "spec": spec, "status": status });
        judged(resource, &serde_json::from_value(json).unwrap())
    }

    #[track_caller]
    fn says(progress: &Progress, words: &str) {
        let text = match progress {
            Progress::Complete => "complete".to_owned(),
            Progress::Coming(text) => format!("coming: {text}"),
            Progress::Stuck(text) => format!("stuck: {text}"),
        };
        assert!(text.contains(words), "{words} in {text}");
    }

    /// The stages of two rollouts that a control plane of 1.36 went through: only the last of them is complete.
    #[test]
    fn a_recorded_rollout_is_complete_at_its_end() {
        for name in ["rollout-1.1.0", "rollout-1.2.0"] {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/suite/kubernetes/recorded")
                .join(format!("{name}.deployment-stages.json"));
            let text = std::fs::read_to_string(path).unwrap();
            let stages: Vec<Value> = serde_json::from_str(&text).unwrap();
            for stage in &stages {
                let status = &stage["status"];
                let generation = stage["generation"].as_i64().unwrap();
                let progress = judge(
                    Resource::DEPLOYMENT,
                    generation,
                    json!({ "replicas": 3 }),
                    status.clone(),
                );
                let numbers = ["replicas", "updatedReplicas", "availableReplicas"];
                let is_whole = numbers.iter().all(|name| status[*name] == 3)
                    && status["observedGeneration"] == generation
                    && status["terminatingReplicas"].as_i64().unwrap_or(0) == 0;
                assert_eq!(progress == Progress::Complete, is_whole, "{stage}");
            }
        }
    }

    #[test]
    fn a_deployment() {
        let spec = || json!({ "replicas": 3 });
        let status = |more: Value| {
            let mut status = json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 3, "availableReplicas": 3 });
            for (key, value) in more.as_object().unwrap() {
                status[key] = value.clone();
            }
            status
        };
        let of = |spec, more| judge(Resource::DEPLOYMENT, 2, spec, status(more));
        assert_eq!(of(spec(), json!({})), Progress::Complete);
        assert_eq!(
            of(spec(), json!({ "terminatingReplicas": 0 })),
            Progress::Complete
        );
        says(
            &of(spec(), json!({ "terminatingReplicas": 2 })),
            "coming: deployment/web: 3 of 3 are of the new version, 3 available, 2 terminating",
        );
        says(
            &of(spec(), json!({ "observedGeneration": 1 })),
            "has not looked at it yet",
        );
        says(
            &of(spec(), json!({ "replicas": 4, "updatedReplicas": 1 })),
            "1 of 3 are of the new version, 3 available, 3 of others",
        );
        says(
            &of(json!({ "replicas": 3, "paused": true }), json!({})),
            "stuck: deployment/web is paused: `kubectl rollout resume deployment/web`",
        );
        let condition = |kind: &str, status: &str, reason: &str| json!({ "updatedReplicas": 1, "conditions": [{ "type": kind, "status": status, "reason": reason, "message": "why" }] });
        says(
            &of(
                spec(),
                condition("Progressing", "False", "ProgressDeadlineExceeded"),
            ),
            "stuck: deployment/web: ProgressDeadlineExceeded: why",
        );
        says(
            &of(spec(), condition("ReplicaFailure", "True", "FailedCreate")),
            "coming: deployment/web: FailedCreate: why",
        );
        says(
            &of(
                spec(),
                condition("Progressing", "True", "ReplicaSetUpdated"),
            ),
            "coming: ",
        );
        assert_eq!(
            judge(
                Resource::DEPLOYMENT,
                2,
                json!({ "replicas": 0 }),
                json!({ "observedGeneration": 2 })
            ),
            Progress::Complete
        );
    }

    #[test]
    fn the_other_kinds() {
        let set = |spec: Value, more: Value| {
            let mut status = json!({ "observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b" });
            for (key, value) in more.as_object().unwrap() {
                status[key] = value.clone();
            }
            judge(Resource::STATEFUL_SET, 1, spec, status)
        };
        says(
            &set(json!({ "replicas": 2 }), json!({})),
            "coming: statefulset/web: 1 of 2",
        );
        assert_eq!(
            set(json!({ "replicas": 2 }), json!({ "currentRevision": "b" })),
            Progress::Complete
        );
        says(
            &set(
                json!({ "replicas": 2, "updateStrategy": { "type": "OnDelete" } }),
                json!({}),
            ),
            "stuck: ",
        );
        says(
            &set(
                json!({ "replicas": 2, "updateStrategy": { "rollingUpdate": { "partition": 1 } } }),
                json!({}),
            ),
            "`partition`",
        );
        let daemons = |updated: i64| {
            judge(
                Resource::DAEMON_SET,
                1,
                json!({}),
                json!({ "observedGeneration": 1, "desiredNumberScheduled": 2, "updatedNumberScheduled": updated, "numberAvailable": 2 }),
            )
        };
        says(&daemons(1), "1 of 2");
        assert_eq!(daemons(2), Progress::Complete);
        let canary = |phase: &str, updated: i64| {
            judge(
                Resource::ROLLOUT,
                1,
                json!({ "replicas": 2 }),
                json!({ "observedGeneration": "1", "phase": phase, "message": "CanaryPauseStep", "updatedReplicas": updated, "availableReplicas": 2 }),
            )
        };
        says(
            &canary("Paused", 1),
            "coming: rollout/web is Paused CanaryPauseStep: 1 of 2",
        );
        says(&canary("Degraded", 1), "stuck: ");
        assert_eq!(canary("Healthy", 2), Progress::Complete);
    }
}
