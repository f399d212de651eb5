//! What becomes of an application's process: under an agent, and with a lease of its own.

use std::fs;
use std::path::Path;
use std::time::Duration;

use phasegate::Lease;

use super::{leases_table, live, record, stopped, view};
use crate::support::backend::Db;
use crate::support::connection::block_on;
use crate::support::postgres::PrivateServer;
use crate::support::project::{Process, Project, Signal};
use crate::support::shop::Shop;
use crate::support::wait::{GENEROUS, eventually};

const PROGRAM: &str = "PHASEGATE_TEST_PROGRAM";

/// Not a test: the Rust application that the tests below run, in a process of its own.
#[test]
#[ignore = "run by other tests"]
fn program() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let db = Db::at(&variable("BACKEND"), variable("DATABASE_URL"));
    let lease = Duration::from_millis(variable("LEASE_MS").parse().expect("a number"));
    let how = variable(PROGRAM);
    stopped::prepare(&how);
    let mut builder = Lease::builder(&db.url, "web", "1.0.0")
        .lease(lease)
        .renew(Duration::from_millis(200));
    match how.as_str() {
        "deaf" | "panicking-told" => {
            builder = builder.on_lost(|loss| eprintln!("told: {loss}"));
        }
        "clumsy" => builder = builder.on_lost(|loss| panic!("told: {loss}")),
        _ => {}
    }
    if how.starts_with("given-up") {
        give_up(&db, builder, how.ends_with("late"));
    } else {
        let lease = block_on(builder.acquire()).expect("admitted");
        eprintln!("holding");
        stopped::go_on(&how);
        match how.as_str() {
            "panicking" | "panicking-told" | "clumsy" => {
                let owner = std::thread::spawn(move || {
                    assert!(!lease.is_valid(), "the task that owns the lease fails");
                });
                owner.join().expect_err("a panic");
            }
            _ => std::mem::forget(lease),
        }
    }
    loop {
        std::thread::park();
    }
}

/// Begins to acquire a lease and gives it up: at once, or when it is there and not received.
fn give_up(db: &Db, builder: phasegate::LeaseBuilder, late: bool) {
    let mut acquire = Box::pin(builder.acquire());
    let begun = block_on(futures_util::future::poll_immediate(&mut acquire));
    assert!(begun.is_none());
    if late {
        let look = format!("SELECT 1 FROM {}", leases_table(db));
        eventually(GENEROUS, || {
            let is_made = db.connect().try_execute(&look).is_ok();
            (is_made && rows(db) == "1").then_some(())
        });
        // Until what was recorded has come here.
        let began = std::time::Instant::now();
        let settled = Duration::from_millis(200);
        eventually(GENEROUS, || (began.elapsed() > settled).then_some(()));
    }
    drop(acquire);
    eprintln!("holding");
}

/// What runs [`program`], beside the name of this one.
pub(super) const ARGUMENTS: [&str; 4] = [
    "--exact",
    "lease::process::program",
    "--ignored",
    "--nocapture",
];

/// The name of this program, which is to hold a lease of `lease_ms` milliseconds.
pub(super) fn holder(db: &Db, project: &Project, how: &str, lease_ms: u64) -> String {
    project
        .env(PROGRAM, how)
        .env("BACKEND", db.backend.name)
        .env("LEASE_MS", &lease_ms.to_string());
    let itself = std::env::current_exe().expect("this program");
    itself.display().to_string()
}

/// Runs [`program`] with a lease of `lease_ms` milliseconds.
pub(super) fn hold(db: &Db, project: &Project, how: &str, lease_ms: u64) -> Process {
    let itself = holder(db, project, how, lease_ms);
    let mut process = project.spawn_program(&itself, &ARGUMENTS);
    process.wait_for_line("holding", GENEROUS);
    process
}

pub(super) fn project(db: &Db, lease: &str) -> Project {
    let project = Project::new(db, &["web"]);
    let text = format!("[services.web]\n[fleet]\nlease = \"{lease}\"\nrenew = \"200ms\"\n");
    project.file("migrate.toml", &text);
    project
}

pub(super) fn agent(project: &Project, command: &[&str]) -> Process {
    agent_with(project, &[], command)
}

pub(super) fn agent_with(project: &Project, options: &[&str], command: &[&str]) -> Process {
    let mut arguments = vec!["agent", "--service", "web", "--version", "1.0.0"];
    arguments.extend(["--instance", "server-1", "--stop-timeout", "1s"]);
    arguments.extend(options);
    arguments.push("--");
    arguments.extend(command);
    project.spawn(&arguments)
}

