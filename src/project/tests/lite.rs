//! What SQLite finds out only when a live version writes, or opens the file.

use super::contracts::{alone, judge};
use super::losing::of;

const BASE: &str = "CREATE TABLE posts (id INTEGER PRIMARY KEY, body TEXT, n INTEGER, doc JSON, checked TEXT CHECK (json_valid(checked)), ed TEXT);\n\
     CREATE VIRTUAL TABLE old_idx USING fts5 (body, content = 'posts', content_rowid = 'id');\nINSERT INTO old_idx (old_idx) VALUES ('rebuild');\n";
const NEW: &str = "description = \"x\"\n[services.web]\nnew = \">=2.0.0\"\n";

fn judge_all(cases: &[(&str, bool)]) {
    judge(cases, "destructive-expand", |sql| {
        alone("sqlite", BASE, NEW, "expand.sql", sql)
    });
}

#[test]
fn an_index_holds_what_is_taken_out_of_it() {
    const MADE: &str =
        "CREATE VIRTUAL TABLE idx USING fts5 (body, content = 'posts', content_rowid = 'id');\n";
    const TRIGGERS: &str = "CREATE TRIGGER ai AFTER INSERT ON posts BEGIN INSERT INTO idx (rowid, body) VALUES (NEW.id, NEW.body); END;\n\
         CREATE TRIGGER ad AFTER DELETE ON posts BEGIN INSERT INTO idx (idx, rowid, body) VALUES ('delete', OLD.id, OLD.body); END;\n";
    const REBUILD: &str = "INSERT INTO idx (idx) VALUES ('rebuild');\n";
    const BARE: &str = "CREATE VIRTUAL TABLE idx USING fts5 (body, content = '');\n";
    judge_all(&[
        (&format!("{MADE}{TRIGGERS}"), false),
        (&format!("{MADE}{TRIGGERS}{REBUILD}"), true),
        (&format!("{MADE}{REBUILD}{TRIGGERS}"), true),
        (&format!("{BARE}{TRIGGERS}"), false),
        (
            &format!("{BARE}INSERT INTO idx (rowid, body) SELECT id, body FROM posts;\n{TRIGGERS}"),
            true,
        ),
        // The index is there and holds all.
        (&TRIGGERS.replace("idx", "old_idx"), true),
        // Its own rows, not those of another table.
        (
            "CREATE VIRTUAL TABLE idx USING fts5 (body);\nCREATE TRIGGER ad AFTER DELETE ON posts BEGIN DELETE FROM idx WHERE rowid = OLD.id; END;\n",
            true,
        ),
        (
            "INSERT INTO old_idx (old_idx) VALUES ('delete-all');\n",
            false,
        ),
        (
            "INSERT INTO old_idx (old_idx) VALUES ('delete-all');\nINSERT INTO old_idx (old_idx) VALUES ('rebuild');\n",
            true,
        ),
        ("INSERT INTO old_idx (old_idx) VALUES ('optimize');\n", true),
    ]);
    // One that an earlier migration has made and never filled.
    let base = format!("{BASE}{MADE}");
    judge(&[(TRIGGERS, false)], "destructive-expand", |sql| {
        alone("sqlite", &base, NEW, "expand.sql", sql)
    });
}

