//! A Deployment that is held at a part of its pods, with a controller that does what one of 1.36 was seen to do with it.

use serde_json::{Value, json};

use super::driver::{settle, shop, version, workload};
use super::pod;
use crate::support::api_server::{ApiServer, World};
use crate::support::project::Output;
use crate::support::shop::Shop;

const TO_1_2: &[&str] = &["rollout", "--to", "web=1.2.0"];
const BACK: &[&str] = &["rollout", "abort", "--roll-back", "web=1.1.0"];
const STEPS: &str = ", force = true, steps = [10, 50, 100]";
/// What is asked between the steps.
const CHECK: &str =
    "[[rollout.check]]\nname = \"smoke\"\nkind = \"command\"\nrun = [\"test\", \"-e\", \"well\"]\n";
/// What the stand-in says among what it was asked, where pods that serve were made to count as unavailable.
const TRAP: &str = "TRAP: pods that were there have to wait to be available";

fn is_held(world: &mut World) -> bool {
    let wait = &workload(world)["spec"]["minReadySeconds"];
    wait.as_i64().is_some_and(|seconds| seconds > 1000)
}

fn pods_of(world: &World, version: &str) -> usize {
    let pods = world
        .objects
        .iter()
        .filter(|(path, _)| path == "/api/v1/pods");
    let labels = pods.map(|(_, pod)| &pod["metadata"]["labels"]["app.kubernetes.io/version"]);
    labels.filter(|label| *label == version).count()
}

/// Pods that never count as available take nobody's place: as many are made as there may be beside the others, and no more happens.
/// `minReadySeconds` is that of the template, so where it is the template of those that are there, none of them is available any more.
fn controller(world: &mut World) {
    if !is_held(world) {
        return settle(world);
    }
    let version = version(world);
    let surge = workload(world)["spec"]["strategy"]["rollingUpdate"]["maxSurge"].as_i64();
    let surge = usize::try_from(surge.expect("a number")).expect("a number");
    let mut new = pods_of(world, &version);
    let is_of_those_there = version == "1.1.0";
    if is_of_those_there {
        world.asked.push(TRAP.to_owned());
    } else {
        let image = format!("registry.example.com/web:{version}");
        for number in new..surge {
            world.add(
                "/api/v1/pods",
                pod(&format!("new-{number}"), &version, &image),
            );
        }
        new = pods_of(world, &version);
    }
    let generation = workload(world)["metadata"]["generation"].clone();
    let all = 2 + if is_of_those_there { 0 } else { new };
    workload(world)["status"] = json!({
        "observedGeneration": generation, "replicas": all, "updatedReplicas": new, "readyReplicas": all,
        "availableReplicas": if is_of_those_there { 0 } else { 2 },
    });
}

/// As the shop's Deployment is before and after.
fn strategy() -> Value {
    json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } })
}

fn start(server: &ApiServer, check: &str) -> Shop {
    let shop = shop(server, STEPS);
    let path = shop.project.path().join("migrate.toml");
    let text = std::fs::read_to_string(path).expect("a file");
    shop.project.file("migrate.toml", &format!("{text}{check}"));
    let mut world = server.world();
    world.on_change = Some(controller);
    let spec = &mut workload(&mut world)["spec"];
    spec["strategy"] = strategy();
    spec["progressDeadlineSeconds"] = json!(600);
    shop
}

#[track_caller]
fn is_as_before(server: &ApiServer) {
    let mut world = server.world();
    let deployment = workload(&mut world);
    let spec = &deployment["spec"];
    assert_eq!(spec["strategy"], strategy());
    assert_eq!(spec["progressDeadlineSeconds"], 600);
    assert_eq!(spec.get("minReadySeconds"), None, "{spec}");
    assert_eq!(deployment["metadata"]["annotations"], json!({}));
}

#[track_caller]
fn tells(output: &Output, parts: &[&str]) {
    let said = format!("{}{}", output.stdout, output.stderr);
    for part in parts {
        assert!(said.contains(part), "{part} in {output:?}");
    }
}

fn patches(server: &ApiServer) -> usize {
    let world = server.world();
    let asked = world.asked.iter();
    assert!(
        !world.asked.iter().any(|one| one == TRAP),
        "{:?}",
        world.asked
    );
    asked.filter(|one| one.starts_with("PATCH")).count()
}

#[test]
fn a_deployment_is_rolled_in_exact_steps_and_is_then_as_it_was() {
    let server = ApiServer::start(None);
    let shop = start(&server, "");
    let done = shop.run(TO_1_2, 0);
    tells(
        &done,
        &[
            "as 1.2.0, 1 new beside 2 others",
            "as 1.2.0, 2 new beside 2 others",
        ],
    );
    assert_eq!(version(&mut server.world()), "1.2.0");
    assert_eq!(shop.phase(1), "contracted");
    assert_eq!(patches(&server), 3);
    is_as_before(&server);
}

#[test]
fn what_is_stopped_at_a_part_stays_there_and_goes_back_in_one_change() {
    let server = ApiServer::start(None);
    let shop = start(&server, CHECK);
    let stopped = shop.run(TO_1_2, 11);
    tells(&stopped, &["smoke", "migrate rollout abort"]);
    {
        let mut world = server.world();
        assert!(is_held(&mut world));
        assert_eq!((pods_of(&world, "1.1.0"), pods_of(&world, "1.2.0")), (2, 1));
    }
    assert_eq!(shop.phase(1), "backfilled");
    shop.run(BACK, 0);
    assert_eq!(version(&mut server.world()), "1.1.0");
    assert_eq!(patches(&server), 2);
    is_as_before(&server);
}

#[test]
fn a_template_that_was_taken_back_by_hand_is_not_left_waiting() {
    let server = ApiServer::start(None);
    let shop = start(&server, CHECK);
    shop.run(TO_1_2, 11);
    {
        // `kubectl rollout undo`: what makes pods wait is not of the template, and so stays.
        let mut world = server.world();
        let template = &mut workload(&mut world)["spec"]["template"];
        template["metadata"]["labels"]["app.kubernetes.io/version"] = json!("1.1.0");
        template["spec"]["containers"][0]["image"] = json!("registry.example.com/web:1.1.0");
        world.objects.retain(|(_, object)| {
            object["metadata"]["labels"]["app.kubernetes.io/version"] != "1.2.0"
        });
        controller(&mut world);
        assert_eq!(world.asked.pop().as_deref(), Some(TRAP));
        assert_eq!(workload(&mut world)["status"]["availableReplicas"], 0);
    }
    // The fleet shows 1.1.0 alone, and that is not all there is to do. On the way back nothing is watched.
    shop.run(BACK, 0);
    is_as_before(&server);
    assert_eq!(
        workload(&mut server.world())["status"]["availableReplicas"],
        2
    );
}

#[test]
fn how_it_was_before_is_not_made_up() {
    let server = ApiServer::start(None);
    let shop = start(&server, CHECK);
    shop.run(TO_1_2, 11);
    workload(&mut server.world())["metadata"]["annotations"] = json!({});
    shop.project.file("well", "");
    let lost = shop.run(&["rollout", "resume"], 1);
    tells(&lost, &["kubectl annotate --overwrite deployment/web"]);
    // As it says.
    let before = json!({ "progressDeadlineSeconds": 600, "strategy": strategy() });
    workload(&mut server.world())["metadata"]["annotations"] =
        json!({ "phasegate/before-steps": before.to_string() });
    shop.run(&["rollout", "resume"], 0);
    assert_eq!(shop.phase(1), "contracted");
    is_as_before(&server);
}
