//! PostgreSQL: what a role or a database sets for its sessions, and what a script means under it.

use crate::support::backend::Db;
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