#[test]
fn code_that_fails_for_some_rows_waits() {
    let made = |table: &str, code: &str| {
        format!(
            "CREATE TABLE t2 (id INTEGER PRIMARY KEY, x {table};\nCREATE TRIGGER tt AFTER INSERT ON posts {code}\n"
        )
    };
    let puts = |value: &str| {
        made(
            "TEXT)",
            &format!("BEGIN INSERT INTO t2 (x) VALUES ({value}); END;"),
        )
    };
    let strict = |kind: &str, value: &str| {
        made(
            &format!("{kind}) STRICT"),
            &format!("BEGIN INSERT INTO t2 (x) VALUES ({value}); END;"),
        )
    };
    let boxed = |values: &str| {
        format!(
            "CREATE VIRTUAL TABLE v USING rtree (id, a, b);\nCREATE TRIGGER tt AFTER INSERT ON posts BEGIN INSERT INTO v VALUES ({values}); END;\n"
        )
    };
    let cases = [
        (puts("NEW.body"), true),
        (puts("json(NEW.body)"), false),
        (puts("jsonb_extract(NEW.body, '$.a')"), false),
        (puts("NEW.body ->> '$.a'"), false),
        (puts("json_object('a', NEW.body)"), true),
        (
            puts("CASE WHEN json_valid(NEW.body) THEN json(NEW.body) END"),
            true,
        ),
        (puts("json(NEW.doc)"), true),
        (puts("json_extract(NEW.checked, '$.a')"), true),
        // A CHECK of another column, whose name has this one in it.
        (puts("json_extract(NEW.ed, '$.a')"), false),
        (
            made(
                "TEXT)",
                "BEGIN INSERT INTO t2 (x) SELECT value FROM json_each(NEW.body); END;",
            ),
            false,
        ),
        (
            made(
                "TEXT)",
                "WHEN json_extract(NEW.body, '$.a') BEGIN INSERT INTO t2 (x) VALUES (NEW.id); END;",
            ),
            false,
        ),
        (
            made(
                "TEXT)",
                "WHEN json_valid(NEW.body) BEGIN INSERT INTO t2 (x) VALUES (json(NEW.body)); END;",
            ),
            true,
        ),
        (strict("INT", "NEW.body"), false),
        (strict("REAL", "NEW.body"), false),
        (strict("INT", "CAST(NEW.body AS INT)"), true),
        (strict("INT", "NEW.n"), true),
        (strict("TEXT", "NEW.body"), true),
        (boxed("NEW.id, NEW.n, 0"), false),
        (boxed("NEW.id, NEW.n, NEW.n"), true),
        (boxed("NEW.id, 0, 1"), true),
        (
            boxed("NEW.id, min(NEW.n, NEW.id), max(NEW.n, NEW.id)"),
            true,
        ),
    ];
    let cases: Vec<(&str, bool)> = cases.iter().map(|(sql, is)| (sql.as_str(), *is)).collect();
    judge_all(&cases);
}

#[test]
fn an_application_with_an_older_library_reads_the_file() {
    let trigger = |value: &str| {
        format!(
            "CREATE TABLE t2 (x TEXT);\nCREATE TRIGGER tt AFTER INSERT ON posts BEGIN INSERT INTO t2 SELECT {value} FROM posts; END;\n"
        )
    };
    let cases = [
        (trigger("group_concat(body, ',')"), true),
        (trigger("string_agg(body, ',')"), false),
        (trigger("group_concat(body, ',' ORDER BY id)"), false),
        ("CREATE INDEX pc ON posts (concat(body, 'x'));\n".to_owned(), false),
        ("ALTER TABLE posts ADD COLUMN c TEXT AS (concat(body, 'x'));\n".to_owned(), false),
        ("ALTER TABLE posts ADD COLUMN c TEXT AS (body || 'x');\n".to_owned(), true),
        // Only who asks the view comes to it.
        ("CREATE VIEW v AS SELECT concat(body, 'x') AS x FROM posts;\n".to_owned(), true),
        (
            "CREATE VIEW v AS SELECT group_concat(body, ',' ORDER BY id) AS x FROM posts;\n".to_owned(),
            false,
        ),
        (
            "CREATE TABLE t2 (x TEXT);\nCREATE TABLE t3 (x TEXT);\nCREATE TRIGGER tt AFTER INSERT ON t2 BEGIN INSERT INTO t3 VALUES (concat(NEW.x, 'x')); END;\n"
                .to_owned(),
            true,
        ),
        // A statement that only runs leaves nothing of it.
        ("CREATE TABLE t2 (x TEXT);\nINSERT INTO t2 SELECT concat(body, 'x') FROM posts;\n".to_owned(), true),
    ];
    let cases: Vec<(&str, bool)> = cases.iter().map(|(sql, is)| (sql.as_str(), *is)).collect();
    judge_all(&cases);
    // A project says what its applications have.
    let newest = "[database]\ndialects = [\"sqlite\"]\n[services.web]\n[services.worker]\n[lint]\nsqlite = \"3.50\"\n";
    let index = "CREATE INDEX pc ON posts (concat(body, 'x'));\n";
    let found = of(
        "sqlite",
        &[
            ("0001_base/migration.toml", "description = \"x\"\n"),
            ("0001_base/expand.sql", BASE),
            ("-0002_split/backfill.sql", ""),
            ("-0002_split/contract.sql", ""),
            ("0002_split/migration.toml", NEW),
            ("0002_split/expand.sql", index),
            ("migrate.toml", newest),
        ],
    );
    assert!(found.is_empty(), "{found:#?}");
}
