//! What a policy answers beside the webhook, for each way in which something is started or changed: its expressions are evaluated as
//! an API server does.

use std::collections::HashMap;
use std::sync::Arc;

use cel::{Context, Env};
use proptest::prelude::*;

use super::*;
use crate::gate::Stretch;
use crate::model::{Live, Version};
use crate::project::Project;
use crate::serve::review::{self, About, Starting};

const NAME: &str = "app.kubernetes.io/name";
const VERSION: &str = "app.kubernetes.io/version";

fn config(fleet: &str) -> Config {
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "{fleet}\n[services.web]\naliases = {{ \"blue\" = \"1.2.0\", \"red\" = \"1.0.0\" }}\n[services.worker]\n[services.\"2d-maps\"]\n"
    );
    std::fs::write(directory.path().join("migrate.toml"), text).unwrap();
    let project = Project::load_as_far_as_possible(directory.path(), None);
    assert!(project.flaws.settings.is_empty());
    project.config
}

/// Of web from 1.1.0 on and before 2.0.0, and one of what comes then; of worker any.
fn listed() -> Startable {
    let stretch = |from: &str, before: Option<&str>| Stretch {
        from: from.parse().unwrap(),
        before: before.map(|before| before.parse().unwrap()),
        reasons: Vec::new(),
    };
    Startable {
        releases: [
            (
                "web".to_owned(),
                vec![
                    stretch("1.1.0", Some("2.0.0")),
                    stretch("3.4.5", Some("3.4.7")),
                ],
            ),
            ("worker".to_owned(), vec![stretch("0.0.0", None)]),
        ]
        .into(),
        exact: [(
            "web".to_owned(),
            vec!["2.0.0-rc.1".parse::<Version>().unwrap()],
        )]
        .into(),
        left_out: Vec::new(),
    }
}

fn settings(namespaces: &[String]) -> PolicySettings<'_> {
    PolicySettings {
        name: "phasegate",
        namespaces,
        taken_at: "2026-01-05T10:00:00Z",
    }
}

/// A policy whose expressions can be evaluated.
struct Judge {
    env: Arc<Env>,
    variables: Vec<(String, cel::Program)>,
    validations: Vec<(cel::Program, cel::Program)>,
    config: Config,
}

impl Judge {
    fn of(config: Config) -> Self {
        let namespaces = ["prod".to_owned()];
        let [policy, _] = policy(&config, &listed(), settings(&namespaces)).unwrap();
        let mut env = Env::stdlib();
        env.add_extension(cel::extensions::strings).unwrap();
        let compiled = |value: &Value| {
            let text = value.as_str().unwrap();
            env.compile(text)
                .unwrap_or_else(|error| panic!("{text}: {error}"))
        };
        let each = |path: &str| {
            policy
                .pointer(path)
                .and_then(Value::as_array)
                .unwrap()
                .clone()
        };
        let variables = each("/spec/variables");
        let variables = variables.iter().map(|variable| {
            let name = variable["name"].as_str().unwrap().to_owned();
            (name, compiled(&variable["expression"]))
        });
        let variables = variables.collect();
        let validations = each("/spec/validations");
        let validations = validations.iter().map(|validation| {
            let holds = compiled(&validation["expression"]);
            (holds, compiled(&validation["messageExpression"]))
        });
        let validations = validations.collect();
        Self {
            env: Arc::new(env),
            variables,
            validations,
            config,
        }
    }

    /// What the API server says to it.
    fn says(&self, review: &Value) -> Result<(), String> {
        let request = &review["request"];
        let mut context = Context::with_env(Arc::clone(&self.env));
        for name in ["object", "oldObject"] {
            context.add_variable_from_value(name, value(&request[name]));
        }
        context.add_variable_from_value("request", value(request));
        let mut known: HashMap<String, cel::Value> = HashMap::new();
        context.add_variable_from_value("variables", known.clone());
        for (name, program) in &self.variables {
            // What is not asked for is not evaluated there, so only what is asked for may fail.
            if let Ok(found) = program.execute(&context) {
                known.insert(name.clone(), found);
                context.add_variable_from_value("variables", known.clone());
            }
        }
        for (holds, why) in &self.validations {
            match holds.execute(&context) {
                Ok(cel::Value::Bool(true)) => {}
                Ok(cel::Value::Bool(false)) => {
                    return Err(match why.execute(&context).unwrap() {
                        cel::Value::String(why) => why.to_string(),
                        other => panic!("{other:?} is no text"),
                    });
                }
                other => return Err(format!("failed: {other:?}")),
            }
        }
        Ok(())
    }

