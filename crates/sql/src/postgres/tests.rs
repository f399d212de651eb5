use super::super::Dialect;
use super::super::tests::{check, effects_of};

#[test]
fn one_statement() {
    check(
        Dialect::Postgres,
        &[
            (
                "CREATE TABLE t (id bigint PRIMARY KEY, email text NOT NULL UNIQUE)",
                "additive",
            ),
            ("CREATE TABLE t AS SELECT * FROM u", "additive"),
            ("SELECT a INTO t FROM u", "additive"),
            ("CREATE TEMP TABLE t (id int)", "session"),
            ("CREATE TEMP TABLE t (id int) ON COMMIT DROP", "additive"),
            ("CREATE INDEX CONCURRENTLY i ON t (a)", "additive outside"),
            ("CREATE UNIQUE INDEX i ON t (a)", "destructive duplicates"),
            ("CREATE VIEW v AS SELECT 1", "additive"),
            ("CREATE OR REPLACE VIEW v AS SELECT 1", "destructive `v`"),
            ("CREATE MATERIALIZED VIEW v AS SELECT 1", "additive"),
            (
                "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS $$ SELECT 1; $$",
                "additive",
            ),
            (
                "CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                "destructive `f`",
            ),
            (
                "CREATE OR REPLACE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $x$ BEGIN; RETURN NEW; END $x$",
                "destructive `f`",
            ),
            (
                "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $x$ BEGIN; RETURN NEW; END $x$",
                "additive",
            ),
            (
                "CREATE FUNCTION f(a int) RETURNS int BEGIN ATOMIC SELECT CASE WHEN a = 1 THEN 2 END; SELECT 3; END",
                "additive",
            ),
            (
                "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
                "additive",
            ),
            ("CREATE TYPE mood AS ENUM ('ok')", "additive"),
            ("CREATE EXTENSION IF NOT EXISTS pgcrypto", "additive"),
            ("CREATE SCHEMA app", "additive"),
            ("CREATE POLICY p ON t USING (true)", "additive"),
            (
                "CREATE POLICY p ON t AS RESTRICTIVE USING (true)",
                "destructive",
            ),
            (
                "CREATE RULE r AS ON INSERT TO t DO ALSO (DELETE FROM u; DELETE FROM w)",
                "destructive",
            ),
            ("CREATE DATABASE d", "additive outside"),
            ("ALTER TABLE t ADD COLUMN a text", "additive"),
            (
                "ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 0",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int NOT NULL",
                "destructive NOT NULL",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT NULL",
                "destructive NOT NULL",
            ),
            ("ALTER TABLE t ADD COLUMN a bigserial NOT NULL", "additive"),
            (
                "ALTER TABLE t ADD COLUMN a bigint GENERATED ALWAYS AS IDENTITY",
                "additive",
            ),
            ("ALTER TABLE t ADD COLUMN a int REFERENCES u", "additive"),
            ("ALTER TABLE t ADD COLUMN a int CHECK (a > 0)", "additive"),
            (
                "ALTER TABLE t ADD COLUMN a text CHECK (a IN ('x', 'y'::text))",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (a > b)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (a IS NOT NULL)",
                "destructive CHECK",
            ),
            ("ALTER TABLE t ADD COLUMN a int UNIQUE", "additive"),
            (
                "ALTER TABLE t ADD COLUMN a int UNIQUE DEFAULT 1",
                "destructive UNIQUE",
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
            (
                "ALTER TABLE t ALTER a TYPE bigint",
                "destructive the type of `a`",
            ),
            (
                "ALTER TABLE t ALTER a SET NOT NULL",
                "destructive makes `a` NOT NULL",
            ),
            ("ALTER TABLE t ALTER a DROP NOT NULL", "additive"),
            ("ALTER TABLE t ALTER a SET DEFAULT 1", "additive"),
            ("ALTER TABLE t ALTER a DROP DEFAULT", "destructive default"),
            (
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
                "destructive CHECK",
            ),
            ("ALTER TABLE t VALIDATE CONSTRAINT c", "additive"),
            (
                "ALTER TABLE t ADD CONSTRAINT c UNIQUE USING INDEX i",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int, DROP COLUMN b",
                "destructive drops the column `b`",
            ),
            (
                "ALTER TABLE t DETACH PARTITION p CONCURRENTLY",
                "destructive detaches outside",
            ),
            ("ALTER TABLE t ENABLE ROW LEVEL SECURITY", "destructive"),
            ("ALTER TABLE t SET (fillfactor = 70)", "additive"),
            ("ALTER TYPE mood ADD VALUE 'new'", "additive"),
            ("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", "destructive"),
            ("ALTER SEQUENCE s OWNED BY t.c", "additive"),
            ("ALTER SEQUENCE s OWNED BY t.c RESTART", "unknown"),
            ("CREATE PUBLICATION p FOR ALL TABLES", "unknown"),
            (
                "ALTER INDEX i RENAME TO j",
                "destructive renames the index `i`",
            ),
            ("ALTER SYSTEM SET work_mem = '1MB'", "unknown outside"),
            (
                "DROP TABLE IF EXISTS a, b CASCADE",
                "destructive drops the table `a`, `b`",
            ),
            (
                "DROP INDEX CONCURRENTLY i",
                "destructive drops the index `i` outside",
            ),
            (
                "DROP MATERIALIZED VIEW v",
                "destructive drops the materialized view `v`",
            ),
            ("DROP FUNCTION f(int)", "destructive drops the function `f`"),
            ("DROP TRIGGER g ON t", "destructive drops the trigger `g`"),
            ("DROP OWNED BY x", "destructive"),
            ("TRUNCATE a, b", "destructive every row of `a`, `b`"),
            ("GRANT SELECT ON t TO x", "additive"),
            ("REVOKE SELECT ON t FROM x", "destructive"),
            ("COMMENT ON TABLE t IS 'x'", "additive"),
            ("ANALYZE t", "additive"),
            ("VACUUM t", "additive outside"),
            ("REINDEX TABLE CONCURRENTLY t", "additive outside"),
            ("REINDEX TABLE t", "additive"),
            ("REFRESH MATERIALIZED VIEW v", "data"),
            ("INSERT INTO t VALUES (1)", "data"),
            ("UPDATE t SET a = 1", "destructive changes rows of `t`"),
            (
                "DELETE FROM t WHERE a = 1",
                "destructive deletes rows of `t`",
            ),
            (
                "WITH d AS (DELETE FROM t RETURNING *) INSERT INTO u SELECT * FROM d",
                "destructive deletes",
            ),
            (
                "MERGE INTO t USING u ON t.a = u.a WHEN MATCHED THEN DELETE",
                "destructive deletes",
            ),
            ("COPY t FROM '/tmp/x'", "data"),
            ("SELECT count(*), lower(a) FROM t", "additive"),
            ("SELECT do_it(a) FROM t", "unknown `do_it`"),
            ("SELECT app.now()", "unknown `app.now`"),
            ("SELECT set_config('a.b', 'c', false)", "session"),
            ("SELECT pg_advisory_lock(1)", "session"),
            ("SELECT setval('s', 1)", "unknown"),
            ("EXPLAIN SELECT 1", "additive"),
            ("EXPLAIN (ANALYZE) DELETE FROM t", "unknown"),
            ("BEGIN", "transaction BEGIN"),
            ("START TRANSACTION", "transaction START"),
            ("COMMIT", "transaction COMMIT"),
            ("END", "transaction END"),
            ("ROLLBACK TO SAVEPOINT s", "transaction ROLLBACK"),
            ("SAVEPOINT s", "transaction SAVEPOINT"),
            ("RELEASE s", "transaction RELEASE"),
            ("ABORT", "transaction ABORT"),
            ("SET TRANSACTION READ ONLY", "transaction SET TRANSACTION"),
            ("PREPARE TRANSACTION 'x'", "transaction PREPARE TRANSACTION"),
            ("SET search_path TO app", "session SET search_path"),
            (
                "SET SESSION statement_timeout = 0",
                "session SET statement_timeout",
            ),
            ("SET LOCAL lock_timeout = '1s'", "additive"),
            ("SET ROLE x", "session SET ROLE"),
            ("RESET ALL", "session RESET"),
            ("DISCARD ALL", "session DISCARD"),
            ("LISTEN x", "session LISTEN"),
            ("PREPARE p AS SELECT 1", "session PREPARE"),
            ("LOCK TABLE t", "additive"),
            ("DO $$ BEGIN DROP TABLE t; END $$", "unknown DO"),
            ("CALL p()", "unknown"),
            ("EXECUTE p", "unknown"),
        ],
    );
}

#[test]
fn what_a_script_made_itself_is_free() {
    for (script, expected) in [
        (
            "CREATE TABLE t (a int); ALTER TABLE t ADD COLUMN b int NOT NULL; CREATE UNIQUE INDEX ON t (a)",
            "aaa",
        ),
        (
            "CREATE TABLE p PARTITION OF t DEFAULT; ALTER TABLE p ADD CHECK (a > 0)",
            "ad",
        ),
        // A part of what the script has made is as new as that, until that becomes a part of what is there.
        (
            "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE p (a int); ALTER TABLE ONLY t ATTACH PARTITION p FOR VALUES IN (1); \
             ALTER TABLE ONLY t ADD PRIMARY KEY (a); ALTER TABLE ONLY p ADD PRIMARY KEY (a)",
            "aaaaa",
        ),
        (
            "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE p PARTITION OF t DEFAULT; ALTER TABLE p ADD CHECK (a > 0); \
             ALTER TABLE u ATTACH PARTITION t FOR VALUES IN (1); ALTER TABLE p ADD CHECK (a > 1)",
            "aaaad",
        ),
        (
            "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE p PARTITION OF t DEFAULT; ALTER TABLE t RENAME TO v; \
             ALTER TABLE u ATTACH PARTITION v FOR VALUES IN (1); ALTER TABLE p ADD CHECK (a > 1)",
            "aaaad",
        ),
        (
            "CREATE TABLE t (a int); CREATE TABLE p () INHERITS (t); ALTER TABLE p ADD CHECK (a > 0)",
            "aaa",
        ),
        (
            "CREATE TABLE app.t (a int); ALTER TABLE t ADD COLUMN b int NOT NULL",
            "ad",
        ),
        (
            "CREATE TABLE IF NOT EXISTS t (a int); CREATE UNIQUE INDEX ON t (a)",
            "ad",
        ),
        ("CREATE TABLE T (a int); DROP TABLE t", "aa"),
        ("CREATE TABLE t (a int); DROP TABLE t, u", "ad"),
        (
            "CREATE TABLE n (a int); DROP TABLE t; ALTER TABLE n RENAME TO t; CREATE UNIQUE INDEX ON t (a)",
            "adad",
        ),
        (
            "CREATE TABLE n (a int); ALTER TABLE n RENAME TO m; ALTER TABLE m DROP COLUMN a",
            "aaa",
        ),
        (
            "DROP TABLE t; CREATE TABLE t (a int); ALTER TABLE t ADD b int NOT NULL",
            "dad",
        ),
        (
            "CREATE VIEW v AS SELECT 1; CREATE OR REPLACE VIEW v AS SELECT 2; DROP VIEW v",
            "aaa",
        ),
        (
            "DROP TRIGGER IF EXISTS g ON t; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "aa",
        ),
        (
            "DROP TRIGGER g ON u; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            "da",
        ),
        (
            "DROP FUNCTION IF EXISTS f(); CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN END$$",
            "aa",
        ),
        (
            "DROP FUNCTION f(); CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "da",
        ),
        (
            "DROP FUNCTION f() CASCADE; CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN END$$",
            "da",
        ),
        (
            "-- migrate: no-transaction\nDROP TRIGGER g ON t; CREATE TRIGGER g BEFORE INSERT ON t EXECUTE FUNCTION f()",
            "da",
        ),
    ] {
        assert_eq!(effects_of(Dialect::Postgres, script), expected, "{script}");
    }
}

#[test]
fn mistakes_say_what_to_write() {
    for (sql, at, message) in [
        ("SELECT 1; SELECT 'x", 17, "never closed"),
        ("SELECT $$x", 7, "dollar quote"),
        ("SELECT 1;\n\\i other.sql\n", 10, "psql"),
        ("/* a /* b */", 0, "comment"),
        ("COPY t FROM STDIN", 0, "psql"),
        (
            "SELECT 1;\n-- migrate: no-transaction\nSELECT 2",
            10,
            "first line",
        ),
        ("-- migrate: notransaction\nSELECT 2", 0, "notransaction"),
    ] {
        let errors = super::super::Script::parse(Dialect::Postgres, sql).expect_err(sql);
        assert_eq!(errors[0].span.start, at, "{sql}: {errors:?}");
        assert!(errors[0].message.contains(message), "{sql}: {errors:?}");
    }
    let errors = super::super::Script::parse(
        Dialect::Postgres,
        "SELECT 1; ALTR TABLE t; SELECT 2; CREATE TABLE (a",
    )
    .unwrap_err();
    assert!(
        errors.len() >= 2 && (10..23).contains(&errors[0].span.start),
        "{errors:?}"
    );
}

#[test]
fn new_columns_that_may_not_satisfy_their_own_constraints() {
    check(
        Dialect::Postgres,
        &[
            (
                "ALTER TABLE t ADD COLUMN a text GENERATED ALWAYS AS (lower(b)) STORED",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a tsvector GENERATED ALWAYS AS (to_tsvector('english', b)) STORED",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a text GENERATED ALWAYS AS (lower(b)) STORED UNIQUE",
                "destructive UNIQUE",
            ),
            (
                "ALTER TABLE t ADD COLUMN a text NOT NULL GENERATED ALWAYS AS (coalesce(lower(b), '')) STORED",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a text NOT NULL GENERATED ALWAYS AS (coalesce(lower(b), c)) STORED",
                "destructive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a text GENERATED ALWAYS AS (lower(b)) STORED NOT NULL",
                "destructive NOT NULL",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS (b + 1) STORED CHECK (a > 0)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a bigint GENERATED ALWAYS AS (b) STORED REFERENCES u",
                "destructive foreign key",
            ),
            (
                "ALTER TABLE t ADD COLUMN a bigint GENERATED BY DEFAULT AS IDENTITY UNIQUE NOT NULL",
                "additive",
            ),
            ("ALTER TABLE t ADD COLUMN a bigserial UNIQUE", "additive"),
            (
                "ALTER TABLE t ADD COLUMN a bigint DEFAULT NULL REFERENCES u",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a bigint DEFAULT 7 REFERENCES u",
                "destructive foreign key",
            ),
            (
                "ALTER TABLE t ADD COLUMN a bigserial REFERENCES u",
                "destructive foreign key",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int DEFAULT 7 CHECK (a > 10)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int DEFAULT 3 + 4 CHECK (a > 0)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a timestamptz DEFAULT now() CHECK (a < '2020-01-01')",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 7 CONSTRAINT c CHECK (a >= 0 AND a < 10)",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT -7 CHECK (a BETWEEN -10 AND -1 OR a = 5)",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 7 CHECK (a BETWEEN 8 AND 9)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a text NOT NULL DEFAULT 'new'::text CHECK (a IN ('old', 'new'))",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a text NOT NULL DEFAULT 'New' CHECK (a IN ('old', 'new'))",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a text DEFAULT '' CHECK (length(a) > 0)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a text NOT NULL DEFAULT 'x' CHECK (length(a) > 0) CHECK (a IS NOT NULL)",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a text NOT NULL DEFAULT 'x' CHECK (a <> 'y') CHECK (a <> 'x')",
                "destructive CHECK",
            ),
        ],
    );
}

#[test]
fn checks_that_refuse_null() {
    check(
        Dialect::Postgres,
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
                "ALTER TABLE t ADD COLUMN a int CHECK (a IS DISTINCT FROM NULL)",
                "destructive CHECK",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (a IS NOT DISTINCT FROM 5)",
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
        Dialect::Postgres,
        &[
            (
                "CREATE INDEX i ON t ((email::jsonb))",
                "destructive may fail",
            ),
            ("CREATE INDEX i ON t ((data->>'x'))", "additive"),
            (
                "CREATE INDEX i ON t USING gin (to_tsvector('english', email))",
                "additive",
            ),
            (
                "CREATE INDEX i ON t USING gin (data jsonb_path_ops)",
                "additive",
            ),
            ("CREATE INDEX i ON t (lower(email))", "additive"),
            (
                "CREATE INDEX i ON t (jsonb_array_length(data))",
                "destructive may fail",
            ),
            (
                "ALTER TABLE t ADD COLUMN a jsonb GENERATED ALWAYS AS (email::jsonb) STORED",
                "destructive may fail",
            ),
            (
                "ALTER TABLE t ADD COLUMN a text GENERATED ALWAYS AS (data->>'x') STORED",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a text GENERATED ALWAYS AS (b::text || 'x') STORED",
                "additive",
            ),
            (
                "ALTER TABLE t ADD COLUMN a jsonb NOT NULL DEFAULT '{}'::jsonb",
                "additive",
            ),
        ],
    );
}

#[test]
fn a_domain_that_takes_no_null() {
    for (script, expected) in [
        (
            "CREATE DOMAIN d AS int NOT NULL; ALTER TABLE t ADD a d",
            "ad",
        ),
        (
            "CREATE DOMAIN s.d AS int CHECK (VALUE IS NOT NULL); ALTER TABLE t ADD a s.d",
            "ad",
        ),
        (
            "CREATE DOMAIN d AS int NOT NULL; ALTER TABLE t ADD a d DEFAULT 7",
            "aa",
        ),
        (
            "CREATE DOMAIN d AS int NOT NULL DEFAULT 7; ALTER TABLE t ADD a d",
            "aa",
        ),
        (
            "CREATE DOMAIN d AS int CHECK (VALUE > 0); ALTER TABLE t ADD a d",
            "aa",
        ),
        (
            "CREATE DOMAIN d AS text CHECK (VALUE ~ '^[a-z]+$' AND length(VALUE) < 10); ALTER TABLE t ADD a d",
            "aa",
        ),
        (
            "CREATE DOMAIN d AS int NOT NULL; CREATE TABLE t (b int); ALTER TABLE t ADD a d",
            "aaa",
        ),
        (
            "CREATE DOMAIN d AS int NOT NULL; ALTER TABLE t ADD a int",
            "aa",
        ),
        ("ALTER TABLE t ADD a d", "a"),
    ] {
        assert_eq!(effects_of(Dialect::Postgres, script), expected, "{script}");
    }
}
