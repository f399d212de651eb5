//! A version that fails its health check, and one that passes it and answers with errors.

use super::scene::{Scene, edit};

#[test]
fn a_version_that_is_not_healthy_gets_no_request_and_nothing_is_contracted() {
    let scene = Scene::open("without-triggers");
    let release = scene.path().join("releases/v1_1_0.py");
    let (right, wrong) = (
        "SELECT full_name, first_name, last_name FROM users LIMIT 0",
        "SELECT full_name, firstname, lastname FROM users LIMIT 0",
    );
    edit(&release, right, wrong).expect("the release is there");
    scene.project.env("START_SECONDS", "3");
    let load = scene.load("1.0.0");
    load.answers(20);
    let stopped = scene.run(&["rollout", "--to", "web=1.3.0"], 1);
    for part in [
        "web 1.1.0 on server-1-b is not healthy",
        "roll web 1.0.0 → 1.1.0 stopped at 50 %",
        "nothing is contracted",
        "migrate rollout resume",
    ] {
        assert!(stopped.stderr.contains(part), "{part} in {stopped:?}");
    }
    load.enter("stopped");
    load.answers(20);
    assert_eq!(load.versions(), ["1.0.0"]);
    assert!(scene.has_full_name());
    assert_eq!(scene.phase(), "expanded");
    let live = scene.run(&["rollout", "status"], 0).stdout;
    assert!(live.contains("live now: web 2 × 1.0.0"), "{live}");

    edit(&release, wrong, right).expect("the release is there");
    scene.project.env_remove("START_SECONDS");
    load.enter("mended");
    let done = scene.run(&["rollout", "resume"], 0);
    assert!(done.stdout.contains("done: web 1.3.0"), "{done:?}");
    load.enter("1.3.0");
    load.answers(20);
    assert_eq!(load.versions(), ["1.3.0"]);
    assert!(!scene.has_full_name());
    let record = load.end();
    record
        .print("A rollout that stops at a health check, without triggers, from web 1.0.0 to 1.3.0");
    let before: Vec<_> = record.phases[..2]
        .iter()
        .flat_map(|phase| phase.versions.keys())
        .collect();
    assert_eq!(before, ["1.0.0", "1.0.0"]);
}

#[test]
fn a_version_that_answers_2_percent_errors_is_stopped_at_10_percent_and_taken_back() {
    let scene = Scene::open(".");
    scene
        .project
        .env("FAULTS", "1.1.0=2")
        // One of the two processes has answered thirty of them, and the 25th of its requests, by then.
        .env("CANARY_REQUESTS", "60")
        .env("CANARY_SECONDS", "150");
    let load = scene.load("1.0.0 → 1.1.0");
    let stopped = scene.run(&["rollout", "--to", "web=1.1.0"], 11);
    for part in [
        "refuse: roll web 1.0.0 → 1.1.0",
        "at 10 %: errors 0.0",
        "(at most 0.005; 0 before)",
        "on_failure = \"roll-back\": back to web 1.0.0",
        "done: web 1.0.0",
    ] {
        assert!(stopped.stdout.contains(part), "{part} in {stopped:?}");
    }
    // No step gave it more than that, the way back included.
    for step in ["1.1.0 gets 25 %", "1.0.0 gets 10 %", "1.0.0 gets 50 %"] {
        assert!(!stopped.stderr.contains(step), "{step} in {stopped:?}");
    }
    assert!(
        !stopped.stdout.contains(": contract 0002_split_full_name\n"),
        "{stopped:?}"
    );
    load.enter("steady, 1.0.0");
    load.answers(20);
    assert_eq!(load.versions(), ["1.0.0"]);
    assert!(scene.has_full_name());
    assert_eq!(scene.phase(), "backfilled");

    let record = load.end_with_faults();
    record.print("A version that answers 2 % errors");
    let faults: Vec<usize> = record.phases.iter().map(|phase| phase.faults).collect();
    assert!(faults[0] > 0, "{}", record.table());
    assert_eq!(faults[1..], [0], "{}", record.table());
}
