//! What a review is about, for each way in which something is started or changed.

use proptest::prelude::*;

use super::*;
use crate::project::Project;

const NAME: &str = "app.kubernetes.io/name";
const VERSION: &str = "app.kubernetes.io/version";

/// The settings of a project with this fleet.
fn config(fleet: &str) -> Config {
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "{fleet}\n[services.web]\naliases = {{ \"blue\" = \"1.2.0\" }}\n[services.worker]\n"
    );
    std::fs::write(directory.path().join("migrate.toml"), text).unwrap();
    let project = Project::load_as_far_as_possible(directory.path(), None);
    assert!(project.flaws.settings.is_empty());
    project.config
}

fn pod(service: &str, version: &str, image: &str) -> Value {
    json!({
        "metadata": { "generateName": "web-5d4-", "labels": { NAME: service, VERSION: version } },
        "spec": { "containers": [{ "name": "web", "image": image }] },
    })
}

fn of(version: &str) -> Value {
    pod("web", version, &format!("web:{version}"))
}

fn review(kind: &str, object: Value, old: Value) -> Value {
    let operation = if old.is_null() { "CREATE" } else { "UPDATE" };
    json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "705ab4f5-6393-11e8", "kind": { "group": "", "version": "v1", "kind": kind },
        "name": "shop", "namespace": "prod", "operation": operation, "object": object, "oldObject": old,
    } })
}

fn read_it(value: &Value) -> Result<Review, Unreadable> {
    read(value.to_string().as_bytes(), &config(""))
}

fn about(kind: &str, object: Value, old: Value) -> About {
    read_it(&review(kind, object, old)).unwrap().about
}

fn starting(label: &str, instance: &str) -> About {
    About::Starting(vec![Starting {
        service: "web".to_owned(),
        label: label.to_owned(),
        instance: instance.to_owned(),
    }])
}

fn unclear(about: &About) -> &str {
    match about {
        About::Unclear { why, .. } => why,
        other => panic!("{other:?} is clear"),
    }
}

fn deployment(template: Value) -> Value {
    json!({ "metadata": { "name": "shop" }, "spec": { "replicas": 3, "template": template } })
}

fn with(mut object: Value, path: &str, value: Value) -> Value {
    let (parent, key) = path.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key] = value;
    object
}

#[test]
fn a_pod_starts_the_version_of_its_label_or_image() {
    let made = "web-5d4-705ab4f5";
    for (version, image, label) in [
        ("1.2.0", "shop/web:1.2.0", "1.2.0"),
        ("1.2.0", "shop/web:latest", "1.2.0"),
        ("1.2.0", "registry:5000/web", "1.2.0"),
        ("", "registry:5000/web:v1.2.0@sha256:00", "v1.2.0"),
        ("blue", "web:1.2.0", "blue"),
    ] {
        let mut pod = pod("web", version, image);
        // A pod that a Deployment makes has no name yet; nobody names it in the request either.
        pod["metadata"]["name"] = Value::Null;
        let mut review = review("Pod", with(pod, "/metadata/name", json!("")), Value::Null);
        review["request"]["name"] = Value::Null;
        let found = read_it(&review).unwrap().about;
        assert_eq!(found, starting(label, made), "{version} {image}");
    }
    // `kubectl set image` changes the image and leaves the label.
    for (version, image, why) in [
        (
            "1.3.0",
            "web:1.0.0",
            "web: its label and its image name two versions: 1.3.0 (image 1.0.0)",
        ),
        (
            "",
            "web",
            "web: `no version: no label app.kubernetes.io/version and no tag (web)` is no version",
        ),
        (
            "",
            "web@sha256:00",
            "web: `no label app.kubernetes.io/version and no tag (web@sha256:00)` is no version",
        ),
        ("main", "web:latest", "web: `main` is no version"),
        (
            "main",
            "web:1.0.0",
            "web: its label and its image name two versions: main (image 1.0.0)",
        ),
    ] {
        let found = about("Pod", pod("web", version, image), Value::Null);
        assert_eq!(unclear(&found), why);
    }
    let other = about("Pod", pod("nginx", "1.0.0", "nginx:1.0.0"), Value::Null);
    assert_eq!(other, About::Nothing);
}

