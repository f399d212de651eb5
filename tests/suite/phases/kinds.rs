//! Migrations that have only one side, or none.

use crate::support::shop::Shop;

scenario!(
    fn a_migration_that_only_removes(db: Db) {
        let shop = Shop::new(db);
        shop.db.execute("ALTER TABLE users ADD COLUMN legacy TEXT");
        shop.project.migration(
            "0001_legacy",
            &[
                (
                    "migration.toml",
                    "description = \"Drop users.legacy\"\n[services.web]\nold = \"<1.1.0\"\n",
                ),
                ("contract.sql", "ALTER TABLE users DROP COLUMN legacy;\n"),
            ],
        );
        let nothing = shop.run(&["expand"], 0);
        assert_eq!(nothing.stdout, "made the ledger; nothing to expand\n");
        let refused = shop.run(&["expand", "1"], 11);
        assert!(refused.stdout.contains("has no expand"), "{refused:?}");
        let old = shop.instance("1.0.0", "server-1");
        shop.run(&["contract"], 11);
        // Nothing was recorded before, and stepping back from the fence leaves the old version free to start.
        shop.run(&["contract", "--wait", "1s"], 11);
        shop.run(
            &[
                "admit",
                "--service",
                "web",
                "--version",
                "1.0.0",
                "--for",
                "1s",
            ],
            0,
        );
        drop(old);
        shop.db
            .execute(&format!("DELETE FROM {}", shop.ledger("leases")));
        shop.run(&["contract"], 0);
        assert_eq!(shop.phase(1), "contracted");
        shop.run(&["admit", "--service", "web", "--version", "1.0.0"], 11);
        shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 0);
        assert_eq!(shop.run(&["contract"], 0).stdout, "nothing to contract\n");
    }
);

scenario!(
    fn a_migration_that_only_adds(db: Db) {
        let shop = Shop::new(db);
        shop.project.migration(
            "0001_extra",
            &[
                (
                    "migration.toml",
                    "description = \"Add users.extra\"\n[services.web]\nnew = \">=1.1.0\"\n",
                ),
                ("expand.sql", "ALTER TABLE users ADD COLUMN extra TEXT;\n"),
            ],
        );
        let refused = shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 11);
        assert!(refused.stdout.contains("0001_extra"), "{refused:?}");
        shop.run(&["admit", "--service", "web", "--version", "1.0.0"], 0);
        shop.run(&["expand"], 0);
        shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 0);
        let status = shop.json(&["status"], 0);
        assert_eq!(
            status["migrations"][0]["next"],
            serde_json::Value::Null,
            "{status}"
        );
        shop.run(&["contract", "1"], 11);
        assert_eq!(shop.run(&["contract"], 0).stdout, "nothing to contract\n");
        assert_eq!(shop.run(&["backfill"], 0).stdout, "nothing to backfill\n");
    }
);

scenario!(
    fn a_migration_of_no_service(db: Db) {
        let shop = Shop::new(db);
        shop.project.migration(
            "0001_index",
            &[
                ("migration.toml", "description = \"Find users by name\"\n"),
                (
                    "expand.sql",
                    "CREATE INDEX users_full_name ON users (full_name);\n",
                ),
                ("revert.sql", "DROP INDEX users_full_name;\n"),
            ],
        );
        shop.project.migration(
            "0002_trim",
            &[
                (
                    "migration.toml",
                    "description = \"Trim names\"\n[backfill]\ntable = \"users\"\nkey = \"id\"\n\
                     remaining = \"SELECT count(*) FROM users WHERE full_name <> trim(full_name)\"\n",
                ),
                (
                    "backfill.sql",
                    "UPDATE users SET full_name = trim(full_name) WHERE id > :after AND id <= :upto;\n",
                ),
            ],
        );
        shop.db
            .execute("INSERT INTO users (full_name) VALUES (' Fay ')");
        let _any = shop.instance("1.0.0", "server-1");
        shop.run(&["expand"], 0);
        assert_eq!(shop.phase(1), "expanded");
        shop.run(&["backfill"], 0);
        assert_eq!(shop.phase(2), "backfilled");
        assert_eq!(
            shop.db
                .value("SELECT count(*) FROM users WHERE full_name = 'Fay'"),
            "1"
        );
        shop.run(&["expand"], 0);
        shop.run(&["admit", "--service", "web", "--version", "1.0.0"], 0);
        shop.run(&["revert", "1"], 11);
    }
);
