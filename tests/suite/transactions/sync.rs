//! What keeps formats in step neither goes away without a word nor stays behind to break every write.

use crate::support::backend::Db;
use crate::support::shop::{Shop, said};

pub const SYNCED: &str = "description = \"A name kept in step\"\nsync = \"both\"\n[services.web]\nold = \"<2.0.0\"\nnew = \">=2.0.0\"\n\
    [backfill]\ntable = \"users\"\nkey = \"id\"\nremaining = \"SELECT count(*) FROM users WHERE name IS NULL\"\n";

/// Makes the trigger `sync` on `table`, which fills `name` from `full_name`.
pub fn sync(db: &Db, trigger: &str, table: &str) -> String {
    match db.backend.name {
        "postgres" => format!(
            "CREATE FUNCTION users_sync() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := NEW.full_name; RETURN NEW; END $$;\n\
             CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION users_sync();\n"
        ),
        "mysql" => format!(
            "CREATE TRIGGER {trigger} BEFORE INSERT ON {table} FOR EACH ROW SET NEW.name = NEW.full_name;\n"
        ),
        _ => format!(
            "CREATE TRIGGER {trigger} AFTER INSERT ON {table} BEGIN UPDATE users SET name = full_name WHERE id = NEW.id; END;\n"
        ),
    }
}

/// As [`sync`], where its function is there already.
pub fn sync_again(db: &Db, trigger: &str, table: &str) -> String {
    let made = sync(db, trigger, table);
    let lines = made
        .lines()
        .filter(|line| !line.starts_with("CREATE FUNCTION"));
    lines.map(|line| format!("{line}\n")).collect()
}

pub fn drop_sync(db: &Db, trigger: &str) -> String {
    match db.backend.name {
        "postgres" => format!("DROP TRIGGER {trigger} ON users;\n"),
        _ => format!("DROP TRIGGER {trigger};\n"),
    }
}

/// A migration that is expanded, with a trigger that keeps its formats in step.
pub fn synced(db: Db) -> Shop {
    let shop = Shop::with_config(db, "[services.web]\nmin_instances = 0\n");
    let expand = format!(
        "ALTER TABLE users ADD COLUMN name VARCHAR(200);\n{}",
        sync(&shop.db, "users_sync", "users")
    );
    let contract = format!(
        "{}ALTER TABLE users DROP COLUMN full_name;\n",
        drop_sync(&shop.db, "users_sync")
    );
    shop.project.migration(
        "0001_synced",
        &[
            ("migration.toml", SYNCED),
            ("expand.sql", &expand),
            (
                "backfill.sql",
                "UPDATE users SET name = full_name WHERE id > :after AND id <= :upto AND name IS NULL;\n",
            ),
            ("contract.sql", &contract),
        ],
    );
    shop.run(&["expand"], 0);
    shop.run(&["backfill"], 0);
    shop
}

/// Allows the contract of the first migration although the script of a later one names what it takes away.
pub fn name_again(shop: &Shop) {
    if shop.project.path().join("0001_synced").exists() {
        let allowed = format!(
            "{SYNCED}[[contract.allow]]\nstatement = \"ALTER TABLE users DROP COLUMN\"\nreason = \"a test\"\n"
        );
        shop.project
            .migration("0001_synced", &[("migration.toml", &allowed)]);
    }
}

/// A second migration with this script, and allowances for statements that begin like these.
pub fn second(shop: &Shop, expand: &str, allow: &[&str]) {
    name_again(shop);
    let mut manifest = "description = \"A change of users\"\n".to_owned();
    for statement in allow {
        manifest.push_str(&format!(
            "[[expand.allow]]\nstatement = \"{statement}\"\nreason = \"a test\"\n"
        ));
    }
    shop.project.migration(
        "0002_second",
        &[("migration.toml", &manifest), ("expand.sql", expand)],
    );
}

/// The script that puts a copy in the place of `users`, with `more` before the swap; and what needs an allowance.
fn swap(db: &Db, more: &str) -> (String, Vec<&'static str>) {
    match db.backend.name {
        "postgres" => (
            format!(
                "CREATE TABLE users_new (LIKE users INCLUDING ALL);\nINSERT INTO users_new SELECT * FROM users;\n{more}\
                 ALTER TABLE users RENAME TO users_old;\nALTER TABLE users_new RENAME TO users;\n\
                 SELECT setval(pg_get_serial_sequence('users', 'id'), max(id)) FROM users;\n"
            ),
            vec![
                "ALTER TABLE users RENAME TO users_old",
                "SELECT setval(pg_get_serial_sequence('users', 'id'),",
            ],
        ),
        "mysql" => (
            format!(
                "CREATE TABLE users_new LIKE users;\nINSERT INTO users_new SELECT * FROM users;\n{more}\
                 RENAME TABLE users TO users_old, users_new TO users;\n"
            ),
            vec![
                "RENAME TABLE users TO users_old",
                "INSERT INTO users_new SELECT",
            ],
        ),
        _ => (
            format!(
                "CREATE TABLE users_new (id INTEGER PRIMARY KEY, full_name TEXT, name TEXT);\n\
                 INSERT INTO users_new SELECT id, full_name, name FROM users;\n\
                 DROP TABLE users;\nALTER TABLE users_new RENAME TO users;\n{more}"
            ),
            vec!["DROP TABLE users"],
        ),
    }
}

