//! What a cluster starts by itself: the templates of what makes pods, as long as it may make one.

use std::collections::HashMap;

use crate::cluster::{Controller, Pod, Resource, Template};

/// What makes pods.
pub(super) const MAKERS: [Resource; 7] = [
    Resource::DEPLOYMENT,
    // Those of a Deployment in the middle of a rollout, and of a canary, start their own version again.
    Resource::REPLICA_SET,
    Resource::STATEFUL_SET,
    Resource::DAEMON_SET,
    Resource::JOB,
    Resource::CRON_JOB,
    Resource::ROLLOUT,
];

/// The template that a controller starts pods from without being asked; `None` if it starts none.
pub(super) fn started(resource: Resource, controller: &Controller) -> Option<&Template> {
    let spec = &controller.spec;
    if controller.metadata.deletion_timestamp.is_some() {
        return None;
    }
    match resource {
        Resource::CRON_JOB => {
            let is_suspended = spec.suspend == Some(true);
            let job = spec.job_template.as_ref().filter(|_| !is_suspended)?;
            Some(&job.spec.template)
        }
        Resource::JOB => {
            let mut ends = ["Complete", "Failed"].into_iter();
            let has_ended = ends.any(|kind| {
                let condition = controller.status.condition(kind);
                condition.is_some_and(|condition| condition.status == "True")
            });
            let template = spec.template.as_ref()?;
            (!has_ended && spec.suspend != Some(true)).then_some(template)
        }
        // One on each node: how many that is may change at any moment.
        Resource::DAEMON_SET => spec.template.as_ref(),
        // A rollout that refers to a Deployment has no template of its own.
        _ => spec
            .template
            .as_ref()
            .filter(|_| spec.replicas.unwrap_or(1) > 0),
    }
}

/// What makes pods from a template that stays what it is, by its number.
///
/// Of a StatefulSet and a DaemonSet the template is the one of the pods to come: those that are there may be of an earlier one.
pub(super) fn unchanging(controllers: &[(Resource, Controller)]) -> HashMap<&str, &Template> {
    let stay = controllers
        .iter()
        .filter(|(resource, _)| matches!(*resource, Resource::REPLICA_SET | Resource::JOB));
    let each = stay.filter_map(|(_, controller)| {
        let template = controller.spec.template.as_ref()?;
        Some((controller.metadata.uid.as_str(), template))
    });
    each.filter(|(uid, _)| !uid.is_empty()).collect()
}

/// What this pod was made from, among these.
pub(super) fn made_from<'a>(
    pod: &Pod,
    among: &HashMap<&str, &'a Template>,
) -> Option<&'a Template> {
    let mut owners = pod.metadata.owner_references.iter().flatten();
    let owner = owners.find(|owner| owner.controller == Some(true))?;
    among.get(owner.uid.as_str()).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_starts_pods_by_itself() {
        let template = || serde_json::json!({ "metadata": {}, "spec": { "containers": [] } });
        let with = |spec: serde_json::Value| {
            let mut spec = spec;
            spec["template"] = template();
            spec
        };
        let job = || serde_json::json!({ "spec": { "template": template() } });
        for (resource, spec, status, starts) in [
            (
                Resource::DEPLOYMENT,
                with(serde_json::json!({ "replicas": 3 })),
                serde_json::json!({}),
                true,
            ),
            (
                Resource::DEPLOYMENT,
                with(serde_json::json!({})),
                serde_json::json!({}),
                true,
            ),
            (
                Resource::DEPLOYMENT,
                with(serde_json::json!({ "replicas": 0 })),
                serde_json::json!({}),
                false,
            ),
            // Whoever resumes it starts them.
            (
                Resource::DEPLOYMENT,
                with(serde_json::json!({ "replicas": 3, "paused": true })),
                serde_json::json!({}),
                true,
            ),
            (
                Resource::REPLICA_SET,
                with(serde_json::json!({ "replicas": 0 })),
                serde_json::json!({}),
                false,
            ),
            (
                Resource::REPLICA_SET,
                with(serde_json::json!({ "replicas": 1 })),
                serde_json::json!({}),
                true,
            ),
            (
                Resource::STATEFUL_SET,
                with(serde_json::json!({ "replicas": 1 })),
                serde_json::json!({}),
                true,
            ),
            (
                Resource::DAEMON_SET,
                with(serde_json::json!({})),
                serde_json::json!({}),
                true,
            ),
            (
                Resource::ROLLOUT,
                with(serde_json::json!({ "replicas": 2 })),
                serde_json::json!({ "observedGeneration": "4" }),
                true,
            ),
            (
                Resource::ROLLOUT,
                serde_json::json!({ "replicas": 2, "workloadRef": {} }),
                serde_json::json!({}),
                false,
            ),
            (
                Resource::JOB,
                with(serde_json::json!({})),
                serde_json::json!({}),
                true,
            ),
            (
                Resource::JOB,
                with(serde_json::json!({})),
                serde_json::json!({ "conditions": [{ "type": "Complete", "status": "True" }] }),
                false,
            ),
            (
                Resource::JOB,
                with(serde_json::json!({})),
                serde_json::json!({ "conditions": [{ "type": "Failed", "status": "True" }] }),
                false,
            ),
            (
                Resource::JOB,
                with(serde_json::json!({ "suspend": true })),
                serde_json::json!({}),
                false,
            ),
            (
                Resource::CRON_JOB,
                serde_json::json!({ "jobTemplate": job() }),
                serde_json::json!({}),
                true,
            ),
            (
                Resource::CRON_JOB,
                serde_json::json!({ "jobTemplate": job(), "suspend": true }),
                serde_json::json!({}),
                false,
            ),
        ] {
            let json = serde_json::json!({ "metadata": { "name": "web" }, "spec": spec, "status": status });
            let controller: Controller = serde_json::from_value(json.clone()).unwrap();
            assert_eq!(
                started(resource, &controller).is_some(),
                starts,
                "{resource:?} {json}"
            );
        }
    }
}
