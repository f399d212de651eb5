//! A time in which nothing kept the formats in step is remembered when it is over, whether or not anybody has looked meanwhile.

use super::sync::{SYNCED, drop_sync, sync, sync_again, synced};
use crate::support::backend::Db;
use crate::support::shop::Shop;

/// Writes past the sync, with what makes it and takes it away by hand.
fn write_in_a_gap(shop: &Shop, look: &dyn Fn(&Shop)) {
    shop.db.execute(&drop_sync(&shop.db, "users_sync"));
    look(shop);
    shop.db
        .execute("UPDATE users SET full_name = 'Ada King' WHERE id = 1");
    put_back(shop);
}

fn put_back(shop: &Shop) {
    shop.db
        .execute(&sync_again(&shop.db, "users_sync", "users"));
}

/// Has the backfill overwrite, and say so.
fn overwriting(shop: &Shop) {
    let manifest = std::fs::read_to_string(shop.project.path().join("0001_synced/migration.toml"))
        .expect("it is there")
        .replace("key = \"id\"", "key = \"id\"\noverwrites = true");
    shop.project.migration(
        "0001_synced",
        &[
            ("migration.toml", &manifest),
            (
                "backfill.sql",
                "UPDATE users SET name = full_name WHERE id > :after AND id <= :upto;\n",
            ),
        ],
    );
}

/// The old format goes only after what was written in the gap was gone over again.
fn is_gone_over_again(shop: &Shop) {
    let data = shop.data();
    let gate = shop.json(&["gate", "contract", "1"], 11);
    assert_eq!(gate["blockers"][0]["kind"], "backfill_first", "{gate}");
    shop.run(&["gate", "deploy", "web=2.0.0"], 11);
    shop.run(&["contract", "1"], 11);
    assert_eq!(shop.data(), data);
    assert_eq!(shop.phase(1), "expanded");
    let log = shop.run(&["log"], 0);
    assert!(
        log.stdout.contains("out_of_step") && log.stdout.contains("users_sync"),
        "{log:?}"
    );
    shop.run(&["log", "--verify"], 0);
    // It would fill in, and leave what is stale.
    let refused = shop.run(&["backfill", "1"], 11);
    assert!(refused.stdout.contains("overwrites = true"), "{refused:?}");
    overwriting(shop);
    shop.run(&["backfill", "1"], 0);
    assert_eq!(
        shop.db.value("SELECT name FROM users WHERE id = 1"),
        "Ada King"
    );
    shop.run(&["gate", "deploy", "web=2.0.0"], 0);
    shop.run(&["contract", "1"], 0);
}

scenario!(
    fn a_gap_that_a_command_has_seen_is_remembered(db: Db) {
        let shop = synced(db);
        write_in_a_gap(&shop, &|shop| {
            let gate = shop.json(&["gate", "contract", "1", "--record"], 11);
            assert_eq!(gate["blockers"][0]["kind"], "out_of_step", "{gate}");
        });
        is_gone_over_again(&shop);
    }
);

scenario!(
    fn a_gap_that_nobody_has_seen_shows_by_the_trigger_that_was_made_again(db: Db) {
        let shop = synced(db);
        write_in_a_gap(&shop, &|_| {});
        is_gone_over_again(&shop);
    }
);

scenario!(
    /// Whoever acts writes it down, and whatever ends the gap.
    fn a_gap_before_the_first_backfill_is_remembered(db: Db) {
        let shop = synced(db);
        shop.project.file("0001_synced/revert.sql", &undo(&shop.db));
        shop.run(&["revert", "1"], 0);
        shop.run(&["expand"], 0);
        write_in_a_gap(&shop, &|shop| {
            shop.run(&["backfill", "1"], 11);
        });
        let refused = shop.run(&["backfill", "1"], 11);
        assert!(refused.stdout.contains("overwrites = true"), "{refused:?}");
        overwriting(&shop);
        shop.run(&["backfill", "1"], 0);
        shop.run(&["contract", "1"], 0);
    }
);

fn undo(db: &Db) -> String {
    let function = match db.backend.name {
        "postgres" => "DROP FUNCTION users_sync();\n",
        _ => "",
    };
    format!(
        "{}{function}ALTER TABLE users DROP COLUMN name;\n",
        drop_sync(db, "users_sync")
    )
}