#[test]
fn a_template_is_asked_about_when_its_version_changes() {
    for kind in [
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "ReplicaSet",
        "Rollout",
        "Job",
        "CloneSet",
    ] {
        let name = format!("{}/shop.prod", kind.to_lowercase());
        let new = deployment(of("1.2.0"));
        let found = about(kind, new.clone(), deployment(of("1.1.0")));
        assert_eq!(found, starting("1.2.0", &name));
        // It is scaled, labelled, restarted or applied again.
        for (path, value) in [
            ("/spec/replicas", json!(30)),
            ("/metadata/labels", json!({ "team": "shop" })),
            (
                "/spec/template/metadata/annotations",
                json!({ "kubectl.kubernetes.io/restartedAt": "2026-01-05" }),
            ),
        ] {
            let changed = with(new.clone(), path, value);
            assert_eq!(about(kind, changed, new.clone()), About::Nothing, "{path}");
        }
        // The image alone, as by `kubectl set image`.
        let image = json!([{ "name": "web", "image": "web:1.1.0" }]);
        let set = with(new.clone(), "/spec/template/spec/containers", image);
        let found = about(kind, set, new);
        assert_eq!(
            unclear(&found),
            "web: its label and its image name two versions: 1.2.0 (image 1.1.0)"
        );
    }
    let cron = |version: &str| json!({ "metadata": { "name": "shop" }, "spec": { "jobTemplate": { "spec": { "template": of(version) } } } });
    let found = about("CronJob", cron("1.2.0"), cron("1.1.0"));
    assert_eq!(found, starting("1.2.0", "cronjob/shop.prod"));
    assert_eq!(
        about("CronJob", cron("1.2.0"), cron("1.2.0")),
        About::Nothing
    );
}

#[test]
fn what_makes_no_pods_now_is_asked_about_when_it_begins() {
    let new = deployment(of("1.2.0"));
    let name = "deployment/shop.prod";
    let none = with(new.clone(), "/spec/replicas", json!(0));
    assert_eq!(
        about("Deployment", none.clone(), Value::Null),
        About::Nothing
    );
    assert_eq!(
        about("Deployment", new.clone(), none),
        starting("1.2.0", name)
    );
    let suspended = with(new.clone(), "/spec/suspend", json!(true));
    assert_eq!(about("Job", suspended.clone(), Value::Null), About::Nothing);
    assert_eq!(
        about("Job", new.clone(), suspended),
        starting("1.2.0", "job/shop.prod")
    );
    // Whoever resumes what is paused starts it, so it is asked about when it is changed, and when it is resumed.
    let paused = |version: &str| with(deployment(of(version)), "/spec/paused", json!(true));
    let found = about("Deployment", paused("1.2.0"), deployment(of("1.1.0")));
    assert_eq!(found, starting("1.2.0", name));
    assert_eq!(
        about("Deployment", new.clone(), paused("1.2.0")),
        starting("1.2.0", name)
    );
    assert_eq!(about("Deployment", paused("1.2.0"), new), About::Nothing);
    assert_eq!(
        about("Deployment", paused("1.2.0"), paused("1.2.0")),
        About::Nothing
    );
}

#[test]
fn a_pod_that_runs_is_asked_about_when_its_version_changes() {
    let named = |version: &str| with(of(version), "/metadata/name", json!("web-0"));
    let found = about("Pod", named("1.2.0"), named("1.1.0"));
    assert_eq!(found, starting("1.2.0", "web-0"));
    let labelled = with(named("1.2.0"), "/metadata/annotations", json!({ "a": "b" }));
    assert_eq!(about("Pod", labelled, named("1.2.0")), About::Nothing);
    // One that becomes ours by its label, which may run for long.
    let other = with(named("1.2.0"), "/metadata/labels", json!({ NAME: "nginx" }));
    assert_eq!(
        about("Pod", named("1.2.0"), other),
        starting("1.2.0", "web-0")
    );
    // One whose version was never certain has to be able to go, and to be changed otherwise.
    let doubtful = with(
        pod("web", "1.3.0", "web:1.0.0"),
        "/metadata/finalizers",
        json!(["a/b"]),
    );
    let freed = with(doubtful.clone(), "/metadata/finalizers", json!([]));
    assert_eq!(
        about("Pod", freed.clone(), doubtful.clone()),
        About::Nothing
    );
    let going = with(
        freed,
        "/metadata/deletionTimestamp",
        json!("2026-01-05T10:00:00Z"),
    );
    assert_eq!(about("Pod", going, of("1.2.0")), About::Nothing);
}

