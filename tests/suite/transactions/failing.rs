//! A script is applied whole or not at all.

use crate::support::backend::Db;
use crate::support::project::Project;
use crate::support::shop::{CONTRACT, NAME, Shop, said};

scenario!(
    fn a_failing_expand_leaves_nothing(db: Db) {
        let shop = Shop::with_name(db);
        if !shop.db.backend.transactional_ddl {
            return a_failing_expand_keeps_what_is_done(&shop);
        }
        shop.run(&["expand", NAME], 0);
        shop.run(&["revert", NAME], 0);
        shop.project.file(
            "0001_name/expand.sql",
            "-- adds it\nALTER TABLE users ADD COLUMN name TEXT;\n\nCREATE TABLE extra (id INTEGER);\n\
             CREATE INDEX oops ON users (\n  nowhere\n);\nCREATE INDEX users_name ON users (name);\n",
        );
        let data = shop.data();
        let failed = shop.run(&["expand"], 1);
        assert!(said(&failed).contains("expand.sql:5"), "{failed:?}");
        assert!(said(&failed).contains("nowhere"), "{failed:?}");
        assert!(said(&failed).contains("nothing was changed"), "{failed:?}");
        // The statement itself is shown.
        assert!(
            said(&failed).contains("CREATE INDEX oops ON users ("),
            "{failed:?}"
        );
        assert_eq!(shop.data(), data);
        assert_eq!(shop.phase(1), "pending");
        let json = shop.json(&["expand"], 1);
        let message = json["error"]["message"].as_str().expect("a message");
        assert!(message.contains("0001_name/expand.sql:5"), "{json}");
        shop.project.file(
            "0001_name/expand.sql",
            "ALTER TABLE users ADD COLUMN name TEXT;\n",
        );
        shop.run(&["expand"], 0);
    }
);

scenario!(
    fn what_a_query_in_a_script_returns_is_nobodys_business(db: Db) {
        let shop = Shop::with_name(db);
        // Types that the ledger has no use for.
        shop.project.file(
            "0001_name/expand.sql",
            "CREATE TABLE extra (id INTEGER);\nSELECT 1.5, CURRENT_TIMESTAMP;\n",
        );
        shop.project
            .file("0001_name/revert.sql", "DROP TABLE extra;\n");
        shop.run(&["expand", NAME], 0);
        assert_eq!(shop.phase(1), "expanded");
    }
);

scenario!(
    fn of_statements_sent_together_the_one_that_failed_is_named(db: Db) {
        let shop = Shop::with_name(db);
        shop.project
            .file("0001_name/revert.sql", "DROP TABLE extra;\n");
        let script = |column: &str| {
            let text = format!(
                "-- Ä: counted in characters\nCREATE TABLE extra (id INTEGER, n INTEGER);\n\
                 CREATE INDEX extra_id ON extra (id);\nCREATE INDEX extra_n\n  ON extra ({column});\n"
            );
            shop.project.file("0001_name/expand.sql", &text);
        };
        script("nowhere");
        let failed = shop.run(&["expand", NAME], 1);
        assert!(said(&failed).contains("expand.sql:4"), "{failed:?}");
        assert!(said(&failed).contains("nowhere"), "{failed:?}");
        assert!(said(&failed).contains("CREATE INDEX extra_n"), "{failed:?}");
        script("n");
        shop.run(&["expand", NAME], 0);
        assert_eq!(shop.phase(1), "expanded");
        shop.run(&["log", "--verify"], 0);
    }
);

