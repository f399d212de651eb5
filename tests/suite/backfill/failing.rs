//! A row that the database does not accept, and a statement that it accepts for no row.

use super::table::Items;
use crate::support::shop::{CONTRACT, NAME, REVERT, Shop, said};

scenario!(
    fn a_failing_row_is_named_by_its_key(db: Db) {
        for (batch, bad) in [(16, 23), (16, 1), (16, 40), (16, 33), (1, 5), (1000, 40)] {
            let items = Items::numbered(db.copy(), 40);
            // What is no label is not copied: the new column knows no such value.
            let set =
                "touched = CASE WHEN label = 'bad' THEN NULL ELSE touched + 1 END, name = label";
            items.declare(&format!("batch = {batch}"), set).expanded();
            items
                .db
                .execute(&format!("UPDATE items SET label = 'bad' WHERE id = {bad}"));
            let failed = items.project.migrate(&["backfill"]).expect_code(1);
            let text = said(&failed);
            assert!(
                text.contains(&format!("the row with id = {bad} cannot")),
                "{batch}: {text}"
            );
            assert!(
                text.contains("then run `migrate backfill 0001_name` again"),
                "{text}"
            );
            if bad > 1 {
                assert!(
                    text.contains(&format!("goes on after key {}", bad - 1)),
                    "{text}"
                );
            }
            // Everything before it is done, and nothing of what comes after it.
            let filled = items
                .db
                .value("SELECT count(*) FROM items WHERE name IS NOT NULL");
            assert_eq!(filled, (bad - 1).to_string());
            let status = items.project.migrate(&["status"]).expect_code(0);
            assert!(
                status.stdout.contains("the backfill failed at"),
                "{status:?}"
            );
            assert!(!status.stdout.contains("safe now"), "{status:?}");
            let value = items
                .project
                .migrate(&["status", "--output", "json"])
                .json();
            let found = value["migrations"][0]["failed"]["message"].to_string();
            assert!(found.contains(&format!("id = {bad}")), "{value}");
            items
                .db
                .execute(&format!("UPDATE items SET label = 'good' WHERE id = {bad}"));
            items.project.migrate(&["backfill"]).expect_code(0);
            items.assert_filled_once();
            let value = items
                .project
                .migrate(&["status", "--output", "json"])
                .json();
            assert!(value["migrations"][0]["failed"].is_null(), "{value}");
            items.project.migrate(&["log", "--verify"]).expect_code(0);
        }
    }
);

scenario!(
    fn a_statement_that_fails_without_rows_blames_none(db: Db) {
        let items = Items::numbered(db, 9);
        items
            .declare("batch = 4", "name = COALESCE(label, no_such_column)")
            .expanded();
        let failed = items.project.migrate(&["backfill"]).expect_code(1);
        let text = said(&failed);
        assert!(text.contains("fails whatever rows it is given"), "{text}");
        assert!(!text.contains("the row with"), "{text}");
        items.declare("batch = 4", "touched = touched + 1, name = label");
        items.project.migrate(&["backfill"]).expect_code(0);
        items.assert_filled_once();
    }
);

scenario!(
    fn a_failed_expand_is_remembered_until_it_is_mended(db: Db) {
        let items = Items::numbered(db, 1);
        items.project.migration(
            "0001_name",
            &[(
                "expand.sql",
                "ALTER TABLE no_such_table ADD COLUMN name varchar(40);\n",
            )],
        );
        items.project.migrate(&["expand"]).expect_code(1);
        items.project.migrate(&["expand"]).expect_code(1);
        let status = items.project.migrate(&["status"]).expect_code(0);
        assert!(status.stdout.contains("the expand failed at"), "{status:?}");
        assert!(!status.stdout.contains("safe now"), "{status:?}");
        // However often it fails, the log tells it once.
        let log = items.project.migrate(&["log"]).expect_code(0);
        assert_eq!(log.stdout.matches("  failed: ").count(), 1, "{log:?}");
        items.declare("batch = 4", "name = label").expanded();
        let status = items.project.migrate(&["status"]).expect_code(0);
        assert!(!status.stdout.contains("failed"), "{status:?}");
    }
);

