//! What is asked of the schema, and how often.

use super::Sqlite;
use super::rebuild::PARENTS;
use crate::database::{ConnectOptions, Connection as _, Target};

/// What comes of a new database.
fn in_a_database<T>(work: impl AsyncFnOnce(&mut Sqlite) -> T) -> T {
    let dir = tempfile::tempdir().unwrap();
    let target = Target::parse("sqlite://new.db", dir.path()).unwrap();
    let options = ConnectOptions {
        create: true,
        ..ConnectOptions::default()
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut sqlite = Sqlite::connect(&target, options).await.unwrap();
        work(&mut sqlite).await
    })
}

/// However many tables there are, the foreign keys of each are asked for once.
#[test]
fn keys_are_asked_for_once_a_table() {
    let plan = in_a_database(async |sqlite| {
        let sql = format!("EXPLAIN QUERY PLAN {PARENTS}");
        let rows = sqlite.query(&sql, &[]).await.unwrap();
        let steps = rows.iter().map(|row| row.text(3).unwrap().to_owned());
        steps.collect::<Vec<_>>()
    });
    let place = |of: &str| plan.iter().position(|step| step.starts_with(of));
    assert_eq!(place("SCAN m"), Some(0), "{plan:?}");
    assert_eq!(place("SCAN k"), Some(1), "{plan:?}");
}

/// What is kept of a table is not taken for that of another, nor for what it has become.
#[cfg(feature = "coordinator")]
#[test]
fn columns_are_those_that_are_there() {
    in_a_database(async |sqlite| {
        for (sql, expected) in [
            ("CREATE TABLE a (id INTEGER, b TEXT)", "a(id b)"),
            ("ALTER TABLE a ADD COLUMN c TEXT", "a(id b c)"),
            ("ALTER TABLE a RENAME COLUMN b TO d", "a(id d c)"),
            ("CREATE TABLE \"a b\" AS SELECT 1 AS x", "a b(x) a(id d c)"),
            ("ALTER TABLE a DROP COLUMN c", "a b(x) a(id d)"),
            ("ALTER TABLE a RENAME TO e", "a b(x) e(id d)"),
            ("DROP TABLE \"a b\"", "e(id d)"),
            ("CREATE TABLE a (x)", "a(x) e(id d)"),
        ] {
            sqlite.plain(sql).await.unwrap();
            // What was asked for is known the second time.
            for _ in 0..2 {
                let inventory = sqlite.take_stock().await.unwrap();
                let relations = inventory.relations.iter();
                let mut found: Vec<String> = relations
                    .map(|table| format!("{}({})", table.name, table.columns.join(" ")))
                    .collect();
                found.sort();
                assert_eq!(found.join(" "), expected, "{sql}");
            }
        }
    });
}
