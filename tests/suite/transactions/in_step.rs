//! What keeps formats in step for a migration that is under way does it until its contract: a trigger of the same name that
//! does less is none, whoever made it.

use super::sync::{drop_sync, name_again, second, sync, sync_again, synced};
use crate::support::backend::Db;
use crate::support::project::Signal;
use crate::support::shop::{Shop, said};

/// A script that puts a trigger of the same name in the place of `users_sync`, which does nothing.
fn weaker(db: &Db) -> String {
    match db.backend.name {
        "postgres" => format!(
            "{}CREATE TRIGGER users_sync BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION users_sync();\n",
            drop_sync(db, "users_sync")
        ),
        "mysql" => format!(
            "{}CREATE TRIGGER users_sync BEFORE INSERT ON users FOR EACH ROW SET NEW.id = NEW.id;\n",
            drop_sync(db, "users_sync")
        ),
        _ => format!(
            "{}CREATE TRIGGER users_sync AFTER INSERT ON users WHEN 0 BEGIN UPDATE users SET name = full_name WHERE id = NEW.id; END;\n",
            drop_sync(db, "users_sync")
        ),
    }
}

/// The statement of [`weaker`] that may be vouched for.
const REPLACING: &str = "DROP TRIGGER users_sync";

/// The contract of another migration, which is no part of the first one's.
fn contract_of_another(shop: &Shop, contract: &str, allow: &[&str]) {
    name_again(shop);
    let mut manifest = "description = \"Another\"\n".to_owned();
    for statement in allow {
        manifest.push_str(&format!(
            "[[contract.allow]]\nstatement = \"{statement}\"\nreason = \"a test\"\n"
        ));
    }
    shop.project.migration(
        "0002_second",
        &[
            ("migration.toml", &manifest),
            (
                "expand.sql",
                "ALTER TABLE users ADD COLUMN other INTEGER;\n",
            ),
            ("contract.sql", contract),
        ],
    );
}

scenario!(
    fn a_trigger_of_the_same_name_that_does_less_is_refused_or_vouched_for(db: Db) {
        let shop = synced(db);
        contract_of_another(&shop, &weaker(&shop.db), &[]);
        shop.run(&["expand"], 0);
        let data = shop.data();
        let refused = shop.run(&["contract", "2"], 1);
        for part in ["users_sync", "0001_synced", "in step"] {
            assert!(said(&refused).contains(part), "{part}: {refused:?}");
        }
        assert_eq!(shop.data(), data, "nothing may be lost before it is said");

        // The way out that is named: with a reason it may, and then the first migration's contract goes by it.
        contract_of_another(&shop, &weaker(&shop.db), &[REPLACING]);
        shop.run(&["contract", "2"], 0);
        shop.run(&["contract", "1"], 0);
    }
);

scenario!(
    /// A trigger that nobody's `sync` relies on is for the script to change.
    fn any_other_trigger_may_be_replaced_by_name(db: Db) {
        let shop = synced(db);
        shop.run(&["contract", "1"], 0);
        shop.db
            .execute("ALTER TABLE users ADD COLUMN full_name VARCHAR(200)");
        shop.db
            .execute(&sync_again(&shop.db, "users_sync", "users"));
        contract_of_another(&shop, &weaker(&shop.db), &[]);
        shop.run(&["expand"], 0);
        shop.run(&["contract", "2"], 0);
    }
);

scenario!(
    /// What a database writes anew when a column gets another name still does what it did.
    fn a_column_that_is_renamed_under_a_trigger_is_no_loss(db: Db) {
        // MySQL refuses it.
        if db.backend.name == "mysql" {
            return;
        }
        let shop = synced(db);
        shop.db.execute("ALTER TABLE users ADD COLUMN seen INTEGER");
        shop.db.execute(match shop.db.backend.name {
            "postgres" => {
                "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; \
                 CREATE TRIGGER note BEFORE UPDATE OF seen ON users FOR EACH ROW WHEN (NEW.seen > 1) EXECUTE FUNCTION note()"
            }
            _ => {
                "CREATE TRIGGER note AFTER UPDATE OF seen ON users WHEN NEW.seen > 1 BEGIN UPDATE users SET seen = 1 WHERE id = NEW.id; END"
            }
        });
        contract_of_another(
            &shop,
            "ALTER TABLE users RENAME COLUMN seen TO visited;\n",
            &["ALTER TABLE users RENAME"],
        );
        shop.run(&["expand"], 0);
        shop.run(&["contract", "2"], 0);
    }
);

