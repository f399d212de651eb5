//! Rollouts of a workload of a cluster, with a controller that replaces a pod at each look.

use serde_json::{Value, json};

use super::{deployment, nobody, pod};
use crate::support::api_server::{ApiServer, World, recorded};
use crate::support::backend::Db;
use crate::support::http::Answer;
use crate::support::shop::Shop;

const TO_1_2: &[&str] = &["rollout", "--to", "web=1.2.0"];

/// A project whose Deployment is at 1.1.0 and whose schema is ready for 1.2.0.
pub(super) fn shop(server: &ApiServer, driver: &str) -> Shop {
    let shop = Shop::with_fleet(Db::on("sqlite"), super::NONE_NEEDED);
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    let kubeconfig = server.kubeconfig(&nobody());
    let kubeconfig = kubeconfig.display();
    shop.project.file(
        "migrate.toml",
        &format!(
            "[services.web]\nreleases = [\"1.1.0\", \"1.2.0\"]\n[services.worker]\nmin_instances = 0\n\
             [fleet]\nsources = [{{ kind = \"kubernetes\", kubeconfig = \"{kubeconfig}\", context = \"here\", services = {{ web = {{}} }} }}]\n\
             [rollout]\ntimeout = \"20s\"\n\
             driver = {{ kind = \"kubernetes\", kubeconfig = \"{kubeconfig}\", context = \"here\"{driver} }}\n"
        ),
    );
    let mut world = server.world();
    world.add("/apis/apps/v1/deployments", deployment("1.1.0", 2));
    for number in 0..2 {
        world.add(
            "/api/v1/pods",
            pod(
                &format!("old-{number}"),
                "1.1.0",
                "registry.example.com/web:1.1.0",
            ),
        );
    }
    settle(&mut world);
    shop
}

pub(super) fn workload(world: &mut World) -> &mut Value {
    let objects = world.objects.iter_mut();
    let mut workloads = objects.filter(|(path, _)| path == "/apis/apps/v1/deployments");
    &mut workloads.next().expect("one").1
}

pub(super) fn version(world: &mut World) -> String {
    let labels = &workload(world)["spec"]["template"]["metadata"]["labels"];
    labels["app.kubernetes.io/version"]
        .as_str()
        .expect("a text")
        .to_owned()
}

