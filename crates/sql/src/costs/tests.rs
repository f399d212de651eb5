//! What costs something, and beside each what looks like it and does not.

use super::super::{Dialect, Script};
use super::*;

fn works_on(dialect: Dialect, servers: Servers, sql: &str) -> Vec<Work> {
    let script = Script::parse(dialect, sql).unwrap_or_else(|errors| panic!("{sql}: {errors:?}"));
    let known = Known {
        servers,
        before: &[],
        is_not_null: &|_, _| false,
    };
    let costs = script.costs(&known).into_iter().flatten();
    costs.map(|cost| cost.work).collect()
}

fn check(dialect: Dialect, servers: Servers, cases: &[(&str, &[Work])]) {
    let found = cases.iter().map(|(sql, _)| works_on(dialect, servers, sql));
    let wrong: Vec<_> = cases
        .iter()
        .zip(found)
        .filter(|((_, expected), found)| found != expected)
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

const BARE: &str = "-- migrate: no-transaction\n";

#[test]
fn postgres_indexes() {
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
fn postgres_columns() {
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
fn postgres_constraints_and_locks() {
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
fn postgres_locks_that_are_held() {
    use Work::{Fills, Holds, LocksWrites};
    check(
        Dialect::Postgres,
        Servers::default(),
        &[
            ("UPDATE t SET a = b", &[Fills]),
            ("UPDATE t SET a = 1 WHERE id = 7", &[]),
            ("UPDATE t SET a = 1 WHERE id = 7 OR b", &[Fills]),
            ("UPDATE t SET a = 1 WHERE name IN ('x', 'y')", &[]),
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
fn mysql_and_mariadb() {
    use Work::{Fills, LocksOut, LocksWrites, Rewrites, Scans};
    check(
        Dialect::Mysql,
        Servers::default(),
        &[
            ("ALTER TABLE t ADD COLUMN a int", &[]),
            (
                "ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 1 AFTER b",
                &[],
            ),
            (
                "ALTER TABLE t ADD COLUMN a datetime DEFAULT CURRENT_TIMESTAMP(6)",
                &[],
            ),
            ("ALTER TABLE t ADD COLUMN a int AS (b + 1) VIRTUAL", &[]),
            (
                "ALTER TABLE t ADD COLUMN a int AS (b + 1) STORED",
                &[Rewrites],
            ),
            (
                "ALTER TABLE t ADD COLUMN a char(36) DEFAULT (uuid())",
                &[Rewrites],
            ),
            (
                "ALTER TABLE t ADD COLUMN a int AUTO_INCREMENT UNIQUE",
                &[Rewrites],
            ),
            (
                "CREATE TABLE t (a int AUTO_INCREMENT PRIMARY KEY); ALTER TABLE t ADD b int AS (a + 1) STORED",
                &[],
            ),
            ("ALTER TABLE t DROP COLUMN a", &[]),
            ("ALTER TABLE t RENAME COLUMN a TO b", &[]),
            ("ALTER TABLE t MODIFY a varchar(400)", &[Rewrites]),
            (
                "ALTER TABLE t MODIFY a varchar(400), ALGORITHM=INPLACE, LOCK=NONE",
                &[],
            ),
            (
                "ALTER TABLE t MODIFY a varchar(400), ALGORITHM=INSTANT",
                &[],
            ),
            ("ALTER TABLE t MODIFY a varchar(400), LOCK=NONE", &[]),
            ("ALTER TABLE t CHANGE a b bigint", &[Rewrites]),
            ("ALTER TABLE t ALTER a SET DEFAULT 3", &[]),
            (
                "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4",
                &[Rewrites],
            ),
            (
                "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4, ALGORITHM=COPY",
                &[Rewrites],
            ),
            ("ALTER TABLE t DEFAULT CHARACTER SET utf8mb4", &[]),
            ("ALTER TABLE t COMMENT 'x', AUTO_INCREMENT = 10", &[]),
            ("ALTER TABLE t ENGINE=InnoDB", &[Rewrites]),
            ("ALTER TABLE t FORCE, ALGORITHM=INPLACE, LOCK=NONE", &[]),
            ("OPTIMIZE TABLE t", &[Rewrites]),
            ("ALTER TABLE t ADD INDEX i (a)", &[]),
            (
                "ALTER TABLE t ADD COLUMN a int, ADD INDEX i (a)",
                &[Rewrites],
            ),
            ("ALTER TABLE t DROP INDEX i, DROP COLUMN a", &[]),
            ("CREATE INDEX i ON t (a)", &[]),
            ("CREATE UNIQUE INDEX i ON t (a) LOCK=NONE", &[]),
            ("CREATE INDEX i ON t (a) ALGORITHM=COPY", &[Rewrites]),
            ("ALTER TABLE t ADD INDEX i (a), LOCK=EXCLUSIVE", &[LocksOut]),
            ("ALTER TABLE t ADD INDEX i (a), LOCK=SHARED", &[LocksWrites]),
            ("CREATE FULLTEXT INDEX i ON t (a)", &[Rewrites]),
            ("CREATE SPATIAL INDEX i ON t (a)", &[LocksWrites]),
            (
                "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES u (id)",
                &[Scans],
            ),
            ("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0)", &[Scans]),
            ("ALTER TABLE t DROP FOREIGN KEY f", &[]),
            ("ALTER TABLE t DROP PRIMARY KEY", &[Rewrites]),
            (
                "ALTER TABLE t DROP PRIMARY KEY, ADD PRIMARY KEY (a, b)",
                &[Rewrites],
            ),
            (
                "ALTER TABLE t PARTITION BY HASH (id) PARTITIONS 4",
                &[Rewrites],
            ),
            ("UPDATE t SET a = b", &[Fills]),
            ("UPDATE t SET a = b WHERE id = 3", &[]),
            (
                "CREATE TABLE n (a int); INSERT INTO n SELECT a FROM t",
                &[Fills],
            ),
            ("CREATE TABLE n (a int); INSERT INTO n VALUES (1)", &[]),
            ("INSERT INTO n SELECT 1 FROM DUAL", &[]),
            (
                "INSERT INTO n WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 9) SELECT i FROM c",
                &[],
            ),
            (
                "INSERT INTO n SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a int PATH '$')) AS j",
                &[],
            ),
        ],
    );
    let mariadb = Servers {
        mariadb: Some(Release::new(10, 11, 0)),
        ..Servers::default()
    };
    let old_mysql = Servers {
        mysql: Some(Release::new(8, 0, 20)),
        ..Servers::default()
    };
    for (servers, sql, expected) in [
        (
            mariadb,
            "ALTER TABLE t ADD COLUMN a int DEFAULT (1 + 1)",
            &[][..],
        ),
        (mariadb, "ALTER TABLE t ADD COLUMN a int CHECK (a > 0)", &[]),
        (
            mariadb,
            "ALTER TABLE t ADD COLUMN a int REFERENCES u (id)",
            &[Scans],
        ),
        (
            old_mysql,
            "ALTER TABLE t ADD COLUMN a int REFERENCES u (id)",
            &[],
        ),
        (old_mysql, "ALTER TABLE t DROP COLUMN a", &[Rewrites]),
        (
            old_mysql,
            "ALTER TABLE t ADD COLUMN a int FIRST",
            &[Rewrites],
        ),
        (old_mysql, "ALTER TABLE t ADD COLUMN a int", &[]),
    ] {
        assert_eq!(works_on(Dialect::Mysql, servers, sql), expected, "{sql}");
    }
}

#[test]
fn sqlite() {
    use Work::{Fills, LocksWrites, Rewrites, Scans};
    check(
        Dialect::Sqlite,
        Servers::default(),
        &[
            ("ALTER TABLE t ADD COLUMN a int", &[]),
            ("ALTER TABLE t ADD COLUMN a int CHECK (a > 0)", &[Scans]),
            ("ALTER TABLE t DROP COLUMN a", &[Rewrites]),
            ("ALTER TABLE t RENAME COLUMN a TO b", &[]),
            ("CREATE INDEX i ON t (a)", &[LocksWrites]),
            ("CREATE TABLE t (a int); CREATE INDEX i ON t (a)", &[]),
            ("UPDATE t SET a = b", &[Fills]),
            ("UPDATE t SET a = b WHERE id = 1", &[]),
            (
                "CREATE TABLE n (a int); INSERT INTO n SELECT a FROM t",
                &[Fills],
            ),
            ("CREATE TABLE n (a int); INSERT INTO n VALUES (1)", &[]),
            (
                "WITH c AS (SELECT 1 AS i) INSERT INTO n SELECT i FROM c",
                &[],
            ),
            ("INSERT INTO n SELECT value FROM generate_series(1, 9)", &[]),
        ],
    );
    // What has no other form is worth a word only where the table is large.
    let script = Script::parse(
        Dialect::Sqlite,
        "CREATE INDEX i ON t (a); UPDATE t SET a = b",
    )
    .unwrap();
    let known = Known {
        servers: Servers::default(),
        before: &[],
        is_not_null: &|_, _| false,
    };
    let weights: Vec<Weight> = script
        .costs(&known)
        .into_iter()
        .flatten()
        .map(|cost| cost.weight)
        .collect();
    assert_eq!(weights, [Weight::IfLarge, Weight::Avoidable]);
}