scenario!(
    /// Somebody took it away by hand: the next step says so, and so does the gate.
    fn a_trigger_that_is_gone_between_steps_is_missed(db: Db) {
        let shop = synced(db);
        shop.run(&["gate", "contract", "1"], 0);
        shop.run(&["gate", "deploy", "web=2.0.0"], 0);
        shop.db.execute(&drop_sync(&shop.db, "users_sync"));
        let data = shop.data();
        let refused = shop.run(&["contract", "1"], 11);
        assert!(refused.stdout.contains("users_sync"), "{refused:?}");
        let gate = shop.json(&["gate", "contract", "1"], 11);
        assert_eq!(gate["blockers"][0]["kind"], "out_of_step", "{gate}");
        assert_eq!(shop.data(), data);
        assert_eq!(shop.phase(1), "expanded");

        // What an old version may have written past it nobody knows, and it itself may still start.
        shop.run(&["gate", "deploy", "web=2.0.0"], 11);
        shop.run(&["gate", "deploy", "web=1.0.0"], 0);

        // Beside an old version that may have written past it, nothing may read the new format alone.
        let old = shop.instance("1.0.0", "old-1");
        shop.run(&["gate", "deploy", "web=2.0.0"], 11);
        shop.run(&["gate", "deploy", "web=1.0.0"], 0);
        old.signal(Signal::TERM);
        old.wait();

        // What was written meanwhile is not forgotten when it is back.
        shop.db
            .execute(&sync_again(&shop.db, "users_sync", "users"));
        shop.run(&["contract", "1"], 11);
    }
);

/// However it does less, and whatever the script that makes it so.
#[test]
fn every_way_to_weaken_a_trigger_is_refused() {
    let create = |rest: &str, on: &str| {
        format!(
            "CREATE TRIGGER users_sync {rest} ON {on} FOR EACH ROW EXECUTE FUNCTION users_sync();\n"
        )
    };
    let drop = "DROP TRIGGER users_sync ON users;\n";
    for script in [
        format!("{drop}{}", create("BEFORE INSERT", "users")),
        format!("{drop}{}", create("BEFORE INSERT OR UPDATE OF id", "users")),
        format!("{drop}{}", create("AFTER INSERT OR UPDATE", "users")),
        format!(
            "{drop}CREATE TRIGGER users_sync BEFORE INSERT OR UPDATE ON users FOR EACH ROW WHEN (NEW.id < 0) EXECUTE FUNCTION users_sync();\n"
        ),
        format!(
            "CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;\n{drop}\
             CREATE TRIGGER users_sync BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION other();\n"
        ),
        format!(
            "CREATE TABLE users_new (LIKE users INCLUDING ALL);\nINSERT INTO users_new SELECT * FROM users;\n{}ALTER TABLE users RENAME TO users_old;\n\
             ALTER TABLE users_new RENAME TO users;\n",
            create("BEFORE INSERT", "users_new")
        ),
    ] {
        let shop = synced(Db::on("postgres"));
        contract_of_another(&shop, &script, &[]);
        shop.run(&["expand"], 0);
        let data = shop.data();
        let refused = shop.run(&["contract", "2"], 1);
        for part in ["users_sync", "0001_synced"] {
            assert!(said(&refused).contains(part), "{script}: {refused:?}");
        }
        assert_eq!(shop.data(), data, "{script}");
    }
    // An expand is held to the same, where `check` sees nothing in it.
    let shop = synced(Db::on("postgres"));
    second(
        &shop,
        &format!("{drop}{}", create("BEFORE INSERT", "users")),
        &[],
    );
    shop.run(&["check"], 0);
    let refused = shop.run(&["expand"], 1);
    assert!(
        said(&refused).contains("no longer fires on UPDATE"),
        "{refused:?}"
    );
    // With more of it nothing is lost.
    let more = create("BEFORE INSERT OR UPDATE OR DELETE", "users");
    // A DELETE finds no NEW there, and would not happen: nobody deletes users.
    let allowed = ["CREATE TRIGGER users_sync BEFORE INSERT OR UPDATE OR DELETE"];
    second(&shop, &format!("{drop}{more}"), &allowed);
    shop.run(&["expand"], 0);
}

