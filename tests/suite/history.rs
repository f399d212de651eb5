//! Random histories on the real databases: the example's shop in its versions, each a process that writes users and reads
//! names back, under coordinators that come and are killed, and under faults. Afterwards the history has to add up.
//!
//! A seed chooses the same events in the same order; what the processes do between them is theirs. It is shown, and
//! `PHASEGATE_SEED` sets it. `PHASEGATE_SECONDS` makes a soak of it.

use std::time::{Duration, Instant};

use crate::example::{shop, shop_program};
use crate::support::backend::{Db, Ledger};
use crate::support::postgres::PrivateServer;
use crate::support::project::{Output, Process, Project, Signal};
use crate::support::wait::{GENEROUS, eventually, jitter, poll};

const FLEET: &str = "
[fleet]
lease = \"3s\"
renew = \"300ms\"
coordinator_lease = \"1s\"
";

/// Commands of a coordinator; refused as often as not.
const COMMANDS: &[&[&str]] = &[
    &["backfill", "0002"],
    &["contract", "0002"],
    &["contract", "0002", "--wait", "2s"],
    &["contract", "0004"],
    &["revert", "0003"],
    &["expand"],
];

struct Instance {
    process: Process,
    version: &'static str,
    /// Whether it ever stood still: then a unit of work may have been cut in two by the end of its lease.
    stood_still: bool,
    is_stopped: bool,
}

/// How an instance ended.
struct Ended {
    version: &'static str,
    stood_still: bool,
    output: Output,
}

struct History<'a> {
    project: &'a Project,
    db: &'a Db,
    server: Option<&'a PrivateServer>,
    random: fastrand::Rng,
    program: String,
    instances: Vec<Instance>,
    coordinators: Vec<Process>,
    ended: Vec<Ended>,
    log: Vec<String>,
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is a number")),
    )
}

impl History<'_> {
    fn event(&mut self) {
        self.collect();
        match self.random.u8(..100) {
            0..35 if self.instances.len() < 5 => {
                let version = ["1.0.0", "1.1.0", "1.2.0"][self.random.usize(..3)];
                self.start(version);
            }
            0..45 => self.end(Signal::TERM),
            45..53 => self.end(Signal::KILL),
            53..60 => self.stop_or_continue(),
            60..92 if self.coordinators.len() < 2 => self.coordinate(),
            60..95 => {
                if !self.coordinators.is_empty() {
                    let at = self.random.usize(..self.coordinators.len());
                    self.log.push("kill a coordinator".into());
                    self.coordinators[at].signal_if_running(Signal::KILL);
                }
            }
            95..99 => self.cut(),
            _ => self.restart(),
        }
    }

    fn start(&mut self, version: &'static str) {
        self.log.push(format!("start {version}"));
        let name = format!("server-{}", self.log.len());
        let process = self
            .project
            .spawn_program(&self.program, &["--version", version, "--instance", &name]);
        self.instances.push(Instance {
            process,
            version,
            stood_still: false,
            is_stopped: false,
        });
    }

    fn any(&mut self) -> Option<usize> {
        (!self.instances.is_empty()).then(|| self.random.usize(..self.instances.len()))
    }

    fn end(&mut self, signal: Signal) {
        if let Some(at) = self.any() {
            let instance = &self.instances[at];
            self.log.push(format!("{signal:?} to {}", instance.version));
            instance.process.signal_if_running(signal);
        }
    }

    fn stop_or_continue(&mut self) {
        if let Some(at) = self.any() {
            let instance = &mut self.instances[at];
            instance.is_stopped = !instance.is_stopped;
            instance.stood_still = true;
            let signal = if instance.is_stopped {
                Signal::STOP
            } else {
                Signal::CONT
            };
            self.log.push(format!("{signal:?} to {}", instance.version));
            instance.process.signal_if_running(signal);
        }
    }

    fn coordinate(&mut self) {
        let command = COMMANDS[self.random.usize(..COMMANDS.len())];
        // Every other one is killed at one of its points.
        let crash = self
            .random
            .bool()
            .then(|| self.random.u8(1..40).to_string());
        self.log.push(format!("{command:?}, killed at {crash:?}"));
        if let Some(point) = &crash {
            self.project.env("PHASEGATE_CRASH_AT", point);
        }
        self.coordinators.push(self.project.spawn(command));
        self.project.env_remove("PHASEGATE_CRASH_AT");
    }

    fn cut(&mut self) {
        if self.server.is_some() {
            self.log.push("cut every connection".into());
            self.db.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'",
            );
        }
    }

    fn restart(&mut self) {
        if let Some(server) = self.server {
            self.log.push("restart the server".into());
            server.stop();
            server.start_again();
        }
    }

    /// Takes those that have ended out of the running ones.
    fn collect(&mut self) {
        let mut at = 0;
        while at < self.instances.len() {
            if self.instances[at].process.has_ended() {
                let instance = self.instances.swap_remove(at);
                self.ended.push(Ended {
                    version: instance.version,
                    stood_still: instance.stood_still,
                    output: instance.process.wait(),
                });
            } else {
                at += 1;
            }
        }
        let mut at = 0;
        while at < self.coordinators.len() {
            if self.coordinators[at].has_ended() {
                let output = self.coordinators.swap_remove(at).wait();
                // Done, an error or killed, and the gate's answers; never a panic.
                let known = [0, 1, 10, 11, 12, 137].contains(&output.code);
                assert!(known && !output.stderr.contains("panicked"), "{output:?}");
            } else {
                at += 1;
            }
        }
    }

    fn finish(&mut self) {
        for instance in &self.instances {
            for signal in [Signal::CONT, Signal::TERM] {
                instance.process.signal_if_running(signal);
            }
        }
        let is_over = poll(GENEROUS, || {
            self.collect();
            (self.instances.is_empty() && self.coordinators.is_empty()).then_some(())
        });
        let left = self.instances.iter().map(|instance| &instance.process);
        let left: Vec<_> = left.chain(&self.coordinators).map(Process::shown).collect();
        assert!(is_over.is_some(), "these do not end:\n{}", left.join("\n"));
        // Whatever was left lying about, the same commands bring it to its end.
        for command in [
            &["expand"][..],
            &["backfill", "0002"],
            &["contract", "0002"],
            &["contract", "0004"],
        ] {
            let mut last = None;
            let done = poll(GENEROUS, || {
                let output = self.project.migrate(command);
                let is_done = output.code == 0;
                last = Some(output);
                is_done.then_some(())
            });
            assert!(
                done.is_some(),
                "{command:?} does not come to its end: {last:#?}\n{}",
                self.db.dump(Ledger::Included)
            );
        }
    }

    /// What nobody may have met.
    fn check_what_was_read(&self) -> u64 {
        let mut written = 0;
        for Ended {
            version,
            stood_still,
            output,
        } in &self.ended
        {
            let told = || format!("{version}\n{}\n{}", output.stdout, output.stderr);
            assert!(!output.stdout.contains("WRONG"), "{}", told());
            let is_gone = [
                "no such column",
                "no such table",
                "does not exist",
                "has no column",
            ]
            .iter()
            .any(|what| output.stdout.contains(what));
            assert!(!is_gone || *stood_still, "a format was gone\n{}", told());
            let reports = output.stdout.lines().filter_map(|line| {
                let (before, _) = line.split_once(" users written")?;
                before.rsplit(' ').next()?.parse::<u64>().ok()
            });
            written += reports.max().unwrap_or(0);
        }
        written
    }

    fn check_what_is_there(&self, written: u64) {
        let count = |sql: &str| -> u64 { self.db.value(sql).parse().expect("a number") };
        let users = count("SELECT count(*) FROM users");
        assert!(users >= written, "{users} users of {written}");
        // A sale is a user and an order in one transaction.
        assert_eq!(users, count("SELECT count(DISTINCT user_id) FROM orders"));
        let names = "'Ada Lovelace', 'Grace Hopper', 'Jean Luc Picard', 'Åsa Öberg', 'Miles O''Brien', 'Plato'";
        let others = self.db.query(&format!(
            "SELECT id, first_name, last_name FROM users WHERE trim(coalesce(first_name, '') || ' ' || coalesce(last_name, '')) NOT IN ({names})"
        ));
        assert_eq!(others, Vec::<Vec<String>>::new(), "nobody wrote these");
        self.project.migrate(&["log", "--verify"]).expect_code(0);
        let status = self.project.migrate(&["status", "--output", "json"]).json();
        let phases: Vec<_> = status["migrations"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|migration| migration["phase"].as_str().unwrap_or_default())
            .collect();
        assert_eq!(phases[1], "contracted", "{status}");
        assert_eq!(phases[3], "contracted", "{status}");
        // What the ledger says is gone is gone, and what it says is there is there.
        let dump = self.db.dump(Ledger::Excluded);
        assert!(
            !dump.contains("full_name") && !dump.contains("legacy_notes"),
            "{dump}"
        );
        assert!(dump.contains("phone"), "{dump}");
    }
}

