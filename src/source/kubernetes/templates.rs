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

/// The template that a controller starts pods from without being asked; `None` if it starts none. `all` is what there is: an Argo Rollout
/// may take that of a Deployment, which has no replicas of its own then.
pub(super) fn started<'a>(
    resource: Resource,
    controller: &'a Controller,
    all: &'a [(Resource, Controller)],
) -> Option<&'a Template> {
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
        _ if spec.replicas.unwrap_or(1) <= 0 => None,
        Resource::ROLLOUT if spec.template.is_none() => referred(controller, all),
        _ => spec.template.as_ref(),
    }
}

/// The template of what a Rollout refers to. Where that is not there, nothing can be started.
fn referred<'a>(rollout: &Controller, all: &'a [(Resource, Controller)]) -> Option<&'a Template> {
    let wanted = rollout.spec.workload_ref.as_ref()?;
    let of = listed(&wanted.kind)?;
    let (_, found) = all.iter().find(|(resource, one)| {
        *resource == of
            && one.metadata.name == wanted.name
            && one.metadata.namespace == rollout.metadata.namespace
    })?;
    found.spec.template.as_ref()
}

/// What a Rollout may refer to, of what is listed anyway.
fn listed(kind: &str) -> Option<Resource> {
    match kind {
        "Deployment" => Some(Resource::DEPLOYMENT),
        "ReplicaSet" => Some(Resource::REPLICA_SET),
        _ => None,
    }
}

/// A Rollout that starts pods from a template that nobody has listed, and of what kind that is.
pub(super) fn unlisted(controllers: &[(Resource, Controller)]) -> Option<(&Controller, &str)> {
    controllers.iter().find_map(|(resource, one)| {
        let spec = &one.spec;
        let starts = *resource == Resource::ROLLOUT
            && one.metadata.deletion_timestamp.is_none()
            && spec.template.is_none()
            && spec.replicas.unwrap_or(1) > 0;
        let wanted = spec.workload_ref.as_ref().filter(|_| starts)?;
        listed(&wanted.kind)
            .is_none()
            .then_some((one, wanted.kind.as_str()))
    })
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
                started(resource, &controller, &[]).is_some(),
                starts,
                "{resource:?} {json}"
            );
        }
    }

    /// Argo's way to take over from a Deployment, which keeps its template and no replicas.
    #[test]
    fn a_rollout_may_take_the_template_of_something_else() {
        let read =
            |json: serde_json::Value| -> Controller { serde_json::from_value(json).unwrap() };
        let deployment = |namespace: &str| {
            read(serde_json::json!({
                "metadata": { "name": "web", "namespace": namespace },
                "spec": { "replicas": 0, "template": { "metadata": { "labels": { "in": namespace } }, "spec": { "containers": [] } } },
            }))
        };
        let rollout = |kind: &str, name: &str, replicas: i64| {
            read(serde_json::json!({
                "metadata": { "name": "web", "namespace": "shop" },
                "spec": { "replicas": replicas, "workloadRef": { "apiVersion": "apps/v1", "kind": kind, "name": name } },
            }))
        };
        let all = vec![
            (Resource::DEPLOYMENT, deployment("other")),
            (Resource::DEPLOYMENT, deployment("shop")),
        ];
        for (kind, name, replicas, starts) in [
            ("Deployment", "web", 3, true),
            ("Deployment", "web", 0, false),
            ("Deployment", "else", 3, false),
            ("ReplicaSet", "web", 3, false),
        ] {
            let rollout = rollout(kind, name, replicas);
            let found = started(Resource::ROLLOUT, &rollout, &all);
            let place = found.and_then(|found| found.metadata.label("in"));
            assert_eq!(place, starts.then_some("shop"), "{kind} {name} {replicas}");
        }
        let other = vec![(Resource::ROLLOUT, rollout("PodTemplate", "web", 1))];
        assert_eq!(unlisted(&other).map(|(_, kind)| kind), Some("PodTemplate"));
        let none = vec![(Resource::ROLLOUT, rollout("PodTemplate", "web", 0))];
        assert!(unlisted(&none).is_none());
    }
}
