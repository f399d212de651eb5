//! A row that the database does not accept, and a statement that it accepts for no row.

use super::table::Items;
use crate::support::shop::said;

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
