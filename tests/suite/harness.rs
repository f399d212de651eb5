//! The tests' own support, tested: what it promises is what every other test relies on.

use std::time::Duration;

use rustix::process::{Pid, test_kill_process};

use crate::support::backend::{BACKENDS, Db, Ledger};
use crate::support::connection::{Connection, PostgresSession};
use crate::support::postgres::PrivateServer;
use crate::support::project::{Project, Signal};
use crate::support::snapshot::normalised;
use crate::support::wait::{GENEROUS, eventually};

scenario!(
    fn a_database_is_fresh_and_answers_as_text(db: Db) {
        assert_eq!(
            db.dump(Ledger::Included),
            Db::on(db.backend.name).dump(Ledger::Included)
        );
        db.execute(&format!(
            "CREATE TABLE t (id {}, name text, score double precision)",
            db.backend.key
        ));
        assert_eq!(
            db.execute("INSERT INTO t (name, score) VALUES ('a', 1.5), (NULL, 2.0), ('', -1)"),
            3
        );
        assert_eq!(
            db.execute("UPDATE t SET name = 'b' WHERE id = 1; UPDATE t SET score = 0 WHERE id > 1"),
            3
        );
        assert_eq!(
            db.query("SELECT id, name, id > 1 FROM t ORDER BY id"),
            [["1", "b", "0"], ["2", "NULL", "1"], ["3", "", "1"]]
        );
        assert_eq!(db.value("SELECT count(*) FROM t"), "3");
        assert!(db.try_execute("INSERT INTO nowhere VALUES (1)").is_err());
        insta::assert_snapshot!(db.value("SELECT name FROM t WHERE id = 1"), @"b");
    }
);

scenario!(
    fn a_dump_shows_every_difference_and_no_other(db: Db) {
        let start = format!(
            "CREATE TABLE t (id {}, name varchar(20)); INSERT INTO t (name) VALUES ('a'), (NULL)",
            db.backend.key
        );
        db.execute(&start);
        let first = db.dump(Ledger::Included);
        let same = Db::on(db.backend.name);
        same.execute(&start);
        assert_eq!(first, same.dump(Ledger::Included));
        let mut seen = vec![first];
        for change in [
            "UPDATE t SET name = 'b' WHERE id = 1",
            "INSERT INTO t (name) VALUES ('c')",
            "ALTER TABLE t ADD COLUMN extra text",
            "ALTER TABLE t ADD COLUMN required varchar(20) NOT NULL DEFAULT ''",
            "CREATE INDEX t_name ON t (name)",
            "CREATE UNIQUE INDEX t_both ON t (name, required)",
            "CREATE VIEW v AS SELECT id FROM t",
            "CREATE TABLE other (id bigint REFERENCES t (id))",
        ] {
            db.execute(change);
            let dump = db.dump(Ledger::Included);
            assert!(!seen.contains(&dump), "{change} is not seen in\n{dump}");
            seen.push(dump);
        }
    }
);

scenario!(
    fn a_dump_can_leave_out_the_ledger(db: Db) {
        db.execute(&format!("CREATE TABLE t (id {})", db.backend.key));
        let before = db.dump(Ledger::Excluded);
        db.execute(match db.backend.name {
            "postgres" => "CREATE SCHEMA phasegate; CREATE TABLE phasegate.event (id int PRIMARY KEY, body text)",
            _ => "CREATE TABLE phasegate_event (id int PRIMARY KEY, body text)",
        });
        assert_eq!(db.dump(Ledger::Excluded), before);
        assert_ne!(db.dump(Ledger::Included), before);
    }
);

scenario!(
    fn a_connection_keeps_its_transaction(db: Db) {
        db.execute(&format!("CREATE TABLE t (id {})", db.backend.key));
        let mut writer = db.connect();
        writer.execute("BEGIN; INSERT INTO t (id) VALUES (7)");
        assert_eq!(writer.query("SELECT id FROM t"), [["7"]]);
        assert_eq!(db.value("SELECT count(*) FROM t"), "0");
        drop(writer);
        let value = eventually(GENEROUS, || db.try_execute("DROP TABLE t").ok());
        assert!(value <= 1);
    }
);

scenario!(
    fn migrate_runs_in_a_project(db: Db) {
        let project = Project::new(&db, &["web", "worker"]);
        project.migration(
            "0001_first",
            &[("migration.toml", ""), ("expand.sql", "SELECT 1;")],
        );
        assert!(project.path().join("0001_first/expand.sql").is_file());
        let written =
            std::fs::read_to_string(project.path().join("migrate.toml")).expect("it was written");
        assert!(
            written.starts_with("[services.web]\n[services.worker]\n"),
            "{written}"
        );
        let mut process = project.spawn(&["--help"]);
        assert!(process.pid() > 0);
        eventually(GENEROUS, || process.has_ended().then_some(()));
        let output = process.wait();
        assert_eq!(output.code, 0, "{}", output.snapshot());
    }
);

