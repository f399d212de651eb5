//! The rights that docs/grants.md lists: enough for what each role does, and no more.

use std::path::Path;
use std::time::Duration;

use crate::example;
use crate::support::backend::Db;
use crate::support::connection::block_on;
use crate::support::mysql;
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;
use crate::support::wait::{GENEROUS, eventually};

/// The SQL under one heading of the document, as it stands there.
pub fn statements(heading: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/grants.md");
    let text = std::fs::read_to_string(path).expect("the document is there");
    let section = text
        .split("\n## ")
        .find(|section| section.starts_with(heading))
        .unwrap_or_else(|| panic!("docs/grants.md has no section `{heading}`"));
    let block = section.split("```sql\n").nth(1).expect("a block of SQL");
    block.split("```").next().expect("an end").to_owned()
}

/// The example's project, used by one role.
fn project_as(server: &PrivateServer, role: &str) -> Project {
    let db = Db::at("postgres", server.url_as(role, "change%20me", "shop"));
    example::shop(&db)
}

#[test]
fn each_role_can_do_its_work_with_the_documented_grants_and_no_more() {
    let server = PrivateServer::start();
    let admin = server.create("shop");
    admin.execute(&statements("The coordinator"));
    let coordinator = project_as(&server, "shop_migrator");
    coordinator.migrate(&["expand"]).expect_code(0);
    admin.execute(&statements("Instances"));
    admin.execute(&statements("Readers"));
    let reader = project_as(&server, "shop_ci");
    let instance = project_as(&server, "shop_web");
    let web = Db::at("postgres", server.url_as("shop_web", "change%20me", "shop"));

    coordinator.migrate(&["backfill"]).expect_code(0);
    let newest = ["admit", "--service", "web", "--version", "1.2.0"];
    instance.migrate(&newest).expect_code(0);
    admin.execute("DELETE FROM phasegate.leases");
    let agent = [
        "agent",
        "--service",
        "web",
        "--version",
        "1.1.0",
        "--",
        "true",
    ];
    instance.migrate(&agent).expect_code(0);

    // An instance registers, renews, drains and goes.
    let renewed_at = || admin.value("SELECT renewed_at FROM phasegate.leases");
    let lease = block_on(
        crate::support::lease::of_test(&web.url, "web", "1.2.0")
            .instance("server-1")
            .lease(Duration::from_secs(30))
            .renew(Duration::from_millis(100))
            .acquire(),
    )
    .expect("an instance may register");
    let first = renewed_at();
    eventually(GENEROUS, || (renewed_at() != first).then_some(()));
    block_on(lease.draining()).expect("an instance may drain");
    assert!(lease.is_valid());

    for question in [
        &["status"] as &[&str],
        &["fleet"],
        &["log", "--verify"],
        &["gate", "contract", "0002"],
        &["gate", "deploy", "web=1.2.0"],
        &["contract", "--dry-run"],
    ] {
        reader.migrate(question).expect_code(0);
    }
    let refused = reader.migrate(&["fleet", "--record"]);
    assert_eq!(refused.code, 0, "there is no source to record: {refused:?}");
    records_with(&admin, &reader, "Readers that record");
    let refused = reader.migrate(&["contract", "0002"]).expect_code(1);
    // The ledger is not this role's.
    assert!(
        refused.stderr.contains("belongs to shop_migrator"),
        "{}",
        refused.stderr
    );

    coordinator
        .migrate(&["contract", "0002", "0004"])
        .expect_code(0);
    assert!(admin.try_execute("SELECT full_name FROM users").is_err());
    instance
        .migrate(&["admit", "--service", "web", "--version", "1.0.0"])
        .expect_code(11);
    block_on(lease.release()).expect("an instance may go");
    assert_eq!(admin.value("SELECT count(*) FROM phasegate.leases"), "0");

    for forbidden in [
        "UPDATE phasegate.migrations SET phase = 'contracted'",
        "UPDATE phasegate.coordinator SET token = token + 1",
        "UPDATE phasegate.meta SET format = 0",
        "DELETE FROM phasegate.sightings",
        "DELETE FROM phasegate.admission",
        "SELECT * FROM phasegate.events",
        "SELECT * FROM phasegate.steps",
        "SELECT * FROM phasegate.files",
        "CREATE TABLE phasegate.mine (id int)",
        "CREATE TABLE public.mine (id int)",
        "SELECT * FROM users",
        "DROP TABLE users",
    ] {
        let error = web.try_execute(forbidden).expect_err(forbidden).to_string();
        let is_denied = error.contains("permission denied") || error.contains("must be owner");
        assert!(is_denied, "{forbidden}: {error}");
    }
}

