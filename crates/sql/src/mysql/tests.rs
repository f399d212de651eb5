use super::super::tests::{check, effects_of, parse};
use super::super::{Dialect, Mode, ObjectKind, Script, Verb, backfill_statement, single_select};

#[test]
fn one_statement() {
    check(
        Dialect::Mysql,
        &[
            (
                "CREATE TABLE t (id BIGINT AUTO_INCREMENT PRIMARY KEY, email VARCHAR(9) NOT NULL UNIQUE) ENGINE=InnoDB",
                "additive outside",
            ),
            (
                "CREATE OR REPLACE TABLE t (id INT)",
                "destructive replaces the table outside",
            ),
            ("CREATE TABLE t AS SELECT * FROM u", "additive outside"),
            (
                "CREATE TABLE t AS SELECT do_it(a) FROM u",
                "unknown do_it outside",
            ),
            ("CREATE TEMPORARY TABLE t (id INT)", "session outside"),
            (
                "CREATE INDEX i ON t (a) ALGORITHM=INPLACE LOCK=NONE",
                "additive outside",
            ),
            (
                "CREATE UNIQUE INDEX i ON t (a)",
                "destructive duplicates outside",
            ),
            ("CREATE FULLTEXT INDEX i ON t (a)", "additive outside"),
            ("CREATE VIEW v AS SELECT 1", "additive outside"),
            (
                "CREATE OR REPLACE ALGORITHM=MERGE DEFINER=`a`@`%` SQL SECURITY INVOKER VIEW v AS SELECT 1",
                "destructive replaces the view `v` outside",
            ),
            (
                "CREATE DEFINER='a'@'10.0.%' TRIGGER g BEFORE UPDATE ON t FOR EACH ROW SET NEW.a = 1",
                "additive outside",
            ),
            (
                "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t",
                "destructive has an event that deletes rows of `t` outside",
            ),
            ("CREATE USER x", "additive outside"),
            (
                "ALTER TABLE t ADD COLUMN a TEXT, ALGORITHM=INSTANT",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a INT NOT NULL DEFAULT 0 AFTER b",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a INT NOT NULL",
                "destructive NOT NULL outside",
            ),
            (
                "ALTER TABLE t ADD a INT NOT NULL DEFAULT NULL",
                "destructive NOT NULL outside",
            ),
            (
                "ALTER TABLE t ADD (a INT, b INT NOT NULL)",
                "destructive `b` as NOT NULL outside",
            ),
            (
                "ALTER TABLE t ADD a INT AS (b + 1) STORED",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a INT CHECK (a > c)",
                "destructive CHECK outside",
            ),
            (
                "ALTER TABLE t ADD a INT UNIQUE DEFAULT 1",
                "destructive UNIQUE outside",
            ),
            (
                "ALTER TABLE t ADD INDEX i (a, b), ADD KEY j (c)",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD CONSTRAINT c UNIQUE (a)",
                "destructive UNIQUE outside",
            ),
            (
                "ALTER TABLE t ADD CONSTRAINT FOREIGN KEY f (a) REFERENCES u (b)",
                "destructive foreign outside",
            ),
            (
                "ALTER TABLE t ADD COLUMN a INT, DROP b",
                "destructive drops the column `b` outside",
            ),
            (
                "ALTER TABLE t ADD COLUMN a INT, DROP b, ENGINE=MyISAM",
                "unknown outside",
            ),
            (
                "ALTER TABLE t DROP INDEX i",
                "destructive drops the index `i` outside",
            ),
            (
                "ALTER TABLE t DROP FOREIGN KEY f",
                "destructive drops the constraint `f` outside",
            ),
            (
                "ALTER TABLE t MODIFY a BIGINT NOT NULL",
                "destructive changes the column `a` outside",
            ),
            (
                "ALTER TABLE t CHANGE a b BIGINT",
                "destructive renames the column `a` outside",
            ),
            (
                "ALTER TABLE t CHANGE COLUMN a A BIGINT",
                "destructive changes the column `a` outside",
            ),
            (
                "ALTER TABLE t RENAME COLUMN a TO b",
                "destructive renames the column `a` outside",
            ),
            (
                "ALTER TABLE t RENAME TO u",
                "destructive renames the table `t` outside",
            ),
            ("ALTER TABLE t ALTER a SET DEFAULT 1", "additive outside"),
            (
                "ALTER TABLE t ALTER a DROP DEFAULT",
                "destructive default outside",
            ),
            (
                "ALTER TABLE t ALTER INDEX i INVISIBLE",
                "destructive hides the index `i` outside",
            ),
            (
                "ALTER TABLE t ALTER INDEX i IGNORED",
                "destructive hides the index `i` outside",
            ),
            ("ALTER TABLE t ALTER INDEX i VISIBLE", "additive outside"),
            ("ALTER TABLE t COMMENT = 'x'", "additive outside"),
            ("ALTER TABLE t COMMENT 'x'", "additive outside"),
            (
                "ALTER TABLE t CONVERT TO CHARACTER SET utf8mb4",
                "unknown outside",
            ),
            ("ALTER TABLE t PARTITION BY HASH (a)", "unknown outside"),
            ("ALTER IGNORE TABLE t ADD UNIQUE (a)", "destructive outside"),
            (
                "DROP TABLE IF EXISTS a, b.c",
                "destructive drops the table `a`, `c` outside",
            ),
            (
                "DROP INDEX i ON t",
                "destructive drops the index `i` outside",
            ),
            (
                "DROP TRIGGER IF EXISTS g",
                "destructive drops the trigger `g` outside",
            ),
            (
                "RENAME TABLE a TO b, c TO a",
                "destructive renames the table `a`, `c` outside",
            ),
            ("TRUNCATE t", "destructive every row of `t` outside"),
            ("INSERT INTO t VALUES (1)", "data"),
            (
                "INSERT INTO t SELECT * FROM u ON DUPLICATE KEY UPDATE a = 1",
                "destructive changes rows of `t`",
            ),
            ("REPLACE INTO t VALUES (1)", "destructive deletes rows"),
            (
                "UPDATE t SET a = CONCAT(b, 'x') WHERE c",
                "destructive changes rows of `t`",
            ),
            (
                "WITH x AS (SELECT 1) UPDATE t SET a = 1",
                "destructive changes rows",
            ),
            (
                "DELETE FROM t WHERE a = 1",
                "destructive deletes rows of `t`",
            ),
            ("DELETE a FROM a JOIN b", "destructive deletes rows"),
            (
                "SELECT count(*), lower(a) FROM t WHERE a IN (1)",
                "additive",
            ),
            ("SELECT do_it(a) FROM t", "unknown `do_it`"),
            ("SELECT a INTO OUTFILE '/tmp/x' FROM t", "unknown INTO"),
            ("SELECT @a := 1", "unknown variable"),
            ("SELECT 1 FOR UPDATE", "unknown locks"),
            ("SELECT GET_LOCK('x', 1)", "unknown get_lock"),
            ("ANALYZE TABLE t", "additive outside"),
            ("ANALYZE UPDATE t SET a = 1", "unknown outside"),
            ("SHOW TABLES", "additive"),
            ("EXPLAIN SELECT 1", "additive"),
            ("SET @a = 1", "session SET @a"),
            ("SET SESSION sql_mode = ''", "session SET sql_mode"),
            ("SET NAMES utf8", "session SET NAMES"),
            ("SET autocommit = 0", "transaction"),
            ("USE shop", "session USE"),
            ("START TRANSACTION", "transaction START"),
            ("BEGIN", "transaction BEGIN"),
            ("BEGIN NOT ATOMIC DROP TABLE t; END", "unknown outside"),
            ("COMMIT", "transaction COMMIT"),
            ("LOCK TABLES t WRITE", "transaction LOCK"),
            ("GRANT SELECT ON t TO x", "additive outside"),
            ("CALL p()", "unknown CALL outside"),
            ("LOAD DATA INFILE 'x' INTO TABLE t", "unknown LOAD outside"),
            (
                "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='' */",
                "session SET @OLD_SQL_MODE",
            ),
            ("/*!40101 SET NAMES utf8mb4 */", "session SET NAMES"),
            ("/*M! SET NAMES utf8 */", "session SET NAMES"),
            (
                "/*!40101 SET @a = 1 */ DROP TABLE t",
                "unknown comment that the server runs outside",
            ),
            (
                "/*!40101 SET @a = 1; DROP TABLE t */",
                "unknown comment that the server runs outside",
            ),
            (
                "/*!40101 SET autocommit = 0 */",
                "unknown comment that the server runs outside",
            ),
            (
                "/*!40101 DROP TABLE t */",
                "unknown comment that the server runs outside",
            ),
            (
                "CREATE TABLE t (id INT) /*M! x */",
                "unknown comment that the server runs outside",
            ),
            ("HOLD ON", "unknown HOLD outside"),
        ],
    );
}