/// Where each statement commits by itself: what is done stays done and is recorded, and the rest can be mended.
fn a_failing_expand_keeps_what_is_done(shop: &Shop) {
    let script = |last: &str| {
        let text = format!(
            "ALTER TABLE users ADD COLUMN name TEXT;\n{last};\nCREATE TABLE extra (id INTEGER);\n"
        );
        shop.project.file("0001_name/expand.sql", &text);
    };
    script("CREATE INDEX oops ON users (nowhere)");
    let failed = shop.run(&["expand"], 1);
    assert!(said(&failed).contains("expand.sql:2"), "{failed:?}");
    assert!(
        said(&failed)
            .contains("the statements before it are done and recorded, and this one is not"),
        "{failed:?}"
    );
    assert_eq!(shop.phase(1), "expanding");
    // Something else has made what the next statement would make.
    script("CREATE INDEX oops ON users (id)");
    shop.db.execute("CREATE TABLE extra (id INTEGER)");
    let failed = shop.run(&["expand"], 1);
    assert!(
        said(&failed).contains("its result is there before it has run: the table `extra` is there"),
        "{failed:?}"
    );
    shop.db.execute("DROP TABLE extra");
    shop.run(&["expand"], 0);
    assert_eq!(shop.phase(1), "expanded");
    shop.run(&["log", "--verify"], 0);
}

/// A statement that live versions can notice has run: the fence stays up, nothing is asked that needs what is
/// gone, and the step goes on when the script is mended.
fn past_return_it_can_only_be_finished(shop: &Shop, step: &str, begun: &str) {
    let during = if step == "contract" {
        "contracting"
    } else {
        "reverting"
    };
    assert_eq!(shop.phase(1), during);
    let version = if step == "contract" { "1.0.0" } else { "1.2.0" };
    shop.run(&["admit", "--service", "web", "--version", version], 11);
    shop.run(&[step, NAME], 1);
    assert_eq!(shop.phase(1), during);
    shop.run(&["gate", step, NAME], 0);
    shop.project.file(format!("0001_name/{step}.sql"), begun);
    shop.run(&[step, NAME], 0);
    let after = if step == "contract" {
        "contracted"
    } else {
        "pending"
    };
    assert_eq!(shop.phase(1), after);
    shop.run(&["log", "--verify"], 0);
}

scenario!(
    fn a_failing_contract_steps_back(db: Db) {
        let shop = Shop::with_name(db);
        shop.project.file(
            "0001_name/contract.sql",
            &format!("{CONTRACT}INSERT INTO not_there VALUES (1);\n"),
        );
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        let data = shop.data();
        let failed = shop.run(&["contract"], 1);
        assert!(said(&failed).contains("contract.sql:2"), "{failed:?}");
        if !shop.db.backend.transactional_ddl {
            return past_return_it_can_only_be_finished(&shop, "contract", CONTRACT);
        }
        assert_eq!(shop.data(), data);
        assert_eq!(shop.phase(1), "backfilled");
        // Old versions may start again.
        shop.run(
            &[
                "admit",
                "--service",
                "web",
                "--version",
                "1.1.0",
                "--for",
                "1s",
            ],
            0,
        );
    }
);

/// A trigger would take the default for what a version wrote, and overwrite the old format with it: no old version may come back.
#[test]
fn a_default_that_a_failing_contract_has_given_is_noticed() {
    for backend in ["postgres", "mysql"] {
        let shop = Shop::with_name(Db::on(backend));
        let given =
            "-- migrate: no-transaction\nALTER TABLE users ALTER COLUMN name SET DEFAULT 'none';\n";
        shop.project.file(
            "0001_name/contract.sql",
            &format!("{given}INSERT INTO not_there VALUES (1);\n{CONTRACT}"),
        );
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        let failed = shop.run(&["contract"], 1);
        assert!(said(&failed).contains("contract.sql:3"), "{failed:?}");
        past_return_it_can_only_be_finished(&shop, "contract", &format!("{given}{CONTRACT}"));
    }
}

scenario!(
    fn a_failing_revert_steps_back(db: Db) {
        let shop = Shop::with_name(db);
        shop.project.file(
            "0001_name/revert.sql",
            "ALTER TABLE users DROP COLUMN name;\nSELECT * FROM not_there;\n",
        );
        shop.run(&["expand"], 0);
        let data = shop.data();
        let failed = shop.run(&["revert", NAME], 1);
        assert!(said(&failed).contains("revert.sql:2"), "{failed:?}");
        if !shop.db.backend.transactional_ddl {
            let begun = "ALTER TABLE users DROP COLUMN name;\n";
            return past_return_it_can_only_be_finished(&shop, "revert", begun);
        }
        assert_eq!(shop.data(), data);
        assert_eq!(shop.phase(1), "expanded");
        shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 0);
    }
);