scenario!(
    fn names_of_the_database_are_normalised(db: Db) {
        let project = Project::new(&db, &["web"]);
        let text = format!("{} in {}/a.sql", db.url, project.path().display());
        insta::assert_snapshot!(project.normalised(&text), @"[DATABASE_URL] in [PROJECT]/a.sql");
    }
);

#[test]
fn a_process_is_killed_when_dropped_or_signalled() {
    let project = Project::without_database(&["web"]);
    let sleeper = project.spawn_program("sh", &["-c", "echo ready; exec sleep 600"]);
    let pid = Pid::from_raw(i32::try_from(sleeper.pid()).expect("a pid")).expect("a pid");
    assert_eq!(test_kill_process(pid), Ok(()));
    drop(sleeper);
    assert_eq!(test_kill_process(pid), Err(rustix::io::Errno::SRCH));

    let mut sleeper = project.spawn_program("sh", &["-c", "echo ready >&2; exec sleep 600"]);
    assert_eq!(sleeper.wait_for_line("ready", GENEROUS), "ready");
    sleeper.signal(Signal::TERM);
    let output = sleeper.wait();
    assert_eq!(output.code, 128 + 15);
    assert_eq!(
        output.snapshot(),
        "exit code 143\n--- stdout\n--- stderr\nready\n"
    );
}

#[test]
#[should_panic(expected = "no line with \"never\"")]
fn a_line_that_never_comes_fails_at_the_end_of_the_process() {
    let project = Project::without_database(&["web"]);
    project
        .spawn_program("sh", &["-c", "echo something else"])
        .wait_for_line("never", GENEROUS);
}

#[test]
fn what_is_volatile_is_normalised_and_what_is_not_stays() {
    let known = [("/tmp/x/project".to_owned(), "[PROJECT]".to_owned())];
    for (text, expected) in [
        ("at 2026-01-05T10:00:01.123Z.", "at [TIME]."),
        ("seen 2026-01-05 10:00:01+00, now", "seen [TIME], now"),
        ("4 of 4, 12 ms ago", "4 of 4, [AGE] ago"),
        ("3m 12s ago", "[AGE] ago"),
        ("done in 1.25s", "done in [DURATION]"),
        (
            "soak 24h, lease 10m, lock timeout 500 ms",
            "soak 24h, lease 10m, lock timeout 500 ms",
        ),
        ("pid 4711 and \"pid\":12", "pid [PID] and \"pid\":[PID]"),
        ("sha256 0123456789abcdef", "sha256 [HASH]"),
        (
            "web 1.2.0, 0002_split, 20260105",
            "web 1.2.0, 0002_split, 20260105",
        ),
        ("\"age_ms\":12,", "\"age_ms\":0,"),
        ("/tmp/x/project/a.sql", "[PROJECT]/a.sql"),
    ] {
        assert_eq!(normalised(text, &known), expected);
    }
}

#[test]
fn every_backend_has_a_name_of_its_own() {
    let names: std::collections::BTreeSet<_> =
        BACKENDS.iter().map(|backend| backend.name).collect();
    assert_eq!(names.len(), BACKENDS.len());
}

#[test]
fn a_private_server_stops_crashes_and_comes_back() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    db.execute("CREATE TABLE t (id int); INSERT INTO t VALUES (1)");
    let mut held = db.connect();

    server.stop();
    assert!(held.try_execute("SELECT 1").is_err());
    assert!(PostgresSession::open(&db.url).is_err());
    server.start_again();
    assert_eq!(db.value("SELECT id FROM t"), "1");

    server.crash();
    assert!(PostgresSession::open(&db.url).is_err());
    server.start_again();
    assert_eq!(db.value("SELECT id FROM t"), "1");
    assert_eq!(
        Db::at("postgres", server.socket_url("shop")).value("SELECT id FROM t"),
        "1"
    );
}

#[test]
fn a_paused_server_answers_after_the_pause() {
    let server = PrivateServer::start();
    let mut held = Connection::new(Box::new(
        PostgresSession::open(&server.url("postgres")).expect("it runs"),
    ));
    server.pause();
    let (sender, answers) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        let rows = held.query("SELECT 1");
        // The test may have failed and gone by now.
        let _ = sender.send(rows);
    });
    assert!(
        answers.recv_timeout(Duration::from_millis(300)).is_err(),
        "a paused server has answered"
    );
    server.resume();
    assert_eq!(
        answers
            .recv_timeout(GENEROUS)
            .expect("an answer after the pause"),
        [["1"]]
    );
    waiting.join().expect("the query has succeeded");
    server.pause();
    // Dropped while paused: it must end nevertheless.
}

#[test]
fn a_role_needs_its_password() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    db.execute("CREATE ROLE app LOGIN PASSWORD 'right'");
    assert!(PostgresSession::open(&server.url_as("app", "right", "shop")).is_ok());
    assert!(PostgresSession::open(&server.url_as("app", "wrong", "shop")).is_err());
}
