//! What is decided for every kind of statement that may lose data without a word, or keep a live version's statement from
//! working: what it is in an expand, and whether any other script needs an allowance for it as well.

use super::tests::parse;
use super::{Dialect, Effect};

/// Statement; `additive`, `data`, `breaks`, `unknown` or `never` in an expand; `silent` where it needs an allowance in
/// every other script as well, and is refused in a backfill.
type Decided<'a> = (&'a str, &'a str, &'a str);

const POSTGRES: &[Decided<'_>] = &[
    ("INSERT INTO t VALUES (1)", "data", ""),
    // What is there stays as it is.
    (
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
        "data",
        "",
    ),
    (
        "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2",
        "breaks",
        "",
    ),
    (
        "WITH x AS (INSERT INTO u VALUES (1) RETURNING a) INSERT INTO t SELECT a FROM x",
        "data",
        "",
    ),
    ("UPDATE t SET a = 1", "breaks", ""),
    ("DELETE FROM t", "breaks", ""),
    ("TRUNCATE t", "breaks", ""),
    ("TRUNCATE t CASCADE", "breaks", "silent"),
    (
        "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN UPDATE SET a = 1",
        "breaks",
        "",
    ),
    (
        "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
        "breaks",
        "",
    ),
    (
        "MERGE INTO t USING u ON t.a = u.a WHEN NOT MATCHED THEN INSERT VALUES (1)",
        "data",
        "",
    ),
    (
        "WITH x AS (DELETE FROM t RETURNING a) SELECT a FROM x",
        "breaks",
        "",
    ),
    (
        "WITH x AS (UPDATE t SET a = 1 RETURNING a) SELECT a FROM x",
        "breaks",
        "",
    ),
    (
        "WITH x AS (UPDATE t SET a = 1 RETURNING a) INSERT INTO u SELECT a FROM x",
        "breaks",
        "",
    ),
    (
        "WITH x AS (INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2 RETURNING a) SELECT a FROM x",
        "breaks",
        "",
    ),
    ("SELECT do_it()", "unknown", ""),
    ("SELECT setval('s', 1)", "unknown", ""),
    ("CREATE TABLE c AS SELECT a, now() FROM t", "additive", ""),
    (
        "CREATE TABLE c AS WITH x AS (DELETE FROM t RETURNING *) SELECT * FROM x",
        "breaks",
        "",
    ),
    (
        "CREATE TABLE c AS WITH x AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM x",
        "breaks",
        "",
    ),
    (
        "CREATE TABLE c AS WITH x AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM x",
        "data",
        "",
    ),
    ("CREATE TABLE c AS SELECT do_it()", "unknown", ""),
    ("CREATE TABLE c AS SELECT pg_advisory_lock(1)", "never", ""),
    ("CREATE TABLE c AS EXECUTE p", "unknown", ""),
    ("CREATE TABLE c AS EXECUTE p(1)", "unknown", ""),
    ("SELECT a INTO c FROM t", "additive", ""),
    (
        "WITH x AS (DELETE FROM t RETURNING *) SELECT * INTO c FROM x",
        "breaks",
        "",
    ),
    ("SELECT do_it() INTO c", "unknown", ""),
    (
        "CREATE MATERIALIZED VIEW m AS SELECT lower(a) FROM t",
        "additive",
        "",
    ),
    (
        "CREATE MATERIALIZED VIEW m AS SELECT do_it()",
        "unknown",
        "",
    ),
    (
        "INSERT INTO t VALUES ((SELECT do_it()), 'x')",
        "unknown",
        "",
    ),
    ("INSERT INTO t SELECT app.do_it(a) FROM u", "unknown", ""),
    ("INSERT INTO t VALUES (setval('s', 1))", "unknown", ""),
    (
        "INSERT INTO t VALUES (nextval('s'), now(), gen_random_uuid(), pg_catalog.lower('A'))",
        "data",
        "",
    ),
    (
        "INSERT INTO t (a) VALUES (1) RETURNING do_it()",
        "unknown",
        "",
    ),
    (
        "WITH x AS (INSERT INTO t VALUES (1) RETURNING a) SELECT do_it()",
        "unknown",
        "",
    ),
    (
        "INSERT INTO t VALUES (set_config('a.b', 'c', true))",
        "never",
        "",
    ),
    ("ALTER SEQUENCE s RESTART WITH 1", "unknown", ""),
    ("DO $$ BEGIN DELETE FROM t; END $$", "unknown", ""),
    ("CALL p()", "unknown", ""),
    ("EXECUTE p", "unknown", ""),
    ("PREPARE p AS DELETE FROM t", "never", ""),
    ("COPY t FROM '/tmp/x'", "data", ""),
    ("COPY t FROM PROGRAM 'cat /tmp/x'", "unknown", ""),
    ("ALTER TABLE t ALTER a TYPE bigint", "breaks", ""),
    (
        "ALTER TABLE t ALTER a TYPE varchar(5) USING left(a, 5)",
        "breaks",
        "silent",
    ),
    ("ALTER TABLE t DISABLE TRIGGER g", "breaks", "silent"),
    ("ALTER TABLE t DISABLE TRIGGER ALL", "breaks", "silent"),
    ("ALTER TABLE t ENABLE REPLICA TRIGGER g", "breaks", "silent"),
    ("ALTER TABLE t ENABLE TRIGGER g", "additive", ""),
    (
        "SET LOCAL session_replication_role = replica",
        "breaks",
        "silent",
    ),
    ("SET LOCAL lock_timeout = '1s'", "additive", ""),
    ("SET LOCAL row_security = on", "breaks", "silent"),
    ("SET LOCAL \"row_security\" TO 'on'", "breaks", "silent"),
    ("SET LOCAL row_security TO DEFAULT", "breaks", "silent"),
    ("SET LOCAL row_security = off", "additive", ""),
    ("SET row_security = on", "never", ""),
    ("SELECT set_config('row_security', 'on', true)", "never", ""),
    (
        "UPDATE t SET a = set_config('row_security', 'on', true)",
        "never",
        "",
    ),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET row_security = on AS 'SELECT 1'",
        "breaks",
        "silent",
    ),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET row_security FROM CURRENT AS 'SELECT 1'",
        "breaks",
        "silent",
    ),
    (
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql SET row_security = off AS 'SELECT 1'",
        "additive",
        "",
    ),
    (
        "ALTER FUNCTION f() SET row_security = on",
        "breaks",
        "silent",
    ),
    ("SELECT * FROM do_it()", "unknown", ""),
    ("ALTER TABLE t DROP COLUMN a CASCADE", "breaks", "silent"),
    ("ALTER TABLE t DROP COLUMN a", "breaks", ""),
    (
        "ALTER TABLE t DROP CONSTRAINT c CASCADE",
        "breaks",
        "silent",
    ),
    ("DROP TABLE t CASCADE", "breaks", "silent"),
    ("DROP FUNCTION f() CASCADE", "breaks", "silent"),
    ("DROP TYPE y CASCADE", "breaks", "silent"),
    ("DROP VIEW v CASCADE", "breaks", "silent"),
    ("DROP SCHEMA s CASCADE", "breaks", "silent"),
    ("DROP OWNED BY x", "breaks", "silent"),
    ("REVOKE SELECT ON t FROM x CASCADE", "breaks", "silent"),
    ("CREATE EXTENSION x CASCADE", "additive", ""),
    (
        "ALTER TABLE t ADD COLUMN a int REFERENCES u ON DELETE CASCADE",
        "additive",
        "",
    ),
    ("ALTER TYPE y RENAME VALUE 'a' TO 'b'", "breaks", ""),
    ("ALTER TYPE y ADD VALUE 'c'", "additive", ""),
    ("CREATE OR REPLACE VIEW v AS SELECT 1", "breaks", ""),
    (
        "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "breaks",
        "",
    ),
    (
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "additive",
        "",
    ),
    // What it replaces may keep in step what live versions write.
    (
        "CREATE OR REPLACE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "breaks",
        "",
    ),
    // Whether a function of that name with other parameters is there cannot be known from a file.
    (
        "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "additive",
        "",
    ),
    (
        "CREATE OPERATOR + (LEFTARG = int, RIGHTARG = y, FUNCTION = f)",
        "unknown",
        "",
    ),
    ("CREATE CAST (y AS int) WITH FUNCTION f(y)", "unknown", ""),
    (
        "CREATE RULE r AS ON DELETE TO t DO INSTEAD NOTHING",
        "breaks",
        "",
    ),
    ("CREATE UNIQUE INDEX i ON t (a)", "breaks", ""),
    ("CREATE INDEX i ON t ((a::int))", "breaks", ""),
    ("CREATE INDEX i ON t (lower(a))", "additive", ""),
    ("CREATE INDEX i ON t ((a ->> 'b'))", "additive", ""),
    ("ALTER TABLE t ADD COLUMN a int", "additive", ""),
    ("ALTER TABLE t ADD COLUMN a int NOT NULL", "breaks", ""),
    (
        "ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS (b::int) STORED",
        "breaks",
        "",
    ),
    (
        "ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS (1 / b) STORED",
        "breaks",
        "",
    ),
    (
        "ALTER TABLE t ADD COLUMN a text GENERATED ALWAYS AS (lower(b) || '/'::text) STORED",
        "additive",
        "",
    ),
    ("ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)", "breaks", ""),
    (
        "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
        "breaks",
        "",
    ),
    ("CREATE TABLE IF NOT EXISTS t (a int)", "additive", ""),
    ("DROP TABLE IF EXISTS t", "breaks", ""),
    ("REFRESH MATERIALIZED VIEW v", "data", ""),
    ("CREATE TEMP TABLE t (a int)", "never", ""),
    ("CREATE TABLE pg_temp.t (a int)", "never", ""),
    (
        "CREATE TABLE IF NOT EXISTS PG_TEMP_3.t (a int)",
        "never",
        "",
    ),
    ("CREATE TABLE \"pg_temp\".t AS SELECT 1", "never", ""),
    (
        "CREATE TABLE pg_temp.t (a int) ON COMMIT DROP",
        "additive",
        "",
    ),
    ("SELECT a INTO pg_temp.c FROM t", "never", ""),
    ("CREATE VIEW pg_temp.v AS SELECT 1", "never", ""),
    ("CREATE SEQUENCE pg_temp.s", "never", ""),
    ("CREATE TYPE pg_temp.y AS ENUM ('a')", "never", ""),
    ("CREATE DOMAIN pg_temp.d AS int", "never", ""),
    (
        "CREATE OR REPLACE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "never",
        "",
    ),
    ("CREATE UNIQUE INDEX i ON pg_temp.t (a)", "never", ""),
    ("CREATE COLLATION pg_temp.c FROM \"C\"", "never", ""),
];