scenario!(
    fn what_comes_after_a_failing_migration_is_left_alone(db: Db) {
        let shop = Shop::with_name(db);
        shop.project.file(
            "0001_name/expand.sql",
            "ALTER TABLE nowhere ADD COLUMN name TEXT;\n",
        );
        shop.project.file(
            "0001_name/revert.sql",
            "ALTER TABLE nowhere DROP COLUMN name;\n",
        );
        shop.project.migration(
            "0002_more",
            &[
                (
                    "migration.toml",
                    "description = \"More\"\n[services.web]\nnew = \">=1.3.0\"\n",
                ),
                ("expand.sql", "ALTER TABLE users ADD COLUMN more TEXT;\n"),
            ],
        );
        let data = shop.data();
        shop.run(&["expand"], 1);
        assert_eq!(shop.data(), data);
        assert_eq!([shop.phase(1), shop.phase(2)], ["pending", "pending"]);
    }
);

scenario!(
    fn a_script_without_a_transaction_goes_on_after_what_is_done(db: Db) {
        let shop = Shop::with_name(db);
        shop.db.execute("CREATE TABLE audit (what TEXT)");
        let script = |last: &str| {
            format!(
                "-- migrate: no-transaction\nALTER TABLE users ADD COLUMN name VARCHAR(200);\n\
                 INSERT INTO audit (what) VALUES ('once');\n{last};\n"
            )
        };
        shop.project.file(
            "0001_name/expand.sql",
            &script("CREATE INDEX users_name ON users (nowhere)"),
        );
        let failed = shop.run(&["expand"], 1);
        assert!(said(&failed).contains("expand.sql:4"), "{failed:?}");
        assert!(
            said(&failed).contains("the statements before it are done and recorded"),
            "{failed:?}"
        );
        assert_eq!(shop.phase(1), "expanding");
        // What is done may not be changed any more.
        shop.project.file(
            "0001_name/expand.sql",
            &script("CREATE INDEX users_name ON users (name)").replace("'once'", "'twice'"),
        );
        let refused = shop.run(&["expand"], 1);
        assert!(
            said(&refused).contains("must stay as they were"),
            "{refused:?}"
        );
        shop.project.file(
            "0001_name/expand.sql",
            &script("CREATE INDEX users_name ON users (name)"),
        );
        shop.run(&["expand"], 0);
        assert_eq!(shop.phase(1), "expanded");
        assert_eq!(shop.db.query("SELECT what FROM audit"), [["once"]]);
        shop.run(&["log", "--verify"], 0);
    }
);

scenario!(
    fn rows_that_share_a_transaction_are_recorded_as_if_each_had_its_own(db: Db) {
        let project = Project::new(&db, &[]);
        project.file("migrate.toml", "[services.web]\nmin_instances = 0\n");
        // On MySQL and MariaDB the first one commits by itself.
        let script = |bad: &str| {
            let mut sql = "CREATE TABLE big (id INTEGER PRIMARY KEY);\n".to_owned();
            for id in 1..=700 {
                let id = if id == 650 {
                    bad.to_owned()
                } else {
                    id.to_string()
                };
                sql.push_str(&format!("INSERT INTO big VALUES ({id});\n"));
            }
            sql
        };
        let files = [("migration.toml", "description = \"big\"\n")];
        project.migration("0001_big", &files);
        project.migration("0001_big", &[("expand.sql", &script("7"))]);
        let failed = project.migrate(&["expand"]).expect_code(1);
        assert!(
            failed.stderr.contains("0001_big/expand.sql:651"),
            "{failed:?}"
        );
        let count = || db.query("SELECT id FROM big").len();
        if db.backend.name == "mysql" {
            assert_eq!(count(), 649);
        }
        project.migration("0001_big", &[("expand.sql", &script("650"))]);
        project.migrate(&["expand"]).expect_code(0);
        assert_eq!(count(), 700);
        project.migrate(&["log", "--verify"]).expect_code(0);
    }
);