    /// Whether it may be by the list, as the webhook reads it.
    fn expected(&self, review: &Value) -> bool {
        let read = review::read(review.to_string().as_bytes(), &self.config).unwrap();
        let is_listed = |starting: &Starting| {
            let Starting { service, label, .. } = starting;
            let version = self.config.place(service, label).version.unwrap();
            let service = service.clone();
            listed().takes(&Live { service, version })
        };
        match read.about {
            About::Nothing => true,
            About::Unclear { .. } => false,
            About::Starting(all) => all.iter().all(is_listed),
        }
    }

    /// Both say the same, and it is this.
    fn agree(&self, review: &Value, may: bool) {
        let says = self.says(review);
        assert_eq!(says.is_ok(), may, "{says:?} to {review:#}");
        assert_eq!(self.expected(review), may, "{review:#}");
    }
}

fn value(json: &Value) -> cel::Value {
    match json {
        Value::Null => cel::Value::Null,
        Value::Bool(is) => cel::Value::Bool(*is),
        Value::Number(number) => cel::Value::Int(number.as_i64().unwrap()),
        Value::String(text) => text.as_str().into(),
        Value::Array(all) => all.iter().map(value).collect::<Vec<_>>().into(),
        Value::Object(all) => {
            let all = all.iter().map(|(key, one)| (key.clone(), value(one)));
            all.collect::<HashMap<String, cel::Value>>().into()
        }
    }
}

fn pod(service: &str, version: &str, image: &str) -> Value {
    json!({
        "metadata": { "name": "web-1", "labels": { NAME: service, VERSION: version } },
        "spec": { "containers": [{ "name": "web", "image": image }] },
    })
}

fn of(version: &str) -> Value {
    pod("web", version, &format!("web:{version}"))
}

fn deployment(template: Value) -> Value {
    json!({ "metadata": { "name": "shop" }, "spec": { "replicas": 3, "template": template } })
}

fn review(kind: &str, object: Value, old: Value) -> Value {
    let operation = if old.is_null() { "CREATE" } else { "UPDATE" };
    json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
        "uid": "705ab4f5", "kind": { "group": "", "version": "v1", "kind": kind },
        "name": "shop", "namespace": "prod", "operation": operation, "object": object, "oldObject": old,
    } })
}

fn with(mut object: Value, path: &str, value: Value) -> Value {
    let (parent, key) = path.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key] = value;
    object
}

