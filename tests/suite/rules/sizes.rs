//! What a step costs on the tables that are there, and who is at work when it begins.

use crate::support::backend::Db;
use crate::support::project::{Output, Project};
use crate::support::shop::Shop;
use crate::support::wait::{GENEROUS, eventually};

/// A project whose expand gives every row of a table with five a value, of which a large one has so many.
fn shop(db: Db, lint: &str) -> Shop {
    let config = format!("[services.web]\nmin_instances = 0\n[lint]\n{lint}\n");
    let shop = Shop::with_config(db, &config);
    let count = match shop.db.backend.name {
        "sqlite" => "SELECT 1",
        "postgres" => "ANALYZE users",
        _ => "ANALYZE TABLE users",
    };
    shop.db.query(count);
    shop.project.migration(
        "0001_name",
        &[
            ("migration.toml", "description = \"d\"\n"),
            (
                "expand.sql",
                "ALTER TABLE users ADD COLUMN name VARCHAR(200);\nUPDATE users SET name = full_name;\n",
            ),
        ],
    );
    shop
}

/// A question answers on standard output, and a step says it on the other one.
fn told(output: &Output) -> String {
    format!("{}{}", output.stdout, output.stderr)
}

fn tells(output: &Output) -> bool {
    let told = told(output);
    told.contains("0001_name/expand.sql:2: ") && told.contains("`users` has about 5 rows")
}

scenario!(
    fn what_a_step_costs_is_said_wherever_it_is_looked_at(db: Db) {
        let shop = shop(db, "large_rows = 5");
        for (command, code) in [
            (&["gate", "expand", "1"][..], 0),
            (&["gate", "expand", "1", "--output", "json"], 0),
            (&["plan"], 0),
            (&["check", "--applied"], 0),
            (&["expand"], 0),
        ] {
            let output = shop.run(command, code);
            assert!(tells(&output), "{command:?}: {output:?}");
        }
        // What is done costs nobody anything.
        for command in [&["gate", "expand", "1"][..], &["check", "--applied"]] {
            assert!(!tells(&shop.run(command, 0)), "{command:?}");
        }
    }
);

scenario!(
    fn a_table_that_is_not_large_is_no_news(db: Db) {
        let shop = shop(db, "large_rows = 6");
        for command in [&["gate", "expand", "1"][..], &["plan"], &["expand"]] {
            let output = shop.run(command, 0);
            assert!(!told(&output).contains("has about"), "{output:?}");
        }
    }
);

/// The transaction is of another table, so nothing but the wait for a quiet moment holds the contract up.
fn waits_for_a_quiet_moment(backend: &str) {
    let db = Db::on(backend);
    db.execute("CREATE TABLE other (id int); INSERT INTO other VALUES (1)");
    let config = "[services.web]\nmin_instances = 0\n[lint]\nlong_transaction = \"1s\"\n";
    let shop = Shop::with_config(db, config);
    shop.project.migration(
        "0001_drop",
        &[
            (
                "migration.toml",
                "description = \"d\"\n[services.web]\nold = \"<1.1.0\"\n",
            ),
            ("contract.sql", "ALTER TABLE users DROP COLUMN full_name;\n"),
        ],
    );
    let mut other = shop.db.connect();
    other.execute("BEGIN");
    other.execute("UPDATE other SET id = 2");
    eventually(GENEROUS, || {
        let answer = shop.run(&["gate", "contract", "1"], 0);
        told(&answer).contains("has been open for").then_some(())
    });
    let mut contract = shop.project.spawn(&["contract", "1", "--wait", "5m"]);
    contract.wait_for_line("waiting for a quiet moment", GENEROUS);
    other.execute("COMMIT");
    contract.wait().expect_code(0);
}

#[test]
fn a_contract_that_may_wait_waits_for_a_quiet_moment_on_postgres() {
    waits_for_a_quiet_moment("postgres");
}

#[test]
fn a_contract_that_may_wait_waits_for_a_quiet_moment_on_mysql() {
    waits_for_a_quiet_moment("mysql");
}

/// Without the time to wait it is said, and done.
#[test]
fn a_contract_that_may_not_wait_says_who_is_at_work() {
    let db = Db::on("postgres");
    db.execute("CREATE TABLE other (id int)");
    let project = Project::new(&db, &[]);
    let config = "[services.web]\nmin_instances = 0\n[lint]\nlong_transaction = \"1ms\"\n";
    project.file("migrate.toml", config);
    project.migration(
        "0001_drop",
        &[
            (
                "migration.toml",
                "description = \"d\"\n[services.web]\nold = \"<1.1.0\"\n",
            ),
            ("contract.sql", "ALTER TABLE goes DROP COLUMN a;\n"),
        ],
    );
    db.execute("CREATE TABLE goes (a int, b int)");
    let mut other = db.connect();
    other.execute("BEGIN");
    other.execute("INSERT INTO other VALUES (1)");
    let output = project.migrate(&["contract", "1"]).expect_code(0);
    assert!(told(&output).contains("has been open for"), "{output:?}");
    other.execute("ROLLBACK");
}