scenario!(
    fn a_table_that_is_swapped_for_a_copy_keeps_its_triggers_or_stays(db: Db) {
        let shop = synced(db);
        let (script, allow) = swap(&shop.db, "");
        second(&shop, &script, &allow);
        let data = shop.data();
        let refused = shop.run(&["expand"], 1);
        assert!(said(&refused).contains("users_sync"), "{refused:?}");
        assert_eq!(shop.data(), data, "nothing may be lost before it is said");
        assert_eq!(shop.phase(2), "pending");

        // The same with the trigger on the copy. Where triggers have names of their own in the whole database it has another.
        let name = match shop.db.backend.name {
            "mysql" => "users_sync_2",
            _ => "users_sync",
        };
        let table = match shop.db.backend.name {
            "sqlite" => "users",
            _ => "users_new",
        };
        let (script, allow) = swap(&shop.db, &sync_again(&shop.db, name, table));
        second(&shop, &script, &allow);
        shop.run(&["expand"], 0);
        shop.db
            .execute("INSERT INTO users (id, full_name) VALUES (77, 'Zoe')");
        assert_eq!(shop.db.value("SELECT name FROM users WHERE id = 77"), "Zoe");
    }
);

scenario!(
    fn a_trigger_that_is_dropped_by_name_may_go(db: Db) {
        let shop = synced(db);
        let (script, mut allow) = swap(&shop.db, &drop_sync(&shop.db, "users_sync"));
        let script = match shop.db.backend.name {
            // It is gone with its table there, and is dropped before it.
            "sqlite" => {
                let (bare, _) = swap(&shop.db, "");
                format!("{}{bare}", drop_sync(&shop.db, "users_sync"))
            }
            _ => script,
        };
        allow.push(match shop.db.backend.name {
            "postgres" => "DROP TRIGGER users_sync ON users",
            _ => "DROP TRIGGER users_sync",
        });
        second(&shop, &script, &allow);
        shop.run(&["expand"], 0);
    }
);

scenario!(
    /// The same trigger, made by somebody else: no file of the migration tells of it.
    fn a_contract_that_leaves_a_trigger_behind_is_refused_by_the_catalogue(db: Db) {
        let shop = synced(db);
        shop.db
            .execute("CREATE TABLE orders (id INTEGER PRIMARY KEY, buyer INTEGER)");
        // Writes to the column from another table.
        let other = match shop.db.backend.name {
            "postgres" => {
                "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE users SET full_name = 'x' WHERE id = NEW.buyer; RETURN NEW; END $$; \
                 CREATE TRIGGER note BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION note()"
            }
            "mysql" => {
                "CREATE TRIGGER note BEFORE INSERT ON orders FOR EACH ROW UPDATE users SET full_name = 'x' WHERE id = NEW.buyer"
            }
            _ => {
                "CREATE TRIGGER note AFTER INSERT ON orders BEGIN UPDATE users SET full_name = 'x' WHERE id = NEW.buyer; END"
            }
        };
        shop.db.execute(other);
        let data = shop.data();
        let refused = shop.run(&["contract", "1"], 1);
        assert!(said(&refused).contains("note"), "{refused:?}");
        assert_eq!(shop.data(), data);
        assert_eq!(shop.phase(1), "backfilled");
        shop.db
            .execute("INSERT INTO orders (id, buyer) VALUES (1, 1)");
        shop.db.execute(match shop.db.backend.name {
            "postgres" => "DROP TRIGGER note ON orders",
            _ => "DROP TRIGGER note",
        });
        shop.run(&["contract", "1"], 0);
        shop.db
            .execute("INSERT INTO users (id, name) VALUES (78, 'Zoe')");
    }
);

scenario!(
    /// A trigger that names the same column of its own table is none of this contract's business.
    fn a_trigger_of_another_table_is_not_accused(db: Db) {
        let shop = synced(db);
        shop.db.execute(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, full_name VARCHAR(20), copy VARCHAR(20))",
        );
        shop.db.execute(match shop.db.backend.name {
            "postgres" => {
                "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.copy := NEW.full_name; RETURN NEW; END $$; \
                 CREATE TRIGGER note BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION note()"
            }
            "mysql" => "CREATE TRIGGER note BEFORE INSERT ON orders FOR EACH ROW SET NEW.copy = NEW.full_name",
            _ => {
                "CREATE TRIGGER note AFTER INSERT ON orders BEGIN UPDATE orders SET copy = NEW.full_name WHERE id = NEW.id; END"
            }
        });
        shop.run(&["contract", "1"], 0);
        shop.db
            .execute("INSERT INTO orders (id, full_name) VALUES (1, 'x')");
    }
);