#[test]
fn each_version_by_label_and_image() {
    let judge = Judge::of(config(""));
    for (version, image, may) in [
        ("1.1.0", "shop/web:1.1.0", true),
        ("1.0.9", "shop/web:1.0.9", false),
        ("1.1", "registry:5000/web:v1.1.0@sha256:00", true),
        ("", "registry:5000/web:v1.10.2", true),
        ("", "registry:5000/web:1.0.0", false),
        ("v1.9.9", "web:latest", true),
        ("1.9.9", "web:20260105-a1b2c3d", true),
        ("1.9.9", "web:2026-01-05", true),
        // What begins like a version is a build of that one.
        ("1.9.9", "web:1.0.0_build5", false),
        ("1.9.9", "web:v1.0.0.Final", false),
        ("1.9.9", "web:1.0.0rc1", false),
        ("1.9.9", "web:1.0.0.4", false),
        ("1.9.9", "web:1.9.91_4", false),
        ("1.9", "web:1.9.5_4", false),
        ("1.9.9", "web:1.9.9_build5", true),
        ("1.9.9", "web:v1.9.9.Final", true),
        ("v1.9.9", "web:1.9.9.4", true),
        ("1.9.9", "web:build-1.0.0", true),
        ("1.9.9", "web:1.9.9-3-gabc1234", false),
        ("1.9.9-3-gabc1234", "web:1.9.9-3-gabc1234", false),
        ("1.9.9-dirty", "web", false),
        ("1.9.9", "web:1.9.9-rc.1", false),
        ("2.0.0", "web:2.0.0", false),
        ("2.0.0-rc.1", "web:2.0.0-rc.1", true),
        ("2.0.0-rc.1", "web:v2.0.0-rc.1", true),
        ("2.0.0-rc.2", "web:2.0.0-rc.2", false),
        ("1.2.0-rc.1", "web", false),
        ("3.4.6", "web", true),
        ("3.4.7", "web", false),
        ("blue", "web:1.2.0", true),
        ("1.2.0", "web:blue", true),
        ("blue", "web:blue", true),
        ("red", "web", false),
        ("1.2.0", "web:red", false),
        ("blue", "web:1.3.0", false),
        ("1.3.0", "web:1.0.0", false),
        ("main", "web:1.1.0", false),
        ("main", "web:main", false),
        ("", "web", false),
        ("", "web@sha256:00", false),
        ("1234567", "web", false),
    ] {
        judge.agree(&review("Pod", pod("web", version, image), Value::Null), may);
    }
    let other = review("Pod", pod("nginx", "1.0.0", "nginx:1.0.0"), Value::Null);
    judge.agree(&other, true);
    judge.agree(
        &review("Pod", pod("worker", "0.1.0", "w"), Value::Null),
        true,
    );
    // Of this one nothing is listed.
    judge.agree(
        &review("Pod", pod("2d-maps", "1.0.0", "m"), Value::Null),
        false,
    );
}

#[test]
fn a_refusal_says_why_and_what_to_do() {
    let judge = Judge::of(config(""));
    let refused = |version: &str, image: &str| {
        let review = review("Pod", pod("web", version, image), Value::Null);
        judge.says(&review).unwrap_err()
    };
    assert_eq!(
        refused("1.0.0", "web:1.0.0"),
        "phasegate: web 1.0.0 may not start by the list of 2026-01-05T10:00:00Z; these may: ≥ 1.1.0, < 2.0.0; ≥ 3.4.5, < 3.4.7; \
         2.0.0-rc.1; next: ask `migrate gate deploy web=1.0.0`; if it may, renew the list: `migrate kubernetes policy`"
    );
    assert_eq!(
        refused("1.3.0", "web:1.0.0"),
        "phasegate: which version it would start is not certain: web: its label and its image name two versions: 1.3.0 (image 1.0.0); \
         next: change the label and the image together: `kubectl set image` changes the image alone"
    );
    assert!(refused("", "web").contains("nothing names its version"));
}

