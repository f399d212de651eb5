//! Backfill: in batches, resumed where it stopped, and begun again where it was undone.

use crate::support::project::Signal;
use crate::support::shop::{APPEND_ONLY, BACKFILL, NAME, Shop, said};

fn names(shop: &Shop) -> Vec<String> {
    let rows = shop.db.query("SELECT name FROM users ORDER BY id");
    rows.into_iter().flatten().collect()
}

const ALL: [&str; 5] = ["Ann", "Bob", "Cyd", "Dan", "Eve"];

scenario!(
    fn a_backfill_goes_in_batches(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        let output = shop.run(&["backfill"], 0);
        assert!(output.stdout.contains("5 rows in 3 batches"), "{output:?}");
        assert_eq!(names(&shop), ALL);
        assert_eq!(shop.phase(1), "backfilled");
    }
);

scenario!(
    fn a_backfill_needs_its_expand(db: Db) {
        let shop = Shop::with_name(db);
        let refused = shop.run(&["backfill", NAME], 11);
        assert!(
            refused.stdout.contains("its expand has to come first"),
            "{refused:?}"
        );
        // Without a name there is nothing that could be backfilled yet.
        shop.run(&["backfill"], 0);
        assert_eq!(shop.phase(1), "pending");
    }
);

scenario!(
    fn a_backfill_that_is_paused_is_not_waited_for(db: Db) {
        let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
        shop.name_migration(APPEND_ONLY);
        shop.run(&["expand"], 0);
        shop.project.env("PHASEGATE_CRASH_AT", "backfill.batch");
        shop.run(&["backfill"], 137);
        shop.project.env_remove("PHASEGATE_CRASH_AT");
        // As if it were still at work.
        let coordinator = shop.ledger("coordinator");
        let at_work = |doing: &str| {
            shop.db.execute(&format!(
                "UPDATE {coordinator} SET holder = 'ci', doing = '{doing}', expires_at = 9000000000000"
            ));
        };
        at_work("backfill 0001_name");
        let hold = shop.run(&["gate", "contract", "1"], 10);
        assert!(hold.stdout.contains("is running (ci"), "{hold:?}");
        shop.run(&["backfill", "pause", "1"], 0);
        let refused = shop.run(&["gate", "contract", "1"], 11);
        let resume = "`migrate backfill resume 0001_name` lets it go on";
        assert!(refused.stdout.contains(resume), "{refused:?}");
        shop.run(&["backfill", "resume", "1"], 0);
        shop.run(&["gate", "contract", "1"], 10);
        at_work("backfill 0002_other");
        shop.run(&["gate", "contract", "1"], 11);
    }
);

scenario!(
    fn a_killed_backfill_goes_on_where_it_stopped(db: Db) {
        let shop = Shop::with_config(
            db,
            "[services.web]\nmin_instances = 0\n[fleet]\ncoordinator_lease = \"2s\"\n",
        );
        shop.name_migration(APPEND_ONLY);
        shop.run(&["expand"], 0);
        shop.project.env("PHASEGATE_CRASH_AT", "backfill.batch");
        shop.run(&["backfill"], 137);
        shop.project.env_remove("PHASEGATE_CRASH_AT");
        assert_eq!(names(&shop), ["Ann", "Bob", "NULL", "NULL", "NULL"]);
        assert_eq!(shop.phase(1), "backfilling");
        let status = shop.run(&["status"], 0);
        assert!(status.stdout.contains("backfilling, 2 rows"), "{status:?}");
        // What it would do to the first batch again shows that it does not.
        shop.db.execute(
            "UPDATE users SET name = NULL WHERE id = 1; UPDATE users SET name = 'x' WHERE id = 1",
        );
        let output = shop.run(&["backfill"], 0);
        assert!(output.stdout.contains("3 rows in 2 batches"), "{output:?}");
        assert_eq!(names(&shop), ["x", "Bob", "Cyd", "Dan", "Eve"]);
        assert_eq!(shop.phase(1), "backfilled");
    }
);