/// A reader that records needs what this section grants, and no more.
fn records_with(admin: &Db, reader: &Project, section: &str) {
    let config = std::fs::read_to_string(reader.path().join("migrate.toml")).expect("a file");
    let (before, _) = config.split_once("[fleet]").unwrap_or((&config, ""));
    let listed = "[fleet]\nsources = [{ kind = \"leases\" }, { kind = \"command\", run = [\"cat\", \"fleet.jsonl\"] }]\n";
    reader.file("migrate.toml", &format!("{before}{listed}"));
    reader.file(
        "fleet.jsonl",
        "{\"service\":\"web\",\"instance\":\"pod-1\",\"version\":\"1.2.0\"}\n",
    );
    let refused = reader.migrate(&["fleet", "--record"]).expect_code(1);
    let is_denied = ["denied", "lacks a right"]
        .iter()
        .any(|words| refused.stderr.contains(words));
    assert!(is_denied, "{refused:?}");
    admin.execute(&statements(section));
    reader.migrate(&["fleet", "--record"]).expect_code(0);
    reader
        .migrate(&["gate", "deploy", "web=1.2.0", "--record"])
        .expect_code(0);
    reader.file("fleet.jsonl", "");
    reader.file("migrate.toml", &config);
}

#[test]
fn each_user_of_mariadb_can_do_its_work_with_the_documented_grants_and_no_more() {
    let server = mysql::PrivateServer::start();
    let admin = server.create("shop");
    let as_user = |user: &str| Db::at("mysql", server.url_as(user, "change%20me", "shop"));
    admin.execute(&statements("MySQL and MariaDB: the coordinator"));
    let coordinator = example::shop(&as_user("shop_migrator"));
    coordinator.migrate(&["expand"]).expect_code(0);
    admin.execute(&statements("MySQL and MariaDB: instances"));
    admin.execute(&statements("MySQL and MariaDB: readers"));
    let (reader, instance) = (
        example::shop(&as_user("shop_ci")),
        example::shop(&as_user("shop_web")),
    );

    coordinator.migrate(&["backfill"]).expect_code(0);
    let newest = ["admit", "--service", "web", "--version", "1.2.0"];
    instance.migrate(&newest).expect_code(0);
    let agent = [
        "agent",
        "--service",
        "web",
        "--version",
        "1.2.0",
        "--",
        "true",
    ];
    instance.migrate(&agent).expect_code(0);
    let lease = block_on(
        crate::support::lease::of_test(&as_user("shop_web").url, "web", "1.2.0")
            .instance("server-1")
            .lease(Duration::from_secs(30))
            .renew(Duration::from_millis(100))
            .acquire(),
    )
    .expect("an instance may register");
    eventually(GENEROUS, || {
        let answer = reader.migrate(&["gate", "contract", "0002"]);
        (answer.code == 0).then_some(())
    });
    for question in [
        &["status"] as &[&str],
        &["fleet"],
        &["log", "--verify"],
        &["gate", "contract", "0002"],
        &["contract", "--dry-run"],
    ] {
        reader.migrate(question).expect_code(0);
    }
    records_with(&admin, &reader, "MySQL and MariaDB: readers that record");
    let refused = reader.migrate(&["contract", "0002"]).expect_code(1);
    assert!(
        refused.stderr.contains("lacks a right"),
        "{}",
        refused.stderr
    );
    coordinator
        .migrate(&["contract", "0002", "0004"])
        .expect_code(0);
    block_on(lease.release()).expect("an instance may go");

    let web = as_user("shop_web");
    for forbidden in [
        "UPDATE phasegate_migrations SET phase = 'contracted'",
        "UPDATE phasegate_coordinator SET token = token + 1",
        "DELETE FROM phasegate_sightings",
        "SELECT * FROM phasegate_events",
        "CREATE TABLE mine (id int)",
        "SELECT * FROM users",
        "DROP TABLE users",
    ] {
        let error = web.try_execute(forbidden).expect_err(forbidden).to_string();
        assert!(error.contains("denied"), "{forbidden}: {error}");
    }
}
