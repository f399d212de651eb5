//! A server that stops, crashes or cuts a connection at the worst moment.

use crate::support::backend::{Db, Ledger};
use crate::support::postgres::PrivateServer;
use crate::support::project::{Output, Process, Project, Signal};
use crate::support::wait::{GENEROUS, eventually};

const CONFIG: &str = "\
[services.web]
min_instances = 0
[fleet]
lease = \"60s\"
renew = \"200ms\"
coordinator_lease = \"1s\"
";

const MANIFEST: &str = "\
description = \"Move people.full_name to people.name\"
rows = \"append-only\"
[services.web]
old = \"<1.2.0\"
new = \">=1.1.0\"
[backfill]
table = \"people\"
key = \"id\"
batch = 10
remaining = \"SELECT count(*) FROM people WHERE name IS NULL\"
";

fn project(db: &Db) -> Project {
    // What is committed has to outlive a crash of the server, and the tests' server is set to be fast instead.
    let name = db.value("SELECT current_database()");
    db.execute(&format!(
        "ALTER DATABASE {name} SET synchronous_commit = on"
    ));
    db.execute(
        "CREATE TABLE people (id bigint PRIMARY KEY, full_name text); \
         INSERT INTO people SELECT i, 'Person ' || i FROM generate_series(1, 40) AS i",
    );
    let project = Project::new(db, &["web"]);
    project.file("migrate.toml", CONFIG);
    let files = [
        ("migration.toml", MANIFEST),
        (
            "expand.sql",
            "ALTER TABLE people ADD COLUMN name text;\nCREATE INDEX people_name ON people (name);\n",
        ),
        (
            "backfill.sql",
            "UPDATE people SET name = full_name WHERE id > :after AND id <= :upto AND name IS NULL;\n",
        ),
        (
            "contract.sql",
            "ALTER TABLE people DROP COLUMN full_name;\n",
        ),
        (
            "revert.sql",
            "-- migrate: no-transaction\nDROP INDEX CONCURRENTLY people_name;\nALTER TABLE people DROP COLUMN name;\n",
        ),
    ];
    project.migration("0001_name", &files);
    project
}

/// How the connection is lost while a run stands still.
type Outage = fn(&PrivateServer, &Db);

fn crash(server: &PrivateServer, _: &Db) {
    server.crash();
    server.start_again();
}

fn restart(server: &PrivateServer, _: &Db) {
    server.stop();
    server.start_again();
}

fn cut(_: &PrivateServer, db: &Db) {
    let others = "pid <> pg_backend_pid() AND backend_type = 'client backend'";
    db.query(&format!(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}"
    ));
}

/// Stops a run at a point, loses its connection, lets it go on, and runs the command again.
#[track_caller]
fn lose(
    server: &PrivateServer,
    project: &Project,
    db: &Db,
    command: &[&str],
    at: &str,
    how: Outage,
) {
    project.env("PHASEGATE_PAUSE_AT", at);
    let mut run = project.spawn(command);
    run.wait_for_line("pause at point", GENEROUS);
    project.env_remove("PHASEGATE_PAUSE_AT");
    how(server, db);
    // It may pass the same point again.
    eventually(GENEROUS, || {
        run.signal_if_running(Signal::CONT);
        run.has_ended().then_some(())
    });
    let ended: Output = run.wait();
    if command[0] == "backfill" {
        // It goes on by itself, and says so.
        assert_eq!(ended.code, 0, "{at}\n{}{}", ended.stdout, ended.stderr);
        assert!(ended.stdout.contains("(40 rows in"), "{}", ended.stdout);
        assert!(
            ended.stdout.contains("connection was lost"),
            "{}",
            ended.stdout
        );
        return;
    }
    assert_eq!(ended.code, 12, "{at}\n{}{}", ended.stdout, ended.stderr);
    let is_named = ["cannot be reached", "terminating connection"];
    assert!(
        is_named.iter().any(|what| ended.stderr.contains(what)),
        "{at}\n{}",
        ended.stderr
    );
    let said = crate::support::shop::said(&ended);
    let is_told = ["what was done is kept", "fence"];
    // At the first commit, of its lease, no step has begun.
    let has_begun = at != "ledger.commit";
    assert!(
        !has_begun || is_told.iter().any(|what| said.contains(what)),
        "{said}"
    );
    let again = project.migrate(command);
    assert_eq!(again.code, 0, "{at}\n{}{}", again.stdout, again.stderr);
}

/// A command, and what is done to its connection at which point.
type Outages = (&'static [&'static str], &'static [(&'static str, Outage)]);

