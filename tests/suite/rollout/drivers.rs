//! The drivers themselves.

use super::{AT_ONCE, TO_1_2, calls, has_old_column, shop};
use crate::support::backend::Db;
use crate::support::project::Signal;
use crate::support::wait::{GENEROUS, eventually};

const MANUAL: &str = "[rollout]\ntimeout = \"30s\"\n";

scenario!(
    fn without_a_driver_it_says_what_to_do_and_waits(db: Db) {
        let shop = shop(db, MANUAL);
        let mut rollout = shop.project.spawn(TO_1_2);
        rollout.wait_for_line("replace web 1.0.0 by 1.1.0 now", GENEROUS);
        shop.fleet(&[("web", "a", "1.0.0"), ("web", "b", "1.1.0")]);
        rollout.wait_for_line("still there: 1 × 1.0.0 (a)", GENEROUS);
        shop.fleet(&[("web", "b", "1.1.0")]);
        rollout.wait_for_line("replace web 1.1.0 by 1.2.0 now", GENEROUS);
        assert!(has_old_column(&shop));
        shop.fleet(&[("web", "c", "1.2.0")]);
        rollout.wait().expect_code(0);
        assert!(!has_old_column(&shop));
    }
);

scenario!(
    fn what_somebody_rolled_out_already_is_not_rolled_again(db: Db) {
        let shop = shop(db, MANUAL);
        shop.run(&[TO_1_2, &["--timeout", "1s"]].concat(), 10);
        shop.fleet(&[("web", "b", "1.1.0")]);
        let held = shop.run(&["rollout", "resume", "--timeout", "1s"], 10);
        assert!(
            held.stdout.contains("hold: roll web 1.1.0 → 1.2.0"),
            "{held:?}"
        );
        shop.fleet(&[("web", "b", "1.2.0")]);
        let done = shop.run(&["rollout", "resume"], 0);
        assert!(!done.stderr.contains("replace web"), "{done:?}");
    }
);

#[test]
fn where_nothing_runs_the_driver_is_called_all_the_same() {
    let shop = shop(Db::on("sqlite"), AT_ONCE);
    let path = shop.project.path().join("migrate.toml");
    let config = std::fs::read_to_string(path).expect("it is there");
    let config = config.replace("[services.web]", "[services.web]\nmin_instances = 0");
    shop.project.file("migrate.toml", &config);
    shop.fleet(&[]);
    shop.run(TO_1_2, 0);
    assert_eq!(calls(&shop), ["web  1.2.0 100"]);
    // What it has started is there, and is not started again.
    shop.run(TO_1_2, 0);
    assert_eq!(calls(&shop).len(), 1);
}

#[test]
fn a_driver_that_takes_too_long_ends_with_all_it_started() {
    let shop = shop(
        Db::on("sqlite"),
        "[rollout]\ndriver = { kind = \"command\", run = [\"sh\", \"roll.sh\"], timeout = \"3s\" }\n",
    );
    shop.project
        .file("roll.sh", "sleep 1000 & echo $! >helper\nwait\n");
    let failed = shop.run(TO_1_2, 1);
    assert!(
        failed.stderr.contains("did not finish within 3 s"),
        "{failed:?}"
    );
    is_ended(shop.project.path());
}

#[test]
fn a_driver_that_is_not_there_is_named() {
    let shop = shop(
        Db::on("sqlite"),
        "[rollout]\ndriver = { kind = \"command\", run = [\"./deploy\", \"{to}\"] }\n",
    );
    let failed = shop.run(TO_1_2, 1);
    assert!(
        failed
            .stderr
            .contains("`./deploy` cannot be started: No such file"),
        "{failed:?}"
    );
}

#[test]
fn what_a_driver_leaves_running_outlives_the_rollout() {
    let shop = shop(Db::on("sqlite"), AT_ONCE);
    shop.project.file(
        "roll.sh",
        &format!(
            "{}\nsleep 1000 >/dev/null 2>&1 & echo $! >server\n",
            super::DRIVER
        ),
    );
    shop.run(&["rollout", "--to", "web=1.1.0"], 0);
    let text = std::fs::read_to_string(shop.project.path().join("server")).expect("its number");
    let pid = text
        .trim()
        .parse()
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    let pid = pid.expect("a process number");
    assert!(rustix::process::test_kill_process(pid).is_ok());
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
}

#[test]
fn wrong_settings_are_shown_in_their_place() {
    let shop = shop(
        Db::on("sqlite"),
        "[rollout]\n\
         driver = { kind = \"command\", run = [\"./deploy\", \"{verison}\", \"{form}\"], steps = [50, 10], weight = 3 }\n\
         timout = \"1m\"\n",
    );
    let refused = shop.run(&["check"], 1);
    insta::assert_snapshot!(shop.project.normalised(&refused.stderr));
}

/// A script that has its work done by a child, as one that calls a tool of a cluster does.
const BY_A_CHILD: &str = "sleep 1000 & echo $! >helper\n";

/// Waits until the child that the driver has written down is gone.
fn is_ended(path: impl AsRef<std::path::Path>) {
    let pid = eventually(GENEROUS, || {
        let text = std::fs::read_to_string(path.as_ref().join("helper")).ok()?;
        let pid = text.strip_suffix('\n')?.parse().ok()?;
        rustix::process::Pid::from_raw(pid)
    });
    // Whoever adopted it may take a moment to bury it.
    eventually(GENEROUS, || {
        rustix::process::test_kill_process(pid)
            .is_err()
            .then_some(())
    });
}

#[test]
fn what_a_failed_driver_has_begun_does_not_go_on_beside_the_next_call() {
    let shop = shop(Db::on("sqlite"), AT_ONCE);
    shop.project
        .file("roll.sh", &format!("{BY_A_CHILD}exit 3\n"));
    shop.run(TO_1_2, 1);
    is_ended(shop.project.path());
}

#[test]
fn what_a_driver_has_begun_ends_with_a_rollout_that_is_killed() {
    let shop = shop(Db::on("sqlite"), AT_ONCE);
    shop.project.file("roll.sh", &format!("{BY_A_CHILD}wait\n"));
    let rollout = shop.project.spawn(TO_1_2);
    eventually(GENEROUS, || {
        shop.project.path().join("helper").exists().then_some(())
    });
    rollout.signal(Signal::KILL);
    is_ended(shop.project.path());
    rollout.wait();
}