/// Whether a process runs; one that has ended and is not yet reaped does not.
pub(super) fn runs(pid: u32) -> bool {
    fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))
        .ok()
        .and_then(|stat| Some(stat.rsplit_once(')')?.1.trim_start().to_owned()))
        .is_some_and(|state| !state.starts_with(['Z', 'X']))
}

/// The process number that a line of the application ends with.
pub(super) fn pid_in(line: &str) -> u32 {
    let number = line.rsplit(' ').next().and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("no process number in {line:?}"))
}

pub(super) fn rows(db: &Db) -> String {
    db.value(&format!("SELECT count(*) FROM {}", leases_table(db)))
}

scenario!(
    fn an_agent_ends_as_its_application_does(db: Db) {
        let project = project(&db, "60s");
        for (command, code) in [
            (&["sh", "-c", "exit 7"][..], 7),
            (&["true"], 0),
            (&["sh", "-c", "kill -9 $$"], 137),
            (&["sh", "-c", "kill -TERM $$"], 143),
        ] {
            agent(&project, command).wait().expect_code(code);
            assert_eq!(rows(&db), "0", "{command:?}");
        }
        let output = agent(&project, &["./no-such-program", "x"])
            .wait()
            .expect_code(1);
        assert!(output.stderr.contains("cannot start `./no-such-program`"));
        assert_eq!(rows(&db), "0");
    }
);

scenario!(
    fn an_agent_that_is_refused_starts_nothing(db: Db) {
        block_on(record(&db, phasegate::model::Phase::Contracting));
        let project = project(&db, "60s");
        let output = agent(&project, &["touch", "started"]).wait();
        let output = output.expect_code(11);
        assert!(output.stdout.contains("reads and writes the old format"));
        assert!(!project.path().join("started").exists());
        assert_eq!(rows(&db), "0");
    }
);

scenario!(
    fn signals_are_passed_on_and_a_draining_application_keeps_its_lease(db: Db) {
        let project = project(&db, "60s");
        let script = "trap 'echo got HUP' HUP; trap 'echo got USR1' USR1; trap 'echo got USR2' USR2; trap 'echo got QUIT' QUIT
            trap 'echo got TERM; while [ ! -e done ]; do sleep 0.02; done; exit 5' TERM
            echo ready; while :; do sleep 0.02; done";
        let mut agent = agent(&project, &["sh", "-c", script]);
        agent.wait_for_line("ready", GENEROUS);
        for (signal, name) in [
            (Signal::HUP, "HUP"),
            (Signal::USR1, "USR1"),
            (Signal::USR2, "USR2"),
            (Signal::QUIT, "QUIT"),
        ] {
            agent.signal(signal);
            agent.wait_for_line(&format!("got {name}"), GENEROUS);
        }
        assert_eq!(live(&db), ["1.0.0 serving 1"]);
        agent.signal(Signal::TERM);
        agent.wait_for_line("got TERM", GENEROUS);
        eventually(GENEROUS, || {
            (live(&db) == ["1.0.0 draining 1"]).then_some(())
        });
        let renewed_at = || db.value(&format!("SELECT renewed_at FROM {}", leases_table(&db)));
        let before = renewed_at();
        eventually(GENEROUS, || (renewed_at() > before).then_some(()));
        project.file("done", "");
        agent.wait().expect_code(5);
        assert_eq!(rows(&db), "0");
    }
);

scenario!(
    fn a_killed_agent_takes_its_application_along(db: Db) {
        let project = project(&db, "60s");
        let mut agent = agent(
            &project,
            &["sh", "-c", "echo running as $$; exec sleep 1000"],
        );
        let pid = pid_in(&agent.wait_for_line("running as", GENEROUS));
        assert!(runs(pid));
        agent.signal(Signal::KILL);
        eventually(GENEROUS, || (!runs(pid)).then_some(()));
        // The version counts as live as long as its lease lasts.
        assert_eq!(rows(&db), "1");
        agent.wait().expect_code(137);
    }
);

scenario!(
    fn an_application_is_stopped_in_time_while_its_agent_stands_still(db: Db) {
        let project = project(&db, "3s");
        // Deaf to SIGTERM.
        let script = "trap '' TERM; echo running as $$; while :; do sleep 0.02; done";
        let mut agent = agent(&project, &["sh", "-c", script]);
        let pid = pid_in(&agent.wait_for_line("running as", GENEROUS));
        agent.signal(Signal::STOP);
        eventually(GENEROUS, || (!runs(pid)).then_some(()));
        eventually(GENEROUS, || live(&db).is_empty().then_some(()));
        agent.signal(Signal::CONT);
        let output = agent.wait().expect_code(137);
        assert!(output.stderr.contains("stood still"), "{output:?}");
        // It neither renewed nor asked anew.
        assert_eq!(block_on(view(&db)).sightings[0].seq, 1);
        assert_eq!(live(&db), [""; 0]);
    }
);

