//! What the catalogue says of `table` and `key` before the first batch, and keys that are read exactly.

use super::table::{CONFIG, Items};
use crate::support::backend::Db;
use crate::support::project::{Output, Project};
use crate::support::shop::said;

/// A project that fills `v` of a table that is there, along a key that is declared as it stands.
fn fills(db: &Db, table: &str, key: &str) -> Project {
    let project = Project::new(db, &["web"]);
    project.file("migrate.toml", CONFIG);
    project.migration(
        "0001_x",
        &[
            (
                "migration.toml",
                &format!(
                    "description = \"x\"\n[backfill]\ntable = \"{table}\"\nkey = \"{key}\"\nbatch = 1\npace = 1\n\
                     remaining = \"SELECT count(*) FROM {table} WHERE v IS NULL\"\n"
                ),
            ),
            (
                "backfill.sql",
                &format!("UPDATE {table} SET v = 1 WHERE {key} > :after AND {key} <= :upto AND v IS NULL;\n"),
            ),
        ],
    );
    project
}

/// It is refused before anything is begun, whether it is tried out or run, and says these words.
#[track_caller]
fn refused(project: &Project, parts: &[&str]) {
    for command in [&["backfill", "--dry-run"] as &[&str], &["backfill"]] {
        let output = project.migrate(command).expect_code(1);
        for part in parts {
            assert!(said(&output).contains(part), "{part} in {output:?}");
        }
    }
    let status = project.migrate(&["status", "--output", "json"]).json();
    assert_eq!(status["migrations"][0]["phase"], "pending", "{status}");
}

scenario!(
    fn a_table_that_may_show_only_some_rows_is_refused(db: Db) {
        db.execute(
            "CREATE TABLE t (id integer PRIMARY KEY, v integer, gone integer); \
             INSERT INTO t (id, gone) VALUES (1, 0), (2, 1)",
        );
        db.execute("CREATE VIEW shown AS SELECT * FROM t WHERE gone = 0");
        refused(&fills(&db, "shown", "id"), &["`shown` is a view"]);
        refused(&fills(&db, "nowhere", "id"), &["nowhere"]);
        refused(&fills(&db, "t", "number"), &["number"]);
    }
);

scenario!(
    fn a_key_that_is_not_unique_or_that_no_index_serves_is_refused(db: Db) {
        db.execute(
            "CREATE TABLE t (id integer NOT NULL, v integer, other integer NOT NULL); \
             INSERT INTO t (id, other) VALUES (1, 1), (2, 2)",
        );
        let project = fills(&db, "t", "id");
        refused(&project, &["no unique index of `t`", "(id)"]);
        db.execute("CREATE INDEX plain ON t (id)");
        refused(&project, &["no unique index of `t`"]);
        db.execute("CREATE UNIQUE INDEX longer ON t (id, other)");
        refused(&project, &["no unique index of `t`"]);
        if db.backend.name != "mysql" {
            db.execute("CREATE UNIQUE INDEX a_part ON t (id) WHERE other > 1");
            refused(&project, &["no unique index of `t`"]);
        }
        db.execute("CREATE UNIQUE INDEX all_of_them ON t (id)");
        project.migrate(&["backfill"]).expect_code(0);
        assert_eq!(db.value("SELECT count(*) FROM t WHERE v = 1"), "2");
    }
);

scenario!(
    fn rows_without_a_key_are_named_before_and_after(db: Db) {
        db.execute(
            "CREATE TABLE t (id integer UNIQUE, v integer); INSERT INTO t (id) VALUES (1), (NULL), (NULL), (3)",
        );
        let project = fills(&db, "t", "id");
        for _ in 0..2 {
            let output = project.migrate(&["backfill"]).expect_code(11);
            let text = format!("{} {}", output.stdout, said(&output));
            assert!(text.contains("keys NULL and NULL"), "{output:?}");
            assert!(!text.contains("went over every"), "{output:?}");
            for shown in [said(&output), output.stdout.replace('\n', " ")] {
                assert!(
                    shown.contains("2 rows of `t` have no key (id IS NULL)"),
                    "{output:?}"
                );
            }
        }
        db.execute("UPDATE t SET v = 1 WHERE id IS NULL");
        project.migrate(&["backfill"]).expect_code(0);
    }
);

#[track_caller]
fn filled(items: &Items) -> Output {
    let output = items.project.migrate(&["backfill"]).expect_code(0);
    items.assert_filled_once();
    output
}

scenario!(
    fn texts_with_characters_that_nobody_sees(db: Db) {
        let text = |before: &str, code: u8, after: &str| match db.backend.name {
            "sqlite" => format!("'{before}' || char({code}) || '{after}'"),
            "postgres" => format!("'{before}' || chr({code}) || '{after}'"),
            _ => format!("CONCAT('{before}', CHAR({code} USING utf8mb4), '{after}')"),
        };
        // PostgreSQL has no text with a NUL.
        let least = u8::from(db.backend.name == "postgres");
        let keys = [
            text("a", least, "b"),
            text("a", least, ""),
            "'b'".to_owned(),
            text("b", 9, "''"),
            text("b", 27, "[2J"),
            text("z", least, "z"),
        ];
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let items = Items::new(db, "code varchar(20) NOT NULL", &["code"]);
        items.fill(&keys).expanded();
        filled(&items);
    }
);