/// What a controller does in the end: every pod is of the template.
pub(super) fn settle(world: &mut World) {
    let version = version(world);
    let image = workload(world)["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    let image = image.as_str().expect("a text").to_owned();
    let generation = workload(world)["metadata"]["generation"].clone();
    workload(world)["status"] = json!({
        "observedGeneration": generation, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2, "availableReplicas": 2,
        "terminatingReplicas": 0,
    });
    world.objects.retain(|(path, _)| path != "/api/v1/pods");
    for number in 0..2 {
        world.add(
            "/api/v1/pods",
            pod(&format!("{version}-{number}"), &version, &image),
        );
    }
}

/// The new pods do not come: their image is not there.
fn hang(world: &mut World) {
    let version = version(world);
    let generation = workload(world)["metadata"]["generation"].clone();
    workload(world)["spec"]["selector"] =
        json!({ "matchLabels": { "app.kubernetes.io/name": "web" } });
    workload(world)["status"] = json!({
        "observedGeneration": generation, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 2, "availableReplicas": 2,
        "conditions": [{ "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "timed out" }],
    });
    let mut new = pod(
        "new-0",
        &version,
        &format!("registry.example.com/web:{version}"),
    );
    new["status"] = json!({ "phase": "Pending", "containerStatuses": [
        { "name": "web", "ready": false, "state": { "waiting": { "reason": "ErrImagePull", "message": "no such image" } } },
    ] });
    world.add("/api/v1/pods", new);
}

#[test]
fn image_and_label_are_changed_together_and_the_controller_is_followed() {
    let server = ApiServer::start(None);
    let shop = shop(&server, "");
    server.world().on_change = Some(settle);
    let done = shop.run(TO_1_2, 0);
    assert!(
        done.stderr
            .contains("deployment/web is to run registry.example.com/web:1.2.0 as 1.2.0"),
        "{done:?}"
    );
    assert_eq!(version(&mut server.world()), "1.2.0");
    assert_eq!(shop.phase(1), "contracted");
    let asked = server.world().asked.clone();
    let patches = asked.iter().filter(|one| one.starts_with("PATCH"));
    assert_eq!(patches.count(), 1, "{asked:?}");
}

#[test]
fn what_hinders_a_rollout_is_told_and_both_versions_go_on() {
    let server = ApiServer::start(None);
    let shop = shop(&server, "");
    server.world().on_change = Some(hang);
    let failed = shop.run(TO_1_2, 1);
    for part in [
        "ProgressDeadlineExceeded",
        "new-0: web: ErrImagePull: no such image",
        "migrate rollout abort",
    ] {
        assert!(failed.stderr.contains(part), "{part} in {failed:?}");
    }
    assert_eq!(shop.phase(1), "backfilled");
    // Back, by the same driver.
    server.world().on_change = Some(settle);
    shop.run(&["rollout", "abort", "--roll-back", "web=1.1.0"], 0);
    assert_eq!(version(&mut server.world()), "1.1.0");
    // Mended, and once more.
    shop.run(TO_1_2, 0);
    assert_eq!(shop.phase(1), "contracted");
}

#[test]
fn a_template_of_another_version_is_something_to_do() {
    let server = ApiServer::start(None);
    let shop = shop(&server, "");
    server.world().on_change = Some(settle);
    shop.run(TO_1_2, 0);
    // `kubectl rollout undo`: the door refuses 1.1.0, and the Deployment wants it for ever.
    {
        let mut world = server.world();
        let template = &mut workload(&mut world)["spec"]["template"];
        template["metadata"]["labels"]["app.kubernetes.io/version"] = json!("1.1.0");
        template["spec"]["containers"][0]["image"] = json!("registry.example.com/web:1.1.0");
    }
    let fleet = shop.run(&["fleet"], 0);
    assert!(fleet.stdout.contains("deployment/web"), "{fleet:?}");
    let done = shop.run(TO_1_2, 0);
    assert!(!done.stdout.contains("nothing to do"), "{done:?}");
    assert_eq!(version(&mut server.world()), "1.2.0");
}

#[test]
fn fields_of_others_are_taken_over_only_if_told() {
    let server = ApiServer::start(None);
    let shop = shop(&server, "");
    server.world().refuse(
        "PATCH /deployments/web",
        Answer::json(409, &recorded("409-ssa-conflict")),
    );
    let failed = shop.run(TO_1_2, 1);
    for part in [
        "conflicts with \"kubectl-set\"",
        ".spec.template.spec.containers",
        "`force = true`",
    ] {
        assert!(failed.stderr.contains(part), "{part} in {failed:?}");
    }
    assert_eq!(shop.phase(1), "backfilled");
    server.world().refusals.clear();
    server.world().on_change = Some(settle);
    let config = shop.project.path().join("migrate.toml");
    let text = std::fs::read_to_string(&config).expect("a file");
    let forced = text.replace(
        "driver = { kind = \"kubernetes\",",
        "driver = { kind = \"kubernetes\", force = true,",
    );
    shop.project.file("migrate.toml", &forced);
    shop.run(&["rollout", "resume"], 0);
    let asked = server.world().asked.join("\n");
    assert!(asked.contains("PATCH /apis/apps/v1/namespaces/default/deployments/web fieldManager=phasegate force=true"), "{asked}");
}

#[test]
fn a_driver_that_makes_no_sense_is_refused() {
    let server = ApiServer::start(None);
    let shop = shop(&server, "");
    for (driver, said) in [
        ("workload = \"pod/web\"", "`pod/web` is no workload"),
        (
            "image = \"web:latest\"",
            "would be the same for each version",
        ),
        ("worklaod = \"x\"", "did you mean `workload`?"),
        ("steps = [10, 100]", "say `force = true` as well"),
        (
            "force = true, steps = [10, 60, 100]",
            "60 % would take more new pods",
        ),
        ("force = true, steps = [50]", "end with 100"),
        (
            "workload = \"statefulset/web\", force = true, steps = [10, 100]",
            "a StatefulSet is not rolled in `steps`",
        ),
    ] {
        shop.project.file(
            "migrate.toml",
            &format!("[services.web]\n[services.worker]\n[rollout]\ndriver = {{ kind = \"kubernetes\", {driver} }}\n"),
        );
        let refused = shop.run(&["check"], 1);
        let text = format!("{}{}", refused.stdout, refused.stderr);
        assert!(text.contains(said), "{said} in {refused:?}");
    }
}

const ROLLOUTS: &str = "/apis/argoproj.io/v1alpha1/rollouts";

fn canary(world: &mut World) -> &mut Value {
    let mut objects = world.objects.iter_mut();
    let found = objects.find(|(path, _)| path == ROLLOUTS);
    &mut found.expect("one").1
}

/// What a controller of Argo Rollouts does: it goes through the steps, and waits where one is a pause without an end.
fn goes_on(world: &mut World) {
    let rollout = canary(world);
    let steps = rollout["spec"]["strategy"]["canary"]["steps"].clone();
    let status = &rollout["status"];
    let is_new = status["currentPodHash"] != "new"
        && rollout["spec"]["template"]["spec"]["containers"][0]["image"]
            .as_str()
            .is_some_and(|image| image.ends_with(":1.2.0"));
    let at = status["currentStepIndex"].as_u64().unwrap_or(0);
    let at = match status["pauseConditions"].is_null() {
        _ if is_new => 0,
        true => at + 1,
        false => at,
    };
    let mut index = usize::try_from(at).expect("small");
    while steps[index]["setWeight"].is_number() || steps[index]["pause"]["duration"] == "0s" {
        index += 1;
    }
    let is_over = steps[index].is_null();
    let updated = if is_over { 2 } else { 1 };
    let conditions = match is_over {
        true => Value::Null,
        false => json!([{ "reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z" }]),
    };
    rollout["status"] = json!({
        "observedGeneration": rollout["metadata"]["generation"].to_string(), "replicas": 2, "updatedReplicas": updated, "availableReplicas": 2,
        "phase": if is_over { "Healthy" } else { "Paused" }, "message": "CanaryPauseStep",
        "currentStepIndex": index, "currentPodHash": "new", "pauseConditions": conditions,
    });
    if is_over {
        world.objects.retain(|(path, _)| path != "/api/v1/pods");
        for name in ["new-0", "new-1"] {
            let new = pod(name, "1.2.0", "registry.example.com/web:1.2.0");
            world.add("/api/v1/pods", new);
        }
    }
}

fn promotions(world: &World) -> usize {
    let asked = world.asked.iter();
    asked
        .filter(|one| one.starts_with("PATCH") && one.contains("/rollouts/web/status"))
        .count()
}

#[test]
fn a_canary_goes_on_once_each_pause_was_watched() {
    let server = ApiServer::start(None);
    let shop = shop(&server, ", workload = \"rollout/web\", promote = true");
    let config = shop.project.path().join("migrate.toml");
    let text = std::fs::read_to_string(&config).expect("a file");
    let check = "[[rollout.check]]\nname = \"errors\"\nkind = \"command\"\nrun = [\"sh\", \"errors.sh\"]\nmax = 0.05\n";
    shop.project.file("migrate.toml", &format!("{text}{check}"));
    shop.project.file(
        "errors.sh",
        "echo \"$PHASEGATE_STEP\" >>asked\ncat errors\n",
    );
    shop.project.file("errors", "0.9\n");
    {
        let mut world = server.world();
        world
            .objects
            .retain(|(path, _)| path != "/apis/apps/v1/deployments");
        let mut rollout = deployment("1.1.0", 2);
        rollout["metadata"]["labels"] = json!({ "app.kubernetes.io/version": "1.1.0" });
        rollout["metadata"]["resourceVersion"] = json!("7");
        rollout["spec"]["strategy"] = json!({ "canary": { "steps": [
            { "setWeight": 10 }, { "pause": {} }, { "setWeight": 30 }, { "pause": { "duration": "0s" } }, { "setWeight": 60 }, { "pause": {} },
        ] } });
        world.add(ROLLOUTS, rollout);
        world.on_change = Some(goes_on);
    }
    // Nobody tells it to go on past a figure that is wrong.
    let stopped = shop.run(TO_1_2, 11);
    assert!(
        stopped.stdout.contains("at 10 %: errors 0.9"),
        "{stopped:?}"
    );
    assert_eq!(promotions(&server.world()), 0);
    shop.project.file("errors", "0.01\n");
    let done = shop.run(&["rollout", "resume"], 0);
    assert_eq!(promotions(&server.world()), 2, "{done:?}");
    let asked = std::fs::read_to_string(shop.project.path().join("asked")).expect("it was asked");
    let asked: Vec<&str> = asked.lines().collect();
    assert_eq!(asked, ["0", "10", "0", "10", "60", "100"]);
    let label = canary(&mut server.world())["metadata"]["labels"].clone();
    assert_eq!(label["app.kubernetes.io/version"], "1.2.0");
    assert_eq!(shop.phase(1), "contracted");
}

#[test]
fn what_a_webhook_denies_is_no_missing_right() {
    let server = ApiServer::start(None);
    let shop = shop(&server, "");
    for (code, said) in [
        (
            403,
            "admission webhook \"gate.example.com\" denied the request: phasegate: web 1.2.0 may not start now (refuse)",
        ),
        (
            409,
            "admission webhook \"gate.example.com\" denied the request: phasegate: web 1.2.0 may not start now (hold)",
        ),
        (
            422,
            "deployments.apps \"web\" is forbidden: ValidatingAdmissionPolicy 'no' with binding 'no' denied request: not on Fridays",
        ),
    ] {
        let status =
            json!({ "kind": "Status", "message": said, "reason": "Forbidden", "code": code });
        server.world().refusals.clear();
        server
            .world()
            .refuse("PATCH /deployments/web", Answer::json(code, &status));
        let failed = shop.run(&["rollout", "--to", "web=1.2.0"], 1);
        let words = failed.stderr.replace('│', " ");
        let words: Vec<&str> = words.split_whitespace().collect();
        let words = words.join(" ");
        assert!(
            words.contains(said) && words.contains("no right is missing"),
            "{failed:?}"
        );
        assert!(
            !failed.stderr.contains("create role") && !failed.stderr.contains("force = true"),
            "{failed:?}"
        );
        shop.run(&["rollout", "abort"], 0);
    }
}
