//! A ledger that is newer, damaged or tampered with, and files that were changed behind its back.

use crate::support::shop::{APPEND_ONLY, EXPAND, NAME, Shop, said};

const COMMANDS: &[&[&str]] = &[
    &["status"],
    &["fleet"],
    &["log"],
    &["log", "--verify"],
    &["gate", "contract", "1"],
    &["gate", "deploy", "web=1.1.0"],
    &["expand"],
    &["backfill"],
    &["contract"],
    &["contract", "--dry-run"],
    &["revert", "1"],
    &["resolve", "1", "--step", "1", "--applied"],
    &["admit", "--service", "web", "--version", "1.1.0"],
    &[
        "agent",
        "--service",
        "web",
        "--version",
        "1.1.0",
        "--",
        "true",
    ],
];

scenario!(
    fn a_ledger_of_a_newer_format_is_refused(db: Db) {
        let shop = Shop::backfilled(db);
        shop.db
            .execute(&format!("UPDATE {} SET format = 99", shop.ledger("meta")));
        for command in COMMANDS {
            let refused = shop.changes_nothing(command, 1);
            let said = said(&refused);
            assert!(said.contains("format 99"), "{command:?}: {refused:?}");
            assert!(said.contains("newer"), "{command:?}: {refused:?}");
        }
    }
);

scenario!(
    fn a_changed_file_is_refused_and_its_name_said(db: Db) {
        let shop = Shop::backfilled(db);
        // Other ends of lines are no change.
        shop.project
            .file("0001_name/expand.sql", &EXPAND.replace('\n', "\r\n"));
        shop.run(&["status"], 0);
        // And neither is a remark.
        let with_a_remark = format!("{EXPAND}-- and a remark\n");
        shop.project.file("0001_name/expand.sql", &with_a_remark);
        shop.run(&["status"], 0);
        shop.project
            .file("0001_name/expand.sql", &format!("{EXPAND}SELECT 1;\n"));
        for command in [
            &["expand"][..],
            &["backfill"],
            &["contract"],
            &["gate", "contract", "1"],
            &["contract", "--dry-run"],
        ] {
            let refused = shop.run(command, 1);
            assert!(
                said(&refused).contains("0001_name/expand.sql"),
                "{command:?}: {refused:?}"
            );
            assert!(
                said(&refused).contains("changed after"),
                "{command:?}: {refused:?}"
            );
        }
        let status = shop.run(&["status"], 1);
        assert!(status.stderr.contains("0001_name/expand.sql"), "{status:?}");
        shop.project.file("0001_name/expand.sql", EXPAND);
        // What was not applied yet may still be written.
        shop.project.file(
            "0001_name/contract.sql",
            "ALTER TABLE users DROP COLUMN full_name; -- at last\n",
        );
        shop.name_declaration(&APPEND_ONLY.replace("<1.2.0", "<1.3.0"));
        let refused = shop.run(&["contract"], 1);
        assert!(
            said(&refused).contains("0001_name/migration.toml"),
            "{refused:?}"
        );
        shop.name_declaration(&APPEND_ONLY.replace("Move users", "Carry users"));
        shop.run(&["contract"], 0);
        shop.project.file(
            "0001_name/contract.sql",
            "ALTER TABLE users DROP COLUMN full_name; SELECT 1;\n",
        );
        shop.run(&["status"], 1);
    }
);

scenario!(
    fn a_migration_that_only_the_database_knows_is_no_error(db: Db) {
        let shop = Shop::backfilled(db);
        std::fs::remove_dir_all(shop.project.path().join(NAME)).expect("the migration's directory");
        let status = shop.run(&["status"], 0);
        assert!(status.stdout.contains("0001_name"), "{status:?}");
        shop.run(&["expand"], 0);
        // An old instance does not have the files, and is still judged.
        shop.run(&["admit", "--service", "web", "--version", "1.1.0"], 0);
        shop.project.migration(
            "0001_other",
            &[
                (
                    "migration.toml",
                    "description = \"Other\"\n[services.web]\nnew = \">=1.3.0\"\n",
                ),
                ("expand.sql", "ALTER TABLE users ADD COLUMN other TEXT;\n"),
            ],
        );
        let refused = shop.run(&["expand"], 1);
        assert!(
            said(&refused).contains("knows migration 1 as 0001_name"),
            "{refused:?}"
        );
    }
);

