//! What is decided for each kind of statement of SQLite.

use super::Decided;

pub(super) const STATEMENTS: &[Decided<'_>] = &[
    ("INSERT INTO t VALUES (1)", "data", ""),
    (
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
        "data",
        "",
    ),
    (
        "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2",
        "breaks",
        "rows",
    ),
    ("REPLACE INTO t VALUES (1)", "breaks", "silent"),
    ("INSERT OR REPLACE INTO t VALUES (1)", "breaks", "silent"),
    ("INSERT OR IGNORE INTO t VALUES (1)", "breaks", "silent"),
    ("INSERT OR ABORT INTO t VALUES (1)", "data", ""),
    ("INSERT OR FAIL INTO t VALUES (1)", "data", ""),
    ("INSERT OR ROLLBACK INTO t VALUES (1)", "never", ""),
    ("UPDATE t SET a = 1", "breaks", "rows"),
    ("UPDATE OR REPLACE t SET a = 1", "breaks", "silent"),
    ("UPDATE OR IGNORE t SET a = 1", "breaks", "silent"),
    ("DELETE FROM t", "breaks", "rows"),
    (
        "CREATE TABLE t (a UNIQUE ON CONFLICT REPLACE)",
        "breaks",
        "silent",
    ),
    (
        "CREATE TABLE t (a, UNIQUE (a) ON CONFLICT REPLACE)",
        "breaks",
        "silent",
    ),
    (
        "CREATE TABLE t (a NOT NULL ON CONFLICT IGNORE)",
        "breaks",
        "silent",
    ),
    (
        "CREATE TABLE t (a UNIQUE ON CONFLICT ABORT)",
        "additive",
        "",
    ),
    ("CREATE TABLE IF NOT EXISTS t (a)", "additive", ""),
    (
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT OR REPLACE INTO u VALUES (NEW.a); END",
        "breaks",
        "silent",
    ),
    (
        "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO u VALUES (NEW.a); END",
        "additive",
        "",
    ),
    (
        "CREATE TRIGGER g BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'no'); END",
        "breaks",
        "",
    ),
    (
        "CREATE TRIGGER g BEFORE INSERT ON t BEGIN SELECT RAISE(IGNORE); END",
        "breaks",
        "",
    ),
    ("CREATE UNIQUE INDEX i ON t (a)", "breaks", ""),
    ("ALTER TABLE t ADD COLUMN a INT NOT NULL", "breaks", ""),
    ("DROP TABLE IF EXISTS t", "breaks", ""),
    ("CREATE TEMP TABLE t (a)", "never", ""),
    ("CREATE TABLE temp.t (a)", "never", ""),
    (
        "CREATE TABLE IF NOT EXISTS \"TEMP\".t AS SELECT 1",
        "never",
        "",
    ),
    ("CREATE VIEW temp.v AS SELECT 1", "never", ""),
    ("CREATE INDEX temp.i ON t (a)", "never", ""),
    ("CREATE UNIQUE INDEX temp.i ON t (a)", "never", ""),
    ("CREATE VIRTUAL TABLE temp.t USING fts5(a)", "never", ""),
    (
        "CREATE TRIGGER temp.g AFTER INSERT ON main.t BEGIN SELECT RAISE(ABORT, 'no'); END",
        "never",
        "",
    ),
    ("CREATE TABLE main.t (a)", "additive", ""),
    ("PRAGMA foreign_keys = OFF", "never", ""),
    ("PRAGMA ignore_check_constraints = ON", "never", ""),
    ("UPDATE sqlite_schema SET sql = ''", "unknown", ""),
];