#[test]
fn bodies_need_no_delimiter() {
    let text = "\
CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW SET NEW.x = IF(NEW.y, CASE WHEN 1 THEN 2 ELSE 3 END, 4);
CREATE TRIGGER b BEFORE INSERT ON t FOR EACH ROW FOLLOWS a
IF NEW.x IS NULL THEN
  SET NEW.x = 1;
ELSEIF NEW.y THEN
  BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN SET @x = 1; END; SET NEW.y = 2; END;
ELSE IF (NEW.z) THEN SET NEW.z = 3; END IF;
END IF;
CREATE PROCEDURE p(IN a SET('x', 'y'), OUT b INT) COMMENT 'if; begin' DETERMINISTIC
top: BEGIN
  DECLARE done INT DEFAULT FALSE;
  DECLARE c CURSOR FOR SELECT id FROM t FOR UPDATE;
  DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = TRUE;
  rows_of_t: LOOP
    FETCH c INTO b;
    IF done THEN LEAVE rows_of_t; END IF;
    CASE a WHEN 'x' THEN SELECT 1; ELSE BEGIN END; END CASE;
    SELECT CASE a WHEN 1 THEN REPEAT('x', 2) END, t.begin, t.end FROM t;
  END LOOP rows_of_t;
  WHILE b > 0 DO SET b = b - 1; END WHILE;
  REPEAT SET b = b + 1; UNTIL b > 3 END REPEAT;
  FOR i IN 1..10 DO SELECT i; END FOR;
END top;
CREATE FUNCTION f(a INT) RETURNS VARCHAR(9) CHARACTER SET utf8mb4 RETURN IF(a, 'b;', 'c');
CREATE OR REPLACE DEFINER = root@localhost EVENT e ON SCHEDULE EVERY 1 DAY DO BEGIN DELETE FROM t; END;
BEGIN NOT ATOMIC SELECT 1; SELECT 2; END;
SELECT 1";
    let script = parse(Dialect::Mysql, text);
    let beginnings: Vec<String> = script
        .statements
        .iter()
        .map(|statement| {
            let words: Vec<&str> = statement.text.split_whitespace().take(3).collect();
            words.join(" ")
        })
        .collect();
    assert_eq!(
        beginnings,
        [
            "CREATE TRIGGER a",
            "CREATE TRIGGER b",
            "CREATE PROCEDURE p(IN",
            "CREATE FUNCTION f(a",
            "CREATE OR REPLACE",
            "BEGIN NOT ATOMIC",
            "SELECT 1"
        ]
    );
    assert!(script.statements[1].text.ends_with("END IF"));
    assert!(script.statements[2].text.ends_with("END top"));
}

