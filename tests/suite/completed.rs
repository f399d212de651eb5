//! A ledger that an earlier version has made gets the columns that came later.

use std::collections::BTreeSet;

use crate::many_leases::{Rows, compare};
use crate::support::shop::Shop;

/// The columns of `leases` in the first versions; an agent of these goes on, and names them.
const BEFORE: &str =
    "id, service, version, instance, state, registered_at, renewed_at, renew_ms, expires_at";

/// Takes everything out of the ledger that came later than its tables.
fn as_of_before(shop: &Shop) {
    for column in [
        "address",
        "written_by",
        "own_address",
        "session_name",
        "superseded",
        "registered_session",
        "keeper_session",
    ] {
        shop.db.execute(&format!(
            "ALTER TABLE {} DROP COLUMN {column}",
            shop.ledger("leases")
        ));
    }
    shop.db
        .execute(&format!("DELETE FROM {} WHERE id = 2", shop.ledger("meta")));
}

fn has_columns(shop: &Shop) -> bool {
    let leases = shop.ledger("leases");
    shop.db
        .try_execute(&format!(
            "SELECT address, written_by, own_address FROM {leases}"
        ))
        .is_ok()
}

/// As an agent of an earlier version registers.
fn register_as_before(shop: &Shop, instance: &str) {
    let leases = shop.ledger("leases");
    shop.db.execute(&format!(
        "INSERT INTO {leases} ({BEFORE}) VALUES ('{instance}', 'web', '1.1.0', '{instance}', 1, 1, 1, 1000, 9000000000000)"
    ));
}

scenario!(
    fn a_ledger_of_before_gets_its_columns_from_the_first_command_that_acts(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        assert!(has_columns(&shop), "a new ledger has them at once");
        as_of_before(&shop);
        let newest = ["admit", "--service", "web", "--version", "1.1.0"];
        shop.run(&newest, 0);
        register_as_before(&shop, "old-1");

        // Whoever only asks, or registers, does without.
        shop.changes_nothing(&["status"], 0);
        shop.changes_nothing(&["fleet"], 0);
        shop.changes_nothing(&["gate", "contract", "1"], 11);
        shop.run(&newest, 0);
        assert!(!has_columns(&shop));

        shop.run(&["backfill"], 0);
        assert!(has_columns(&shop));
        // What was there stays as it is, and agents of before go on.
        let leases = shop.ledger("leases");
        assert_eq!(
            shop.db.query(&format!(
                "SELECT address, written_by, own_address FROM {leases} WHERE id = 'old-1'"
            )),
            [["", "", "0"]]
        );
        register_as_before(&shop, "old-2");
        let fleet = shop.json(&["fleet"], 0);
        assert!(fleet.to_string().contains("1.1.0"), "{fleet}");

        // Made step by step, and interrupted anywhere.
        as_of_before(&shop);
        shop.project.env("PHASEGATE_CRASH_AT", "ledger.column");
        shop.run(&["revert", "1"], 137);
        shop.project.env_remove("PHASEGATE_CRASH_AT");
        // 1.1.0 runs, so it comes to nothing; but it acts.
        shop.project.migrate(&["revert", "1"]);
        assert!(has_columns(&shop));
    }
);

scenario!(
    fn who_wrote_a_lease_is_what_the_server_says(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        register_as_before(&shop, "old-1");
        let leases = shop.ledger("leases");
        let written_by = shop.db.value(&format!("SELECT written_by FROM {leases}"));
        let user = match shop.db.backend.name {
            "postgres" => shop.db.value("SELECT session_user::text"),
            "mysql" => shop.db.value("SELECT USER()"),
            _ => String::new(),
        };
        assert_eq!(written_by, user);
    }
);

/// A row that ledgers of today refuse.
fn garbage(shop: &Shop, name: &str) -> String {
    let leases = shop.ledger("leases");
    format!(
        "INSERT INTO {leases} ({BEFORE}) VALUES ('{name}', 'web', '1.1.0', '{name}', 77, 1, 1, 1000, 9000000000000)"
    )
}

