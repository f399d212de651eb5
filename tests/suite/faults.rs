//! What is taken away while a run stands at a point: the connection, the server, the space on the disk. The same
//! command, run again, ends where an undisturbed run does.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::crash::{SEVERAL, assert_same, assert_whole, end_state, people, project, several};
use crate::support::backend::Db;
use crate::support::project::{Output, Project, Signal};
use crate::support::wait::{GENEROUS, eventually, poll};
use crate::support::{mysql, postgres};
use crate::tried;

/// A server of the test's own, and what can be done to it.
struct Place {
    create: Box<dyn Fn(&str) -> Db>,
    crash_and_start: Box<dyn Fn()>,
    /// Ends every other session of this database.
    cut: fn(&Db),
}

fn on_postgres() -> Place {
    let server = std::rc::Rc::new(postgres::PrivateServer::start());
    let restarted = std::rc::Rc::clone(&server);
    Place {
        create: Box::new(move |name| {
            let db = server.create(name);
            // What is committed has to outlive a crash of the server.
            db.execute(&format!(
                "ALTER DATABASE {name} SET synchronous_commit = on"
            ));
            db
        }),
        crash_and_start: Box::new(move || {
            restarted.crash();
            restarted.start_again();
        }),
        cut: |db| {
            db.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                 WHERE pid <> pg_backend_pid() AND datname = current_database()",
            );
        },
    }
}

fn on_mysql() -> Place {
    let server = std::rc::Rc::new(mysql::PrivateServer::start());
    let restarted = std::rc::Rc::clone(&server);
    Place {
        create: Box::new(move |name| server.create(name)),
        crash_and_start: Box::new(move || {
            restarted.crash();
            restarted.start_again();
        }),
        cut: |db| {
            let others = "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()";
            for row in db.query(others) {
                // It may have ended by itself meanwhile.
                let _ = db.try_execute(&format!("KILL CONNECTION {}", row[0]));
            }
        },
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Cut,
    Crash,
}

/// A step as the table calls it, what has to be done before it can be, and how it is asked for.
struct Tried {
    step: &'static str,
    project: fn(&Db) -> Project,
    before: &'static [&'static str],
    command: &'static [&'static str],
}

impl Tried {
    /// A project with everything done that comes before.
    fn prepared(&self, db: &Db) -> Project {
        let project = (self.project)(db);
        for step in self.before {
            project.migrate(&[step]).expect_code(0);
        }
        project
    }

    /// The step in the name of a database.
    fn word(&self) -> String {
        self.step.replace(", ", "_")
    }
}

fn usual(db: &Db) -> Project {
    project(db, &[])
}

const TRIED: [Tried; 5] = [
    Tried {
        step: "expand",
        project: usual,
        before: &[],
        command: &["expand", "1"],
    },
    Tried {
        step: "expand, several",
        project: several,
        before: &[],
        command: SEVERAL,
    },
    Tried {
        step: "backfill",
        project: usual,
        before: &["expand"],
        command: &["backfill", "1"],
    },
    Tried {
        step: "contract",
        project: usual,
        before: &["expand", "backfill"],
        command: &["contract", "1"],
    },
    Tried {
        step: "revert",
        project: usual,
        before: &["expand"],
        command: &["revert", "1"],
    },
];

/// The points that a run passes, each name once, in their order.
fn points(project: &Project, command: &[&str]) -> Vec<String> {
    let output = project.env("PHASEGATE_SHOW_POINTS", "yes").migrate(command);
    project.env_remove("PHASEGATE_SHOW_POINTS");
    let mut seen = BTreeSet::new();
    let output = output.expect_code(0);
    output
        .stderr
        .lines()
        .filter_map(|line| line.split_once("passing point "))
        .map(|(_, name)| name.trim().to_owned())
        .filter(|name| seen.insert(name.clone()))
        .collect()
}

/// Stops a run at `point`, lets `fault` happen, and lets it go on to its end.
fn disturbed(project: &Project, command: &[&str], point: &str, fault: impl Fn()) -> Output {
    project.env("PHASEGATE_PAUSE_AT", point);
    let mut run = project.spawn(command);
    run.wait_for_line("pause at point", GENEROUS);
    project.env_remove("PHASEGATE_PAUSE_AT");
    fault();
    // It may pass a point of this name again, and stop there as well.
    let goes_on = || {
        run.signal_if_running(Signal::CONT);
        run.has_ended().then_some(())
    };
    poll(GENEROUS, goes_on);
    run.wait()
}

