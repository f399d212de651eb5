//! What a cluster's answers come to, over answers that a real API server gave.

use std::path::Path;

use super::*;
use crate::source::kubernetes::wanted::Wanted;

/// Recorded by a control plane of 1.36, each reduced to what is read of it.
fn recorded(name: &str) -> Vec<Pod> {
    #[derive(serde::Deserialize)]
    struct List {
        items: Vec<Pod>,
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/kubernetes/recorded");
    let text = std::fs::read_to_string(path.join(format!("{name}.json"))).unwrap();
    serde_json::from_str::<List>(&text).unwrap().items
}

fn wanted(service: &str, selector: &str) -> Wanted {
    Wanted {
        service: Some(service.to_owned()),
        selector: crate::cluster::Selector::read(selector).unwrap(),
        namespaces: None,
        reading: pods::Reading::default(),
        absent: false,
    }
}

fn source(wanted: Wanted) -> Kubernetes {
    Kubernetes {
        cluster: Cluster::new(crate::cluster::Access::default()),
        pods: Pods {
            namespaces: Vec::new(),
            wanted: vec![wanted],
        },
        templates: true,
        timeout: Duration::from_secs(1),
    }
}

/// `name label state` of each, in order.
fn shown(observation: &Observation) -> Vec<String> {
    let shown = observation.instances.iter().map(|instance| {
        let Instance {
            instance,
            label,
            state,
            ..
        } = instance;
        format!("{instance} {label} {}", state.name())
    });
    let mut shown: Vec<String> = shown.collect();
    shown.sort();
    shown
}

fn observed(pods: Vec<Pod>, controllers: Vec<(Resource, Controller)>) -> Observation {
    let found = Found {
        namespace: Some("default".to_owned()),
        pods: pods.into_iter().map(|pod| (0, pod)).collect(),
        controllers,
    };
    let now = "2026-11-26T11:31:00Z".parse().unwrap();
    let source = source(wanted("web", "app.kubernetes.io/name=web"));
    source.put_together(vec![found], &|_| true, now)
}

#[test]
fn each_recorded_answer_comes_to_what_was_there() {
    for (name, seen) in [
        (
            "rollout-1.1.0.pods-terminating",
            &[
                "web-6586484c89-bhmvs 1.0.0 lost",
                "web-6586484c89-npjc2 1.0.0 lost",
                "web-6586484c89-r6654 1.0.0 lost",
                "web-8566445455-cmbjk 1.1.0 serving",
                "web-8566445455-cvt55 1.1.0 serving",
                "web-8566445455-w4x4l 1.1.0 serving",
            ][..],
        ),
        // The ones before have ended; of those that come none serves.
        (
            "recreate-imagepull.pods-terminating",
            &[
                "web-579658f744-6tvdl 1.3.0 starting",
                "web-579658f744-gvjxc 1.3.0 starting",
                "web-579658f744-xj9pz 1.3.0 starting",
            ],
        ),
        (
            "pod-imagepullbackoff",
            &["web-579658f744-6tvdl 1.3.0 starting"],
        ),
        ("pod-crashloop", &["web-8566445455-dmnlr 1.1.0 starting"]),
        (
            "pods-node-lost-notready",
            &[
                "web-5c5f98466f-894fz 1.2.0 serving",
                "web-5c5f98466f-bww9v 1.2.0 serving",
                "web-5c5f98466f-r8f96 1.2.0 lost",
                "web-5c5f98466f-tlb8b 1.2.0 lost",
            ],
        ),
        (
            "pods-node-lost-terminating",
            &[
                "web-5c5f98466f-894fz 1.2.0 serving",
                "web-5c5f98466f-bww9v 1.2.0 serving",
                "web-5c5f98466f-kczcw 1.2.0 starting",
                "web-5c5f98466f-r8f96 1.2.0 draining",
                "web-5c5f98466f-tgs5m 1.2.0 starting",
                "web-5c5f98466f-tlb8b 1.2.0 draining",
            ],
        ),
        ("pods-evicted", &["evictme-9b78fbf8f-4bb62 1.4.0 serving"]),
        (
            "pod-api-evicted-terminating",
            &["web-5dff6675b5-hmbm4 1.4.0 draining"],
        ),
        ("pods-job-failed", &[]),
        ("pods-job-succeeded", &[]),
    ] {
        assert_eq!(shown(&observed(recorded(name), Vec::new())), seen, "{name}");
    }
}

#[test]
fn what_has_no_label_is_called_by_its_image() {
    let all = shown(&observed(recorded("pods-all-kinds"), Vec::new()));
    for line in [
        "ss-0 1.2.0 serving",
        "sidecar 1.2.0 serving",
        "unschedulable 1.2.0 starting",
        "web-5c5f98466f-894fz 1.2.0 serving",
    ] {
        assert!(all.iter().any(|one| one == line), "{line} in {all:#?}");
    }
    // A digest is no version, and is not taken for one.
    let digest = all.iter().find(|one| one.starts_with("ds-kdw4s")).unwrap();
    assert!(
        digest.contains("no tag (registry.example.com/web@sha256:"),
        "{digest}"
    );
    for gone in ["done-ok", "done-failed", "deadline", "c1-lssb2"] {
        assert!(
            !all.iter().any(|one| one.starts_with(gone)),
            "{gone} in {all:#?}"
        );
    }
}

#[test]
fn what_hinders_is_told() {
    let notes = observed(recorded("pod-crashloop"), Vec::new()).notes;
    assert!(
        notes[0].contains("CrashLoopBackOff, ended with 11 (the door refuses"),
        "{notes:?}"
    );
    let notes = observed(recorded("pod-imagepullbackoff"), Vec::new()).notes;
    assert!(notes[0].contains("ErrImagePull"), "{notes:?}");
}

fn deployment(version: &str, image: &str, replicas: i64) -> (Resource, Controller) {
    let json = serde_json::json!({
        "metadata": { "name": "web", "namespace": "default" },
        "spec": {
            "replicas": replicas,
            "template": {
                "metadata": { "labels": { "app.kubernetes.io/name": "web", "app.kubernetes.io/version": version } },
                "spec": { "containers": [{ "name": "web", "image": image }] },
            },
        },
    });
    (Resource::DEPLOYMENT, serde_json::from_value(json).unwrap())
}

#[test]
fn a_template_is_live_where_nothing_of_it_runs() {
    let serving = || recorded("pods-node-lost-notready");
    let with = |controller| shown(&observed(serving(), vec![controller]));
    assert_eq!(with(deployment("1.2.0", "web:1.2.0", 3)).len(), 4);
    let refused = with(deployment("1.1.0", "web:1.1.0", 3));
    assert!(
        refused.contains(&"deployment/web 1.1.0 starting".to_owned()),
        "{refused:?}"
    );
    assert_eq!(with(deployment("1.1.0", "web:1.1.0", 0)).len(), 4);
    // `kubectl set image` past the label: what starts next is another version than runs now.
    let mixed = observed(serving(), vec![deployment("1.2.0", "web:1.0.0", 3)]);
    let template = mixed
        .instances
        .iter()
        .find(|one| one.instance == "deployment/web")
        .unwrap();
    assert_eq!(template.image.as_deref(), Some("web:1.0.0"));
    // Of what only drains, the cluster starts another one.
    let drains = observed(
        recorded("pod-api-evicted-terminating"),
        vec![deployment("1.4.0", "web:1.4.0", 1)],
    );
    assert_eq!(drains.instances.len(), 2);
}

#[test]
fn names_of_two_namespaces_are_told_apart() {
    let mut pods = recorded("pods-node-lost-notready");
    let mut twin = pods[0].clone();
    twin.metadata.namespace = "other".to_owned();
    pods.push(twin);
    let shown = shown(&observed(pods, Vec::new()));
    assert_eq!(shown.len(), 5);
    for name in [
        "default/web-5c5f98466f-894fz",
        "other/web-5c5f98466f-894fz",
        "web-5c5f98466f-bww9v",
    ] {
        assert!(
            shown.iter().any(|one| one.starts_with(name)),
            "{name} in {shown:#?}"
        );
    }
}

#[test]
fn a_selector_that_matches_nothing_at_all_is_a_failure() {
    let found = |controllers| {
        vec![Found {
            namespace: Some("default".to_owned()),
            pods: Vec::new(),
            controllers,
        }]
    };
    let one = || source(wanted("web", "app.kubernetes.io/name=web"));
    let failure = one()
        .none_is_mistaken(&found(Vec::new()))
        .unwrap_err()
        .to_string();
    assert!(
        failure.contains("`app.kubernetes.io/name=web` in default"),
        "{failure}"
    );
    // Scaled to nothing is not missing.
    let scaled = found(vec![deployment("1.2.0", "web:1.2.0", 0)]);
    assert_eq!(one().none_is_mistaken(&scaled), Ok(()));
    let mut absent = wanted("web", "app.kubernetes.io/name=web");
    absent.absent = true;
    assert_eq!(source(absent).none_is_mistaken(&found(Vec::new())), Ok(()));
}

#[test]
fn a_pod_that_was_relabelled_is_held_against_what_it_was_made_from() {
    let replica_set = |pod: &Pod, labels: serde_json::Value| {
        let owners = pod.metadata.owner_references.as_ref().unwrap();
        let json = serde_json::json!({
            "metadata": { "name": owners[0].name, "namespace": "default", "uid": owners[0].uid },
            // Of a rollout that is over but for the pod that drains.
            "spec": { "replicas": 0, "template": {
                "metadata": { "labels": labels },
                "spec": { "containers": [{ "name": "web", "image": "web@sha256:0011" }] },
            } },
        });
        (Resource::REPLICA_SET, serde_json::from_value(json).unwrap())
    };
    let mut pods = recorded("pod-api-evicted-terminating");
    let labelled = serde_json::json!({ "app.kubernetes.io/version": "1.4.0" });
    let made = replica_set(&pods[0], labelled);
    let unlabelled = replica_set(&pods[0], serde_json::json!({}));
    let labels = pods[0].metadata.labels.as_mut().unwrap();
    labels.insert("app.kubernetes.io/version".to_owned(), "1.5.0".to_owned());
    let said = |pods: &[Pod], controllers| {
        let instance = observed(pods.to_vec(), controllers).instances.remove(0);
        (instance.label, instance.template)
    };
    let template = said(&pods, vec![made.clone()]);
    assert_eq!(template, ("1.5.0".to_owned(), Some("1.4.0".to_owned())));
    // What names no version says nothing, and neither does the template of something else.
    assert_eq!(said(&pods, vec![unlabelled]).1, None);
    pods[0].metadata.owner_references = None;
    assert_eq!(said(&pods, vec![made]).1, None);
}
