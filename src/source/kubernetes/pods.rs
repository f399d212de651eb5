//! What a pod says of the instance in it: a pure function of what the API server tells.

use jiff::{SignedDuration, Timestamp};

use crate::cluster::{Pod, PodStatus, Said, Template, VersionFrom, hindrance, said};
use crate::model::{About, InstanceState};
use crate::source::Instance;
use crate::text::shown::shortened;

/// How long after the time by which it has to be gone a pod may still be on its way out.
const LATE: SignedDuration = SignedDuration::from_secs(30);
/// As much of what the cluster says is told.
const LONGEST_REASON: usize = 200;

/// How the pods of one service are read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reading {
    pub version: VersionFrom,
    pub container: Option<String>,
}

impl Reading {
    /// The version that a template gives to what is made from it, if it names one.
    pub fn named(&self, service: &str, template: &Template) -> Option<String> {
        let said = self.said(service, (&template.metadata, &template.spec));
        said.is_named.then_some(said.label)
    }

    pub fn said(
        &self,
        service: &str,
        of: (&crate::cluster::Metadata, &crate::cluster::PodSpec),
    ) -> Said {
        said(&self.version, service, self.container.as_deref(), of)
    }
}

/// The instance in a pod; `None` if all of it has ended.
pub(super) fn instance(
    pod: &Pod,
    service: &str,
    reading: &Reading,
    now: Timestamp,
) -> Option<(Instance, Said)> {
    let (state, about) = judged(pod, now)?;
    let said = reading.said(service, (&pod.metadata, &pod.spec));
    let instance = Instance {
        service: service.to_owned(),
        instance: pod.metadata.name.clone(),
        label: said.label.clone(),
        state,
        image: said.image.clone(),
        template: None,
        age_ms: 0,
        about: Some(about),
    };
    Some((instance, said))
}

/// Invariant: a pod counts until all of it is said to have ended, however late, lost or broken it is.
fn judged(pod: &Pod, now: Timestamp) -> Option<(InstanceState, About)> {
    let status = &pod.status;
    let phase = status.phase.as_deref().unwrap_or_default();
    let ready = status.condition("Ready");
    let is_ready = ready.is_some_and(|ready| ready.status == "True");
    let since = ready.and_then(|ready| ready.last_transition_time);
    let about = |words: &str, since: Option<Timestamp>, why: Option<String>| About {
        place: pod.spec.node_name.clone(),
        phase: Some(words.to_owned()),
        since: since.map(Timestamp::as_millisecond),
        why,
    };
    match phase {
        // Who has it collected after its node was lost does not know what runs there.
        "Failed" | "Succeeded" if is_collected(status) => {
            let why = "it was given up with its node, where it may still run".to_owned();
            return Some((InstanceState::Lost, about(phase, since, Some(why))));
        }
        "Failed" | "Succeeded" => return None,
        _ => {}
    }
    if let Some(deadline) = pod.metadata.deletion_timestamp {
        let grace = pod.metadata.deletion_grace_period_seconds.unwrap_or(0);
        let asked = deadline
            .checked_sub(SignedDuration::from_secs(grace))
            .unwrap_or(deadline);
        let is_late = now.duration_since(deadline) > LATE;
        let (state, why) = if is_late {
            let late = format!(
                "it had to be gone by {deadline:.0}: its node does not say that it is, and it may still run"
            );
            (InstanceState::Lost, Some(late))
        } else {
            (InstanceState::Draining, None)
        };
        return Some((state, about("Terminating", Some(asked), why)));
    }
    let created = pod.metadata.creation_timestamp;
    Some(match phase {
        "Running" if is_ready => (InstanceState::Serving, about(phase, since, None)),
        "Running" if is_unheard_of(status) => {
            let why = "its node does not report: it may still run".to_owned();
            (InstanceState::Lost, about(phase, since, Some(why)))
        }
        "Running" => {
            let why = hindrance(status).or_else(|| Some("it is not ready".to_owned()));
            (InstanceState::Starting, about(phase, since, why))
        }
        "Pending" | "" => {
            let why = hindrance(status);
            (InstanceState::Starting, about("Pending", created, why))
        }
        "Unknown" => {
            let why = "its node does not report: it may still run".to_owned();
            (InstanceState::Lost, about(phase, since, Some(why)))
        }
        other => {
            let other = shortened(other, LONGEST_REASON);
            (InstanceState::Unreadable, about(&other, created, None))
        }
    })
}

/// The kubelet gives a reason whenever a pod of its own is not ready; whoever speaks for a node that is lost gives none, and
/// leaves the containers as they were.
fn is_unheard_of(status: &PodStatus) -> bool {
    let is_unexplained = status
        .condition("Ready")
        .is_some_and(|ready| ready.status != "True" && ready.reason.is_none());
    let mut containers = status.container_statuses.iter().flatten();
    is_unexplained && containers.any(|container| container.ready)
}

