//! The same for PostgreSQL.

use super::super::super::Dialect;
use super::super::*;
use super::{check, works_on};

const BARE: &str = "-- migrate: no-transaction\n";

#[test]
fn indexes() {
    use Work::{KeepsInvalid, LocksOut, LocksWrites};
    check(
        Dialect::Postgres,
        Servers::default(),
        &[
            ("CREATE INDEX i ON t (a)", &[LocksWrites]),
            ("CREATE UNIQUE INDEX ON app.t (a)", &[LocksWrites]),
            (
                "CREATE INDEX IF NOT EXISTS \"concurrently\" ON t (a)",
                &[LocksWrites],
            ),
            ("CREATE INDEX i ON ONLY t (a)", &[]),
            ("CREATE TABLE t (a int); CREATE INDEX i ON t (a)", &[]),
            (
                "CREATE TABLE IF NOT EXISTS app.t (a int); CREATE INDEX i ON app.t (a)",
                &[],
            ),
            (
                "CREATE INDEX i ON t (a); CREATE TABLE t (a int)",
                &[LocksWrites],
            ),
            (
                "CREATE TABLE n (a int); DROP TABLE t; ALTER TABLE n RENAME TO t; CREATE INDEX i ON t (a)",
                &[],
            ),
            (
                "CREATE TABLE n AS SELECT * FROM t; CREATE INDEX i ON n (a)",
                &[],
            ),
            (
                "CREATE MATERIALIZED VIEW m AS SELECT 1 AS a; CREATE UNIQUE INDEX i ON m (a)",
                &[],
            ),
            ("DROP INDEX i", &[LocksOut]),
            ("DROP INDEX i; ALTER TABLE t DROP COLUMN a", &[]),
            ("ALTER TABLE t ADD CONSTRAINT u UNIQUE (a)", &[LocksOut]),
            ("ALTER TABLE t ADD UNIQUE (a)", &[LocksOut]),
            ("ALTER TABLE t ADD PRIMARY KEY (a)", &[LocksOut]),
            ("ALTER TABLE t ADD CONSTRAINT u UNIQUE USING INDEX i", &[]),
            (
                "ALTER TABLE t ADD CONSTRAINT u UNIQUE (a) USING INDEX TABLESPACE fast",
                &[LocksOut],
            ),
            (
                "ALTER TABLE t ADD EXCLUDE USING gist (a WITH &&)",
                &[LocksOut],
            ),
            ("ALTER TABLE t ADD COLUMN a int UNIQUE", &[LocksOut]),
            ("ALTER TABLE t ADD COLUMN a int PRIMARY KEY", &[LocksOut]),
            ("CREATE TABLE t (a int); ALTER TABLE t ADD UNIQUE (a)", &[]),
            ("REFRESH MATERIALIZED VIEW m", &[LocksOut]),
            ("REFRESH MATERIALIZED VIEW CONCURRENTLY m", &[]),
        ],
    );
    for (sql, expected) in [
        ("CREATE INDEX CONCURRENTLY i ON t (a)", &[][..]),
        (
            "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)",
            &[KeepsInvalid],
        ),
        ("DROP INDEX CONCURRENTLY IF EXISTS i", &[]),
        ("DROP INDEX CONCURRENTLY i", &[]),
        ("REINDEX TABLE t", &[LocksOut]),
        ("REINDEX INDEX i", &[LocksOut]),
        ("REINDEX TABLE CONCURRENTLY t", &[]),
        ("REINDEX (CONCURRENTLY) TABLE t", &[]),
        ("REINDEX (CONCURRENTLY OFF) TABLE t", &[LocksOut]),
    ] {
        let sql = format!("{BARE}{sql}");
        assert_eq!(
            works_on(Dialect::Postgres, Servers::default(), &sql),
            expected,
            "{sql}"
        );
    }
}

