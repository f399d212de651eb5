//! What is held against columns that move to a table of their own.

use super::*;
use crate::SplitTable;

/// `street` and `city` move, with their key by the name of `user_id`.
fn split(key: &str, street: &str) -> SplitTable {
    let column = |name: &str, kind: &str| NewColumn {
        name: name.to_owned(),
        kind: Varied::from(kind),
        ..NewColumn::default()
    };
    SplitTable {
        key: vec!["id".to_owned()],
        to: "addresses".to_owned(),
        link: vec!["user_id".to_owned()],
        new: vec![
            column("user_id", key),
            column("street", street),
            column("city", "text"),
        ],
        ..SplitTable::default()
    }
}

#[test]
fn what_moves_is_what_it_was_and_may_be_left_out() {
    use Dialect::{Mysql, Postgres, Sqlite};
    let users = |key: &str, street: &str, rest: &str| {
        format!("CREATE TABLE users (id {key} PRIMARY KEY, street {street}, city text{rest})")
    };
    for (dialect, script, wanted) in [
        (Postgres, users("bigserial", "text", ""), ""),
        (
            Postgres,
            users("bigint", "text NOT NULL", ""),
            "is NOT NULL: a version",
        ),
        (
            Postgres,
            users("bigint", "text DEFAULT ''", ""),
            "has the default ''",
        ),
        (
            Mysql,
            users("bigint", "text DEFAULT 'x'", ""),
            "has the default 'x'",
        ),
        (
            Postgres,
            users("bigint", "text GENERATED ALWAYS AS ('x') STORED", ""),
            "is computed by the database",
        ),
        (
            Postgres,
            users("integer", "text", ""),
            "`new` says `bigint` of `user_id`, and `id` of `users` is `integer`",
        ),
        (
            Mysql,
            users("bigint", "varchar(20)", ""),
            "write `street = \"varchar(20)\"`",
        ),
        (Sqlite, users("integer", "varchar(20)", ""), ""),
        (
            Sqlite,
            users("integer", "integer", ""),
            "is `integer` on SQLite",
        ),
        (
            Postgres,
            users("bigint", "text", ", UNIQUE (street)"),
            "IndexGoes: the index",
        ),
        (
            Sqlite,
            users("integer", "text UNIQUE", ""),
            "Error: SQLite cannot drop `street`",
        ),
        (
            Postgres,
            users("bigint", "text REFERENCES streets (name)", ""),
            "Error: the foreign key `users_street_fkey` is of a column that moves",
        ),
        (
            Postgres,
            users("bigint", "text", ", CONSTRAINT c CHECK (city <> '')"),
            "ConstraintGoes: the CHECK `c`",
        ),
        (
            Mysql,
            users("bigint", "text", ", CONSTRAINT c CHECK (city <> '')"),
            "write `drop_constraints = [\"c\"]`",
        ),
        (
            Postgres,
            "CREATE TABLE users (id bigint PRIMARY KEY, street text)".to_owned(),
            "no column `city`",
        ),
        (
            Postgres,
            "CREATE TABLE users (id bigint, street text, city text)".to_owned(),
            "may have one value twice",
        ),
    ] {
        let found = said(dialect, &script, Kind::SplitTable(split("bigint", "text")));
        match wanted {
            "" => assert_eq!(found, "", "{script}"),
            wanted => assert!(found.contains(wanted), "{script}: {found}"),
        }
    }
    let said_so = Kind::SplitTable(SplitTable {
        drop_indexes: vec!["cities".to_owned()],
        drop_constraints: vec!["c".to_owned()],
        ..split("bigint", "text")
    });
    let script = "CREATE TABLE users (id bigint PRIMARY KEY, street text, city text, CONSTRAINT c CHECK (city <> '')); CREATE INDEX cities ON users (city)";
    assert_eq!(said(Postgres, script, said_so), "");
}