#[test]
fn a_body_that_is_not_closed_and_other_traps() {
    for (text, expected) in [
        (
            "CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW BEGIN SET NEW.x = 1;\nSELECT 2;",
            "never closed",
        ),
        ("DELIMITER //\nSELECT 1//", "DELIMITER"),
        (
            "SOURCE other.sql;",
            "SOURCE is a command of the mysql client",
        ),
        (
            "source other.sql\nCREATE TABLE t (id int);",
            "SOURCE is a command",
        ),
        (
            "\\. other.sql\nCREATE TABLE t (id int);",
            "\\. is a command",
        ),
        ("\\u shop\n", "\\u is a command"),
        ("SELECT 1\\G\n", "\\G is a command"),
        ("system ls;", "SYSTEM is a command"),
        (
            "LOAD DATA LOCAL INFILE 'x' INTO TABLE t;",
            "takes its rows from a file",
        ),
        ("UPDATE t SET a = b || 'x'", "`||` means OR"),
        ("SELECT 'it\\';", "quote is never closed"),
        ("SELECT 1 /* x", "comment is never closed"),
        ("SELECT ?", "parameter"),
    ] {
        let errors = Script::parse(Dialect::Mysql, text).expect_err(text);
        assert!(errors[0].message.contains(expected), "{text}: {errors:?}");
    }
    // Not a comment without a blank, and `#` is one.
    let script = parse(
        Dialect::Mysql,
        "SELECT 5--1; # x;\nSELECT 'a\\';b', \"c;\\\"\", `d;`` `;",
    );
    assert_eq!(script.statements.len(), 2);
}