scenario!(
    /// What happens to every database every week leaves the triggers what they are.
    fn maintenance_is_no_gap(db: Db) {
        let shop = synced(db);
        match shop.db.backend.name {
            "postgres" => {
                for sql in [
                    "VACUUM FREEZE pg_trigger",
                    "VACUUM FULL pg_trigger",
                    "VACUUM FULL users",
                    "GRANT ALL ON ALL FUNCTIONS IN SCHEMA public TO public",
                    "GRANT SELECT ON users TO public",
                    "ANALYZE",
                    "ALTER TABLE users ADD COLUMN extra int",
                    "CREATE TRIGGER zz AFTER DELETE ON users FOR EACH ROW EXECUTE FUNCTION users_sync()",
                ] {
                    shop.db.execute(sql);
                }
            }
            "mysql" => {
                shop.db.query("OPTIMIZE TABLE users");
                shop.db.query("ANALYZE TABLE users");
                shop.db.execute("ALTER TABLE users ADD COLUMN extra int");
                shop.db
                    .execute("CREATE TRIGGER zz AFTER DELETE ON users FOR EACH ROW SET @z = 1");
            }
            _ => {
                shop.db
                    .execute("CREATE TABLE other (id INTEGER PRIMARY KEY)");
                shop.db.execute("CREATE INDEX other_id ON other (id)");
                shop.db.execute("DROP TABLE other");
                shop.db.execute("VACUUM");
                shop.db.execute("ANALYZE");
                shop.db.execute("VACUUM");
                shop.db
                    .execute("CREATE TRIGGER zz AFTER DELETE ON users BEGIN SELECT 1; END");
            }
        }
        shop.run(&["gate", "contract", "1"], 0);
        let log = shop.run(&["log"], 0);
        assert!(!log.stdout.contains("out_of_step"), "{log:?}");
    }
);

/// The ledger's table is another one then, and a trigger that is what it was shows that the database is not.
#[test]
fn a_gap_shows_where_the_ledgers_table_was_made_anew() {
    const UPDATES: &str =
        "CREATE TRIGGER users_up BEFORE UPDATE ON users FOR EACH ROW SET NEW.name = NEW.full_name";
    let shop = Shop::with_config(Db::on("mysql"), "[services.web]\nmin_instances = 0\n");
    let inserts = sync(&shop.db, "users_sync", "users");
    let expand = format!("ALTER TABLE users ADD COLUMN name VARCHAR(200);\n{inserts}{UPDATES};\n");
    let scripts = [
        ("migration.toml", SYNCED),
        ("expand.sql", &expand),
        (
            "backfill.sql",
            "UPDATE users SET name = full_name WHERE id > :after AND id <= :upto;\n",
        ),
        (
            "contract.sql",
            "DROP TRIGGER users_sync;\nDROP TRIGGER users_up;\nALTER TABLE users DROP COLUMN full_name;\n",
        ),
    ];
    shop.project.migration("0001_synced", &scripts);
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    shop.run(&["gate", "contract", "1"], 0);
    shop.db
        .query(&format!("OPTIMIZE TABLE {}", shop.ledger("admission")));
    shop.run(&["gate", "contract", "1"], 0);
    shop.db.execute("DROP TRIGGER users_up");
    shop.db
        .execute("UPDATE users SET full_name = 'Ada King' WHERE id = 1");
    shop.db.execute(UPDATES);
    let gate = shop.json(&["gate", "contract", "1"], 11);
    assert_eq!(gate["blockers"][0]["kind"], "backfill_first", "{gate}");
}

/// A trigger that was off for a while is the same one.
#[test]
fn a_trigger_that_was_disabled_for_a_while_is_noticed() {
    for (off, on) in [
        (
            "ALTER TABLE users DISABLE TRIGGER users_sync",
            "ALTER TABLE users ENABLE TRIGGER users_sync",
        ),
        (
            "ALTER TABLE users DISABLE TRIGGER ALL",
            "ALTER TABLE users ENABLE TRIGGER ALL",
        ),
    ] {
        let shop = synced(Db::on("postgres"));
        shop.db.execute(off);
        shop.db
            .execute("UPDATE users SET full_name = 'Ada King' WHERE id = 1");
        shop.db.execute(on);
        is_gone_over_again(&shop);
    }
}

scenario!(
    /// Whoever is asked, and whatever for: none says that it is safe where another refuses.
    fn everybody_who_is_asked_looks_at_the_triggers(db: Db) {
        let shop = synced(db);
        let admit = [
            "admit",
            "--service",
            "web",
            "--version",
            "2.0.0",
            "--for",
            "1s",
        ];
        shop.run(&["gate", "deploy", "web=2.0.0"], 0);
        shop.db.execute(&drop_sync(&shop.db, "users_sync"));

        shop.run(&["gate", "deploy", "web=2.0.0"], 11);
        let refused = shop.run(&admit, 11);
        assert!(refused.stdout.contains("users_sync"), "{refused:?}");
        let agent = [
            "agent",
            "--service",
            "web",
            "--version",
            "2.0.0",
            "--instance",
            "a",
            "--",
            "true",
        ];
        let refused = shop.run(&agent, 11);
        assert!(refused.stdout.contains("users_sync"), "{refused:?}");
        let backfill = shop.json(&["gate", "backfill", "1"], 11);
        assert_eq!(backfill["blockers"][0]["kind"], "out_of_step", "{backfill}");
        let status = shop.run(&["status"], 0);
        assert!(!status.stdout.contains("safe now"), "{status:?}");
        assert!(
            !status.stdout.contains("any version may start now"),
            "{status:?}"
        );
        let plan = shop.run(&["plan", "--to", "web=2.0.0"], 11);
        assert!(plan.stdout.contains("users_sync"), "{plan:?}");
        // Nobody reads the new format alone: the old one may go on.
        shop.run(&["gate", "deploy", "web=1.0.0"], 0);
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
    }
);
