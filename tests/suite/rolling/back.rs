//! Ways back.

use super::load::Load;
use super::scene::Scene;
use crate::support::project::Signal;
use crate::support::wait::GENEROUS;

/// Rolls out this version until it answers half of the requests; there somebody stops it.
#[track_caller]
fn half_out(scene: &Scene, load: &Load, to: &str) {
    // At 50 % it is not enough that nothing has failed for ten requests.
    scene.project.env("CANARY_REQUESTS", "1000000");
    let mut rollout = scene.spawn(&["rollout", "--to", &format!("web={to}")]);
    rollout.wait_for_line(&format!("web {to} gets 50 %"), GENEROUS);
    load.enter(&format!("{to} is half out"));
    load.answers(20);
    rollout.signal(Signal::INT);
    let stopped = rollout.wait().expect_code(130);
    assert!(
        stopped.stderr.contains("migrate rollout resume"),
        "{stopped:?}"
    );
    scene.project.env("CANARY_REQUESTS", "10");
    assert_eq!(load.versions().len(), 2);
    assert!(load.versions().contains(&to.to_owned()));
}

#[track_caller]
fn only(load: &Load, version: &str) {
    load.enter(&format!("steady, {version}"));
    load.answers(20);
    assert_eq!(load.versions(), [version]);
}

#[test]
fn with_triggers_every_version_may_come_back_until_the_contract() {
    let scene = Scene::open(".");
    let config = scene.path().join("migrate.toml");
    super::scene::edit(&config, "[10, 25, 50, 75, 100]", "[50, 100]").expect("it is there");
    let load = scene.load("1.0.0 → 1.1.0");
    scene.run(&["rollout", "--to", "web=1.1.0"], 0);
    half_out(&scene, &load, "1.2.0");
    let back = scene.run(&["rollout", "abort", "--roll-back", "web=1.1.0"], 0);
    assert!(
        back.stdout.contains("any version may start now"),
        "{back:?}"
    );
    only(&load, "1.1.0");
    scene.run(&["rollout", "--to", "web=1.0.0"], 0);
    only(&load, "1.0.0");
    assert!(scene.has_full_name());

    scene.run(&["rollout", "--to", "web=1.2.0"], 0);
    only(&load, "1.2.0");
    assert!(!scene.has_full_name());
    for version in ["1.1.0", "1.0.0"] {
        let refused = scene.run(&["rollout", "--to", &format!("web={version}")], 11);
        for part in ["old format of 0002_split_full_name", "removed"] {
            assert!(refused.stdout.contains(part), "{part} in {refused:?}");
        }
    }
    only(&load, "1.2.0");
    load.end()
        .print("Back and forth between web 1.0.0, 1.1.0 and 1.2.0");
    scene.run(&["log", "--verify"], 0);
}

#[test]
fn without_triggers_1_0_may_not_come_back_once_only_the_new_format_was_written() {
    let scene = Scene::open("without-triggers");
    let load = scene.load("1.0.0 → 1.2.0");
    scene.run(&["rollout", "--to", "web=1.2.0"], 0);
    // Beside 1.2.0, 1.0.0 would write past what 1.2.0 reads; 1.1.0 would not.
    scene.run(&["gate", "deploy", "web=1.0.0"], 11);
    scene.run(&["gate", "deploy", "web=1.1.0"], 0);
    let way = scene.run(&["plan", "--to", "web=1.0.0"], 0);
    assert!(way.stdout.contains("roll web 1.1.0 → 1.0.0"), "{way:?}");

    half_out(&scene, &load, "1.3.0");
    let refused = scene.run(&["rollout", "abort", "--roll-back", "web=1.0.0"], 11);
    assert!(refused.stdout.contains("web 1.0.0"), "{refused:?}");
    scene.run(&["rollout", "abort", "--roll-back", "web=1.2.0"], 0);
    only(&load, "1.2.0");
    // Nothing that writes only the new format is left, but what it has written is.
    for version in ["1.0.0", "1.1.0"] {
        let refused = scene.run(&["rollout", "--to", &format!("web={version}")], 11);
        assert!(
            refused.stdout.contains("cannot read rows that may exist"),
            "{version}: {refused:?}"
        );
        scene.run(&["gate", "deploy", &format!("web={version}")], 11);
    }
    assert!(scene.has_full_name());
    load.end()
        .print("Without triggers, to 1.3.0 and back to 1.2.0");
}
