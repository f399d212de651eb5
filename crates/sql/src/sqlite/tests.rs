use super::super::tests::{check, effects_of, parse};
use super::super::{Dialect, ObjectKind, Part, Script, Verb, backfill_statement, single_select};

#[test]
fn one_statement() {
    check(
        Dialect::Sqlite,
        &[
            (
                "CREATE TABLE t (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE) STRICT",
                "additive",
            ),
            ("CREATE TABLE t AS SELECT * FROM u", "additive"),
            ("CREATE TEMP TABLE t (id)", "session"),
            ("CREATE VIRTUAL TABLE t USING fts5(a, b)", "additive"),
            ("CREATE INDEX i ON t (a)", "additive"),
            ("CREATE UNIQUE INDEX i ON t (a)", "destructive duplicates"),
            ("CREATE VIEW v AS SELECT 1", "additive"),
            (
                "CREATE TRIGGER g AFTER INSERT ON t BEGIN UPDATE t SET a = CASE WHEN 1 THEN 2 END; SELECT 1; END",
                "additive",
            ),
            ("ALTER TABLE t ADD COLUMN a TEXT", "additive"),
            ("ALTER TABLE t ADD a INT NOT NULL DEFAULT 0", "additive"),
            ("ALTER TABLE t ADD a INT NOT NULL", "destructive NOT NULL"),
            (
                "ALTER TABLE t ADD a INT NOT NULL DEFAULT (NULL)",
                "destructive NOT NULL",
            ),
            ("ALTER TABLE t ADD a INT AS (b + 1) VIRTUAL", "additive"),
            ("ALTER TABLE t ADD a INT REFERENCES u(id)", "additive"),
            (
                "ALTER TABLE t ADD a INT CHECK (a IS NULL OR a > 0)",
                "additive",
            ),
            (
                "ALTER TABLE t ADD a INT CHECK (a > [b c])",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD a INT CHECK (coalesce(a, 0) > 0)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t DROP COLUMN a",
                "destructive drops the column `a`",
            ),
            (
                "ALTER TABLE t RENAME COLUMN a TO b",
                "destructive renames the column `a`",
            ),
            (
                "ALTER TABLE t RENAME TO u",
                "destructive renames the table `t`",
            ),
            ("DROP TABLE IF EXISTS t", "destructive drops the table `t`"),
            ("DROP INDEX i", "destructive drops the index `i`"),
            ("DROP TRIGGER g", "destructive drops the trigger `g`"),
            ("DROP VIEW v", "destructive drops the view `v`"),
            ("INSERT INTO t VALUES (1)", "data"),
            ("REPLACE INTO t VALUES (1)", "destructive deletes rows"),
            ("UPDATE t SET a = 1", "destructive changes rows of `t`"),
            ("UPDATE sqlite_schema SET sql = ''", "unknown schema"),
            ("DELETE FROM t", "destructive deletes rows of `t`"),
            ("WITH x AS (SELECT 1) SELECT * FROM x", "additive"),
            ("SELECT load_extension('x')", "unknown load_extension"),
            ("EXPLAIN QUERY PLAN DELETE FROM t", "additive"),
            ("ANALYZE", "additive"),
            ("REINDEX t", "additive"),
            ("VACUUM", "additive outside"),
            ("ATTACH 'x.db' AS x", "session ATTACH"),
            ("DETACH x", "session DETACH outside"),
            ("BEGIN IMMEDIATE", "transaction BEGIN"),
            ("COMMIT", "transaction COMMIT"),
            ("END TRANSACTION", "transaction COMMIT"),
            ("ROLLBACK TO s", "transaction ROLLBACK"),
            ("SAVEPOINT s", "transaction SAVEPOINT"),
            ("RELEASE s", "transaction RELEASE"),
            (
                "PRAGMA foreign_keys = OFF",
                "session PRAGMA foreign_keys outside",
            ),
            (
                "PRAGMA journal_mode(WAL)",
                "session PRAGMA journal_mode outside",
            ),
            ("PRAGMA foreign_keys", "additive"),
            ("PRAGMA foreign_key_check(t)", "additive"),
            ("PRAGMA defer_foreign_keys = ON", "additive"),
            (
                "PRAGMA user_version = 3",
                "destructive changes `user_version`",
            ),
            ("PRAGMA user_version", "additive"),
            ("PRAGMA writable_schema = 1", "session"),
        ],
    );
}