#[test]
fn columns() {
    use Work::{LocksOut, NoEquality, Rewrites, Scans};
    check(
        Dialect::Postgres,
        Servers::default(),
        &[
            ("ALTER TABLE t ADD COLUMN a int", &[]),
            ("ALTER TABLE t ADD a int NOT NULL DEFAULT 1", &[]),
            (
                "ALTER TABLE t ADD COLUMN a numeric(10, 2) DEFAULT 1::numeric(10, 2)",
                &[],
            ),
            (
                "ALTER TABLE t ADD COLUMN a timestamptz NOT NULL DEFAULT now()",
                &[],
            ),
            ("ALTER TABLE t ADD COLUMN a text DEFAULT upper('x')", &[]),
            (
                "ALTER TABLE t ADD COLUMN a timestamp(3) DEFAULT CURRENT_TIMESTAMP(3)",
                &[],
            ),
            (
                "ALTER TABLE t ADD COLUMN a numeric DEFAULT CAST(0 AS numeric(10, 2))",
                &[],
            ),
            (
                "ALTER TABLE t ADD COLUMN \"stored\" int, ADD COLUMN \"serial\" text",
                &[],
            ),
            (
                "ALTER TABLE t ADD COLUMN a uuid DEFAULT gen_random_uuid()",
                &[Rewrites],
            ),
            (
                "ALTER TABLE t ADD COLUMN a float DEFAULT 1 + random()",
                &[Rewrites],
            ),
            (
                "ALTER TABLE t ADD COLUMN a int DEFAULT app.f()",
                &[Rewrites],
            ),
            (
                "CREATE FUNCTION f() RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'; ALTER TABLE t ADD COLUMN a int DEFAULT f()",
                &[],
            ),
            (
                "ALTER TABLE t ADD COLUMN a text GENERATED ALWAYS AS (lower(b)) STORED",
                &[Rewrites],
            ),
            ("ALTER TABLE t ADD COLUMN a bigserial", &[Rewrites]),
            (
                "ALTER TABLE t ADD COLUMN a bigint GENERATED BY DEFAULT AS IDENTITY",
                &[Rewrites],
            ),
            (
                "CREATE DOMAIN d AS int CHECK (VALUE > 0); ALTER TABLE t ADD COLUMN a d",
                &[Rewrites],
            ),
            ("CREATE DOMAIN d AS int; ALTER TABLE t ADD COLUMN a d", &[]),
            ("ALTER TABLE t ADD COLUMN a int CHECK (a > 0)", &[Scans]),
            ("ALTER TABLE t ADD COLUMN a int REFERENCES u (id)", &[]),
            (
                "ALTER TABLE t ADD COLUMN a int DEFAULT 1 REFERENCES u (id)",
                &[Scans],
            ),
            ("ALTER TABLE t ADD COLUMN a json", &[NoEquality]),
            ("ALTER TABLE t ADD COLUMN a jsonb", &[]),
            ("CREATE TABLE t (a json)", &[]),
            (
                "ALTER TABLE t ALTER a SET DEFAULT 1, ALTER a SET STATISTICS 100",
                &[],
            ),
            ("ALTER TABLE t ALTER COLUMN a TYPE bigint", &[Rewrites]),
            (
                "ALTER TABLE t ALTER COLUMN a SET DATA TYPE bigint USING a::bigint",
                &[Rewrites],
            ),
            ("ALTER TABLE t DROP COLUMN a", &[]),
            (
                "ALTER TABLE t ADD COLUMN a bigserial, ADD UNIQUE (b)",
                &[Rewrites, LocksOut],
            ),
            ("ALTER TABLE t SET LOGGED", &[Rewrites]),
            ("ALTER TABLE t SET TABLESPACE fast", &[Rewrites]),
            ("ALTER TABLE t SET (fillfactor = 70)", &[]),
            ("ALTER TABLE t DISABLE TRIGGER g", &[]),
        ],
    );
    let of = |major| Servers {
        postgres: Some(Release::new(major, 0, 0)),
        ..Servers::default()
    };
    for (major, sql, expected) in [
        (
            10,
            "ALTER TABLE t ADD COLUMN a int DEFAULT 1",
            &[Rewrites][..],
        ),
        (10, "ALTER TABLE t ADD COLUMN a int DEFAULT NULL", &[]),
        (11, "ALTER TABLE t ADD COLUMN a int DEFAULT 1", &[]),
        (
            17,
            "ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS (b + 1)",
            &[Rewrites],
        ),
        (
            18,
            "ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS (b + 1)",
            &[],
        ),
        (
            18,
            "ALTER TABLE t ADD COLUMN a int GENERATED ALWAYS AS (b + 1) STORED",
            &[Rewrites],
        ),
    ] {
        assert_eq!(
            works_on(Dialect::Postgres, of(major), sql),
            expected,
            "{major}: {sql}"
        );
    }
}

