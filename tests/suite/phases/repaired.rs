//! Rows of which nothing tells what side is right are compared by hand, and that is recorded.

use crate::support::backend::Db;
use crate::support::shop::{Shop, said};

const MUTABLE: &str = "\
description = \"Move users.full_name to users.name\"
[services.web]
old = \"<1.2.0\"
new = \">=1.1.0\"
[backfill]
table = \"users\"
key = \"id\"
remaining = \"SELECT count(*) FROM users WHERE name IS NULL\"
check = \"SELECT id, name FROM users WHERE id > :after AND id <= :upto AND name <> full_name\"
";

/// Versions that write one format each have run beside each other.
fn in_doubt(db: Db) -> Shop {
    let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
    shop.name_migration(MUTABLE);
    shop.run(&["expand"], 0);
    shop.fleet(&[("web", "a", "1.0.0"), ("web", "b", "1.2.0")]);
    shop.run(&["status", "--record"], 0);
    shop
}

scenario!(
    fn rows_in_doubt_are_repaired_and_that_is_recorded(db: Db) {
        let shop = in_doubt(db);
        let gate = shop.json(&["gate", "backfill", "1"], 11);
        let blockers = gate["blockers"].as_array().expect("a list");
        let doubt = blockers
            .iter()
            .find(|blocker| blocker["kind"] == "undecidable_rows")
            .unwrap_or_else(|| panic!("no doubt: {gate}"));
        // The advice, as it stands there.
        let help = doubt["help"].as_str().expect("a text");
        let command = help
            .split('`')
            .find(|part| part.starts_with("migrate resolve"))
            .unwrap_or_else(|| panic!("no command: {help}"));
        let mut resolve: Vec<&str> = command.split(' ').skip(1).collect();
        resolve.pop();
        resolve.push("compared by hand");

        let refused = shop.run(&resolve, 11);
        for part in ["web 1.0.0", "web 1.2.0", "spoil"] {
            assert!(said(&refused).contains(part), "{part}: {refused:?}");
        }
        shop.fleet(&[("web", "b", "1.2.0")]);
        let refused = shop.run(&resolve, 11);
        assert!(
            said(&refused).contains("`remaining` returns 5"),
            "{refused:?}"
        );
        shop.db.execute("UPDATE users SET name = full_name");
        shop.db
            .execute("UPDATE users SET name = 'Anna' WHERE full_name = 'Ann'");
        let refused = shop.run(&resolve, 11);
        assert!(said(&refused).contains("`check`"), "{refused:?}");
        shop.run(&["gate", "backfill", "1"], 11);

        shop.db
            .execute("UPDATE users SET full_name = 'Anna' WHERE name = 'Anna'");
        shop.run(&resolve, 0);
        let log = shop.run(&["log"], 0);
        for part in ["rows_repaired", "compared by hand"] {
            assert!(log.stdout.contains(part), "{log:?}");
        }
        shop.run(&["log", "--verify"], 0);
        let again = shop.json(&resolve, 0);
        assert_eq!(again["rows_repaired"]["recorded"], false, "{again}");
        shop.run(&["backfill", "1"], 0);
        shop.run(&["contract", "1"], 0);
        assert_eq!(
            shop.db
                .value("SELECT count(*) FROM users WHERE name = 'Anna'"),
            "1"
        );
    }
);

scenario!(
    fn without_a_query_nothing_shows_that_rows_are_repaired(db: Db) {
        let shop = Shop::with_fleet(db, "[services.web]\nmin_instances = 0\n");
        let manifest = "description = \"x\"\nsync = \"both\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n";
        shop.project.migration(
            "0002_sync",
            &[
                ("migration.toml", manifest),
                (
                    "expand.sql",
                    &format!(
                        "ALTER TABLE users ADD COLUMN name2 VARCHAR(200);\n{}",
                        sync(&shop.db)
                    ),
                ),
                (
                    "contract.sql",
                    &format!(
                        "{};\nALTER TABLE users DROP COLUMN full_name;\n",
                        drop_sync(&shop.db)
                    ),
                ),
            ],
        );
        std::fs::remove_dir_all(shop.project.path().join("0001_name")).expect("it is there");
        shop.run(&["expand"], 0);
        shop.db.execute(drop_sync(&shop.db));
        let again = sync(&shop.db).replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION");
        shop.db.execute(&again);
        let gate = shop.run(&["gate", "contract", "2"], 11);
        assert!(gate.stdout.contains("--rows-repaired"), "{gate:?}");
        let resolve = ["resolve", "2", "--rows-repaired", "--reason", "compared"];
        let refused = shop.run(&resolve, 11);
        assert!(said(&refused).contains("`require`"), "{refused:?}");
        let declared = format!(
            "{manifest}[contract]\nrequire = [\"SELECT count(*) FROM users WHERE name2 <> full_name\"]\n"
        );
        shop.project
            .migration("0002_sync", &[("migration.toml", &declared)]);
        shop.run(&resolve, 0);
        shop.run(&["gate", "contract", "2"], 0);
        shop.run(&["resolve", "2", "--rows-repaired"], 2);
        shop.run(&["resolve", "2", "--rows-repaired", "--reason", " "], 2);
    }
);

fn drop_sync(db: &Db) -> &'static str {
    match db.backend.name {
        "postgres" => "DROP TRIGGER users_sync ON users",
        _ => "DROP TRIGGER users_sync",
    }
}

fn sync(db: &Db) -> String {
    match db.backend.name {
        "postgres" => "CREATE FUNCTION users_sync() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name2 := NEW.full_name; RETURN NEW; END $$;\n\
             CREATE TRIGGER users_sync BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION users_sync();\n"
            .to_owned(),
        "mysql" => "CREATE TRIGGER users_sync BEFORE INSERT ON users FOR EACH ROW SET NEW.name2 = NEW.full_name;\n".to_owned(),
        _ => "CREATE TRIGGER users_sync AFTER INSERT ON users BEGIN UPDATE users SET name2 = full_name WHERE id = NEW.id; END;\n"
            .to_owned(),
    }
}