fn run(db: &Db, server: Option<&PrivateServer>) {
    let seed = number("PHASEGATE_SEED").unwrap_or_else(|| fastrand::u64(..));
    let limit = Duration::from_secs(number("PHASEGATE_SECONDS").unwrap_or(12));
    fastrand::seed(seed);
    let project = shop(db);
    let config = std::fs::read_to_string(project.path().join("migrate.toml")).expect("a file");
    let config = config.split("[fleet]").next().unwrap_or_default();
    let config = regex::Regex::new(r"min_instances = \d+")
        .expect("a valid pattern")
        .replace_all(config, "min_instances = 0");
    project.file("migrate.toml", &format!("{config}{FLEET}"));
    project.migrate(&["expand"]).expect_code(0);
    db.execute("DELETE FROM orders; DELETE FROM legacy_notes; DELETE FROM users");
    let mut history = History {
        project: &project,
        db,
        server,
        random: fastrand::Rng::with_seed(seed),
        program: shop_program(),
        instances: Vec::new(),
        coordinators: Vec::new(),
        ended: Vec::new(),
        log: Vec::new(),
    };
    let told = Told(seed);
    // On a busy machine every instance of a short history may be told to stop before it has sold anything.
    history.start("1.1.0");
    eventually(GENEROUS, || {
        (db.value("SELECT count(*) FROM users") != "0").then_some(())
    });
    let began = Instant::now();
    while began.elapsed() < limit {
        history.event();
        jitter(Duration::from_millis(250));
    }
    eprintln!("{}", history.log.join("\n"));
    history.finish();
    let written = history.check_what_was_read();
    history.check_what_is_there(written);
    let refused = history.ended.iter().filter(|ended| ended.output.code == 11);
    eprintln!(
        "{}: PHASEGATE_SEED={seed}, {} events, {} instances of which {} were refused, {written} users",
        db.backend.name,
        history.log.len(),
        history.ended.len(),
        refused.count()
    );
    drop(told);
}

/// Shows the seed where a test fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("PHASEGATE_SEED={}", self.0);
        }
    }
}

#[test]
fn a_random_history_adds_up_on_sqlite() {
    run(&Db::on("sqlite"), None);
}

#[test]
fn a_random_history_adds_up_on_postgres() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    run(&db, Some(&server));
}