#[test]
fn what_a_script_made_itself_is_free() {
    for (script, expected) in [
        (
            "CREATE TABLE users_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
             INSERT INTO users_new SELECT id, name FROM users;
             DROP TABLE users;
             ALTER TABLE users_new RENAME TO users;
             CREATE UNIQUE INDEX users_name ON users (name);
             CREATE TRIGGER g AFTER UPDATE ON users BEGIN SELECT 1; END;
             CREATE INDEX users_id ON users (id);",
            "aIdadaa",
        ),
        (
            "CREATE TABLE t (a); CREATE UNIQUE INDEX i ON T (a); DROP INDEX I; DROP TABLE \"t\"",
            "aaaa",
        ),
        ("CREATE TABLE t (a); DELETE FROM t", "aa"),
        (
            "DROP TRIGGER IF EXISTS g; CREATE TRIGGER G AFTER INSERT ON t BEGIN SELECT 1; END",
            "aa",
        ),
        (
            "CREATE TRIGGER g AFTER INSERT ON t BEGIN SELECT 1; END; DROP TRIGGER g",
            "ad",
        ),
        ("DROP VIEW v; CREATE VIEW v AS SELECT 1", "da"),
    ] {
        assert_eq!(effects_of(Dialect::Sqlite, script), expected, "{script}");
    }
}

#[test]
fn objects_are_named_as_written() {
    for (sql, kind, verb, name, table) in [
        (
            "CREATE TABLE main.[Order Items] (a)",
            ObjectKind::Table,
            Verb::Create,
            "Order Items",
            None,
        ),
        (
            "CREATE INDEX `Ix` ON \"T\" (a)",
            ObjectKind::Index,
            Verb::Create,
            "Ix",
            Some("T"),
        ),
        (
            "CREATE TRIGGER g INSERT ON t BEGIN SELECT 1; END",
            ObjectKind::Trigger,
            Verb::Create,
            "g",
            Some("t"),
        ),
        (
            "ALTER TABLE t ADD größe",
            ObjectKind::Column,
            Verb::Create,
            "größe",
            Some("t"),
        ),
        (
            "DROP TABLE 'a''b'",
            ObjectKind::Table,
            Verb::Drop,
            "a'b",
            None,
        ),
    ] {
        let script = parse(Dialect::Sqlite, sql);
        let object = script.statements[0].object.as_ref().expect(sql);
        assert_eq!((object.kind, object.verb), (kind, verb), "{sql}");
        assert_eq!(
            (object.name.as_str(), object.table.as_deref()),
            (name, table),
            "{sql}"
        );
    }
    let script = parse(Dialect::Sqlite, "DROP TABLE Users; DROP TRIGGER Sync");
    assert!(script.explicitly_drops(ObjectKind::Trigger, "sync"));
    assert!(!script.explicitly_drops(ObjectKind::Index, "sync"));
    assert_eq!(script.dropped_tables().next().unwrap().name, "Users");
}

#[test]
fn mistakes_say_what_to_write() {
    for (sql, at, message) in [
        ("SELECT 1; SELECT 'x", 17, "never closed"),
        ("SELECT [x", 7, "never closed"),
        ("SELECT 1 /* x", 9, "comment"),
        (".read other.sql", 0, "sqlite3 shell"),
        ("SELECT 1;\nALTR TABLE t", 10, "`ALTR`"),
        ("CREATE TABLE t (a,)", 18, "`)`"),
        ("SELECT 1;\nCREATE TABLE t (a", 27, "too early"),
        ("UPDATE t SET a = ?", 17, "parameter"),
        ("UPDATE t SET a = :after", 17, ":after"),
    ] {
        let errors = Script::parse(Dialect::Sqlite, sql).expect_err(sql);
        assert_eq!(errors[0].span.start, at, "{sql}: {errors:?}");
        assert!(errors[0].message.contains(message), "{sql}: {errors:?}");
    }
}