#[test]
fn each_way_in_which_something_changes() {
    let judge = Judge::of(config(""));
    for kind in ["Deployment", "StatefulSet", "DaemonSet", "Rollout", "Job"] {
        let old = deployment(of("1.0.0"));
        judge.agree(&review(kind, old.clone(), Value::Null), false);
        judge.agree(&review(kind, deployment(of("1.2.0")), old.clone()), true);
        judge.agree(&review(kind, old.clone(), deployment(of("1.2.0"))), false);
        // What may not start any more is scaled, labelled, restarted or applied again.
        for (path, value) in [
            ("/spec/replicas", json!(30)),
            ("/metadata/labels", json!({ "team": "shop" })),
            (
                "/spec/template/metadata/annotations",
                json!({ "restartedAt": "now" }),
            ),
        ] {
            judge.agree(
                &review(kind, with(old.clone(), path, value), old.clone()),
                true,
            );
        }
        // The image alone, as by `kubectl set image`.
        let image = json!([{ "name": "web", "image": "web:1.3.0" }]);
        let new = deployment(of("1.2.0"));
        let set = with(new.clone(), "/spec/template/spec/containers", image);
        judge.agree(&review(kind, set, new), false);
        // It begins to make pods.
        let none = with(old.clone(), "/spec/replicas", json!(0));
        judge.agree(&review(kind, none.clone(), Value::Null), true);
        judge.agree(&review(kind, old.clone(), none), false);
        let suspended = with(old.clone(), "/spec/suspend", json!(true));
        judge.agree(&review(kind, suspended.clone(), Value::Null), true);
        judge.agree(&review(kind, old.clone(), suspended), false);
        let paused = with(old.clone(), "/spec/paused", json!(true));
        judge.agree(&review(kind, old.clone(), paused.clone()), false);
        judge.agree(&review(kind, paused.clone(), old.clone()), true);
        judge.agree(&review(kind, paused.clone(), paused), true);
        // It is on its way out.
        let going = with(
            old,
            "/metadata/deletionTimestamp",
            json!("2026-01-05T10:00:00Z"),
        );
        judge.agree(&review(kind, going, deployment(of("1.2.0"))), true);
    }
    let cron = |version: &str| json!({ "metadata": { "name": "shop" }, "spec": { "jobTemplate": { "spec": { "template": of(version) } } } });
    judge.agree(&review("CronJob", cron("1.0.0"), cron("1.1.0")), false);
    judge.agree(&review("CronJob", cron("1.0.0"), cron("1.0.0")), true);
    let refers = json!({ "metadata": {}, "spec": { "workloadRef": { "name": "web" } } });
    judge.agree(&review("Rollout", refers, Value::Null), true);
    // A pod that becomes ours by its label, which may run for long.
    judge.agree(
        &review("Pod", of("1.0.0"), pod("nginx", "1.0.0", "web:1.0.0")),
        false,
    );
    judge.agree(&review("Pod", of("1.0.0"), of("1.0.0")), true);
}

#[test]
fn of_several_containers_the_service_s_own_is_compared_with_the_label() {
    let judge = Judge::of(config(""));
    let containers = |all: &[(&str, &str)]| {
        let all = all
            .iter()
            .map(|(name, image)| json!({ "name": name, "image": image }));
        with(
            of("1.3.0"),
            "/spec/containers",
            json!(all.collect::<Vec<_>>()),
        )
    };
    let proxy = ("proxy", "mesh/proxy:9.1.0");
    for (own, may) in [
        (("web", "shop/api:1.0.0"), false),
        (("web", "shop/api:1.3.0"), true),
        // By its image, where its name says nothing.
        (("main", "shop/web:1.0.0"), false),
        (("main", "shop/web:1.3.0"), true),
        (("main", "shop/api:1.0.0"), true),
    ] {
        judge.agree(&review("Pod", containers(&[proxy, own]), Value::Null), may);
    }
    let named = with(
        containers(&[proxy, ("main", "shop/api:1.0.0")]),
        "/metadata/annotations",
        json!({ "kubectl.kubernetes.io/default-container": "main" }),
    );
    judge.agree(&review("Pod", named, Value::Null), false);
}

#[test]
fn pods_are_read_as_the_sources_of_the_project_read_them() {
    let judge = Judge::of(config(
        "[fleet]\nsources = [{ kind = \"kubernetes\", namespaces = [\"prod\"], services = { web = { selector = \"app=shop,!canary,tier in (a, b),zone!=z\", version = \"annotation:release\", container = \"main\" } } }]",
    ));
    let pod = |labels: Value, release: &str| {
        json!({ "metadata": { "name": "a", "labels": labels, "annotations": { "release": release } }, "spec": { "containers": [
            { "name": "main", "image": "shop:1.1.0" }, { "name": "web", "image": "proxy:9.0.0" },
        ] } })
    };
    let ours = json!({ "app": "shop", "tier": "a", VERSION: "7.0.0" });
    let asked = |labels: &Value, release: &str, namespace: &str| {
        let mut review = review("Pod", pod(labels.clone(), release), Value::Null);
        review["request"]["namespace"] = namespace.into();
        review
    };
    judge.agree(&asked(&ours, " v1.1.0 ", "prod"), true);
    // Whether it is a build after the tag, no expression reads.
    assert!(judge.says(&asked(&ours, "1.1.0+b7", "prod")).is_err());
    judge.agree(&asked(&ours, "1.1.0+", "prod"), false);
    judge.agree(&asked(&ours, "1.2.0", "prod"), false);
    judge.agree(&asked(&ours, "1.2.0", "staging"), true);
    for (key, value) in [
        ("canary", "yes"),
        ("tier", "c"),
        ("zone", "z"),
        ("app", "other"),
    ] {
        let mut other = ours.clone();
        other[key] = value.into();
        judge.agree(&asked(&other, "1.2.0", "prod"), true);
    }
    // One that no source looks for is known by its name, in the same namespaces.
    let maps = json!({ NAME: "2d-maps", VERSION: "1.1.0" });
    judge.agree(&asked(&maps, "1.1.0", "prod"), false);
    judge.agree(&asked(&maps, "1.1.0", "staging"), true);
}

