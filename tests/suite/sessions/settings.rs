//! What a role, a database or a server sets for its sessions, and what a script means under it.

use crate::support::backend::Db;
use crate::support::mysql;
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;
use crate::support::shop::said;

fn project(db: &Db, script: &str) -> Project {
    let project = Project::new(db, &["web"]);
    project.migration(
        "0001_x",
        &[
            ("migration.toml", "description = \"x\"\n"),
            ("expand.sql", script),
        ],
    );
    project
}

/// With it off a backslash is an escape, and a quote after one does not end the text: another statement than was checked.
#[test]
fn a_backslash_means_what_check_reads() {
    let server = PrivateServer::start();
    let admin = server.create("shop");
    admin.execute("ALTER DATABASE shop SET standard_conforming_strings = off");
    let db = Db::at("postgres", admin.url.clone());
    let project = project(&db, "CREATE TABLE t (a text DEFAULT 'a\\b');\n");
    let refused = project.migrate(&["expand"]).expect_code(1);
    for part in ["standard_conforming_strings", "expand.sql", "E'…'"] {
        assert!(said(&refused).contains(part), "{part}: {refused:?}");
    }
    project.file(
        "0001_x/expand.sql",
        "CREATE TABLE t (id serial, a text DEFAULT E'a\\\\b');\n",
    );
    project.migrate(&["expand"]).expect_code(0);
    admin.execute("INSERT INTO t DEFAULT VALUES");
    assert_eq!(admin.value("SELECT length(a) FROM t"), "3");
}

/// Nothing that such a role writes would reach the triggers that keep formats in step.
#[test]
fn a_role_whose_sessions_fire_no_triggers_is_refused() {
    let server = PrivateServer::start();
    let admin = server.create("shop");
    admin.execute("CREATE ROLE copier LOGIN SUPERUSER PASSWORD 'pw'; ALTER ROLE copier SET session_replication_role = replica");
    let db = Db::at("postgres", server.url_as("copier", "pw", "shop"));
    let project = project(&db, "CREATE TABLE t (a text);\n");
    let refused = project.migrate(&["expand"]).expect_code(1);
    for part in ["session_replication_role", "ALTER ROLE copier RESET"] {
        assert!(said(&refused).contains(part), "{part}: {refused:?}");
    }
    admin.execute("ALTER ROLE copier RESET session_replication_role");
    project.migrate(&["expand"]).expect_code(0);
}

#[test]
fn a_database_that_is_read_only_by_default_is_written() {
    let server = PrivateServer::start();
    let admin = server.create("shop");
    admin.execute(
        "CREATE TABLE t (a text); ALTER DATABASE shop SET default_transaction_read_only = on",
    );
    let db = Db::at("postgres", admin.url.clone());
    let project = project(
        &db,
        "-- migrate: no-transaction\nALTER TABLE t ADD b text;\nCREATE INDEX CONCURRENTLY t_b ON t (b);\n",
    );
    project.migrate(&["expand"]).expect_code(0);
}

/// A phase that was answered as done is not lost with the server.
#[test]
fn what_a_role_does_not_wait_for_is_waited_for() {
    let server = PrivateServer::start();
    let admin = server.create("shop");
    for (role, kept) in [("off", "local"), ("remote_apply", "remote_apply")] {
        admin.execute(&format!(
            "DROP TABLE IF EXISTS t; DROP SCHEMA IF EXISTS phasegate CASCADE; \
             ALTER DATABASE shop SET synchronous_commit = {role}"
        ));
        let db = Db::at("postgres", admin.url.clone());
        let script = "CREATE TABLE t (a text DEFAULT current_setting('synchronous_commit'));\n\
                      INSERT INTO t DEFAULT VALUES;\n";
        project(&db, script).migrate(&["expand"]).expect_code(0);
        assert_eq!(admin.value("SELECT a FROM t"), kept);
    }
}

/// As `init_connect`, or a setting of the server, has it for whoever is no superuser.
#[test]
fn what_a_server_cuts_chains_and_stops_is_put_aside() {
    let server = mysql::PrivateServer::start();
    let admin = server.create("shop");
    admin.execute(
        "CREATE USER shop IDENTIFIED BY 'pw'; GRANT ALL ON shop.* TO shop; \
         SET GLOBAL init_connect = 'SET sql_select_limit = 1, completion_type = 1, timestamp = 1000'",
    );
    let db = Db::at("mysql", server.url_as("shop", "pw", "shop"));
    let limited = project(&db, "CREATE TABLE t (a int);\n");
    limited.migrate(&["expand"]).expect_code(0);
    let instances = ["a-1", "b-2", "c-3"];
    for name in instances {
        let register = ["admit", "--service", "web", "--version", "1.0.0"];
        limited
            .migrate(&[&register[..], &["--instance", name]].concat())
            .expect_code(0);
    }
    limited.migrate(&["log", "--verify"]).expect_code(0);
    for asked in [&limited, &project(&admin, "CREATE TABLE t (a int);\n")] {
        let fleet = asked.migrate(&["fleet"]).expect_code(0);
        for name in instances {
            assert!(fleet.stdout.contains(name), "{name}: {fleet:?}");
        }
    }
}