/// One that is disabled on a partition alone does not fire for its rows.
#[test]
fn a_partition_on_which_the_trigger_is_disabled_is_seen() {
    let db = Db::on("postgres");
    db.execute(
        "CREATE TABLE users (id bigint PRIMARY KEY, full_name text) PARTITION BY RANGE (id); \
         CREATE TABLE users_1 PARTITION OF users FOR VALUES FROM (0) TO (1000)",
    );
    let shop = Shop {
        project: crate::support::project::Project::new(&db, &[]),
        db,
    };
    shop.project
        .file("migrate.toml", "[services.web]\nmin_instances = 0\n");
    let expand = format!(
        "ALTER TABLE users ADD COLUMN name text;\n{}",
        sync(&shop.db, "users_sync", "users")
    );
    shop.project.migration(
        "0001_parted",
        &[
            ("migration.toml", "description = \"x\"\nsync = \"both\"\n[services.web]\nold = \"<2.0.0\"\nnew = \">=2.0.0\"\n"),
            ("expand.sql", &expand),
        ],
    );
    shop.run(&["expand"], 0);
    contract_of_another(
        &shop,
        "ALTER TABLE users_1 DISABLE TRIGGER users_sync;\n",
        &["ALTER TABLE users_1 DISABLE"],
    );
    shop.run(&["expand"], 0);
    let refused = shop.run(&["contract", "2"], 1);
    assert!(said(&refused).contains("users_sync"), "{refused:?}");
}

/// A rule does at a write what a trigger may do.
#[test]
fn rules_are_kept_or_dropped_by_name() {
    let rule = |does: &str| {
        format!(
            "CREATE OR REPLACE RULE noted AS ON UPDATE TO users DO ALSO INSERT INTO log VALUES ({does});\n"
        )
    };
    let swap = "CREATE TABLE users_new (LIKE users INCLUDING ALL);\nINSERT INTO users_new SELECT * FROM users;\n\
         ALTER TABLE users RENAME TO users_old;\nALTER TABLE users_new RENAME TO users;\n\
         SELECT setval(pg_get_serial_sequence('users', 'id'), max(id)) FROM users;\n";
    for (script, code) in [
        (swap.to_owned(), 1),
        ("ALTER TABLE users DISABLE RULE noted;\n".to_owned(), 1),
        (
            "DO $$ BEGIN EXECUTE 'DROP RULE noted ON users'; END $$;\n".to_owned(),
            1,
        ),
        (format!("{swap}{}", rule("OLD.id")), 0),
        ("DROP RULE noted ON users;\n".to_owned(), 0),
        (rule("NEW.id"), 0),
        (
            "ALTER TABLE users RENAME COLUMN id TO number;\n".to_owned(),
            0,
        ),
    ] {
        let shop = Shop::new(Db::on("postgres"));
        shop.db.execute("CREATE TABLE log (id bigint)");
        shop.db.execute(&rule("OLD.id"));
        let allow: Vec<String> = script
            .split(";\n")
            .filter(|statement| !statement.is_empty())
            .map(|statement| statement.split(' ').take(5).collect::<Vec<_>>().join(" "))
            .collect();
        let allow: Vec<&str> = allow.iter().map(String::as_str).collect();
        second(&shop, &script, &allow);
        let ran = shop.project.migrate(&["expand"]);
        assert_eq!(ran.code, code, "{script}: {ran:?}");
        assert!(
            code == 0 || said(&ran).contains("`noted` of `users`"),
            "{script}: {ran:?}"
        );
    }
}