#[test]
fn constraints_and_locks() {
    use Work::{LocksOut, LocksWrites, Rewrites, Scans};
    check(
        Dialect::Postgres,
        Servers::default(),
        &[
            ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", &[Scans]),
            (
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID",
                &[],
            ),
            (
                "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (id)",
                &[Scans],
            ),
            (
                "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (id) NOT VALID",
                &[],
            ),
            ("ALTER TABLE t VALIDATE CONSTRAINT c", &[]),
            (
                "ALTER TABLE t VALIDATE CONSTRAINT c, DROP COLUMN b",
                &[Scans],
            ),
            (
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c",
                &[Scans],
            ),
            (
                "-- migrate: no-transaction\nALTER TABLE t ADD CONSTRAINT c CHECK (a > 0) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c",
                &[],
            ),
            ("ALTER TABLE t ALTER a SET NOT NULL", &[Scans]),
            (
                "-- migrate: no-transaction\nALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER a SET NOT NULL",
                &[],
            ),
            // Nothing has looked at the rows yet.
            (
                "ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL) NOT VALID; ALTER TABLE t ALTER a SET NOT NULL",
                &[Scans],
            ),
            // It holds for other columns, or not for each row.
            (
                "-- migrate: no-transaction\nALTER TABLE t ADD CONSTRAINT c CHECK (b IS NOT NULL) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER a SET NOT NULL",
                &[Scans],
            ),
            (
                "-- migrate: no-transaction\nALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL OR b) NOT VALID; ALTER TABLE t VALIDATE CONSTRAINT c; ALTER TABLE t ALTER a SET NOT NULL",
                &[Scans],
            ),
            (
                "ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1)",
                &[Scans],
            ),
            (
                "CREATE TABLE p (a int); ALTER TABLE t ATTACH PARTITION p FOR VALUES IN (1)",
                &[],
            ),
            ("ALTER TABLE t DETACH PARTITION p", &[LocksOut]),
            (
                "CREATE TABLE p PARTITION OF t FOR VALUES IN (1)",
                &[LocksOut],
            ),
            (
                "CREATE TABLE t (a int) PARTITION BY LIST (a); CREATE TABLE p PARTITION OF t FOR VALUES IN (1)",
                &[],
            ),
            ("ALTER DOMAIN d ADD CHECK (VALUE > 0)", &[Scans]),
            ("ALTER DOMAIN d ADD CHECK (VALUE > 0) NOT VALID", &[]),
            ("LOCK TABLE t", &[LocksOut]),
            ("LOCK t IN SHARE MODE", &[LocksWrites]),
            ("LOCK t IN ROW EXCLUSIVE MODE", &[]),
            ("COMMENT ON TABLE t IS 'x'", &[]),
            ("ANALYZE t", &[]),
        ],
    );
    for (sql, expected) in [
        ("VACUUM t", &[][..]),
        ("VACUUM (ANALYZE, FULL) t", &[Rewrites]),
        ("VACUUM (FULL FALSE) t", &[]),
        ("VACUUM FULL", &[Rewrites]),
        ("CLUSTER t USING i", &[Rewrites]),
        ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", &[]),
    ] {
        let sql = format!("{BARE}{sql}");
        assert_eq!(
            works_on(Dialect::Postgres, Servers::default(), &sql),
            expected,
            "{sql}"
        );
    }
}

#[test]
fn locks_that_are_held() {
    use Work::{Fills, Holds, LocksWrites};
    check(
        Dialect::Postgres,
        Servers::default(),
        &[
            ("UPDATE t SET a = b", &[Fills]),
            ("UPDATE t SET a = 1 WHERE id = 7", &[]),
            ("UPDATE t SET a = 1 WHERE id = 7 OR b", &[Fills]),
            ("UPDATE t SET a = 1 WHERE name IN ('x', 'y')", &[Fills]),
            ("DELETE FROM t WHERE id IN (1, 2)", &[]),
            ("DELETE FROM t WHERE a IS NULL", &[Fills]),
            // Who uses the other table waits as long.
            (
                "ALTER TABLE t ADD COLUMN a int; CREATE INDEX i ON u (b)",
                &[LocksWrites, Holds],
            ),
            (
                "ALTER TABLE t ADD COLUMN a int; CREATE INDEX i ON t (a)",
                &[LocksWrites],
            ),
            ("UPDATE t SET a = b WHERE a IS NULL", &[Fills]),
            ("CREATE TABLE n (a int); UPDATE n SET a = 1", &[]),
            ("INSERT INTO n SELECT * FROM t", &[]),
            (
                "ALTER TABLE t ADD COLUMN a int; UPDATE t SET a = b",
                &[Holds],
            ),
            (
                "ALTER TABLE t ADD COLUMN a int; INSERT INTO u SELECT * FROM v",
                &[Holds],
            ),
            ("CREATE TABLE n (a int); INSERT INTO n SELECT a FROM t", &[]),
            (
                "CREATE TABLE n (a int REFERENCES t (id)); INSERT INTO n SELECT a FROM t",
                &[Holds],
            ),
            // An index of a table that is empty yet is built at once.
            (
                "CREATE TABLE n (a int REFERENCES t (id)); INSERT INTO n VALUES (1); CREATE INDEX i ON n (a)",
                &[],
            ),
            (
                "CREATE TABLE n (a int REFERENCES t (id)); INSERT INTO n SELECT a FROM u; CREATE INDEX i ON n (a)",
                &[Holds, Holds],
            ),
            (
                "CREATE TABLE n AS SELECT a FROM u; ALTER TABLE t ADD b int; ALTER TABLE n RENAME TO m; CREATE INDEX i ON m (a)",
                &[Holds],
            ),
            (
                "CREATE TABLE n (a int); ALTER TABLE t ADD b int; ALTER TABLE n RENAME TO m; CREATE INDEX i ON m (a)",
                &[],
            ),
            (
                "CREATE INDEX i ON t (a); ALTER TABLE u VALIDATE CONSTRAINT c",
                &[LocksWrites, Holds],
            ),
            (
                "CREATE TABLE n (a int); ALTER TABLE n ADD b int; UPDATE t SET a = b",
                &[Fills],
            ),
            (
                "-- migrate: no-transaction\nALTER TABLE t ADD COLUMN a int; UPDATE t SET a = b",
                &[Fills],
            ),
        ],
    );
}

