//! Rows that a policy hides from the role that migrates: nothing may be concluded from the rest.

use crate::support::backend::Db;
use crate::support::postgres::PrivateServer;
use crate::support::project::{Output, Project};
use crate::support::shop::said;

const MANIFEST: &str = "\
description = \"x\"
sync = \"both\"
[services.web]
old = \"<2.0.0\"
new = \">=2.0.0\"
[expand]
nothing_to_do = \"columns are there\"
[backfill]
table = \"t\"
key = \"id\"
remaining = \"SELECT count(*) FROM t WHERE new IS NULL\"
";

/// Ten rows under a policy that shows none of them to whoever has set no tenant.
fn server() -> (PrivateServer, Db) {
    let server = PrivateServer::start();
    let admin = server.create("shop");
    admin.execute(
        "CREATE ROLE migrator LOGIN PASSWORD 'pw'; GRANT CREATE ON DATABASE shop TO migrator; \
         GRANT USAGE, CREATE ON SCHEMA public TO migrator; \
         CREATE TABLE t (id int PRIMARY KEY, tenant text, old text, new text); \
         INSERT INTO t SELECT n, 't' || (n % 2), 'o' || n FROM generate_series(1, 10) n; \
         ALTER TABLE t ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY p ON t USING (tenant = current_setting('app.tenant', true))",
    );
    (server, admin)
}

fn project(server: &PrivateServer) -> Project {
    let db = Db::at("postgres", server.url_as("migrator", "pw", "shop"));
    let project = Project::new(&db, &[]);
    project.file("migrate.toml", "[services.web]\nmin_instances = 0\n");
    project.migration(
        "0001_x",
        &[
            ("migration.toml", MANIFEST),
            (
                "backfill.sql",
                "UPDATE t SET new = old WHERE id > :after AND id <= :upto AND new IS NULL;\n",
            ),
            ("contract.sql", "ALTER TABLE t DROP COLUMN old;\n"),
        ],
    );
    project
}

#[track_caller]
fn assert_says_what_is_hidden(output: &Output) {
    let said = said(output);
    for part in ["row level security", "BYPASSRLS", "docs/grants.md"] {
        assert!(said.contains(part), "{part} in {output:?}");
    }
}

#[test]
fn a_backfill_under_a_policy_is_refused_and_nothing_is_contracted() {
    // An owner that is not exempt, and somebody who is no owner.
    for owner in [
        "ALTER TABLE t OWNER TO migrator; ALTER TABLE t FORCE ROW LEVEL SECURITY",
        "GRANT SELECT, UPDATE ON t TO migrator",
    ] {
        let (server, admin) = server();
        admin.execute(owner);
        let project = project(&server);
        project.migrate(&["expand"]).expect_code(0);
        let dry = project.migrate(&["backfill", "--dry-run"]).expect_code(1);
        assert_says_what_is_hidden(&dry);
        let refused = project.migrate(&["backfill"]).expect_code(1);
        assert_says_what_is_hidden(&refused);
        assert_ne!(project.migrate(&["contract"]).code, 0);
        assert_eq!(
            admin.value("SELECT count(*) FROM t WHERE new IS NULL AND old IS NOT NULL"),
            "10"
        );

        // With the right that the message names, all of it is filled.
        admin.execute("ALTER ROLE migrator BYPASSRLS");
        project.migrate(&["backfill"]).expect_code(0);
        assert_eq!(admin.value("SELECT count(*) FROM t WHERE new = old"), "10");
    }
}

#[test]
fn what_a_contract_asks_and_what_a_script_updates_see_every_row_or_fail() {
    let (server, admin) = server();
    admin.execute("ALTER TABLE t OWNER TO migrator; ALTER TABLE t FORCE ROW LEVEL SECURITY");
    let project = project(&server);
    project.migration(
        "0001_x",
        &[
            (
                "migration.toml",
                "description = \"x\"\n[services.web]\nold = \"<2.0.0\"\n[contract]\n\
                 require = [\"SELECT count(*) FROM t WHERE old LIKE 'o%'\"]\n",
            ),
            ("contract.sql", "ALTER TABLE t DROP COLUMN old;\n"),
        ],
    );
    std::fs::remove_file(project.path().join("0001_x/backfill.sql")).expect("it was written");
    project.migrate(&["expand"]).expect_code(0);
    for asked in [
        &["contract"] as &[&str],
        &["contract", "--dry-run"],
        &["gate", "contract", "1"],
    ] {
        let refused = project.migrate(asked).expect_code(1);
        assert_says_what_is_hidden(&refused);
    }
    project.migration(
        "0002_data",
        &[
            ("migration.toml", "description = \"data\"\n[[expand.allow]]\nstatement = \"UPDATE t SET new\"\nreason = \"a test\"\n"),
            ("expand.sql", "UPDATE t SET new = 'n';\n"),
        ],
    );
    let refused = project.migrate(&["expand", "2"]).expect_code(1);
    assert_says_what_is_hidden(&refused);
    assert_eq!(
        admin.value("SELECT count(*) FROM t WHERE new IS NULL"),
        "10"
    );
}