#[test]
fn queries_and_backfills() {
    assert_eq!(
        single_select(Dialect::Sqlite, "SELECT count(*) FROM t WHERE a = ':x';"),
        Ok(())
    );
    assert_eq!(single_select(Dialect::Sqlite, "VALUES (0)"), Ok(()));
    for bad in [
        "",
        "DELETE FROM t",
        "SELECT ?",
        "SELECT 1; SELECT 2",
        "PRAGMA user_version",
        "SELECT edit('x')",
    ] {
        assert!(single_select(Dialect::Sqlite, bad).is_err(), "{bad}");
    }
    let sql = "UPDATE t SET a = ':upto' /* :after */ WHERE id > :after AND id <= :upto";
    let backfill = backfill_statement(Dialect::Sqlite, sql, None).unwrap();
    assert_eq!(backfill.text, sql);
    assert_eq!(
        backfill.parts,
        [
            Part::Sql("UPDATE t SET a = ':upto' /* :after */ WHERE id ".to_owned()),
            Part::After(Vec::new()),
            Part::Sql(" AND id ".to_owned()),
            Part::Upto(Vec::new()),
        ]
    );
    let range = "SELECT a FROM u WHERE id > :after AND id <= :upto";
    for (insert, good) in [
        (format!("INSERT INTO t {range}"), false),
        // They delete children, and leave out what does not fit, without a word.
        (format!("INSERT OR IGNORE INTO t {range}"), false),
        (format!("INSERT OR REPLACE INTO t {range}"), false),
        (
            format!("INSERT INTO t {range} ON CONFLICT DO NOTHING"),
            true,
        ),
        (
            format!("INSERT INTO t {range} AND NOT EXISTS (SELECT 1 FROM t WHERE t.a = u.a)"),
            true,
        ),
        ("INSERT INTO t VALUES (:after, :upto)".to_owned(), false),
        (
            "UPDATE t SET a = @x WHERE id > :after AND id <= :upto".to_owned(),
            false,
        ),
    ] {
        assert_eq!(
            backfill_statement(Dialect::Sqlite, &insert, None).is_ok(),
            good,
            "{insert}"
        );
    }
}

#[test]
fn new_columns_that_may_not_satisfy_their_own_constraints() {
    check(
        Dialect::Sqlite,
        &[
            ("ALTER TABLE t ADD COLUMN a AS (lower(b))", "additive"),
            (
                "ALTER TABLE t ADD COLUMN a AS (ifnull(b, 0)) NOT NULL",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a AS (ifnull(b, c)) NOT NULL",
                "destructive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a AS (lower(b)) NOT NULL",
                "destructive NOT NULL",
            ),
            (
                "ALTER TABLE t ADD COLUMN a INT GENERATED ALWAYS AS (b + 1) VIRTUAL CHECK (a > 0)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a AS (b) REFERENCES u (id)",
                "destructive foreign key",
            ),
            ("ALTER TABLE t ADD COLUMN a INT REFERENCES u", "additive"),
            (
                "ALTER TABLE t ADD COLUMN a INT DEFAULT 7 REFERENCES u",
                "destructive foreign key",
            ),
            (
                "ALTER TABLE t ADD COLUMN a INT DEFAULT (7) CHECK (a > 10)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a INT NOT NULL DEFAULT (7) CHECK (a >= 0)",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a TEXT NOT NULL DEFAULT 'b' CHECK (\"a\" IN ('b', 'c'))",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(a))",
                "additive",
            ),
        ],
    );
}

#[test]
fn checks_that_refuse_null() {
    check(
        Dialect::Sqlite,
        &[
            ("ALTER TABLE t ADD COLUMN a int CHECK (a > 0)", "additive"),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (a IS NULL OR a > 0)",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK ((a > 1) IS NOT FALSE)",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (NOT (a > 5))",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (a NOT IN (1, 2))",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK ((a > 1) IS TRUE)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK ((a > 1) IS FALSE)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (NOT (a IS NULL))",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (NOT a IS NULL)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK ((a IS NULL) = false)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (coalesce(a, 0) > 0)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (a IS 5)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (a NOT NULL)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (a NOTNULL)",
                "destructive CHECK",
            ),
        ],
    );
}

#[test]
fn expressions_that_may_fail() {
    check(
        Dialect::Sqlite,
        &[
            (
                "CREATE INDEX i ON t (json_extract(email, '$.a'))",
                "destructive may fail",
            ),
            (
                "CREATE INDEX i ON t (email ->> 'a')",
                "destructive may fail",
            ),
            ("CREATE INDEX i ON t (lower(email))", "additive"),
            (
                "CREATE INDEX i ON t (CASE WHEN json_valid(email) THEN json_extract(email, '$.a') END)",
                "additive",
            ),
            ("CREATE INDEX i ON t (CAST(email AS INTEGER))", "additive"),
            (
                "ALTER TABLE t ADD COLUMN a AS (json_extract(email, '$.a'))",
                "destructive may fail",
            ),
            (
                "ALTER TABLE t ADD COLUMN a AS (CASE WHEN json_valid(email) THEN json_extract(email, '$.a') END)",
                "additive",
            ),
            ("ALTER TABLE t ADD COLUMN a TEXT DEFAULT '->'", "additive"),
        ],
    );
}
