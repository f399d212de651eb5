//! Limits on the time of a session that its role or its server has.

use std::time::{Duration, Instant};

use crate::support::backend::Db;
use crate::support::mysql;
use crate::support::pooler::Pooler;
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;
use crate::support::shop::said;

fn with_scripts(db: &Db, scripts: &[(&str, &str)]) -> Project {
    let project = Project::new(db, &[]);
    project.file(
        "migrate.toml",
        "[database]\nlock_retry_for = \"60s\"\n[services.web]\nmin_instances = 0\n",
    );
    for (name, script) in scripts {
        let mut manifest = String::from("description = \"x\"\n");
        let calls = script.lines().find(|line| line.contains("slow("));
        if let Some(statement) = calls {
            manifest.push_str(&format!(
                "[[expand.allow]]\nstatement = \"{}\"\nreason = \"the function only sleeps\"\n",
                statement.trim_end_matches(';')
            ));
        }
        project.migration(
            name,
            &[("migration.toml", &manifest), ("expand.sql", script)],
        );
    }
    project
}

const SLOW: &str = "CREATE TABLE t (id int); INSERT INTO t SELECT generate_series(1, 20); \
     CREATE FUNCTION slow(n int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS \
     $$ BEGIN PERFORM pg_sleep(0.05); RETURN n; END $$";
const CONCURRENTLY: &str =
    "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY t_slow ON t (slow(id));\n";

#[test]
fn the_limits_of_a_role_do_not_end_a_step() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    db.execute(SLOW);
    db.execute(
        "ALTER ROLE postgres SET statement_timeout = '400ms'; ALTER ROLE postgres SET lock_timeout = '50ms'; \
         ALTER ROLE postgres SET idle_in_transaction_session_timeout = '100ms'",
    );
    let project = with_scripts(
        &db,
        &[
            ("0001_index", "CREATE INDEX t_id ON t (slow(id));\n"),
            ("0002_concurrently", CONCURRENTLY),
        ],
    );
    let done = project.migrate(&["expand"]).expect_code(0);
    assert!(!done.stderr.contains("lock"), "{done:?}");
    assert_eq!(
        db.value("SELECT count(*) FROM pg_index WHERE NOT indisvalid"),
        "0"
    );
}

/// Behind a pooler the session's limits are not ours to set outside of a transaction: what they end is said as it is, and
/// the next run begins with what is left cleared.
#[test]
fn a_limit_that_cannot_be_put_aside_is_named_and_is_no_lock() {
    let server = PrivateServer::start();
    let db = server.create("shop");
    db.execute(SLOW);
    db.execute("ALTER ROLE postgres SET statement_timeout = '400ms'");
    let pooler = Pooler::start(server.port(), 2);
    let pooled = Db::at("postgres", pooler.url("shop"));
    let project = with_scripts(&pooled, &[("0001_concurrently", CONCURRENTLY)]);
    let began = Instant::now();
    let failed = project.migrate(&["expand"]).expect_code(1);
    assert!(began.elapsed() < Duration::from_secs(30));
    for part in [
        "expand.sql:2",
        "statement_timeout",
        "ALTER ROLE",
        "past the pooler",
    ] {
        assert!(said(&failed).contains(part), "{part} in {failed:?}");
    }
    assert!(
        !failed.stderr.contains("a lock was not granted"),
        "{failed:?}"
    );
    with_scripts(&db, &[("0001_concurrently", CONCURRENTLY)])
        .migrate(&["expand"])
        .expect_code(0);
    assert_eq!(
        db.query(
            "SELECT indexrelid::regclass, indisvalid FROM pg_index WHERE indrelid = 't'::regclass"
        ),
        [["t_slow", "1"]]
    );
}

#[test]
fn a_limit_that_the_script_sets_is_kept_and_named() {
    let db = Db::on("postgres");
    let project = with_scripts(
        &db,
        &[(
            "0001_x",
            "SET LOCAL statement_timeout = '200ms';\nCREATE TABLE t AS SELECT pg_sleep(5)::text AS slept;\n",
        )],
    );
    let began = Instant::now();
    let failed = project.migrate(&["expand"]).expect_code(1);
    assert!(began.elapsed() < Duration::from_secs(20));
    for part in [
        "expand.sql:2",
        "nobody holds a lock",
        "script sets for itself",
    ] {
        assert!(said(&failed).contains(part), "{part} in {failed:?}");
    }
}

#[test]
fn the_limits_of_a_mariadb_server_do_not_end_a_step() {
    let server = mysql::PrivateServer::start();
    let db = server.create("shop");
    if mysql::is_mariadb(&db) {
        db.execute("SET GLOBAL max_statement_time = 0.3, GLOBAL wait_timeout = 1");
    }
    let project = with_scripts(
        &db,
        &[("0001_x", "CREATE TABLE t AS SELECT SLEEP(1) AS slept;\n")],
    );
    project.file(
        "0001_x/migration.toml",
        "description = \"x\"\n[[expand.allow]]\nstatement = \"CREATE TABLE t\"\nreason = \"a test\"\n",
    );
    project.migrate(&["expand"]).expect_code(0);
    assert_eq!(db.value("SELECT count(*) FROM t"), "1");
}
