//! A process that nobody has thought of.

use super::scene::Scene;
use crate::support::project::{Process, Signal};
use crate::support::wait::GENEROUS;

impl Scene {
    /// Starts web 1.0.0 by hand on the second server, as somebody may have done some day.
    #[track_caller]
    fn start_by_hand(&self, port: u16) -> Process {
        let instance = "server-2-by-hand";
        self.project
            .env("VERSION", "1.0.0")
            .env("INSTANCE", instance);
        let bind = format!("{}:{port}", self.servers[1]);
        self.spawn(&[
            "agent",
            "--service",
            "web",
            "--version",
            "1.0.0",
            "--instance",
            instance,
            "--",
            "gunicorn",
            "web:app",
            "--bind",
            &bind,
            "--worker-class",
            "gthread",
            "--log-level",
            "info",
        ])
    }
}

#[test]
fn a_forgotten_process_holds_the_contract_and_none_comes_back_after_it() {
    let scene = Scene::open(".");
    let mut forgotten = scene.start_by_hand(8009);
    forgotten.wait_for_line("Booting worker", GENEROUS);
    let load = scene.load("1.0.0 → 1.2.0");
    let held = scene.run(&["rollout", "--to", "web=1.2.0", "--timeout", "1s"], 10);
    for part in [
        "hold: roll web 1.0.0 → 1.2.0",
        "still there: 1 × 1.0.0 (server-2-by-hand)",
        "migrate rollout resume",
    ] {
        assert!(held.stdout.contains(part), "{part} in {held:?}");
    }
    // Nor does anybody else get past it.
    let held = scene.run(&["contract", "0002", "--wait", "1s"], 11);
    for part in ["web 1.0.0", "1 instance (server-2-by-hand)"] {
        assert!(held.stdout.contains(part), "{part} in {held:?}");
    }
    assert!(scene.has_full_name());
    load.enter("held");
    load.answers(20);

    forgotten.signal(Signal::TERM);
    forgotten.wait().expect_code(0);
    scene.run(&["rollout", "resume"], 0);
    assert!(!scene.has_full_name());

    // Neither by hand nor by the script that everything else comes with.
    let refused = scene.start_by_hand(8009).wait().expect_code(11);
    assert!(refused.stdout.contains("web 1.0.0"), "{refused:?}");
    assert!(!refused.stderr.contains("Booting worker"), "{refused:?}");
    load.enter("1.0.0 is tried again");
    let refused = scene.deploy("1.2.0", "1.0.0", 100).expect_code(1);
    for part in [
        "reads and writes the old format of 0002_split_full_name, which has been removed",
        "web 1.0.0 on server-1-a is not healthy; it was stopped",
    ] {
        assert!(refused.stderr.contains(part), "{part} in {refused:?}");
    }
    load.answers(20);
    assert_eq!(load.versions(), ["1.2.0"]);
    load.end();
}
