//! 1.0 → 1.1 → 1.2, and nobody notices.

use super::load::Load;
use super::scene::{Scene, edit};
use crate::support::wait::GENEROUS;

/// A driver that does what the example's does, and then waits until the customers have seen enough of the step.
const DRIVER: &str = r#"
sh deploy.sh "$@"
until [ -e "run/seen-$3-$4" ]; do sleep 0.05; done
"#;

/// Rolls out this version, and has the customers' record keep apart what they see in each step.
#[track_caller]
fn walk(scene: &Scene, load: &Load, (from, to): (&str, &str), schema: &[&str]) {
    let mut rollout = scene.spawn(&["rollout", "--to", &format!("web={to}")]);
    for step in schema.iter().filter(|step| **step != "contract") {
        rollout.wait_for_line(&format!(": {step} 0002_split_full_name"), GENEROUS);
        load.enter(step);
    }
    for percent in [10, 25, 50, 75, 100] {
        let called = format!("the driver is called: web {to} at {percent} %");
        rollout.wait_for_line(&called, GENEROUS);
        load.enter(&format!("{from} → {to}, {percent} %"));
        rollout.wait_for_line(&format!("web {to} gets {percent} %"), GENEROUS);
        if percent < 100 {
            load.answered_by(&[from, to]);
        }
        if percent == 75 {
            // Still there when the old version is to go.
            load.begin_report_on(from);
        }
        let seen = scene.path().join(format!("run/seen-{to}-{percent}"));
        std::fs::write(seen, "").expect("the example's directory for what runs");
    }
    if schema.contains(&"contract") {
        rollout.wait_for_line(": contract 0002_split_full_name", GENEROUS);
        load.enter("contract");
    }
    rollout.wait().expect_code(0);
}

#[test]
fn nobody_notices_a_rollout_from_1_0_to_1_2() {
    let scene = Scene::open(".");
    scene.project.env("CANARY_REQUESTS", "20");
    scene.project.file("watched.sh", DRIVER);
    let config = scene.path().join("migrate.toml");
    edit(&config, "deploy.sh", "watched.sh").expect("it is there");
    let load = Load::begin(&scene.proxy, 3, "steady, 1.0.0");
    load.answers(200);
    let health = format!("http://{}/health", scene.proxy);
    let asked = scene
        .project
        .spawn_program("curl", &["--silent", &health])
        .wait();
    let health = asked.expect_code(0).json();
    assert_eq!(health["lease"]["state"], "valid", "{health}");
    walk(&scene, &load, ("1.0.0", "1.1.0"), &["expand", "backfill"]);
    load.enter("steady, 1.1.0");
    load.answers(200);
    assert!(scene.has_full_name());
    walk(&scene, &load, ("1.1.0", "1.2.0"), &["contract"]);
    load.enter("steady, 1.2.0");
    load.answers(200);

    let record = load.end();
    record.print("A rolling restart from web 1.0.0 to 1.2.0 under load");
    assert!(!scene.has_full_name());
    assert_eq!(scene.phase(), "contracted");
    for phase in &record.phases {
        let answered: Vec<&str> = phase.versions.keys().map(String::as_str).collect();
        if let Some(version) = phase.name.strip_prefix("steady, ") {
            assert_eq!(answered, [version], "in {}", phase.name);
        }
    }
    for version in ["1.0.0", "1.1.0"] {
        // Whoever had begun one of the old version's long requests before it was to go has got all of it.
        let waited_for = record.reports.iter().any(|report| {
            let ended = &record.phases[report.ended].name;
            report.version == version
                && report.began < report.ended
                && ended.starts_with(version)
                && ended.ends_with("100 %")
        });
        assert!(waited_for, "no long request of {version} saw it go");
    }
    // Old and new wrote the same rows in turn, and every row says the same as all of them were told.
    assert_eq!(
        scene
            .db
            .value("SELECT count(*) FROM users WHERE first_name IS NULL OR last_name IS NULL"),
        "0"
    );
    scene.run(&["log", "--verify"], 0);
}