#[test]
fn a_script_that_changes_the_schema_runs_statement_by_statement() {
    let mode = |text| parse(Dialect::Mysql, text).mode;
    assert_eq!(
        mode("UPDATE t SET a = 1; DELETE FROM t"),
        Mode::Transactional
    );
    assert_eq!(
        mode("UPDATE t SET a = 1; DROP TABLE t"),
        Mode::NoTransaction
    );
    // Between these two nobody keeps the formats in step.
    let replaced = "DROP TRIGGER g; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1";
    assert_eq!(effects_of(Dialect::Mysql, replaced), "da");
    assert_eq!(
        effects_of(Dialect::Mysql, "CREATE TABLE n (a INT); DROP TABLE n"),
        "aa"
    );
}

#[test]
fn objects() {
    let objects = |sql: &str| {
        let script = parse(Dialect::Mysql, sql);
        let statement = script.statements.first().cloned();
        let statement = statement.expect("one statement");
        statement
            .objects()
            .map(|object| {
                (
                    object.kind,
                    object.verb,
                    object.name.clone(),
                    object.table.clone().unwrap_or_default(),
                    object.renamed_to.clone().unwrap_or_default(),
                )
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(
        objects("ALTER TABLE `ta``ble` ADD COLUMN a INT, DROP KEY i, CHANGE b c INT, MODIFY d INT"),
        [
            (
                ObjectKind::Column,
                Verb::Create,
                "a".into(),
                "ta`ble".into(),
                String::new()
            ),
            (
                ObjectKind::Index,
                Verb::Drop,
                "i".into(),
                "ta`ble".into(),
                String::new()
            ),
            (
                ObjectKind::Column,
                Verb::Rename,
                "b".into(),
                "ta`ble".into(),
                "c".into()
            ),
            (
                ObjectKind::Column,
                Verb::Alter,
                "d".into(),
                "ta`ble".into(),
                String::new()
            ),
        ]
    );
    assert_eq!(
        objects("RENAME TABLE a TO b, c TO a"),
        [
            (
                ObjectKind::Table,
                Verb::Rename,
                "a".into(),
                String::new(),
                "b".into()
            ),
            (
                ObjectKind::Table,
                Verb::Rename,
                "c".into(),
                String::new(),
                "a".into()
            ),
        ]
    );
}

#[test]
fn queries_of_the_manifest() {
    let good =
        "SELECT count(*) FROM t WHERE a IS NULL AND JSON_VALUE(b, '$.c') IN (SELECT d FROM e)";
    assert_eq!(single_select(Dialect::Mysql, good), Ok(()));
    for sql in [
        "UPDATE t SET a = CONCAT(b, 'x') WHERE id > :after AND id <= :upto",
        "INSERT INTO n SELECT * FROM t WHERE id > :after AND id <= :upto ON DUPLICATE KEY UPDATE a = 1",
    ] {
        let found = backfill_statement(Dialect::Mysql, sql, None);
        assert!(found.is_ok(), "{sql}: {found:?}");
    }
    for sql in [
        "DELETE FROM t WHERE id > :after AND id <= :upto",
        "REPLACE INTO n SELECT * FROM t WHERE id > :after AND id <= :upto",
        "INSERT INTO n SELECT * FROM t WHERE id > :after AND id <= :upto",
        "INSERT IGNORE INTO n SELECT * FROM t WHERE id > :after AND id <= :upto",
        "UPDATE IGNORE t SET a = b WHERE id > :after AND id <= :upto",
        "ALTER TABLE t ADD a INT",
    ] {
        assert!(
            backfill_statement(Dialect::Mysql, sql, None).is_err(),
            "{sql}"
        );
    }
}

#[test]
fn new_columns_that_may_not_satisfy_their_own_constraints() {
    check(
        Dialect::Mysql,
        &[
            (
                "ALTER TABLE t ADD a INT GENERATED ALWAYS AS (b + 1) VIRTUAL",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a INT AS (b + 1) STORED UNIQUE",
                "destructive UNIQUE outside",
            ),
            (
                "ALTER TABLE t ADD a INT AS (b + 1) STORED UNIQUE KEY",
                "destructive UNIQUE outside",
            ),
            (
                "ALTER TABLE t ADD a TEXT AS (COALESCE(b, '')) STORED NOT NULL",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a TEXT AS (COALESCE(b, c)) STORED NOT NULL",
                "destructive NOT NULL outside",
            ),
            (
                "ALTER TABLE t ADD a INT AS (b + 1) STORED NOT NULL",
                "destructive NOT NULL outside",
            ),
            (
                "ALTER TABLE t ADD a INT AS (b + 1) VIRTUAL CHECK (a > 0)",
                "destructive CHECK outside",
            ),
            (
                "ALTER TABLE t ADD a BIGINT REFERENCES u (id)",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a BIGINT DEFAULT 7 REFERENCES u (id)",
                "destructive foreign key outside",
            ),
            (
                "ALTER TABLE t ADD a INT DEFAULT 7 CHECK (a > 10)",
                "destructive CHECK outside",
            ),
            (
                "ALTER TABLE t ADD a INT NOT NULL DEFAULT 7 CHECK (`a` > 0) AFTER b",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a VARCHAR(9) NOT NULL DEFAULT 'b' CHECK (a in ('c', 'b'))",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a BIGINT NOT NULL AUTO_INCREMENT UNIQUE",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP",
                "additive outside",
            ),
        ],
    );
}

#[test]
fn checks_that_refuse_null() {
    check(
        Dialect::Mysql,
        &[
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (a > 0)",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (a IS NULL OR a > 0)",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK ((a > 1) IS NOT FALSE)",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (NOT (a > 5))",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (a NOT IN (1, 2))",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK ((a > 1) IS TRUE)",
                "destructive CHECK outside",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK ((a > 1) IS FALSE)",
                "destructive CHECK outside",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (NOT (a IS NULL))",
                "destructive CHECK outside",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (NOT a IS NULL)",
                "destructive CHECK outside",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK ((a IS NULL) = false)",
                "destructive CHECK outside",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (coalesce(a, 0) > 0)",
                "destructive CHECK outside",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (a <=> 5)",
                "destructive CHECK outside",
            ),
            (
                "ALTER TABLE t ADD COLUMN a int CHECK (!(a IS NULL))",
                "destructive CHECK outside",
            ),
        ],
    );
}

#[test]
fn expressions_that_may_fail() {
    check(
        Dialect::Mysql,
        &[
            (
                "ALTER TABLE t ADD a VARCHAR(255) AS (json_extract(email, '$.a')) STORED",
                "destructive may fail outside",
            ),
            (
                "ALTER TABLE t ADD a VARCHAR(255) AS (IF(json_valid(email), json_extract(email, '$.a'), NULL)) STORED",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a VARCHAR(3) AS (full_name) STORED",
                "destructive may fail outside",
            ),
            (
                "ALTER TABLE t ADD a INT AS (full_name) PERSISTENT",
                "destructive may fail outside",
            ),
            (
                "ALTER TABLE t ADD a VARCHAR(3) AS (lower(full_name)) STORED",
                "destructive may fail outside",
            ),
            (
                "ALTER TABLE t ADD a VARCHAR(3) AS (left(full_name, 3)) STORED",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a CHAR(32) AS (md5(email)) STORED",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a VARCHAR(255) AS (lower(email)) STORED",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a TEXT AS (full_name) STORED",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a VARCHAR(3) AS (full_name) VIRTUAL",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a VARCHAR(3) DEFAULT (full_name)",
                "destructive default outside",
            ),
            (
                "ALTER TABLE t ADD a INT DEFAULT (`b` + 1)",
                "destructive default outside",
            ),
            (
                "ALTER TABLE t ADD a TEXT DEFAULT (full_name)",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a CHAR(36) NOT NULL DEFAULT (uuid())",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a DATETIME NOT NULL DEFAULT (CURRENT_TIMESTAMP + INTERVAL 1 DAY)",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a JSON NOT NULL DEFAULT (json_array())",
                "additive outside",
            ),
            (
                "ALTER TABLE t ADD a INT NOT NULL DEFAULT (7)",
                "additive outside",
            ),
        ],
    );
}