#[test]
fn what_starts_no_template_is_let_through() {
    for operation in ["DELETE", "CONNECT"] {
        let mut review = review("Pod", of("1.0.0"), Value::Null);
        review["request"]["operation"] = operation.into();
        assert_eq!(read_it(&review).unwrap().about, About::Nothing);
    }
    for (kind, resource) in [
        ("Pod", "ephemeralcontainers"),
        ("Pod", "status"),
        ("Binding", "binding"),
        ("Eviction", "eviction"),
        ("Scale", "scale"),
    ] {
        let mut review = review(kind, of("1.0.0"), of("1.1.0"));
        review["request"]["subResource"] = resource.into();
        assert_eq!(
            read_it(&review).unwrap().about,
            About::Nothing,
            "{resource}"
        );
    }
    let refers = json!({ "spec": { "workloadRef": { "name": "web" } } });
    assert_eq!(about("Rollout", refers, Value::Null), About::Nothing);
    // Templates of what is no pod.
    for object in [
        json!({}),
        json!({ "data": {} }),
        json!({ "spec": { "template": { "metadata": { "labels": { NAME: "web" } }, "spec": { "project": "shop" } } } }),
        json!({ "template": of("1.0.0") }),
    ] {
        assert_eq!(
            about("Other", object.clone(), Value::Null),
            About::Nothing,
            "{object}"
        );
    }
    let mut of_another_group = review("Pod", of("1.0.0"), Value::Null);
    of_another_group["request"]["kind"]["group"] = "metrics.k8s.io".into();
    assert_eq!(read_it(&of_another_group).unwrap().about, About::Nothing);
}

#[test]
fn a_body_that_is_no_review_is_refused_under_its_name() {
    let whole = review("Pod", of("1.0.0"), Value::Null);
    let changed = |path: &str, value: Value| with(whole.clone(), path, value);
    for (wrong, uid) in [
        (json!({}), ""),
        (json!([]), ""),
        (
            json!({ "kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1" }),
            "",
        ),
        (changed("/request/uid", json!("")), ""),
        (changed("/request/uid", json!(7)), ""),
        (
            with(
                whole.clone(),
                "/apiVersion",
                json!("admission.k8s.io/v1beta1"),
            ),
            "705ab4f5-6393-11e8",
        ),
        (
            with(whole.clone(), "/kind", json!("ConversionReview")),
            "705ab4f5-6393-11e8",
        ),
        (
            changed("/request/object", Value::Null),
            "705ab4f5-6393-11e8",
        ),
        (
            changed("/request/object", json!("pod")),
            "705ab4f5-6393-11e8",
        ),
        (changed("/request/kind", json!("Pod")), "705ab4f5-6393-11e8"),
        (
            changed("/request/object/metadata", json!(7)),
            "705ab4f5-6393-11e8",
        ),
        (
            changed("/request/object/spec/containers", json!(7)),
            "705ab4f5-6393-11e8",
        ),
    ] {
        let unreadable = read_it(&wrong).unwrap_err();
        assert_eq!(unreadable.uid, uid, "{wrong}");
        assert!(!unreadable.why.is_empty());
    }
    let dry = changed("/request/dryRun", json!(true));
    assert!(read_it(&dry).unwrap().dry_run);
    assert!(!read_it(&whole).unwrap().dry_run);
}

#[test]
fn of_several_containers_the_service_s_own_is_compared_with_the_label() {
    let two = |one: &str, other: &str| {
        let containers = json!([
            { "name": one, "image": "mesh/proxy:9.1.0" }, { "name": other, "image": "shop/api:1.0.0" },
        ]);
        with(of("1.3.0"), "/spec/containers", containers)
    };
    let found = about("Pod", two("proxy", "web"), Value::Null);
    assert!(unclear(&found).contains("1.3.0 (image 1.0.0)"));
    // Which one it is, is not guessed: the label holds, and whoever sent it is told.
    let review = read_it(&review("Pod", two("proxy", "main"), Value::Null)).unwrap();
    assert!(matches!(review.about, About::Starting(_)));
    assert_eq!(
        review.warnings,
        [
            "phasegate: which of its containers is that of web is not known (proxy, main), so no image was compared with its label"
        ]
    );
}