fn is_collected(status: &PodStatus) -> bool {
    let is_by_gc = status
        .condition("DisruptionTarget")
        .is_some_and(|target| target.reason.as_deref() == Some("DeletionByPodGC"));
    is_by_gc
        && status
            .containers()
            .any(|container| container.state.running.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `state phase | why` of a pod, at a moment.
    fn judge(json: serde_json::Value, now: &str) -> String {
        let pod: Pod = serde_json::from_value(json).unwrap();
        match judged(&pod, now.parse().unwrap()) {
            None => "gone".to_owned(),
            Some((state, about)) => format!(
                "{} {} | {}",
                state.name(),
                about.phase.unwrap_or_default(),
                about.why.unwrap_or_default()
            ),
        }
    }

    const NOW: &str = "2026-11-26T12:00:00Z";

    #[test]
    fn each_state_of_a_pod() {
        let ready = |status: &str| serde_json::json!([{ "type": "Ready", "status": status, "reason": "ContainersNotReady" }]);
        let container = |state: serde_json::Value, last: serde_json::Value, ready: bool| serde_json::json!([{ "name": "web", "ready": ready, "restartCount": 3, "state": state, "lastState": last }]);
        let none = || serde_json::json!({});
        let running = || serde_json::json!({ "running": {} });
        let crashed = |code: i64| serde_json::json!({ "terminated": { "exitCode": code, "reason": "Error" } });
        let looping = || serde_json::json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off" } });
        for (status, found) in [
            (
                serde_json::json!({ "phase": "Running", "conditions": ready("True") }),
                "serving Running | ",
            ),
            (
                serde_json::json!({ "phase": "Running", "conditions": ready("False") }),
                "starting Running | it is not ready",
            ),
            (
                serde_json::json!({ "phase": "Running", "conditions": ready("False"), "containerStatuses": container(looping(), crashed(11), false) }),
                "starting Running | web: CrashLoopBackOff, ended with 11 (the door refuses its version, or an application of its own ended so)",
            ),
            (
                serde_json::json!({ "phase": "Pending", "initContainerStatuses": container(looping(), crashed(12), false) }),
                "starting Pending | web: CrashLoopBackOff, ended with 12 (the door has not the evidence to let it in, or an application of its own ended so)",
            ),
            (
                serde_json::json!({ "phase": "Running", "conditions": ready("False"), "containerStatuses": container(running(), crashed(1), false) }),
                "starting Running | web: started again 3 times, ended with 1",
            ),
            (
                serde_json::json!({ "phase": "Pending", "containerStatuses": container(serde_json::json!({ "waiting": { "reason": "ImagePullBackOff", "message": "no such image" } }), none(), false) }),
                "starting Pending | web: ImagePullBackOff: no such image",
            ),
            (
                serde_json::json!({ "phase": "Pending", "containerStatuses": container(serde_json::json!({ "waiting": { "reason": "ContainerCreating" } }), none(), false) }),
                "starting Pending | ",
            ),
            (
                serde_json::json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes" }] }),
                "starting Pending | Unschedulable: 0/2 nodes",
            ),
            (serde_json::json!({}), "starting Pending | "),
            (serde_json::json!({ "phase": "Succeeded" }), "gone"),
            (
                serde_json::json!({ "phase": "Failed", "reason": "Evicted", "message": "memory" }),
                "gone",
            ),
            (
                serde_json::json!({ "phase": "Failed", "containerStatuses": container(running(), none(), true),
                    "conditions": [{ "type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC" }] }),
                "lost Failed | it was given up with its node, where it may still run",
            ),
            (
                serde_json::json!({ "phase": "Unknown" }),
                "lost Unknown | its node does not report: it may still run",
            ),
            (
                serde_json::json!({ "phase": "Sleeping" }),
                "unreadable Sleeping | ",
            ),
            (
                serde_json::json!({ "phase": "Running", "containerStatuses": container(running(), none(), true), "conditions": [{ "type": "Ready", "status": "False" }] }),
                "lost Running | its node does not report: it may still run",
            ),
        ] {
            let pod = serde_json::json!({ "metadata": { "name": "web-1" }, "status": status });
            assert_eq!(judge(pod.clone(), NOW), found, "{pod}");
        }
    }

    #[test]
    fn one_that_has_to_go_drains_until_its_time_and_is_lost_after_it() {
        let pod = |deadline: &str, phase: &str| {
            serde_json::json!({
                "metadata": { "name": "web-1", "deletionTimestamp": deadline, "deletionGracePeriodSeconds": 60 },
                "status": { "phase": phase, "conditions": [{ "type": "Ready", "status": "True" }] },
            })
        };
        // Ready until its end, as a pod is whose probe passes.
        assert_eq!(
            judge(pod("2026-11-26T12:00:40Z", "Running"), NOW),
            "draining Terminating | "
        );
        assert_eq!(
            judge(pod("2026-11-26T11:59:45Z", "Running"), NOW),
            "draining Terminating | "
        );
        let late = judge(pod("2026-11-26T11:50:00Z", "Running"), NOW);
        assert!(
            late.starts_with("lost Terminating | it had to be gone by 2026-11-26T11:50:00Z"),
            "{late}"
        );
        assert_eq!(judge(pod("2026-11-26T11:50:00Z", "Succeeded"), NOW), "gone");
    }

    #[test]
    fn each_has_its_node_and_since_when() {
        let json = serde_json::json!({
            "metadata": { "name": "web-1" }, "spec": { "nodeName": "n1" },
            "status": { "phase": "Running", "conditions": [{ "type": "Ready", "status": "True", "lastTransitionTime": NOW }] },
        });
        let pod: Pod = serde_json::from_value(json).unwrap();
        let (_, about) = judged(&pod, NOW.parse().unwrap()).unwrap();
        assert_eq!(about.place.as_deref(), Some("n1"));
        assert_eq!(
            about.since,
            Some(NOW.parse::<Timestamp>().unwrap().as_millisecond())
        );
    }
}
