//! What becomes of an application's process: under an agent, and with a lease of its own.

use std::fs;
use std::path::Path;
use std::time::Duration;

use phasegate::Lease;
use phasegate::lease::agent::{self, AgentEnd, AgentOptions};

use super::{leases_table, live, record, request, target, view};
use crate::support::backend::Db;
use crate::support::connection::block_on;
use crate::support::postgres::PrivateServer;
use crate::support::project::{Process, Project, Signal};
use crate::support::wait::{GENEROUS, eventually};

const PROGRAM: &str = "PHASEGATE_TEST_PROGRAM";

/// Not a test: the program that the tests below run, in a process of its own.
#[test]
#[ignore = "run by other tests"]
fn program() {
    let variable = |name: &str| std::env::var(name).unwrap_or_default();
    let db = Db::at(&variable("BACKEND"), variable("DATABASE_URL"));
    let lease = Duration::from_millis(variable("LEASE_MS").parse().expect("a number"));
    let renew = Duration::from_millis(200);
    match variable(PROGRAM).as_str() {
        "agent" => {
            let mut wanted = request("1.0.0", "server-1");
            (wanted.lease, wanted.renew) = (lease, renew);
            let end = block_on(agent::run(AgentOptions {
                target: target(&db),
                request: wanted,
                command: variable("COMMAND").split('\t').map(Into::into).collect(),
                stop_timeout: Duration::from_secs(1),
            }));
            match end {
                Ok(end) => {
                    if let AgentEnd::Lost { loss, .. } = &end {
                        eprintln!("lost: {loss}");
                    }
                    std::process::exit(end.code());
                }
                Err(error) => {
                    eprintln!("error: {error}");
                    std::process::exit(1);
                }
            }
        }
        how => {
            let mut builder = Lease::builder(&db.url, "web", "1.0.0")
                .lease(lease)
                .renew(renew);
            if how == "deaf" {
                builder = builder.on_lost(|loss| eprintln!("told: {loss}"));
            }
            let lease = block_on(builder.acquire()).expect("admitted");
            eprintln!("holding");
            if how == "dropped" {
                drop(lease);
            } else {
                std::mem::forget(lease);
            }
            loop {
                std::thread::park();
            }
        }
    }
}

struct Run<'a> {
    db: &'a Db,
    program: &'a str,
    lease_ms: u64,
    command: &'a [&'a str],
}

