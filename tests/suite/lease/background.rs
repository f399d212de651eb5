//! Whatever an application starts, and whoever it becomes: nothing of it outlives its agent or its lease.

use std::fs;

use rustix::process::{Pid, geteuid, kill_process};

use super::process::{agent, agent_with, pid_in, project, rows, runs};
use super::{leases_table, live};
use crate::support::project::Signal;
use crate::support::wait::{GENEROUS, eventually};

/// Goes into the background as a daemon does: in a session of its own, without its parent.
fn daemon(script: &str, after: &str) -> [String; 3] {
    let script = format!("setsid sh -c '{script}' & {after}");
    ["sh".into(), "-c".into(), script]
}

const DEAF: &str = "trap \"\" TERM; echo daemon is $$; while :; do sleep 0.02; done";
/// Shows that it is deaf.
fn deaf() -> String {
    DEAF.replace("while", ": >deaf; while")
}

const GENTLE: &str =
    "trap \"echo daemon stops; exit 0\" TERM; echo daemon is $$; while :; do sleep 0.02; done";

fn parts(command: &[String]) -> Vec<&str> {
    command.iter().map(String::as_str).collect()
}

/// The field of `/proc/PID/stat` that names the parent.
fn parent(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let after = stat.rsplit_once(')').expect("a name").1;
    let parent = after.split_whitespace().nth(1).expect("a parent");
    parent.parse().expect("a number")
}

fn kill(pid: u32) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    kill_process(pid.expect("a process number"), Signal::KILL).expect("it runs");
}

/// Becomes somebody whom the kernel does not kill together with its parent.
fn another_user() -> Vec<&'static str> {
    let mut command = vec!["setpriv", "--pdeathsig", "clear"];
    if geteuid().is_root() {
        command.extend(["--reuid", "65534", "--clear-groups"]);
    }
    command
}

scenario!(
    fn an_application_that_daemonises_keeps_its_lease(db: Db) {
        let project = project(&db, "60s");
        let command = daemon(GENTLE, "sleep 0.1; exit 0");
        let mut agent = agent(&project, &parts(&command));
        let pid = pid_in(&agent.wait_for_line("daemon is", GENEROUS));
        let told = agent.wait_for_line("into the background", GENEROUS);
        assert!(told.contains(&format!("process {pid} ")), "{told}");
        let renewed_at = || db.value(&format!("SELECT renewed_at FROM {}", leases_table(&db)));
        for _ in 0..3 {
            let before = renewed_at();
            eventually(GENEROUS, || (renewed_at() > before).then_some(()));
        }
        assert!(runs(pid) && !agent.has_ended());
        assert_eq!(live(&db), ["1.0.0 serving 1"]);
        // Signals go to what is the application now.
        agent.signal(Signal::TERM);
        agent.wait_for_line("daemon stops", GENEROUS);
        agent.wait().expect_code(0);
        assert!(!runs(pid));
        assert_eq!(rows(&db), "0");
    }
);

scenario!(
    fn a_killed_agent_takes_along_what_daemonised_and_who_changed_its_user(db: Db) {
        let project = project(&db, "60s");
        let daemon = daemon(DEAF, "exit 0").to_vec();
        let changed: Vec<String> = another_user()
            .into_iter()
            .chain(["sh", "-c", "echo daemon is $$; exec sleep 1000"])
            .map(Into::into)
            .collect();
        for command in [daemon, changed] {
            let mut agent = agent(&project, &parts(&command));
            let pid = pid_in(&agent.wait_for_line("daemon is", GENEROUS));
            agent.signal(Signal::KILL);
            eventually(GENEROUS, || (!runs(pid)).then_some(()));
            agent.wait().expect_code(137);
        }
        // They count as live as long as their leases last.
        assert_eq!(rows(&db), "2");
    }
);

scenario!(
    fn an_application_does_not_outlive_the_process_that_guards_it(db: Db) {
        let project = project(&db, "60s");
        let mut command = another_user();
        command.extend(["sh", "-c", "echo daemon is $$; exec sleep 1000"]);
        let mut agent = agent(&project, &command);
        let pid = pid_in(&agent.wait_for_line("daemon is", GENEROUS));
        let guard = parent(pid);
        assert_ne!(guard, agent.pid());
        kill(guard);
        let output = agent.wait().expect_code(137);
        assert!(output.stderr.contains("was killed"), "{output:?}");
        assert!(!runs(pid));
        assert_eq!(rows(&db), "0");
    }
);