scenario!(
    fn a_damaged_ledger_is_an_error_and_no_panic(db: Db) {
        let shop = Shop::backfilled(db);
        shop.instance("1.1.0", "server-1");
        let damages = [
            ("migrations", "declaration = '{'"),
            ("migrations", "declaration = '{}'"),
            ("migrations", "declaration = '[1,'"),
            ("migrations", "phase = 'sideways'"),
            ("migrations", "phase = ''"),
            ("migrations", "kinds = '?!'"),
            ("migrations", "step_back = 'nowhere'"),
        ];
        for (table, change) in damages {
            let shop = Shop::backfilled(crate::support::backend::Db::on(shop.db.backend.name));
            shop.db
                .execute(&format!("UPDATE {} SET {change}", shop.ledger(table)));
            for command in [
                &["status"][..],
                &["contract"],
                &["gate", "contract", "1"],
                &["admit", "--service", "web", "--version", "1.1.0"],
            ] {
                let failed = shop.run(command, 1);
                assert!(
                    said(&failed).contains("ledger"),
                    "{change} {command:?}: {failed:?}"
                );
                assert!(!failed.stderr.contains("panicked"), "{failed:?}");
            }
        }
        for (table, change) in [
            ("meta", "DELETE FROM"),
            ("coordinator", "DELETE FROM"),
            ("admission", "DELETE FROM"),
            ("migrations", "DROP TABLE"),
            ("leases", "DROP TABLE"),
        ] {
            let shop = Shop::backfilled(crate::support::backend::Db::on(shop.db.backend.name));
            shop.db.execute(&format!("{change} {}", shop.ledger(table)));
            for command in [
                &["contract"][..],
                &["admit", "--service", "web", "--version", "1.1.0"],
            ] {
                let failed = shop.run(command, 1);
                assert!(!failed.stderr.contains("panicked"), "{failed:?}");
                assert!(
                    !said(&failed).is_empty(),
                    "{change} {table} {command:?}: {failed:?}"
                );
            }
        }
    }
);

scenario!(
    fn a_tampered_event_is_found(db: Db) {
        let shop = Shop::backfilled(db);
        let whole = shop.run(&["log", "--verify"], 0);
        assert!(whole.stdout.contains("the log is whole"), "{whole:?}");
        let events = shop.ledger("events");
        let (kept, count) = (
            shop.dump(),
            shop.db.value(&format!("SELECT count(*) FROM {events}")),
        );
        shop.db
            .execute(&format!("CREATE TABLE copy AS SELECT * FROM {events}"));
        for (tampering, where_) in [
            (
                "UPDATE {} SET actor = 'somebody else' WHERE seq = 2",
                "event 2",
            ),
            (
                "UPDATE {} SET detail = '{\"to\":\"expanded\"}' WHERE seq = 1",
                "event 1",
            ),
            ("DELETE FROM {} WHERE seq = 2", "event 2"),
            ("DELETE FROM {} WHERE seq > 2", "event 3"),
            ("DELETE FROM {}", "event 1"),
        ] {
            shop.db.execute(&tampering.replacen("{}", &events, 1));
            let broken = shop.run(&["log", "--verify"], 1);
            assert!(
                broken.stdout.contains(&format!("broken at {where_}")),
                "{tampering}: {broken:?}"
            );
            let json = shop.json(&["log", "--verify"], 1);
            assert_eq!(json["whole"], false);
            // It can still be read.
            shop.run(&["log"], 0);
            shop.db.execute(&format!(
                "DELETE FROM {events}; INSERT INTO {events} SELECT * FROM copy"
            ));
            assert_eq!(
                shop.db.value(&format!("SELECT count(*) FROM {events}")),
                count
            );
        }
        shop.db.execute("DROP TABLE copy");
        assert_eq!(shop.dump(), kept);
    }
);

scenario!(
    fn a_table_of_the_ledger_that_is_gone_is_said_with_what_to_do(db: Db) {
        let shop = Shop::backfilled(db);
        shop.db
            .execute(&format!("DROP TABLE {}", shop.ledger("leases")));
        for command in [
            &["status"][..],
            &["fleet"],
            &["gate", "deploy", "web=1.1.0"],
            &["admit", "--service", "web", "--version", "1.1.0"],
            &["contract"],
        ] {
            let refused = shop.project.migrate(command);
            assert_ne!(refused.code, 0, "{command:?}: {refused:?}");
            let said = said(&refused);
            assert!(
                said.contains("leases") && said.contains("restore the ledger as a whole"),
                "{command:?}: {refused:?}"
            );
        }
    }
);