impl<'a> Run<'a> {
    fn agent(db: &'a Db, command: &'a [&'a str]) -> Self {
        Self {
            db,
            program: "agent",
            lease_ms: 60_000,
            command,
        }
    }

    fn in_project(&self, project: &Project) -> Process {
        let itself = std::env::current_exe().expect("this program");
        project
            .env("DATABASE_URL", &self.db.url)
            .env(PROGRAM, self.program)
            .env("BACKEND", self.db.backend.name)
            .env("LEASE_MS", &self.lease_ms.to_string())
            .env("COMMAND", &self.command.join("\t"));
        project.spawn_program(
            &itself.display().to_string(),
            &[
                "--exact",
                "lease::process::program",
                "--ignored",
                "--nocapture",
            ],
        )
    }
}

/// Whether a process runs; one that has ended and is not yet reaped does not.
fn runs(pid: u32) -> bool {
    fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"))
        .ok()
        .and_then(|stat| Some(stat.rsplit_once(')')?.1.trim_start().to_owned()))
        .is_some_and(|state| !state.starts_with(['Z', 'X']))
}

/// The process number that a line of the application ends with.
fn pid_in(line: &str) -> u32 {
    let number = line.rsplit(' ').next().and_then(|text| text.parse().ok());
    number.unwrap_or_else(|| panic!("no process number in {line:?}"))
}

fn rows(db: &Db) -> String {
    db.value(&format!("SELECT count(*) FROM {}", leases_table(db)))
}

scenario!(
    fn an_agent_ends_as_its_application_does(db: Db) {
        let project = Project::without_database(&["web"]);
        for (command, code) in [
            (&["sh", "-c", "exit 7"][..], 7),
            (&["true"], 0),
            (&["sh", "-c", "kill -9 $$"], 137),
            (&["sh", "-c", "kill -TERM $$"], 143),
        ] {
            let output = Run::agent(&db, command).in_project(&project).wait();
            output.expect_code(code);
            assert_eq!(rows(&db), "0", "{command:?}");
        }
        let output = Run::agent(&db, &["./no-such-program", "x"])
            .in_project(&project)
            .wait()
            .expect_code(1);
        assert!(output.stderr.contains("cannot start `./no-such-program`"));
        assert_eq!(rows(&db), "0");
    }
);

scenario!(
    fn an_agent_that_is_refused_starts_nothing(db: Db) {
        block_on(record(&db, phasegate::model::Phase::Contracting));
        let project = Project::without_database(&["web"]);
        let output = Run::agent(&db, &["touch", "started"])
            .in_project(&project)
            .wait();
        output.expect_code(11);
        assert!(!project.path().join("started").exists());
        assert_eq!(rows(&db), "0");
    }
);

scenario!(
    fn signals_are_passed_on_and_a_draining_application_keeps_its_lease(db: Db) {
        let project = Project::without_database(&["web"]);
        let script = "trap 'echo got HUP' HUP; trap 'echo got USR1' USR1; trap 'echo got USR2' USR2; trap 'echo got QUIT' QUIT
            trap 'echo got TERM; while [ ! -e done ]; do sleep 0.02; done; exit 5' TERM
            echo ready; while :; do sleep 0.02; done";
        let mut agent = Run::agent(&db, &["sh", "-c", script]).in_project(&project);
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
        let project = Project::without_database(&["web"]);
        let mut agent = Run::agent(&db, &["sh", "-c", "echo running as $$; exec sleep 1000"])
            .in_project(&project);
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
    fn an_agent_that_stood_still_past_its_lease_stops_the_application_first(db: Db) {
        let project = Project::without_database(&["web"]);
        let run = Run {
            lease_ms: 2000,
            ..Run::agent(
                &db,
                // Deaf to SIGTERM.
                &[
                    "sh",
                    "-c",
                    "trap '' TERM; echo running as $$; while :; do sleep 0.02; done",
                ],
            )
        };
        let mut agent = run.in_project(&project);
        let pid = pid_in(&agent.wait_for_line("running as", GENEROUS));
        agent.signal(Signal::STOP);
        eventually(GENEROUS, || live(&db).is_empty().then_some(()));
        assert!(runs(pid));
        agent.signal(Signal::CONT);
        let output = agent.wait().expect_code(137);
        assert!(output.stderr.contains("lost: "), "{output:?}");
        assert!(!runs(pid));
        // It neither renewed nor asked anew.
        assert_eq!(block_on(view(&db)).sightings[0].seq, 1);
        assert_eq!(live(&db), [""; 0]);
    }
);

scenario!(
    fn what_an_application_leaves_behind_ends_before_the_lease_is_released(db: Db) {
        let project = Project::without_database(&["web"]);
        let output = Run::agent(
            &db,
            &["sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo left $!"],
        )
        .in_project(&project)
        .wait()
        .expect_code(0);
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
    let project = Project::without_database(&["web"]);
    let run = Run {
        lease_ms: 3000,
        ..Run::agent(
            &db,
            &[
                "sh",
                "-c",
                "trap 'echo stopping; exit 0' TERM; echo ready; while :; do sleep 0.02; done",
            ],
        )
    };
    let mut agent = run.in_project(&project);
    agent.wait_for_line("ready", GENEROUS);
    server.stop();
    agent.wait_for_line("stopping", GENEROUS);
    // In good order, and still no success.
    let output = agent.wait().expect_code(1);
    assert!(
        output
            .stderr
            .contains("lost: the lease could not be renewed in time: "),
        "{output:?}"
    );
}

#[test]
fn a_process_whose_lease_cannot_be_renewed_is_stopped() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    let project = Project::without_database(&["web"]);
    let mut holders: Vec<(Process, i32)> = [("held", 143), ("deaf", 137)]
        .into_iter()
        .map(|(program, code)| {
            let run = Run {
                db: &db,
                program,
                lease_ms: 3000,
                command: &[],
            };
            (run.in_project(&project), code)
        })
        .collect();
    for (holder, _) in &mut holders {
        holder.wait_for_line("holding", GENEROUS);
    }
    server.stop();
    for (holder, code) in holders {
        holder.wait().expect_code(code);
    }
}

scenario!(
    fn a_process_that_drops_its_lease_and_goes_on_is_stopped(db: Db) {
        let project = Project::without_database(&["web"]);
        let run = Run {
            db: &db,
            program: "dropped",
            lease_ms: 1000,
            command: &[],
        };
        run.in_project(&project).wait().expect_code(143);
        eventually(GENEROUS, || live(&db).is_empty().then_some(()));
    }
);

scenario!(
    fn a_process_that_stood_still_past_its_lease_is_stopped(db: Db) {
        let project = Project::without_database(&["web"]);
        let run = Run {
            db: &db,
            program: "held",
            lease_ms: 2000,
            command: &[],
        };
        let mut holder = run.in_project(&project);
        holder.wait_for_line("holding", GENEROUS);
        holder.signal(Signal::STOP);
        eventually(GENEROUS, || live(&db).is_empty().then_some(()));
        holder.signal(Signal::CONT);
        holder.wait().expect_code(137);
        assert_eq!(block_on(view(&db)).sightings[0].seq, 1);
    }
);