fn matrix(name: &str, place: &Place) {
    for tried in &TRIED {
        let Tried { step, command, .. } = *tried;
        let (mut cut, mut crashed) = (0, 0);
        let straight = (place.create)(&format!("straight_{}", tried.word()));
        people(&straight, 8);
        let undisturbed = tried.prepared(&straight);
        let points = points(&undisturbed, command);
        assert!(points.len() > 5, "{step} on {name}: only {points:?}");
        let wanted = end_state(&straight);
        for (number, point) in points.iter().enumerate() {
            // The connection is cut everywhere, and the server crashes where something is under way.
            let is_within = ["started", "ran", "batch", "recording", "fenced"]
                .iter()
                .any(|part| point.ends_with(part));
            for fault in [Fault::Cut, Fault::Crash] {
                if fault == Fault::Crash && !is_within {
                    continue;
                }
                let when = format!("{step} on {name}, {fault:?} at {point}");
                let called = format!("{}_{number}_{fault:?}", tried.word());
                let db = (place.create)(&called.to_lowercase());
                people(&db, 8);
                let project = tried.prepared(&db);
                let ended = disturbed(&project, command, point, || match fault {
                    Fault::Cut => (place.cut)(&db),
                    Fault::Crash => (place.crash_and_start)(),
                });
                assert!(
                    matches!(ended.code, 0 | 1 | 12),
                    "{when}: {}\n{}",
                    ended.code,
                    ended.stderr
                );
                let again = project.migrate(command);
                assert_eq!(again.code, 0, "{when}\n{}\n{}", again.stdout, again.stderr);
                // A run that failed behind its fence has lowered it, and the log says so.
                let told = |end: &str| match ended.code {
                    0 => end.to_owned(),
                    _ => without_giving_up(end),
                };
                assert_same(&told(&wanted), &told(&end_state(&db)), &when);
                assert_whole(&db, &when);
                match fault {
                    Fault::Cut => cut += 1,
                    Fault::Crash => crashed += 1,
                }
            }
        }
        tried::all_equal(tried::CUT, step, name, cut);
        tried::all_equal(tried::CRASHED, step, name, crashed);
    }
}

#[test]
fn a_lost_connection_or_server_on_postgres() {
    matrix("postgres", &on_postgres());
}

#[test]
fn a_lost_connection_or_server_on_mysql() {
    matrix("mysql", &on_mysql());
}

/// The end without what the log rightly says of a run that gave up by itself: that it began, and that it stepped back.
fn without_giving_up(end: &str) -> String {
    let mut seen = BTreeSet::new();
    let is_told = |line: &&str| {
        !line.contains("\"stepped_back\":true")
            && (!line.starts_with("event: ") || seen.insert(line.to_string()))
    };
    end.lines().filter(is_told).collect::<Vec<_>>().join("\n")
}

/// Files may not grow beyond a limit, as on a full disk: each command fails somewhere, and goes on when there is space.
#[test]
fn a_full_disk_on_sqlite() {
    for tried in &TRIED {
        let Tried { step, command, .. } = *tried;
        let before = Db::on("sqlite");
        people(&before, 200);
        let project = tried.prepared(&before);
        let straight = before.copy();
        project
            .env("DATABASE_URL", &straight.url)
            .migrate(command)
            .expect_code(0);
        let wanted = end_state(&straight);
        let (mut failed, mut is_large_enough) = (0, false);
        // In blocks of 512 bytes: three pages more each time.
        for limit in (8..4096).step_by(24) {
            let db = before.copy();
            project.env("DATABASE_URL", &db.url);
            let limit_of = limit.to_string();
            let shell = [
                "-c",
                "ulimit -f \"$1\"; trap '' XFSZ; shift; exec \"$@\"",
                "sh",
                &limit_of,
                env!("CARGO_BIN_EXE_migrate"),
            ];
            let limited = project
                .spawn_program("sh", &[&shell, command].concat())
                .wait();
            let when = format!("{step} on sqlite, files of at most {limit} blocks");
            if limited.code == 0 {
                assert_same(&wanted, &end_state(&db), &when);
                is_large_enough = true;
                break;
            }
            // 12 where the file cannot be read any more either.
            let has_failed = matches!(limited.code, 1 | 12);
            assert!(has_failed, "{when}: {}\n{}", limited.code, limited.stderr);
            let again = project.migrate(command);
            assert_eq!(again.code, 0, "{when}\n{}\n{}", again.stdout, again.stderr);
            let ended = without_giving_up(&end_state(&db));
            assert_same(&without_giving_up(&wanted), &ended, &when);
            assert_whole(&db, &when);
            failed += 1;
        }
        assert!(
            failed > 0 && is_large_enough,
            "{step}: failed {failed} times"
        );
        tried::all_equal(tried::FULL, step, "sqlite", failed);
    }
}