scenario!(
    fn what_each_step_failed_on_is_remembered(db: Db) {
        let shop = Shop::backfilled(db);
        for (file, rest) in [("contract", CONTRACT), ("revert", REVERT)] {
            shop.project.file(
                format!("{NAME}/{file}.sql"),
                &format!("CREATE INDEX by_{file} ON users (no_{file});\n{rest}"),
            );
        }
        shop.run(&["contract"], 1);
        for _ in 0..2 {
            shop.run(&["revert", "1"], 1);
        }
        let status = shop.run(&["status"], 0).stdout;
        for step in ["contract", "revert"] {
            assert!(
                status.contains(&format!("the {step} failed at")),
                "{status}"
            );
            assert!(status.contains(&format!("no_{step}")), "{status}");
        }
        assert!(!status.contains("safe now"), "{status}");
        // Both may be tried again, and whoever asks about one is told what that one failed on.
        for (step, other) in [("contract", "revert"), ("revert", "contract")] {
            let gate = shop.run(&["gate", step, "1"], 0).stdout;
            assert!(gate.contains("note: it failed at "), "{gate}");
            assert!(gate.contains(&format!("no_{step}")), "{gate}");
            assert!(!gate.contains(&format!("no_{other}")), "{gate}");
        }
        let json = shop.json(&["status"], 0);
        let failures = json["migrations"][0]["failures"]
            .as_array()
            .expect("a list");
        let steps: Vec<_> = failures.iter().map(|failure| &failure["step"]).collect();
        assert_eq!(steps, ["revert", "contract"], "{json}");
        // In the log each stands once, and the next failure takes the place of the last one of its step.
        let log = shop.run(&["log"], 0).stdout;
        assert_eq!(log.matches("  failed: ").count(), 2, "{log}");
        shop.run(&["contract"], 1);
        let json = shop.json(&["status"], 0);
        assert_eq!(
            json["migrations"][0]["failed"]["step"], "contract",
            "{json}"
        );
        let failures = json["migrations"][0]["failures"].as_array().map(Vec::len);
        assert_eq!(failures, Some(2), "{json}");
        shop.project.file(format!("{NAME}/contract.sql"), CONTRACT);
        shop.run(&["contract"], 0);
        assert!(!shop.run(&["status"], 0).stdout.contains("failed"));
        shop.run(&["log", "--verify"], 0);
    }
);

scenario!(
    fn a_revert_that_fails_hides_no_backfill_that_failed(db: Db) {
        let items = Items::numbered(db, 8);
        let set = "touched = CASE WHEN label = 'bad' THEN NULL ELSE touched + 1 END, name = label";
        items.declare("batch = 2", set).expanded();
        items.project.file(
            "0001_name/revert.sql",
            "CREATE INDEX by_revert ON items (no_revert);\nALTER TABLE items DROP COLUMN name;\n",
        );
        items
            .db
            .execute("UPDATE items SET label = 'bad' WHERE id = 6");
        let run = |arguments: &[&str], code| items.project.migrate(arguments).expect_code(code);
        run(&["backfill"], 1);
        run(&["revert", "1"], 1);
        let status = run(&["status"], 0).stdout;
        for step in ["backfill", "revert"] {
            assert!(
                status.contains(&format!("the {step} failed at")),
                "{status}"
            );
        }
        assert!(!status.contains("safe now"), "{status}");
        // Behind the fence somebody may have come who fills no new format: no row counts as passed.
        items
            .db
            .execute("UPDATE items SET name = NULL WHERE id = 1");
        items
            .db
            .execute("UPDATE items SET label = 'good' WHERE id = 6");
        run(&["backfill"], 0);
        let empty = items
            .db
            .value("SELECT count(*) FROM items WHERE name IS NULL");
        assert_eq!(empty, "0");
        assert!(!run(&["status"], 0).stdout.contains("failed"));
        // And of one that was undone there is nothing to tell.
        run(&["revert", "1"], 1);
        items.project.file(
            "0001_name/revert.sql",
            "ALTER TABLE items DROP COLUMN name;\n",
        );
        run(&["revert", "1"], 0);
        assert!(!run(&["status"], 0).stdout.contains("failed"));
        run(&["log", "--verify"], 0);
    }
);