#[test]
fn pods_are_read_as_the_sources_of_the_project_read_them() {
    let config = config(
        "[fleet]\nsources = [{ kind = \"kubernetes\", namespaces = [\"prod\"], services = { web = { selector = \"app=shop\", version = \"label:release\", container = \"main\" } } }]",
    );
    let pod = |labels: Value| {
        json!({ "metadata": { "name": "a", "labels": labels }, "spec": { "containers": [
            { "name": "main", "image": "shop:1.1.0" }, { "name": "web", "image": "proxy:9.0.0" },
        ] } })
    };
    let asked = |labels: Value, namespace: &str| {
        let mut review = review("Pod", pod(labels), Value::Null);
        review["request"]["namespace"] = namespace.into();
        read(review.to_string().as_bytes(), &config).unwrap().about
    };
    let ours = json!({ "app": "shop", "release": "1.1.0", VERSION: "7.0.0" });
    assert_eq!(asked(ours.clone(), "prod"), starting("1.1.0", "a"));
    // Elsewhere it is of another database.
    assert_eq!(asked(ours, "staging"), About::Nothing);
    let other = json!({ "app": "shop", "release": "1.2.0" });
    assert!(unclear(&asked(other, "prod")).contains("1.2.0 (image 1.1.0)"));
    // By its name it is not what the source looks for; a service that no source looks for is known by it.
    assert_eq!(
        asked(json!({ NAME: "web", VERSION: "1.1.0" }), "prod"),
        About::Nothing
    );
    let worker = json!({ NAME: "worker", VERSION: "1.1.0" });
    let About::Starting(found) = asked(worker.clone(), "prod") else {
        panic!("a worker starts");
    };
    assert_eq!(found[0].service, "worker");
    assert_eq!(asked(worker, "staging"), About::Nothing);
}

#[test]
fn pods_that_a_control_plane_made_are_read() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("tests/suite/kubernetes/recorded/pods-all-kinds.json");
    let list: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut ours = 0;
    for pod in list["items"].as_array().unwrap() {
        let found = about("Pod", pod.clone(), Value::Null);
        let name = pod["metadata"]["name"].as_str().unwrap();
        if pod["metadata"]["labels"][NAME] == "web" {
            assert_eq!(found, starting("1.2.0", name));
            ours += 1;
        } else {
            assert_eq!(found, About::Nothing, "{name}");
        }
        assert_eq!(about("Pod", pod.clone(), pod.clone()), About::Nothing);
    }
    assert_eq!(ours, 4);
}

#[test]
fn an_answer_has_the_name_of_its_question() {
    let warnings = ["a".to_owned()];
    assert_eq!(
        answer("u", None, &warnings),
        json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "response": { "uid": "u", "allowed": true, "warnings": ["a"] } })
    );
    let refusal = Refusal {
        code: 403,
        message: "no".to_owned(),
    };
    assert_eq!(
        answer("u", Some(&refusal), &[])["response"],
        json!({ "uid": "u", "allowed": false, "status": { "code": 403, "message": "no" } })
    );
}

proptest! {
    #[test]
    fn any_body_is_a_review_or_refused(body in "\\PC{0,200}") {
        let _ = read(body.as_bytes(), &Config::default());
    }

    #[test]
    fn whatever_a_pod_says_its_version_is_certain_or_it_is_refused(
        version in "[0-9a-z.]{0,8}", image in "[a-z0-9/:@.]{0,20}",
    ) {
        let found = about("Pod", pod("web", &version, &image), Value::Null);
        prop_assert_ne!(found, About::Nothing);
    }

    /// Anything may stand anywhere in it.
    #[test]
    fn a_review_that_was_spoilt_is_no_yes_to_what_it_was(at in 0_usize..400, with in "\\PC") {
        let whole = review("Pod", pod("web", "1.3.0", "web:1.0.0"), Value::Null).to_string();
        let at = at.min(whole.len() - 1);
        let spoilt = format!("{}{with}{}", &whole[..at], &whole[at + 1..]);
        let _ = read(spoilt.as_bytes(), &config(""));
    }
}