const SQLITE: &[Decided<'_>] = &[
    ("INSERT INTO t VALUES (1)", "data", ""),
    (
        "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
        "data",
        "",
    ),
    (
        "INSERT INTO t VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2",
        "breaks",
        "",
    ),
    ("REPLACE INTO t VALUES (1)", "breaks", "silent"),
    ("INSERT OR REPLACE INTO t VALUES (1)", "breaks", "silent"),
    ("INSERT OR IGNORE INTO t VALUES (1)", "breaks", "silent"),
    ("INSERT OR ABORT INTO t VALUES (1)", "data", ""),
    ("INSERT OR FAIL INTO t VALUES (1)", "data", ""),
    ("INSERT OR ROLLBACK INTO t VALUES (1)", "never", ""),
    ("UPDATE t SET a = 1", "breaks", ""),
    ("UPDATE OR REPLACE t SET a = 1", "breaks", "silent"),
    ("UPDATE OR IGNORE t SET a = 1", "breaks", "silent"),
    ("DELETE FROM t", "breaks", ""),
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

const MYSQL: &[Decided<'_>] = &[
    ("INSERT INTO t VALUES (1)", "data", ""),
    (
        "INSERT INTO t VALUES (1) ON DUPLICATE KEY UPDATE a = 2",
        "breaks",
        "",
    ),
    ("INSERT IGNORE INTO t VALUES (1)", "breaks", "silent"),
    (
        "INSERT LOW_PRIORITY IGNORE INTO t VALUES (1)",
        "breaks",
        "silent",
    ),
    ("REPLACE INTO t VALUES (1)", "breaks", "silent"),
    ("REPLACE t SELECT * FROM u", "breaks", "silent"),
    ("INSERT INTO t VALUES (REPLACE(a, 'x', 'y'))", "data", ""),
    ("UPDATE t SET a = 1", "breaks", ""),
    ("UPDATE IGNORE t SET a = 1", "breaks", "silent"),
    ("UPDATE t JOIN u ON t.a = u.a SET t.b = 1", "breaks", ""),
    ("WITH x AS (SELECT 1) DELETE FROM t", "breaks", ""),
    ("DELETE FROM t", "breaks", ""),
    ("DELETE IGNORE FROM t", "breaks", "silent"),
    ("TRUNCATE TABLE t", "breaks", ""),
    ("LOAD DATA INFILE 'x' INTO TABLE t", "unknown", ""),
    (
        "LOAD DATA INFILE 'x' REPLACE INTO TABLE t",
        "unknown",
        "silent",
    ),
    (
        "LOAD DATA LOCAL INFILE 'x' INTO TABLE t",
        "unknown",
        "silent",
    ),
    ("ALTER IGNORE TABLE t ADD UNIQUE (a)", "breaks", "silent"),
    ("CREATE OR REPLACE TABLE t (a INT)", "breaks", "silent"),
    (
        "CREATE TABLE t (a INT UNIQUE) REPLACE SELECT a FROM u",
        "additive",
        "silent",
    ),
    ("CREATE OR REPLACE VIEW v AS SELECT 1", "breaks", ""),
    ("CREATE TABLE IF NOT EXISTS t (a INT)", "additive", ""),
    (
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1",
        "additive",
        "",
    ),
    (
        "CREATE OR REPLACE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1",
        "breaks",
        "",
    ),
    (
        "CREATE OR REPLACE DEFINER = CURRENT_USER TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1",
        "breaks",
        "",
    ),
    (
        "CREATE TRIGGER IF NOT EXISTS g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1",
        "additive",
        "",
    ),
    (
        "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SIGNAL SQLSTATE '45000'",
        "breaks",
        "",
    ),
    (
        "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW REPLACE INTO u VALUES (NEW.a)",
        "breaks",
        "silent",
    ),
    (
        "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW INSERT IGNORE INTO u VALUES (NEW.a)",
        "breaks",
        "silent",
    ),
    ("CREATE INDEX i ON t (a)", "additive", ""),
    ("CREATE INDEX IF NOT EXISTS i ON t (a)", "additive", ""),
    ("CREATE OR REPLACE INDEX i ON t (a)", "breaks", ""),
    ("CREATE OR REPLACE UNIQUE INDEX i ON t (a)", "breaks", ""),
    ("CREATE OR REPLACE FULLTEXT INDEX i ON t (a)", "breaks", ""),
    ("ALTER TABLE t MODIFY a VARCHAR(5)", "breaks", ""),
    ("ALTER TABLE t ADD a INT AS (b + 1) STORED", "additive", ""),
    (
        "ALTER TABLE t ADD a INT AS (CAST(b AS SIGNED)) STORED",
        "breaks",
        "",
    ),
    ("ALTER TABLE t ADD UNIQUE (a)", "breaks", ""),
    ("SET sql_mode = ''", "never", ""),
    (
        "SET STATEMENT sql_mode = '' FOR INSERT INTO t VALUES ('xyz')",
        "unknown",
        "silent",
    ),
    ("SET FOREIGN_KEY_CHECKS = 0", "never", ""),
    ("CALL p()", "unknown", ""),
    ("PREPARE p FROM 'DELETE FROM t'", "never", ""),
    ("DESCRIBE ANALYZE DELETE FROM t", "unknown", ""),
];

#[test]
fn every_kind_of_statement_is_decided() {
    let mut wrong = Vec::new();
    for (dialect, table) in [
        (Dialect::Postgres, POSTGRES),
        (Dialect::Sqlite, SQLITE),
        (Dialect::Mysql, MYSQL),
    ] {
        for (sql, expand, elsewhere) in table {
            let script = parse(dialect, sql);
            let [statement] = script.statements.as_slice() else {
                wrong.push(format!("{sql}: {} statements", script.statements.len()));
                continue;
            };
            let effect = match statement.effect {
                Effect::Additive => "additive",
                Effect::Data => "data",
                Effect::Destructive { .. } => "breaks",
                Effect::Unknown { .. } => "unknown",
                Effect::TransactionControl { .. } | Effect::SessionSetting { .. } => "never",
            };
            let silent = statement.hazard.as_ref().map_or("", |_| "silent");
            if (effect, silent) != (*expand, *elsewhere) {
                wrong.push(format!(
                    "{} {sql}\n  expected {expand} {elsewhere}\n  found    {effect} {silent} {:?}",
                    dialect.name(),
                    statement.effect
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What only versions of the future know may be written in any way.
#[test]
fn what_the_script_made_itself_loses_nothing() {
    for (dialect, sql, last) in [
        (
            Dialect::Sqlite,
            "CREATE TABLE t (a); INSERT OR REPLACE INTO t VALUES (1)",
            true,
        ),
        (
            Dialect::Mysql,
            "CREATE TABLE t (a INT); REPLACE INTO t VALUES (1)",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE t (a int); UPDATE t SET a = 1",
            true,
        ),
        (
            Dialect::Postgres,
            "ALTER TABLE t ADD COLUMN a int; UPDATE t SET a = 1, A = 2 WHERE b",
            true,
        ),
        (
            Dialect::Postgres,
            "ALTER TABLE t ADD COLUMN a int; UPDATE t SET a = 1, b = 2",
            false,
        ),
        (
            Dialect::Postgres,
            "ALTER TABLE t ADD COLUMN a int; UPDATE u SET a = 1",
            false,
        ),
        (
            Dialect::Postgres,
            "ALTER TABLE t ADD COLUMN a int; UPDATE t SET a = do_it()",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE t (a int); DELETE FROM t WHERE do_it()",
            false,
        ),
        (
            Dialect::Postgres,
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS a int; UPDATE t SET a = 1",
            false,
        ),
        (
            Dialect::Postgres,
            "ALTER TABLE t DROP COLUMN a; ALTER TABLE t ADD COLUMN a int; UPDATE t SET a = 1",
            false,
        ),
        (
            Dialect::Sqlite,
            "ALTER TABLE t ADD COLUMN a; UPDATE t SET A = b",
            true,
        ),
        (
            Dialect::Sqlite,
            "ALTER TABLE t ADD COLUMN a; UPDATE OR IGNORE t SET a = b",
            false,
        ),
        (
            Dialect::Mysql,
            "ALTER TABLE t ADD a INT; UPDATE t SET t.a = b",
            true,
        ),
        (
            Dialect::Mysql,
            "CREATE TABLE t (a INT); CREATE OR REPLACE INDEX i ON t (a)",
            true,
        ),
        (
            Dialect::Mysql,
            "ALTER TABLE t ADD a INT; UPDATE t SET b = a",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'x'; RETURN NEW; END $$; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            true,
        ),
    ] {
        let script = parse(dialect, sql);
        let statement = script.statements.last().unwrap();
        let is_fine = matches!(statement.effect, Effect::Additive | Effect::Data)
            && statement.hazard.is_none();
        assert_eq!(is_fine, last, "{sql}: {:?}", statement.effect);
    }
}

/// A trigger that is replaced may have been there before, unless the script shows that it was not.
#[test]
fn only_the_scripts_own_trigger_is_replaced_unnoticed() {
    const FUNCTION: &str = "EXECUTE FUNCTION f()";
    const BODY: &str = "SET NEW.a = 1";
    for (before, is_fine) in [
        ("CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW", true),
        ("CREATE TRIGGER h BEFORE INSERT ON t FOR EACH ROW", false),
        ("CREATE TRIGGER g BEFORE INSERT ON u FOR EACH ROW", false),
        (
            "CREATE OR REPLACE TRIGGER g BEFORE INSERT ON t FOR EACH ROW",
            false,
        ),
        ("CREATE TABLE t (a int)", true),
        ("CREATE TABLE IF NOT EXISTS t (a int)", false),
        ("CREATE TABLE u (a int)", false),
    ] {
        for (dialect, does) in [(Dialect::Postgres, FUNCTION), (Dialect::Mysql, BODY)] {
            let does_first = if before.contains("ROW") { does } else { "" };
            let sql = format!(
                "{before} {does_first}; CREATE OR REPLACE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW {does}"
            );
            let script = parse(dialect, &sql);
            let statement = script.statements.last().unwrap();
            assert_eq!(statement.effect == Effect::Additive, is_fine, "{sql}");
        }
    }
    // What was dropped under that name was somebody's.
    for drop in ["DROP TRIGGER g ON t", "DROP TRIGGER IF EXISTS g ON t"] {
        let replace =
            format!("CREATE OR REPLACE TRIGGER g BEFORE UPDATE ON t FOR EACH ROW {FUNCTION}");
        let script = parse(Dialect::Postgres, &format!("{drop}; {replace}"));
        let statement = script.statements.last().unwrap();
        assert!(
            matches!(statement.effect, Effect::Destructive { .. }),
            "{drop}"
        );
    }
}
