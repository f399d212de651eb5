//! Files that were edited after they were applied.

use crate::support::shop::{APPEND_ONLY, BACKFILL, CONTRACT, EXPAND, NAME, Shop, said};

const COMMENTED: &str =
    "-- Why it is there.\nALTER TABLE users\n  ADD COLUMN name VARCHAR(200); /* for now */\n";

scenario!(
    fn comments_and_white_space_are_no_change(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        shop.project.file("0001_name/expand.sql", COMMENTED);
        shop.run(&["status"], 0);
        shop.run(&["gate", "backfill", "1"], 0);
        let shown = shop.run(&["show", "1"], 0);
        assert!(
            shown
                .stdout
                .contains("0001_name/expand.sql: the statements that were applied"),
            "{shown:?}"
        );
        let value = shop.json(&["show", NAME], 0);
        assert_eq!(value["files"][0]["state"], "same_statements", "{value}");
        // Whoever goes by the hash of the file alone is told as well.
        let done = shop.run(&["repair", "1", "--reason", "comments"], 0);
        assert!(
            done.stdout
                .contains("0001_name/expand.sql is recorded as it is now"),
            "{done:?}"
        );
        let value = shop.json(&["show", NAME], 0);
        assert_eq!(value["files"][0]["state"], "same", "{value}");
        let log = shop.run(&["log"], 0);
        assert!(
            log.stdout.contains("repaired") && log.stdout.contains("reason: comments"),
            "{log:?}"
        );
        shop.run(&["log", "--verify"], 0);
        let again = shop.run(&["repair", "1", "--reason", "comments"], 0);
        assert!(
            again.stdout.contains("everything is recorded as it is"),
            "{again:?}"
        );
        shop.run(&["backfill"], 0);
        shop.run(&["contract", "1"], 0);
        shop.project
            .file("0001_name/contract.sql", &format!("{CONTRACT}-- done\n"));
        shop.run(&["status"], 0);
        shop.run(&["log", "--verify"], 0);
    }
);

scenario!(
    fn another_statement_is_a_change_that_is_shown_and_can_be_undone(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        let wider = EXPAND.replace("200", "300");
        shop.project.file("0001_name/expand.sql", &wider);
        let refused = shop.run(&["backfill"], 1);
        let text = said(&refused);
        assert!(text.contains("`migrate show 0001_name`"), "{text}");
        assert!(text.contains("`migrate revert 0001_name`"), "{text}");
        let shown = shop.run(&["show", NAME], 0);
        assert!(
            shown
                .stdout
                .contains("  - ALTER TABLE users ADD COLUMN name VARCHAR(200);"),
            "{shown:?}"
        );
        assert!(
            shown
                .stdout
                .contains("  + ALTER TABLE users ADD COLUMN name VARCHAR(300);"),
            "{shown:?}"
        );
        let refused = shop.run(&["repair", NAME, "--reason", "it is wider"], 11);
        assert!(
            said(&refused).contains("more than the record differs"),
            "{refused:?}"
        );
        // The advice works.
        shop.run(&["revert", NAME], 0);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        shop.run(&["log", "--verify"], 0);
    }
);

scenario!(
    fn the_statement_of_a_backfill_that_is_done_can_be_accepted(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        shop.run(&["backfill"], 0);
        let mended = BACKFILL.replace("name = full_name", "name = COALESCE(full_name, '')");
        shop.project.file("0001_name/backfill.sql", &mended);
        shop.run(&["gate", "contract", "1"], 1);
        let shown = shop.json(&["show", NAME], 0);
        assert_eq!(shown["files"][1]["state"], "differs_unseen", "{shown}");
        shop.run(&["repair", NAME, "--reason", "for new databases"], 0);
        shop.run(&["log", "--verify"], 0);
        shop.run(&["contract", "1"], 0);
        shop.run(&["log", "--verify"], 0);
        // What is declared is another matter.
        shop.name_declaration(&APPEND_ONLY.replace("append-only", "mutable"));
        let refused = shop.project.migrate(&["repair", NAME, "--reason", "x"]);
        assert_ne!(refused.code, 0, "{refused:?}");
    }
);

scenario!(
    /// A revert undoes what was applied, whatever the file has become.
    fn a_revert_goes_by_the_expand_that_was_applied(db: Db) {
        for edit in [
            Some("ALTER TABLE users ADD COLUMN surname VARCHAR(200);\n"),
            Some("ALTER TABLE users ADD COLUMN name VARCHAR(100);\n"),
            Some("this is no statement;\n"),
            None,
        ] {
            let shop = Shop::with_name(db.copy());
            shop.run(&["expand"], 0);
            let path = shop.project.path().join("0001_name/expand.sql");
            match edit {
                Some(text) => std::fs::write(path, text).expect("it can be written"),
                None => std::fs::remove_file(path).expect("it is there"),
            }
            shop.run(&["gate", "revert", "1"], 0);
            shop.run(&["revert", "1"], 0);
            shop.db
                .execute("ALTER TABLE users ADD COLUMN name VARCHAR(200)");
        }
    }
);

scenario!(
    /// What was there before is nothing that a revert takes back, though the file says now that it adds it.
    fn an_edited_expand_lets_no_revert_take_what_was_there(db: Db) {
        let shop = Shop::with_name(db);
        shop.db
            .execute("ALTER TABLE users ADD COLUMN nick VARCHAR(200)");
        shop.run(&["expand"], 0);
        shop.project.file(
            "0001_name/expand.sql",
            "ALTER TABLE users ADD COLUMN name VARCHAR(200);\nALTER TABLE users ADD COLUMN nick VARCHAR(200);\n",
        );
        shop.project.file(
            "0001_name/revert.sql",
            "ALTER TABLE users DROP COLUMN name;\nALTER TABLE users DROP COLUMN nick;\n",
        );
        let data = shop.data();
        let refused = shop.run(&["revert", "1"], 11);
        assert!(refused.stdout.contains("`nick` of `users`"), "{refused:?}");
        assert_eq!(shop.data(), data);
    }
);

scenario!(
    /// With a source in the project, what a look has shown is written down, and everything is looked at anew behind that.
    fn whoever_records_a_look_judges_edited_files_as_anybody(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        shop.db
            .execute("ALTER TABLE users ADD COLUMN nick VARCHAR(200)");
        shop.run(&["expand"], 0);
        shop.project.file("0001_name/expand.sql", COMMENTED);
        shop.run(&["gate", "backfill", "1", "--record"], 0);
        let nick = "ALTER TABLE users ADD COLUMN nick VARCHAR(200);\n";
        shop.project
            .file("0001_name/expand.sql", &format!("{EXPAND}{nick}"));
        let revert = "ALTER TABLE users DROP COLUMN name;\nALTER TABLE users DROP COLUMN nick;\n";
        shop.project.file("0001_name/revert.sql", revert);
        let refused = shop.run(&["gate", "revert", "1", "--record"], 11);
        assert!(refused.stdout.contains("`nick` of `users`"), "{refused:?}");
        let status = shop.run(&["status", "--record"], 1).stdout;
        assert!(
            status.contains("backfill (refuse)") && !status.contains("safe now"),
            "{status}"
        );
    }
);
