//! What is held against indexes of a partitioned table, a placeholder where a default is, and a collation that would be lost.

use super::*;
use crate::{SplitTable, Unique};

#[test]
fn an_index_of_a_partitioned_table_is_not_built_beside_writers() {
    let users = |rest: &str| {
        format!(
            "CREATE TABLE users (id bigint, email text, at date){rest}; CREATE INDEX two ON users (at)"
        )
    };
    let index = || {
        Kind::Index(Index {
            name: "users_email".to_owned(),
            columns: vec!["email".to_owned()],
            ..Index::default()
        })
    };
    let unique = || {
        Kind::Unique(Unique {
            name: None,
            columns: vec!["email".to_owned(), "at".to_owned()],
        })
    };
    let dropped = || {
        Kind::DropIndex(DropIndex {
            name: "two".to_owned(),
        })
    };
    for (kind, wanted) in [
        (&index as &dyn Fn() -> Kind, "ON ONLY users"),
        (&unique, "ATTACH PARTITION"),
        (&dropped, "lock_timeout"),
    ] {
        let found = said(
            Dialect::Postgres,
            &users(" PARTITION BY RANGE (at)"),
            kind(),
        );
        assert!(
            found.starts_with("Error: `users` is partitioned"),
            "{found}"
        );
        assert!(found.contains(wanted), "{found}");
        for (dialect, rest) in [(Dialect::Postgres, ""), (Dialect::Mysql, "")] {
            assert_eq!(said(dialect, &users(rest), kind()), "");
        }
    }
}

#[test]
fn a_placeholder_takes_the_place_of_no_default() {
    let drop = |placeholder: Option<&str>| {
        Kind::DropColumn(DropColumn {
            columns: vec!["code".to_owned()],
            placeholder: placeholder.map(Varied::from),
            ..DropColumn::default()
        })
    };
    let users = |default: &str| {
        format!("CREATE TABLE users (id bigint PRIMARY KEY, code varchar(9) NOT NULL{default})")
    };
    for dialect in [Dialect::Postgres, Dialect::Mysql] {
        let found = said(dialect, &users(" DEFAULT 'new'"), drop(Some("'-'")));
        assert!(
            found.contains("Error: `code` has the default 'new'"),
            "{found}"
        );
        assert!(found.contains("leave `placeholder` out"), "{found}");
        assert_eq!(said(dialect, &users(" DEFAULT 'new'"), drop(None)), "");
        assert_eq!(said(dialect, &users(""), drop(Some("'-'"))), "");
    }
}

#[test]
fn a_new_table_has_the_collation_of_the_old_one() {
    let moved = |kind: &str| {
        let column = |name: &str, kind: &str| NewColumn {
            name: name.to_owned(),
            kind: Varied::from(kind),
            ..NewColumn::default()
        };
        Kind::SplitTable(SplitTable {
            key: vec!["id".to_owned()],
            to: "nicks".to_owned(),
            link: vec!["user_id".to_owned()],
            new: vec![column("user_id", "bigint"), column("nick", kind)],
            ..SplitTable::default()
        })
    };
    let users = |column: &str, rest: &str| {
        format!("CREATE TABLE users (id bigint PRIMARY KEY, nick varchar(50){column}) {rest}")
    };
    for (column, rest, kind, is_right) in [
        ("", "", "varchar(50)", true),
        ("", "DEFAULT CHARSET=latin1", "varchar(50)", false),
        (
            "",
            "DEFAULT CHARSET=latin1",
            "varchar(50) CHARACTER SET latin1",
            true,
        ),
        (
            "",
            "DEFAULT CHARSET=latin1",
            "varchar(50) CHARACTER SET latin1 COLLATE latin1_swedish_ci",
            true,
        ),
        (
            "",
            "DEFAULT CHARSET=latin1",
            "varchar(50) CHARACTER SET utf8mb4",
            false,
        ),
        (" COLLATE utf8mb4_bin", "", "varchar(50)", false),
        (
            " COLLATE utf8mb4_bin",
            "",
            "varchar(50) COLLATE utf8mb4_bin",
            true,
        ),
        (
            " COLLATE utf8mb4_bin",
            "",
            "varchar(50) COLLATE utf8mb4_general_ci",
            false,
        ),
    ] {
        let found = said(Dialect::Mysql, &users(column, rest), moved(kind));
        assert_eq!(
            found.is_empty(),
            is_right,
            "{column} {rest} {kind}: {found}"
        );
    }
}