scenario!(
    /// `check` says it from the files alone, and somebody may vouch for it.
    fn a_contract_that_leaves_the_trigger_of_its_expand_is_refused_by_check(db: Db) {
        let shop = synced(db);
        shop.project.file(
            "0001_synced/contract.sql",
            "ALTER TABLE users DROP COLUMN full_name;\n",
        );
        let refused = shop.run(&["check"], 1);
        assert!(said(&refused).contains("left-behind"), "{refused:?}");
        assert!(said(&refused).contains("users_sync"), "{refused:?}");
        let allowed = format!(
            "{SYNCED}[[contract.allow]]\nstatement = \"ALTER TABLE users DROP COLUMN\"\nreason = \"a test\"\n"
        );
        shop.project
            .migration("0001_synced", &[("migration.toml", &allowed)]);
        shop.run(&["check"], 0);
    }
);

/// However a trigger is put out of action.
#[test]
fn a_trigger_that_no_longer_fires_is_lost() {
    for (script, allow) in [
        (
            "ALTER TABLE users DISABLE TRIGGER users_sync;\nUPDATE users SET full_name = 'x' WHERE id = 1;\n",
            &[
                "ALTER TABLE users DISABLE TRIGGER",
                "UPDATE users SET full_name",
            ][..],
        ),
        (
            "ALTER TABLE users DISABLE TRIGGER ALL;\n",
            &["ALTER TABLE users DISABLE TRIGGER"],
        ),
        (
            "ALTER TABLE users ENABLE REPLICA TRIGGER users_sync;\n",
            &["ALTER TABLE users ENABLE REPLICA"],
        ),
        (
            "DROP FUNCTION users_sync() CASCADE;\n",
            &["DROP FUNCTION users_sync()"],
        ),
        (
            "DO $$ BEGIN DROP TRIGGER users_sync ON users; END $$;\n",
            &["DO $$ BEGIN DROP"],
        ),
        (
            "CREATE TABLE users_new (LIKE users INCLUDING ALL);\nALTER TABLE users RENAME TO users_old;\n\
             CREATE VIEW users AS SELECT * FROM users_new;\n",
            &["ALTER TABLE users RENAME TO"],
        ),
        (
            "-- migrate: no-transaction\nCREATE TABLE users_new (LIKE users INCLUDING ALL);\nINSERT INTO users_new SELECT * FROM users;\n\
             ALTER TABLE users RENAME TO users_old;\nALTER TABLE users_new RENAME TO users;\n",
            &[
                "ALTER TABLE users RENAME TO",
                "INSERT INTO users_new SELECT",
            ],
        ),
    ] {
        let shop = synced(Db::on("postgres"));
        second(&shop, script, allow);
        let data = shop.data();
        let refused = shop.run(&["expand"], 1);
        assert!(
            said(&refused).contains("users_sync"),
            "{script}: {refused:?}"
        );
        assert_eq!(shop.data(), data, "{script}");
        assert_eq!(shop.phase(2), "pending", "{script}");
    }
    for (script, allow) in [
        (
            "ALTER TABLE users DISABLE TRIGGER users_sync;\nALTER TABLE users ENABLE TRIGGER users_sync;\n",
            &[
                "ALTER TABLE users DISABLE TRIGGER",
                "ALTER TABLE users ENABLE TRIGGER",
            ][..],
        ),
        // Behind a view the table keeps its triggers.
        (
            "ALTER TABLE users RENAME TO people;\nCREATE VIEW users AS SELECT * FROM people;\n",
            &["ALTER TABLE users RENAME TO"],
        ),
        (
            "DROP TRIGGER IF EXISTS users_sync ON users;\n\
             CREATE TRIGGER users_sync BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION users_sync();\n",
            &[],
        ),
    ] {
        let shop = synced(Db::on("postgres"));
        second(&shop, script, allow);
        shop.run(&["expand"], 0);
    }
}

/// Views and routines keep their text on MySQL and MariaDB, and only fail when they are used.
#[test]
fn views_routines_and_events_are_code_too() {
    for (code, name) in [
        (
            "CREATE VIEW names AS SELECT id, full_name FROM users",
            "names",
        ),
        ("CREATE VIEW names AS SELECT * FROM users", "names"),
        (
            "CREATE PROCEDURE names() SELECT full_name FROM users",
            "names",
        ),
        (
            "CREATE EVENT names ON SCHEDULE EVERY 1 YEAR DO UPDATE users SET full_name = 'x'",
            "names",
        ),
    ] {
        let shop = synced(Db::on("mysql"));
        shop.db.execute(code);
        let data = shop.data();
        let refused = shop.run(&["contract", "1"], 1);
        assert!(said(&refused).contains(name), "{code}: {refused:?}");
        assert_eq!(shop.data(), data, "{code}");
    }
}