scenario!(
    fn what_an_application_leaves_behind_ends_before_the_lease_is_released(db: Db) {
        let project = project(&db, "60s");
        let script = "sleep 1000 >/dev/null 2>&1 & echo left $!";
        let output = agent(&project, &["sh", "-c", script]).wait().expect_code(0);
        let left = output
            .stdout
            .lines()
            .find(|line| line.contains("left "))
            .map(pid_in)
            .expect("its process number");
        eventually(GENEROUS, || (!runs(left)).then_some(()));
        assert_eq!(rows(&db), "0");
    }
);

#[test]
fn an_agent_that_cannot_renew_stops_its_application_in_time() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    let project = project(&db, "3s");
    let script = "trap 'echo stopping; exit 0' TERM; echo ready; while :; do sleep 0.02; done";
    let mut agent = agent(&project, &["sh", "-c", script]);
    agent.wait_for_line("ready", GENEROUS);
    server.stop();
    agent.wait_for_line("stopping", GENEROUS);
    // In good order, and still no success.
    let output = agent.wait().expect_code(1);
    assert!(
        output
            .stderr
            .contains("the lease could not be renewed in time: "),
        "{output:?}"
    );
}

#[test]
fn a_process_whose_lease_cannot_be_renewed_is_stopped() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    let project = project(&db, "60s");
    let holders =
        [("held", 143), ("deaf", 137)].map(|(how, code)| (hold(&db, &project, how, 3000), code));
    server.stop();
    for (holder, code) in holders {
        holder.wait().expect_code(code);
    }
}

scenario!(
    fn a_process_that_stood_still_past_its_lease_is_stopped(db: Db) {
        let project = project(&db, "60s");
        let holder = hold(&db, &project, "held", 2000);
        holder.signal(Signal::STOP);
        eventually(GENEROUS, || live(&db).is_empty().then_some(()));
        holder.signal(Signal::CONT);
        let output = holder.wait().expect_code(137);
        let last = output.stderr.lines().next_back().unwrap_or_default();
        assert!(last.contains("stood still"), "{output:?}");
        assert_eq!(block_on(view(&db)).sightings[0].seq, 1);
    }
);

scenario!(
    fn an_application_names_its_sessions_after_its_lease(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        let agent = [
            "agent",
            "--service",
            "web",
            "--version",
            "1.1.0",
            "--instance",
            "web-1",
            "--",
            "sh",
            "-c",
            "echo name=$PGAPPNAME",
        ];
        let named = shop.run(&agent, 0);
        assert!(
            named.stdout.contains("name=lease:web/1.1.0/web-1"),
            "{named:?}"
        );
        shop.project.env("PGAPPNAME", "my own");
        let named = shop.run(&agent, 0);
        assert!(named.stdout.contains("name=my own"), "{named:?}");
        shop.run(
            &[
                "admit",
                "--service",
                "web",
                "--version",
                "1.1.0",
                "--instance",
                "web-2",
            ],
            0,
        );
        assert_eq!(
            shop.db.value(&format!(
                "SELECT session_name FROM {}",
                shop.ledger("leases")
            )),
            "lease:web/1.1.0/web-2"
        );
    }
);

scenario!(
    fn an_application_under_an_agent_is_not_counted_twice(db: Db) {
        let project = project(&db, "60s");
        let itself = holder(&db, &project, "held", 60_000);
        let under_an_agent = |before: &[&str]| {
            let command = [before, &[itself.as_str()], &ARGUMENTS].concat();
            agent(&project, &command)
        };
        let output = under_an_agent(&[]).wait().expect_code(101);
        let why = "as the instance `server-1` of web: with a second lease it would count as two";
        assert!(output.stderr.contains(why), "{output:?}");
        assert_eq!(rows(&db), "0");
        // What it starts may be instances of their own.
        let mut agent = under_an_agent(&["env", "-u", "PHASEGATE_INSTANCE"]);
        agent.wait_for_line("holding", GENEROUS);
        assert_eq!(rows(&db), "2");
        agent.signal(Signal::TERM);
        agent.wait();
    }
);