scenario!(
    fn an_empty_table_is_backfilled_at_once(db: Db) {
        let shop = Shop::with_name(db);
        shop.db.execute("DELETE FROM users");
        shop.run(&["expand"], 0);
        let output = shop.run(&["backfill"], 0);
        assert!(output.stdout.contains("0 rows in 0 batches"), "{output:?}");
        assert_eq!(shop.phase(1), "backfilled");
        shop.run(&["contract"], 0);
    }
);

scenario!(
    fn a_text_can_be_the_key(db: Db) {
        let shop = Shop::new(db);
        shop.db.execute(
            "CREATE TABLE countries (code VARCHAR(20) PRIMARY KEY, label TEXT); \
             INSERT INTO countries VALUES ('de', 'a'), ('it''s', 'b'), ('B\\x', 'c'), ('ü', 'd'), ('zz', 'e')",
        );
        let manifest = APPEND_ONLY
            .replace("\"users\"", "\"countries\"")
            .replace("key = \"id\"", "key = \"code\"")
            .replace("FROM users", "FROM countries");
        shop.project.migration(
            NAME,
            &[
                ("migration.toml", &manifest),
                ("expand.sql", "ALTER TABLE countries ADD COLUMN name TEXT;\n"),
                (
                    "backfill.sql",
                    "UPDATE countries SET name = label WHERE code > :after AND code <= :upto AND name IS NULL;\n",
                ),
                ("contract.sql", "ALTER TABLE countries DROP COLUMN label;\n"),
            ],
        );
        shop.run(&["expand"], 0);
        let output = shop.run(&["backfill"], 0);
        assert!(output.stdout.contains("5 rows in 3 batches"), "{output:?}");
        assert_eq!(
            shop.db
                .value("SELECT count(*) FROM countries WHERE name = label"),
            "5"
        );
        shop.run(&["contract"], 0);
    }
);

scenario!(
    fn an_old_only_writer_undoes_a_backfill(db: Db) {
        let shop = Shop::backfilled(db);
        let admit = |version: &str, code: i32| {
            let name = format!("server-{version}");
            let arguments = [
                "admit",
                "--service",
                "web",
                "--version",
                version,
                "--instance",
                &name,
                "--for",
                "2s",
            ];
            shop.run(&arguments, code)
        };
        admit("1.1.0", 0);
        assert_eq!(shop.phase(1), "backfilled");
        let gate = shop.run(&["gate", "deploy", "web=1.0.0"], 0);
        assert!(
            gate.stdout.contains("the backfill has to run again"),
            "{gate:?}"
        );
        admit("1.0.0", 0);
        assert_eq!(shop.phase(1), "expanded");
        shop.db
            .execute("INSERT INTO users (full_name) VALUES ('Fay')");
        // While it lives, it may write more of them.
        let hold = shop.run(&["backfill", NAME], 10);
        assert!(
            hold.stdout.contains("web 1.0.0 writes only the old format"),
            "{hold:?}"
        );
        let hold = shop.run(&["contract", NAME], 11);
        assert!(
            hold.stdout.contains("its backfill is not finished"),
            "{hold:?}"
        );
        crate::support::wait::eventually(crate::support::wait::GENEROUS, || {
            (shop.project.migrate(&["backfill", NAME]).code == 0).then_some(())
        });
        assert_eq!(names(&shop), ["Ann", "Bob", "Cyd", "Dan", "Eve", "Fay"]);
        assert_eq!(shop.phase(1), "backfilled");
        let log = shop.run(&["log"], 0);
        assert!(log.stdout.contains("backfill_undone"), "{log:?}");
        shop.run(&["log", "--verify"], 0);
    }
);

scenario!(
    fn a_backfill_that_leaves_rows_is_not_finished(db: Db) {
        let shop = Shop::with_name(db);
        shop.project.migration(
            NAME,
            &[(
                "backfill.sql",
                "UPDATE users SET name = full_name WHERE id > :after AND id <= :upto AND name IS NULL AND full_name <> 'Bob';\n",
            )],
        );
        shop.run(&["expand"], 0);
        let refused = shop.run(&["backfill"], 11);
        assert!(
            refused
                .stdout
                .contains("returns 1, and has to be 0; some of these rows have the keys 2"),
            "{refused:?}"
        );
        assert_eq!(shop.phase(1), "expanded");
        shop.run(&["contract", NAME], 11);
        // By hand, and then again: it begins at the first key, and finds nothing more to do.
        shop.db
            .execute("UPDATE users SET name = 'Bob' WHERE full_name = 'Bob'");
        shop.run(&["backfill"], 0);
        assert_eq!(shop.phase(1), "backfilled");
    }
);