/// Makes the table of leases as the first versions made it.
fn without_checks(shop: &Shop) {
    let leases = shop.ledger("leases");
    let (key, text, options) = match shop.db.backend.name {
        "mysql" => ("VARCHAR(255)", "LONGTEXT", " COLLATE utf8mb4_bin"),
        _ => ("text", "text", ""),
    };
    shop.db.execute(&format!(
        "DROP TABLE {leases}; CREATE TABLE {leases} (id {key} PRIMARY KEY, service {key} NOT NULL, version {key} NOT NULL, \
         instance {text} NOT NULL, state BIGINT NOT NULL, registered_at BIGINT NOT NULL, renewed_at BIGINT NOT NULL, \
         renew_ms BIGINT NOT NULL, expires_at BIGINT NOT NULL){options}"
    ));
    shop.db
        .execute(&format!("DELETE FROM {} WHERE id = 2", shop.ledger("meta")));
}

scenario!(
    fn a_ledger_of_before_learns_to_refuse_what_makes_no_sense(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        assert!(shop.db.try_execute(&garbage(&shop, "new")).is_err());
        without_checks(&shop);
        shop.db.execute(&garbage(&shop, "before"));
        // It stops nobody, whether or not the database can be told while the row is there.
        shop.run(&["backfill"], 12);
        let is_told = shop.db.try_execute(&garbage(&shop, "beside")).is_err();
        assert_eq!(is_told, can_be_told_beside_such_a_row(&shop));
        for name in ["before", "beside"] {
            if name == "before" || !is_told {
                shop.run(&["fleet", "forget", name, "--reason", "senseless"], 0);
            }
        }
        // 1.1.0 is nowhere, so that comes to nothing; but it acts.
        shop.project.migrate(&["revert", "1", "--dry-run"]);
        shop.project.migrate(&["expand"]);
        shop.project.migrate(&["contract", "1"]);
        assert!(shop.db.try_execute(&garbage(&shop, "later")).is_err());
        // Agents of before go on.
        register_as_before(&shop, "old-1");
    }
);

scenario!(
    fn a_ledger_of_before_gets_its_indexes_and_is_read_alike_without_them(db: Db) {
        let shop = Shop::with_name(db);
        shop.run(&["expand"], 0);
        let new = indexes(&shop);
        assert!(
            new.iter().any(|name| name.ends_with("leases_instance")),
            "{new:?}"
        );
        without_checks(&shop);
        compare(&shop, Rows::Any, 200..230);
        shop.db
            .execute(&format!("DELETE FROM {}", shop.ledger("leases")));
        shop.run(&["backfill"], 0);
        assert_eq!(indexes(&shop), new);
        // One alone that is gone comes back.
        let gone = new.iter().find(|name| name.ends_with("leases_instance"));
        let gone = gone.expect("its name");
        let drop = match shop.db.backend.name {
            "postgres" => format!("DROP INDEX phasegate.{gone}"),
            "mysql" => format!("DROP INDEX {gone} ON {}", shop.ledger("leases")),
            _ => format!("DROP INDEX {gone}"),
        };
        shop.db.execute(&drop);
        assert_ne!(indexes(&shop), new);
        shop.run(&["contract", "1"], 0);
        assert_eq!(indexes(&shop), new);
    }
);

/// The names of the indexes that the leases have beside their key.
fn indexes(shop: &Shop) -> BTreeSet<String> {
    let sql = match shop.db.backend.name {
        "postgres" => {
            "SELECT indexname::text FROM pg_indexes WHERE schemaname = 'phasegate' AND tablename = 'leases' AND indexname NOT LIKE '%pkey'"
        }
        "mysql" => {
            "SELECT DISTINCT index_name FROM information_schema.statistics WHERE table_schema = DATABASE() \
             AND table_name = 'phasegate_leases' AND index_name <> 'PRIMARY'"
        }
        _ => {
            "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'phasegate_leases' AND sql IS NOT NULL"
        }
    };
    shop.db.query(sql).into_iter().flatten().collect()
}

/// PostgreSQL and MariaDB look at new rows alone where they are asked to.
fn can_be_told_beside_such_a_row(shop: &Shop) -> bool {
    match shop.db.backend.name {
        "postgres" => true,
        "mysql" => crate::support::mysql::is_mariadb(&shop.db),
        _ => false,
    }
}