#[test]
fn what_a_control_plane_made_is_read() {
    let judge = Judge::of(config(""));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = path.join("tests/suite/kubernetes/recorded/pods-all-kinds.json");
    let list: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    for pod in list["items"].as_array().unwrap() {
        judge.agree(&review("Pod", pod.clone(), Value::Null), true);
        if pod["metadata"]["labels"][NAME] == "web" {
            let mut other = pod.clone();
            other["metadata"]["labels"][VERSION] = "1.0.0".into();
            judge.agree(&review("Pod", other, pod.clone()), false);
        }
    }
}

#[test]
fn what_no_policy_can_say_is_told() {
    let namespaces = ["shop".to_owned()];
    let of = |text: &str, namespaces: &[String]| {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("migrate.toml"), text).unwrap();
        let config = Project::load_as_far_as_possible(directory.path(), None).config;
        policy(&config, &listed(), settings(namespaces))
            .map(|[_, binding]| binding["spec"]["matchResources"].clone())
    };
    let patterns = "[services.web]\nlabels = [\"build-{1}\"]\n";
    let service = "web".to_owned();
    assert_eq!(
        of(patterns, &namespaces),
        Err(PolicyError::Patterns { service })
    );
    assert_eq!(of("[services.web]\n", &[]), Err(PolicyError::NoNamespace));
    let source = |namespaces: &str| {
        format!(
            "[services.web]\n[fleet]\nsources = [{{ kind = \"kubernetes\", namespaces = {namespaces} }}]\n"
        )
    };
    let chosen = of(&source("[\"b\", \"a\"]"), &[]).unwrap();
    let values = &chosen["namespaceSelector"]["matchExpressions"][0]["values"];
    assert_eq!(*values, json!(["a", "b"]));
    assert_eq!(of(&source("[\"*\"]"), &[]), Ok(json!({})));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever a pod says, the policy lets nothing in that the webhook would not, and what both can read they read alike.
    #[test]
    fn whatever_a_pod_says_both_answer_alike(
        label in "(|main|blue|red|[vV]?[0-3]([.]0?[0-9]){0,3}(-rc[.]1|-1-gabcd)?|[0-9]{6,8})",
        tag in "(|:latest|:blue|:red|:[vV]?[0-3]([.]0?[0-9]){0,3}(-rc[.]1|-1-gabcd)?|:[0-9]{6,8})",
        digest in "(|@sha256:00)", registry in "(|shop/|registry:5000/)",
    ) {
        thread_local! {
            static JUDGE: Judge = Judge::of(config(""));
        }
        let image = format!("{registry}web{tag}{digest}");
        let review = review("Pod", pod("web", &label, &image), Value::Null);
        JUDGE.with(|judge| {
            let (says, expected) = (judge.says(&review), judge.expected(&review));
            // A pre-release goes by its name: the policy knows it in full (2.0.0-rc.1) alone, and the webhook as 2.0-rc.1 too.
            let is_stricter = expected && (label.contains('-') || tag.contains('-'));
            prop_assert!(says.is_ok() == expected || is_stricter, "{:?} to {} {}", says, label, image);
            Ok(())
        })?;
    }
}