scenario!(
    fn such_texts_in_every_column_of_a_key(db: Db) {
        let nul = match db.backend.name {
            "sqlite" => "'a' || char(0) || 'b'",
            "postgres" => "'a' || chr(1) || 'b'",
            _ => "CONCAT('a', CHAR(0 USING utf8mb4), 'b')",
        };
        let mut keys = Vec::new();
        for first in ["'a'", nul] {
            for second in ["'a'", nul, "'x'"] {
                keys.push(format!("{first}, 1, {second}"));
            }
        }
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let items = Items::new(
            db,
            "x varchar(20) NOT NULL, n integer NOT NULL, y varchar(20) NOT NULL",
            &["x", "n", "y"],
        );
        items.fill(&keys).expanded();
        filled(&items);
    }
);

#[test]
fn what_cannot_be_seen_is_escaped_in_messages() {
    let db = Db::on("sqlite");
    db.execute(
        "CREATE TABLE t (id TEXT PRIMARY KEY, v INT); INSERT INTO t (id) VALUES ('a' || char(0) || 'b'), ('b'), ('c' || char(0))",
    );
    let project = fills(&db, "t", "id");
    let dry = project.migrate(&["backfill", "--dry-run"]).expect_code(0);
    assert!(dry.stdout.contains("from key a\\0b up to c\\0"), "{dry:?}");
    project.migrate(&["backfill"]).expect_code(0);
}

/// A column of no type holds numbers, texts and bytes beside each other, in the order of their types.
#[test]
fn keys_of_no_type() {
    let items = Items::new(Db::on("sqlite"), "id NOT NULL", &["id"]);
    items
        .fill(&[
            "1",
            "1.5",
            "'1'",
            "'a' || char(0)",
            "x'00'",
            "x'31'",
            "9e999",
            "-9e999",
            "'2'",
        ])
        .expanded();
    filled(&items);
}

#[test]
fn the_number_of_a_row_is_a_key_in_sqlite() {
    let db = Db::on("sqlite");
    db.execute("CREATE TABLE t (name TEXT, v INT); INSERT INTO t (name) VALUES ('a'), ('b')");
    fills(&db, "t", "rowid")
        .migrate(&["backfill"])
        .expect_code(0);
    assert_eq!(db.value("SELECT count(*) FROM t WHERE v = 1"), "2");
}

#[test]
fn what_else_may_hide_rows_in_postgresql() {
    let db = Db::on("postgres");
    db.execute(
        "CREATE TABLE t (id integer PRIMARY KEY, v integer); INSERT INTO t VALUES (1, NULL); \
         CREATE TABLE heir (PRIMARY KEY (id)) INHERITS (t); INSERT INTO heir VALUES (2, NULL); \
         CREATE MATERIALIZED VIEW m AS SELECT * FROM t; \
         CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw; \
         CREATE FOREIGN TABLE f (id integer, v integer) SERVER files OPTIONS (filename '/dev/null')",
    );
    refused(&fills(&db, "m", "id"), &["is a materialized view"]);
    refused(&fills(&db, "f", "id"), &["is a foreign table"]);
    let project = fills(&db, "t", "id");
    project.file(
        "0001_x/backfill.sql",
        "UPDATE ONLY t SET v = 1 WHERE id > :after AND id <= :upto AND v IS NULL;\n",
    );
    refused(&project, &["`ONLY` leaves out the rows of public.heir"]);
    // Without it, what inherits is filled as well.
    fills(&db, "t", "id").migrate(&["backfill"]).expect_code(0);
    assert_eq!(db.value("SELECT count(*) FROM t WHERE v = 1"), "2");
}

#[test]
fn the_table_that_is_updated_is_the_one_whose_keys_are_gone_along() {
    let db = Db::on("postgres");
    db.execute(
        "CREATE TABLE people (id int PRIMARY KEY, v int); CREATE TABLE users (id int PRIMARY KEY, v int); \
         CREATE SCHEMA app; CREATE TABLE app.people (id int PRIMARY KEY, v int); INSERT INTO people VALUES (1, NULL)",
    );
    let project = fills(&db, "people", "id");
    let write = |target: &str| {
        let sql =
            format!("UPDATE {target} SET v = 1 WHERE id > :after AND id <= :upto AND v IS NULL;\n");
        project.file("0001_x/backfill.sql", &sql);
    };
    write("users");
    let wrong = project.migrate(&["check"]).expect_code(1);
    assert!(
        said(&wrong).contains("along the keys of `people`"),
        "{wrong:?}"
    );
    write("app.people");
    refused(
        &project,
        &["backfill.sql updates `app.people`, which is another table"],
    );
    write("public.people");
    project.migrate(&["backfill"]).expect_code(0);
    assert_eq!(db.value("SELECT count(*) FROM people WHERE v = 1"), "1");
}
