//! Many INSERTs go to the server in few messages, and each of them stays a statement of its own to whoever reads what is said.

use crate::support::backend::Db;
use crate::support::shop::{Shop, said};

/// A table and 300 rows for it; the INSERT of `twice` has the key of another one.
fn script(twice: Option<u32>) -> String {
    let row = |key: u32| {
        let stored = if twice == Some(key) { 1 } else { key };
        format!("INSERT INTO many (id, v) VALUES ({stored}, 'it''s; -- row {key}');\n")
    };
    let rows: String = (1..=300).map(row).collect();
    format!("CREATE TABLE many (id INTEGER PRIMARY KEY, v VARCHAR(40));\n{rows}")
}

fn many(db: Db, script: &str) -> Shop {
    let shop = Shop::new(db);
    shop.project.migration(
        "0001_many",
        &[
            (
                "migration.toml",
                "description = \"Many rows\"\n[services.web]\nnew = \">=1.1.0\"\n",
            ),
            ("expand.sql", script),
        ],
    );
    shop
}

scenario!(
    fn of_many_inserts_the_one_that_failed_is_named_and_nothing_is_done_twice(db: Db) {
        let shop = many(db, &script(Some(223)));
        let failed = shop.run(&["expand"], 1);
        assert!(said(&failed).contains("expand.sql:224"), "{failed:?}");
        assert!(said(&failed).contains("-- row 223"), "{failed:?}");
        let count = "SELECT count(*) FROM many";
        if shop.db.backend.transactional_ddl {
            assert!(shop.db.try_execute(count).is_err());
        } else {
            assert_eq!(shop.db.value(count), "222");
        }
        shop.project.file("0001_many/expand.sql", &script(None));
        shop.run(&["expand"], 0);
        assert_eq!(shop.db.value(count), "300");
        shop.run(&["log", "--verify"], 0);
    }
);

#[test]
fn a_warning_about_one_of_many_inserts_has_its_line() {
    let warned = script(None)
        .replace("VALUES (30,", "VALUES (1,")
        .replace("VALUES (250,", "VALUES (2,")
        .replace("INSERT INTO", "INSERT IGNORE INTO");
    let shop = many(Db::on("mysql"), &warned);
    let expanded = shop.run(&["expand"], 0);
    for (line, key) in [(31, "'1'"), (251, "'2'")] {
        let expected = format!("0001_many/expand.sql:{line}: WARNING: Duplicate entry {key}");
        assert!(said(&expanded).contains(&expected), "{expanded:?}");
    }
    assert_eq!(
        said(&expanded).matches("WARNING").count(),
        2,
        "{expanded:?}"
    );
    assert_eq!(shop.db.value("SELECT count(*) FROM many"), "298");
}

#[test]
fn an_insert_that_waits_for_a_lock_is_named_among_many() {
    let shop = Shop::new(Db::on("mysql"));
    shop.project.file(
        "migrate.toml",
        "[database]\nlock_timeout = \"1s\"\nlock_retry_for = \"1s\"\n[services.web]\nmin_instances = 0\n",
    );
    let rows: String = (6..=100)
        .map(|key| format!("INSERT INTO users (id, full_name) VALUES ({key}, 'x');\n"))
        .collect();
    shop.project.migration(
        "0001_rows",
        &[
            ("migration.toml", "description = \"Rows\"\n"),
            ("expand.sql", &rows),
        ],
    );
    let mut holder = shop.db.connect();
    holder.execute("START TRANSACTION");
    holder.execute("INSERT INTO users (id, full_name) VALUES (50, 'y')");
    let locked = shop.run(&["expand"], 1);
    assert!(
        said(&locked).contains("0001_rows/expand.sql:45: a lock was not granted"),
        "{locked:?}"
    );
    assert!(said(&locked).contains("KILL"), "{locked:?}");
    holder.execute("ROLLBACK");
    shop.run(&["expand"], 0);
    assert_eq!(shop.db.value("SELECT count(*) FROM users"), "100");
}
