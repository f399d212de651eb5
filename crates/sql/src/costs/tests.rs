//! What costs something, and beside each what looks like it and does not.

mod postgres;

use super::super::{Dialect, Script};
use super::*;

fn works_on(dialect: Dialect, servers: Servers, sql: &str) -> Vec<Work> {
    let script = Script::parse(dialect, sql).unwrap_or_else(|errors| panic!("{sql}: {errors:?}"));
    let known = Known {
        servers,
        before: &[],
        is_not_null: &|_, _| false,
        is_key: &|_, column| column == "id",
        domain: &|name| (name == "checked").then_some(DomainChecks::EachValue),
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
                "WITH q AS (SELECT id FROM u) UPDATE t JOIN q ON q.id = t.id SET t.a = 1",
                &[Fills],
            ),
            ("DROP INDEX i ON t", &[]),
            ("DROP INDEX i ON t ALGORITHM=COPY", &[Rewrites]),
            ("DROP INDEX i ON t LOCK=EXCLUSIVE", &[LocksOut]),
            (
                "ALTER TABLE t ADD PARTITION (PARTITION p VALUES LESS THAN (3))",
                &[],
            ),
            ("ALTER TABLE t ADD PARTITION PARTITIONS 2", &[Rewrites]),
            ("ALTER TABLE t ADD PARTITION (PARTITION p)", &[Rewrites]),
            ("ALTER TABLE t REBUILD PARTITION p", &[Rewrites]),
            ("ALTER TABLE t ANALYZE PARTITION p", &[]),
            ("ALTER TABLE t PAGE_COMPRESSED=1", &[Rewrites]),
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
        (
            mariadb,
            "ALTER TABLE t ADD COLUMN a date DEFAULT (curdate())",
            &[],
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
            ("WITH c AS (SELECT 1) UPDATE t SET a = b", &[Fills]),
            ("CREATE TABLE n AS SELECT * FROM t", &[Fills]),
            ("CREATE TABLE n AS SELECT 1 AS a", &[]),
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
        is_key: &|_, column| column == "id",
        domain: &|name| (name == "checked").then_some(DomainChecks::EachValue),
    };
    let weights: Vec<Weight> = script
        .costs(&known)
        .into_iter()
        .flatten()
        .map(|cost| cost.weight)
        .collect();
    assert_eq!(weights, [Weight::IfLarge, Weight::Avoidable]);
}