#[test]
fn a_lost_connection_is_made_up_for_by_the_next_run() {
    let server = PrivateServer::start();
    let straight = server.create("straight");
    let undisturbed = project(&straight);
    let steps: [Outages; 4] = [
        (
            &["expand", "1"],
            &[("expand.ran", crash), ("ledger.commit", cut)],
        ),
        (
            &["revert", "1"],
            // Between the record and the statement a session of its own is opened, which makes up for a loss there.
            &[("revert.ran", crash), ("revert.ran", cut)],
        ),
        (
            &["backfill", "1"],
            &[("backfill.ran", crash), ("backfill.batch", restart)],
        ),
        (
            &["contract", "1"],
            &[("contract.ran", crash), ("contract.fenced", cut)],
        ),
    ];
    let mut number = 0;
    for (command, outages) in steps {
        let prepare = |project: &Project| match command[0] {
            "expand" => {}
            "contract" => {
                project.migrate(&["expand", "1"]).expect_code(0);
                project.migrate(&["backfill", "1"]).expect_code(0);
            }
            _ => drop(project.migrate(&["expand", "1"]).expect_code(0)),
        };
        prepare(&undisturbed);
        undisturbed.migrate(command).expect_code(0);
        let wanted = straight.dump(Ledger::Excluded);
        for (at, how) in outages {
            number += 1;
            let db = server.create(&format!("outage_{number}"));
            let project = project(&db);
            prepare(&project);
            lose(&server, &project, &db, command, at, *how);
            assert_eq!(db.dump(Ledger::Excluded), wanted, "{command:?} at {at}");
            project.migrate(&["log", "--verify"]).expect_code(0);
        }
    }
}

#[test]
fn a_backfill_that_finds_nobody_says_what_is_kept() {
    let server = PrivateServer::start();
    let db = server.create("gone");
    let project = project(&db);
    let config = format!("{CONFIG}[database]\nlock_retry_for = \"2s\"\n");
    project.file("migrate.toml", &config);
    project.migrate(&["expand"]).expect_code(0);
    project.env("PHASEGATE_PAUSE_AT", "backfill.batch");
    let mut run = project.spawn(&["backfill"]);
    run.wait_for_line("pause at point", GENEROUS);
    project.env_remove("PHASEGATE_PAUSE_AT");
    server.stop();
    eventually(GENEROUS, || {
        run.signal_if_running(Signal::CONT);
        run.has_ended().then_some(())
    });
    let ended = run.wait().expect_code(12);
    let said = crate::support::shop::said(&ended);
    assert!(said.contains("cannot be reached"), "{said}");
    assert!(said.contains("what was done is kept"), "{said}");
    assert!(said.contains("run the same command again"), "{said}");
    server.start_again();
    let status = project.migrate(&["status", "--output", "json"]);
    let status = status.expect_code(0).json();
    assert!(
        status["migrations"][0]["idle_since"].is_string(),
        "{status}"
    );
    let status = project.migrate(&["status"]).expect_code(0);
    assert!(
        status
            .stdout
            .contains("nobody is at work on its backfill since"),
        "{}",
        status.stdout
    );
    let again = project.migrate(&["backfill"]).expect_code(0);
    assert!(again.stdout.contains("(30 rows in"), "{}", again.stdout);
    let status = project.migrate(&["status", "--output", "json"]);
    assert!(status.json()["migrations"][0]["idle_since"].is_null());
}

fn agent(project: &Project, name: &str) -> Process {
    let command = [
        "agent",
        "--service",
        "web",
        "--version",
        "1.1.0",
        "--instance",
        name,
        "--",
        "sleep",
        "600",
    ];
    project.spawn(&command)
}

#[test]
fn a_restart_of_the_server_stops_no_application() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    let project = project(&db);
    project.migrate(&["expand"]).expect_code(0);
    project.migrate(&["backfill"]).expect_code(0);
    let mut agents = [agent(&project, "server-1"), agent(&project, "server-2")];
    let ids = || {
        let rows = db.query("SELECT id FROM phasegate.leases ORDER BY id");
        (rows.len() == 2).then_some(rows)
    };
    let before = eventually(GENEROUS, ids);
    project.migrate(&["gate", "contract", "1"]).expect_code(11);
    server.stop();
    for question in [&["gate", "contract", "1"], &["gate", "deploy", "web=1.1.0"]] {
        let unknown = project.migrate(question).expect_code(12);
        assert!(unknown.stdout.contains("unknown"), "{}", unknown.stdout);
    }
    server.start_again();
    let now = db.value("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint");
    let renewed = format!("SELECT count(*) FROM phasegate.leases WHERE renewed_at > {now}");
    eventually(GENEROUS, || (db.value(&renewed) == "2").then_some(()));
    assert_eq!(ids(), Some(before), "the same leases as before");
    assert!(agents.iter_mut().all(|agent| !agent.has_ended()));
    project.migrate(&["gate", "contract", "1"]).expect_code(11);
    project
        .migrate(&["gate", "deploy", "web=1.1.0"])
        .expect_code(0);
    for agent in agents {
        agent.signal(Signal::TERM);
        agent.wait().expect_code(143);
    }
    project.migrate(&["gate", "contract", "1"]).expect_code(0);
}