scenario!(
    fn a_failing_batch_names_its_keys_and_keeps_the_ones_before(db: Db) {
        let shop = Shop::with_name(db);
        shop.project.migration(
            NAME,
            &[(
                "expand.sql",
                "ALTER TABLE users ADD COLUMN name TEXT CHECK (name <> 'Dan');\n",
            )],
        );
        shop.run(&["expand"], 0);
        let failed = shop.run(&["backfill"], 1);
        assert!(said(&failed).contains("backfill.sql"), "{failed:?}");
        assert!(said(&failed).contains("the row with id = 4"), "{failed:?}");
        assert_eq!(names(&shop), ["Ann", "Bob", "Cyd", "NULL", "NULL"]);
        shop.db
            .execute("UPDATE users SET full_name = 'Don' WHERE id = 4");
        let output = shop.run(&["backfill"], 0);
        assert!(output.stdout.contains("(2 rows in "), "{output:?}");
    }
);

scenario!(
    fn a_backfill_without_a_name_takes_those_that_wait(db: Db) {
        let shop = Shop::with_name(db);
        shop.db.execute("ALTER TABLE users ADD COLUMN nick TEXT");
        shop.project.migration(
            "0002_alias",
            &[
                (
                    "migration.toml",
                    &APPEND_ONLY.replace("WHERE name IS NULL", "WHERE alias IS NULL AND nick IS NOT NULL"),
                ),
                ("expand.sql", "ALTER TABLE users ADD COLUMN alias TEXT;\n"),
                (
                    "backfill.sql",
                    "UPDATE users SET alias = nick WHERE id > :after AND id <= :upto AND alias IS NULL;\n",
                ),
            ],
        );
        shop.run(&["expand"], 0);
        let output = shop.run(&["backfill"], 0);
        assert!(output.stdout.contains("backfilled 0001_name"), "{output:?}");
        assert!(
            output.stdout.contains("backfilled 0002_alias"),
            "{output:?}"
        );
        assert_eq!(shop.run(&["backfill"], 0).stdout, "nothing to backfill\n");
        assert_eq!(BACKFILL.matches(":after").count(), 1);
    }
);

/// Reading moves to the new format in 1.2, writing in 1.1 and 1.3; rows change.
const BY_RELEASES: &str = "\
description = \"Move users.full_name to users.name\"
[services.web]
reads = { old = \"<1.2.0\", new = \">=1.2.0\" }
writes = { old = \"<1.3.0\", new = \">=1.1.0\" }
[backfill]
table = \"users\"
key = \"id\"
remaining = \"SELECT count(*) FROM users WHERE name IS NULL\"
";

scenario!(
    fn a_version_from_before_the_expand_is_remembered_beside_later_ones(db: Db) {
        let shop = Shop::new(db);
        shop.name_migration(BY_RELEASES);
        let old = shop.instance("1.0.0", "server-1");
        shop.run(&["expand"], 0);
        let bridge = shop.instance("1.1.0", "server-2");
        // Side by side, 1.0 changed rows that 1.1 had written in both formats. Then both leave.
        for instance in [old, bridge] {
            instance.signal(Signal::TERM);
            instance.wait();
        }
        // A statement that only fills in would leave these as they are.
        let data = shop.data();
        for command in [&["gate", "backfill", NAME][..], &["backfill", NAME]] {
            let refused = shop.run(command, 11);
            for part in [
                "has to overwrite stale values",
                "overwrites = true",
                "`check`",
            ] {
                assert!(refused.stdout.contains(part), "{part} in {refused:?}");
            }
        }
        assert_eq!(shop.data(), data);
        // What is applied already can be said to do so.
        let said = BY_RELEASES.replace("key = ", "overwrites = true\nkey = ");
        shop.name_migration(&said);
        shop.run(&["gate", "backfill", NAME], 0);
        shop.run(&["backfill", NAME], 0);
    }
);