scenario!(
    fn an_application_that_failed_or_was_told_to_stop_leaves_nothing_in_the_background(db: Db) {
        let project = project(&db, "60s");
        // What is asked before it is deaf stops.
        let command = daemon(&deaf(), "until [ -e deaf ]; do sleep 0.02; done; exit 3");
        let mut failing = agent(&project, &parts(&command));
        let pid = pid_in(&failing.wait_for_line("daemon is", GENEROUS));
        let output = failing.wait().expect_code(3);
        assert!(output.stderr.contains("left behind"), "{output:?}");
        assert!(!runs(pid));

        let script =
            format!("trap \"exit 0\" TERM; setsid sh -c '{DEAF}' & while :; do sleep 0.02; done");
        let command = ["sh".to_owned(), "-c".to_owned(), script];
        let mut stopped = agent(&project, &parts(&command));
        let pid = pid_in(&stopped.wait_for_line("daemon is", GENEROUS));
        stopped.signal(Signal::TERM);
        stopped.wait().expect_code(0);
        assert!(!runs(pid));
        assert_eq!(rows(&db), "0");
    }
);

scenario!(
    fn what_a_daemon_leaves_when_it_is_told_to_stop_does_not_outlive_its_lease(db: Db) {
        let project = project(&db, "60s");
        // A daemon with a worker that ignores it, and one that hears it only once it has lost its parent.
        let late = "trap \"echo worker stops; exit 0\" TERM; while :; do sleep 0.02; done";
        project.file("late.sh", &format!("{late}\n"));
        project.file("deaf.sh", &format!("{}\n", deaf()));
        let script = "setsid sh -c 'sh deaf.sh & sh late.sh & until [ -e deaf ]; do sleep 0.02; done; \
                      trap \"exit 0\" TERM; : >ready; while :; do sleep 0.02; done' & until [ -e ready ]; do sleep 0.02; done; exit 0";
        let options = ["--background", "keep"];
        let mut agent = agent_with(&project, &options, &["sh", "-c", script]);
        let pid = pid_in(&agent.wait_for_line("daemon is", GENEROUS));
        agent.wait_for_line("into the background", GENEROUS);
        agent.signal(Signal::TERM);
        let output = agent.wait().expect_code(0);
        assert!(output.stdout.contains("worker stops"), "{output:?}");
        assert!(output.stderr.contains("left behind"), "{output:?}");
        assert!(!runs(pid));
        assert_eq!(rows(&db), "0");
    }
);

scenario!(
    fn what_is_in_the_background_is_stopped_or_left_if_that_is_asked_for(db: Db) {
        let project = project(&db, "60s");
        for (background, runs_on) in [("stop", false), ("leave", true)] {
            let command = daemon(GENTLE, "sleep 0.1; exit 0");
            let options = ["--background", background];
            let mut agent = agent_with(&project, &options, &parts(&command));
            let pid = pid_in(&agent.wait_for_line("daemon is", GENEROUS));
            let output = agent.wait().expect_code(0);
            assert_eq!(rows(&db), "0");
            assert_eq!(output.stdout.contains("daemon stops"), !runs_on);
            assert_eq!(runs(pid), runs_on, "{background}");
            if runs_on {
                kill(pid);
            }
        }
    }
);

scenario!(
    fn a_lost_lease_stops_what_left_the_process_group(db: Db) {
        let project = project(&db, "2s");
        let script = format!("setsid sh -c '{DEAF}' & exec sleep 1000");
        let mut agent = agent(&project, &["sh", "-c", &script]);
        let pid = pid_in(&agent.wait_for_line("daemon is", GENEROUS));
        agent.signal(Signal::STOP);
        eventually(GENEROUS, || (!runs(pid)).then_some(()));
        agent.signal(Signal::CONT);
        agent.wait().expect_code(137);
    }
);

scenario!(
    fn orphans_are_collected(db: Db) {
        let project = project(&db, "60s");
        let script =
            "for i in 1 2 3 4 5; do (sh -c true &); done; echo daemon is $$; exec sleep 1000";
        let mut agent = agent(&project, &["sh", "-c", script]);
        let pid = pid_in(&agent.wait_for_line("daemon is", GENEROUS));
        let guard = parent(pid);
        let children = || {
            let children = fs::read_to_string(format!("/proc/{guard}/task/{guard}/children"));
            children.expect("the guard runs").split_whitespace().count()
        };
        eventually(GENEROUS, || (children() == 1).then_some(()));
        agent.signal(Signal::TERM);
        agent.wait().expect_code(143);
    }
);