#[test]
fn blocks() {
    use Work::{Fills, Holds, LocksOut, LocksWrites, Scans};
    check(
        Dialect::Postgres,
        Servers::default(),
        &[
            (
                "DO $$ BEGIN CREATE INDEX i ON t (a); END $$",
                &[LocksWrites],
            ),
            (
                "DO $$ DECLARE n int; BEGIN SELECT 1 INTO n; IF n = 1 THEN ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0); ELSE LOCK TABLE u; END IF; END $$",
                &[Scans, LocksOut],
            ),
            (
                "DO $x$ BEGIN ALTER TABLE t ADD UNIQUE (a); EXCEPTION WHEN duplicate_object THEN UPDATE t SET a = b; END; $x$",
                &[LocksOut, Fills],
            ),
            (
                "DO 'BEGIN FOR i IN 1..3 LOOP UPDATE t SET a = b; END LOOP; END'",
                &[Fills],
            ),
            (
                "DO $$ BEGIN EXECUTE 'CREATE INDEX i ON t (a)'; END $$",
                &[LocksWrites],
            ),
            (
                "DO $$ BEGIN ALTER TABLE t ADD COLUMN a int; END $$; CREATE TABLE n AS SELECT * FROM u",
                &[Holds],
            ),
            // It waits for nobody, or for nobody else.
            (
                "DO $$ BEGIN ALTER TABLE t ADD COLUMN a int; EXCEPTION WHEN duplicate_column THEN NULL; END $$",
                &[],
            ),
            (
                "DO $$ BEGIN CREATE TABLE n (a int); CREATE INDEX i ON n (a); END $$",
                &[],
            ),
            ("DO $$ BEGIN UPDATE t SET a = b WHERE id = 7; END $$", &[]),
            (
                "DO $$ BEGIN RAISE NOTICE 'CREATE INDEX i ON t (a)'; END $$",
                &[],
            ),
        ],
    );
}

#[test]
fn rows_and_types() {
    use Work::{Fills, Holds, LocksWrites, Rewrites, Scans};
    check(
        Dialect::Postgres,
        Servers::default(),
        &[
            (
                "MERGE INTO t USING u ON u.id = t.id WHEN MATCHED THEN UPDATE SET a = u.a",
                &[Fills],
            ),
            (
                "MERGE INTO t USING u ON u.id = t.id WHEN NOT MATCHED THEN INSERT VALUES (u.id)",
                &[],
            ),
            ("SELECT * FROM t FOR UPDATE", &[LocksWrites]),
            ("SELECT * FROM t WHERE id = 1 FOR UPDATE", &[]),
            ("SELECT substring(a for 3) FROM t", &[]),
            ("SELECT * INTO n FROM t; CREATE INDEX i ON n (a)", &[]),
            ("ALTER TABLE u ADD a int; SELECT * INTO n FROM t", &[Holds]),
            (
                "CREATE POLICY p ON t USING (true); CREATE TABLE n AS SELECT * FROM u",
                &[Holds],
            ),
            (
                "DROP POLICY p ON t; CREATE TABLE n AS SELECT * FROM u",
                &[Holds],
            ),
            // A domain that another migration makes, and one of the same name that has no condition here.
            ("ALTER TABLE t ADD COLUMN a checked", &[Rewrites]),
            (
                "CREATE DOMAIN checked AS int; ALTER TABLE t ADD COLUMN a checked",
                &[],
            ),
            ("ALTER TABLE t ADD COLUMN a other", &[]),
            (
                "ALTER TABLE t ADD COLUMN a int DEFAULT NULL REFERENCES u (id)",
                &[Scans],
            ),
            ("ALTER DOMAIN d VALIDATE CONSTRAINT c", &[Scans]),
        ],
    );
}
