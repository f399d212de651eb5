//! What a database gives to others by itself, and what somebody has given who need not have.

use super::{LEDGER, SERVICES, write_migration};
use crate::grants::statements;
use crate::support::backend::Db;
use crate::support::postgres::PrivateServer;
use crate::support::project::Project;
use crate::support::shop::said;

/// As docs/grants.md proposes for the application's own tables, which are made by the same role as the ledger.
#[test]
fn what_is_given_by_default_does_not_open_the_ledger() {
    let server = PrivateServer::start();
    let admin = server.create("shop");
    admin.execute(&statements("The coordinator"));
    admin.execute(
        "CREATE ROLE reporting; \
         ALTER DEFAULT PRIVILEGES FOR ROLE shop_migrator GRANT ALL ON TABLES TO reporting, PUBLIC; \
         ALTER DEFAULT PRIVILEGES FOR ROLE shop_migrator GRANT SELECT ON TABLES TO pg_monitor WITH GRANT OPTION",
    );
    let db = Db::at(
        "postgres",
        server.url_as("shop_migrator", "change%20me", "shop"),
    );
    db.execute("CREATE TABLE users (id bigint PRIMARY KEY, full_name text)");
    let project = Project::new(&db, &[]);
    project.file("migrate.toml", SERVICES);
    write_migration(&project);
    let is_shut = || {
        for table in LEDGER {
            for right in [
                "INSERT",
                "UPDATE",
                "DELETE",
                "TRUNCATE",
                "REFERENCES",
                "TRIGGER",
            ] {
                let may = format!(
                    "SELECT has_table_privilege('reporting', 'phasegate.{table}', '{right}')"
                );
                assert_eq!(admin.value(&may), "0", "{right} on {table}");
            }
        }
    };
    project.migrate(&["expand"]).expect_code(0);
    is_shut();
    // What was asked for of the application's own tables is as it was asked for.
    let own = "SELECT has_table_privilege('reporting', 'users', 'INSERT')";
    assert_eq!(admin.value(own), "1");
    let read = "SELECT has_table_privilege('reporting', 'phasegate.events', 'SELECT')";
    assert_eq!(admin.value(read), "1");

    // The ledger of an earlier build lacks a table, which comes later.
    admin.execute("DROP TABLE phasegate.failures");
    project.migrate(&["expand"]).expect_code(0);
    is_shut();

    // What the documents give is nothing to speak of.
    for heading in ["Instances", "Readers", "Readers that record"] {
        admin.execute(&statements(heading));
    }
    let quiet = project.migrate(&["backfill"]).expect_code(0);
    assert!(!said(&quiet).contains("can be written"), "{quiet:?}");

    admin.execute(
        "GRANT ALL ON phasegate.migrations TO reporting; GRANT UPDATE (hash), TRUNCATE ON phasegate.events TO PUBLIC; \
         GRANT TRIGGER ON phasegate.leases TO shop_web",
    );
    let told = project.migrate(&["contract"]).expect_code(0);
    let advice: Vec<&str> = [
        "REVOKE TRUNCATE, UPDATE (hash) ON phasegate.events FROM PUBLIC",
        "REVOKE TRIGGER ON phasegate.leases FROM shop_web",
    ]
    .into_iter()
    .filter(|statement| said(&told).contains(statement))
    .collect();
    assert_eq!(advice.len(), 2, "{told:?}");
    let all = said(&told);
    let (_, of_all) = all
        .split_once("REVOKE DELETE")
        .expect("what is given whole");
    let (rest, _) = of_all.split_once("FROM reporting").expect("to whom");
    db.execute(&format!("REVOKE DELETE{rest}FROM reporting"));
    db.execute(&advice.join("; "));
    project.migration(
        "0002_more",
        &[
            ("migration.toml", "description = \"more\"\n"),
            ("expand.sql", "CREATE TABLE more (id int);\n"),
        ],
    );
    let quiet = project.migrate(&["expand"]).expect_code(0);
    assert!(!said(&quiet).contains("can be written"), "{quiet:?}");
}