/// A server whose disk fills up while `migrate` stands at a point. What has to go on afterwards is a new session, or
/// the whole server.
struct Filled<'f> {
    name: &'static str,
    create: &'f dyn Fn(&str) -> Db,
    fill: &'f dyn Fn(&Db),
    make_space: &'f dyn Fn(&Db),
}

/// A backfill waits for a server that is gone, and this one stays away until it has ended.
fn impatient(project: &Project) {
    let config = project.path().join("migrate.toml");
    let text = std::fs::read_to_string(config).expect("the project has a configuration");
    let limits = "[database]\nlock_retry_for = \"2s\"\n";
    project.file("migrate.toml", &format!("{limits}{text}"));
}

fn fill_up(place: &Filled<'_>) {
    let name = place.name;
    for tried in &TRIED {
        let Tried { step, command, .. } = *tried;
        let db_of = |part: &str| {
            let db = (place.create)(&format!("{}_{part}", tried.word()));
            people(&db, 8);
            db
        };
        let straight = db_of("straight");
        let undisturbed = tried.prepared(&straight);
        let points = points(&undisturbed, command);
        let wanted = end_state(&straight);
        let is_tried =
            |point: &&String| point.as_str() == "coordinator.acquired" || point.ends_with(".ran");
        let mut failed = 0;
        for (number, point) in points.iter().filter(is_tried).enumerate() {
            let when = format!("{step} on {name}, no space from {point} on");
            let db = db_of(&format!("full_{number}"));
            let project = tried.prepared(&db);
            impatient(&project);
            let ended = disturbed(&project, command, point, || (place.fill)(&db));
            assert!(
                matches!(ended.code, 0 | 1 | 12),
                "{when}: {}\n{}",
                ended.code,
                ended.stderr
            );
            (place.make_space)(&db);
            let again = project.migrate(command);
            assert_eq!(again.code, 0, "{when}\n{}\n{}", again.stdout, again.stderr);
            let ended_as = without_giving_up(&end_state(&db));
            assert_same(&without_giving_up(&wanted), &ended_as, &when);
            assert_whole(&db, &when);
            failed += usize::from(ended.code != 0);
        }
        assert!(failed > 0, "{step} on {name}: no run met the limit");
        tried::all_equal(tried::FULL, step, name, failed);
    }
}

/// The server's own session may write no file any more: its journal cannot grow, and the server starts anew.
#[test]
fn a_full_disk_on_postgres() {
    let server = postgres::PrivateServer::start();
    let limited = RefCell::new(Vec::new());
    fill_up(&Filled {
        name: "postgres",
        create: &|name| {
            let db = server.create(name);
            db.execute(&format!(
                "ALTER DATABASE {name} SET synchronous_commit = on"
            ));
            db
        },
        fill: &|db| {
            let backends = db.query(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
            );
            for row in backends {
                server.fill_the_disk_of(&row[0]);
                limited.borrow_mut().push(row[0].clone());
            }
        },
        // The server comes back by itself, once all of these are gone: the last may take it down as it ends.
        make_space: &|db| {
            for process in limited.take() {
                server.wait_for_end_of(&process);
            }
            eventually(GENEROUS, || {
                (db.backend.connect)(&db.url).is_ok().then_some(())
            });
        },
    });
}

/// The server may write no file any more, and gives up at the first that it has to.
#[test]
fn a_full_disk_on_mysql() {
    let server = mysql::PrivateServer::start();
    fill_up(&Filled {
        name: "mysql",
        create: &|name| server.create(name),
        fill: &|_| server.fill_the_disk(),
        make_space: &|_| {
            server.crash();
            server.start_again();
        },
    });
}
