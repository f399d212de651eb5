//! What is decided for every kind of statement that may lose data without a word, or keep a live version's statement from
//! working: what it is in an expand, and whether any other script needs an allowance for it as well.

mod mysql;
mod postgres;
mod sqlite;

use super::tests::parse;
use super::{Dialect, Effect};

/// Statement; `additive`, `data`, `breaks`, `unknown` or `never` in an expand; `silent` where it needs an allowance in
/// every other script as well, and is refused in a backfill; `rows` where it needs one in a contract and a revert, as what
/// is `unknown` does.
type Decided<'a> = (&'a str, &'a str, &'a str);

#[test]
fn every_kind_of_statement_is_decided() {
    let mut wrong = Vec::new();
    for (dialect, table) in [
        (Dialect::Postgres, postgres::STATEMENTS),
        (Dialect::Sqlite, sqlite::STATEMENTS),
        (Dialect::Mysql, mysql::STATEMENTS),
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
            let silent = match (&statement.hazard, &statement.loses) {
                (Some(_), _) => "silent",
                (None, Some(_)) => "rows",
                (None, None) => "",
            };
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

/// What stands in those of the statements below that lose rows or values.
const LOSING: &[&str] = &["DELETE", "TRUNCATE", "REPLACE", "DUPLICATE"];

/// Statements that mean something else after others of the same script.
#[test]
fn what_stands_before_a_statement_may_change_it() {
    for (dialect, sql, is_fine) in [
        (
            Dialect::Postgres,
            "CREATE TABLE users (a int); DELETE FROM users",
            true,
        ),
        // It is in another schema by then.
        (
            Dialect::Postgres,
            "CREATE TABLE users (a int); SET LOCAL search_path = public; DELETE FROM users",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE app.users (a int); SET LOCAL search_path = public; DELETE FROM app.users",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE t (a int); SET LOCAL ROLE x; DELETE FROM t",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE TEMP TABLE users (a int) ON COMMIT DROP; DROP TABLE users; DELETE FROM users",
            false,
        ),
        // There are no rows for which a function could run.
        (
            Dialect::Postgres,
            "CREATE TABLE t (a int); ALTER TABLE t ADD COLUMN b int DEFAULT purge()",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE t (a int); CREATE INDEX i ON t (purge(a))",
            true,
        ),
        (
            Dialect::Postgres,
            "ALTER TABLE t ADD COLUMN b int; ALTER TABLE t ALTER b SET DEFAULT purge()",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE VIEW v AS SELECT 1; CREATE TRIGGER g INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f()",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE n (a int); WITH x AS (DELETE FROM users RETURNING a) DELETE FROM n",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE n (a int) INHERITS (users); DELETE FROM n",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE FOREIGN TABLE n (a int) SERVER s; DELETE FROM n",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE VIEW v AS SELECT * FROM users; WITH x AS (DELETE FROM v RETURNING a) SELECT a FROM x",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE VIEW v AS SELECT * FROM users; TRUNCATE users",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE VIEW v AS SELECT * FROM users; ALTER VIEW v RENAME TO w; DELETE FROM w",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE VIEW app.v AS SELECT * FROM users; DELETE FROM app.v",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE n (a int); CREATE VIEW app.v AS SELECT * FROM n WHERE a > 1; DELETE FROM app.v",
            true,
        ),
        (
            Dialect::Postgres,
            "ALTER TABLE t ADD COLUMN a int; ALTER TABLE t ALTER a SET DEFAULT NULL",
            true,
        ),
        (
            Dialect::Postgres,
            "ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT 1; ALTER TABLE t ALTER a SET DEFAULT NULL",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE n (a int); ALTER TABLE n ALTER a SET DEFAULT NULL",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE n (a int); ALTER TABLE n ENABLE TRIGGER ALL",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t ENABLE ALWAYS TRIGGER g",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t ENABLE TRIGGER h",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t ENABLE TRIGGER ALL",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE u ENABLE TRIGGER g",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE TRIGGER g AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); ALTER TABLE t ENABLE TRIGGER g, DISABLE TRIGGER h",
            false,
        ),
        (
            Dialect::Mysql,
            "ALTER TABLE t ADD COLUMN a INT; ALTER TABLE t ALTER a SET DEFAULT NULL",
            true,
        ),
        (
            Dialect::Mysql,
            "ALTER TABLE t ALTER COLUMN a SET DEFAULT NULL",
            false,
        ),
        (
            Dialect::Mysql,
            "ALTER TABLE t ADD b INT, ALTER a SET DEFAULT (NULL)",
            false,
        ),
        (Dialect::Mysql, "ALTER TABLE t ALTER a SET DEFAULT 7", true),
        (
            Dialect::Mysql,
            "ALTER TABLE t ADD a INT NOT NULL DEFAULT (NULL)",
            false,
        ),
        (
            Dialect::Mysql,
            "CREATE TABLE m (a INT) ENGINE=MERGE UNION=(users); DELETE FROM m",
            false,
        ),
        (
            Dialect::Mysql,
            "CREATE TABLE m (a INT) ENGINE MRG_MyISAM UNION (users); DELETE FROM m",
            false,
        ),
        (
            Dialect::Mysql,
            "CREATE TABLE m (a INT) ENGINE=InnoDB; DELETE FROM m",
            true,
        ),
        (
            Dialect::Mysql,
            "CREATE VIEW v AS SELECT * FROM users; REPLACE INTO v VALUES (1)",
            false,
        ),
        (
            Dialect::Mysql,
            "CREATE VIEW v AS SELECT * FROM users; INSERT INTO v VALUES (1) ON DUPLICATE KEY UPDATE a = 2",
            false,
        ),
        (
            Dialect::Mysql,
            "CREATE VIEW v AS SELECT * FROM users; DELETE v FROM v JOIN o ON o.id = v.id",
            false,
        ),
        (
            Dialect::Mysql,
            "CREATE TABLE t (a INT); CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO DELETE FROM t WHERE a < 1",
            true,
        ),
    ] {
        let script = parse(dialect, sql);
        let statement = script.statements.last().unwrap();
        let fine = matches!(statement.effect, Effect::Additive | Effect::Data);
        assert_eq!(fine, is_fine, "{sql}: {:?}", statement.effect);
        assert_eq!(
            statement.loses.is_none(),
            is_fine || !LOSING.iter().any(|word| sql.contains(word)),
            "{sql}"
        );
    }
}

/// Code of the script does what it does in the script as well, as soon as a statement has it run.
#[test]
fn a_statement_does_what_the_scripts_own_code_does() {
    for (dialect, sql, is_fine) in [
        // Each column that is written counts, whatever stands between them.
        (
            Dialect::Sqlite,
            "ALTER TABLE users ADD COLUMN b; CREATE TABLE n (a int); CREATE TRIGGER t AFTER INSERT ON n BEGIN UPDATE users SET b = 1, a = 2; END; INSERT INTO n VALUES (1)",
            false,
        ),
        (
            Dialect::Postgres,
            "ALTER TABLE users ADD COLUMN b text; CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN UPDATE users SET b = 'x', a = 'y'; RETURN 1; END $$; CREATE TABLE q (a int DEFAULT f()); INSERT INTO q DEFAULT VALUES",
            false,
        ),
        (
            Dialect::Postgres,
            "ALTER TABLE users ADD COLUMN b text; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'UPDATE users SET b = ''x'' RETURNING 1'; CREATE TABLE q (a int DEFAULT f()); INSERT INTO q DEFAULT VALUES",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'DROP TABLE users; SELECT 1'; CREATE TABLE q (a int DEFAULT f()); INSERT INTO q DEFAULT VALUES",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ALTER TABLE users DROP COLUMN a; RETURN NEW; END $$; CREATE TABLE q (a int); CREATE TRIGGER t BEFORE INSERT ON q FOR EACH ROW EXECUTE FUNCTION f(); INSERT INTO q VALUES (1)",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN drop  index if exists users_a; RETURN 1; END $$; CREATE VIEW q AS SELECT f(); SELECT * FROM q",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN TRUNCATE users; RETURN 1; END $$; CREATE TABLE q (a int DEFAULT f()); INSERT INTO q DEFAULT VALUES",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DROP TABLE q2; RETURN 1; END $$; CREATE TABLE q2 (a int); CREATE TABLE q (a int DEFAULT f()); INSERT INTO q DEFAULT VALUES",
            true,
        ),
        (
            Dialect::Sqlite,
            "CREATE TABLE n (a int); CREATE TRIGGER t AFTER INSERT ON n BEGIN DELETE FROM users; END; INSERT INTO n VALUES (1)",
            false,
        ),
        (
            Dialect::Sqlite,
            "CREATE TABLE n (a int); CREATE TRIGGER t AFTER INSERT ON \"n\" BEGIN UPDATE users SET a = 1; END; INSERT INTO n VALUES (1)",
            false,
        ),
        (
            Dialect::Sqlite,
            "CREATE TABLE n (a int); CREATE TRIGGER t AFTER INSERT ON n BEGIN INSERT INTO log VALUES (1) ON CONFLICT (a) DO UPDATE SET a = 2; END; INSERT INTO n VALUES (1)",
            false,
        ),
        (
            Dialect::Sqlite,
            "CREATE VIEW v AS SELECT * FROM users; CREATE TRIGGER t INSTEAD OF DELETE ON v BEGIN DELETE FROM users; END; DELETE FROM v",
            false,
        ),
        (
            Dialect::Sqlite,
            "CREATE TABLE n (a int); CREATE VIEW v AS SELECT * FROM n; CREATE TRIGGER t INSTEAD OF DELETE ON v BEGIN DELETE FROM users; END; DELETE FROM v",
            false,
        ),
        (
            Dialect::Sqlite,
            "CREATE TABLE n (a int); CREATE TABLE m (a int); CREATE TRIGGER t AFTER INSERT ON n BEGIN DELETE FROM m; UPDATE n SET a = 1; END; INSERT INTO n VALUES (1)",
            true,
        ),
        (
            Dialect::Sqlite,
            "CREATE TABLE n (a int); CREATE TRIGGER t AFTER INSERT ON n BEGIN INSERT INTO users VALUES (1); END; INSERT INTO n VALUES (1)",
            true,
        ),
        (
            Dialect::Sqlite,
            "CREATE TABLE n (a int); CREATE TRIGGER t AFTER DELETE ON n BEGIN DELETE FROM users WHERE a = OLD.a; END; INSERT INTO n SELECT a FROM users",
            true,
        ),
        (
            Dialect::Sqlite,
            "CREATE TABLE n (a int); INSERT INTO n SELECT a FROM users; CREATE TRIGGER t AFTER INSERT ON n BEGIN DELETE FROM users; END",
            true,
        ),
        (
            Dialect::Sqlite,
            "ALTER TABLE users ADD COLUMN b; CREATE TRIGGER t AFTER INSERT ON users BEGIN UPDATE users SET b = NEW.a WHERE a = NEW.a; END; INSERT INTO users (a) VALUES (1)",
            true,
        ),
        (
            Dialect::Sqlite,
            "ALTER TABLE users ADD COLUMN b; CREATE TRIGGER t AFTER INSERT ON users BEGIN UPDATE users SET b = NEW.a, c = 1 WHERE a = NEW.a; END; INSERT INTO users (a) VALUES (1)",
            false,
        ),
        (
            Dialect::Mysql,
            "CREATE TABLE n (a INT); CREATE TRIGGER t AFTER INSERT ON n FOR EACH ROW DELETE FROM users; INSERT INTO n VALUES (1)",
            false,
        ),
        (
            Dialect::Mysql,
            "CREATE TABLE n (a INT); CREATE TRIGGER t AFTER INSERT ON n FOR EACH ROW DELETE users FROM users JOIN o ON o.a = users.a; INSERT INTO n VALUES (1)",
            false,
        ),
        (
            Dialect::Mysql,
            "CREATE TABLE n (a INT); CREATE TRIGGER t BEFORE UPDATE ON n FOR EACH ROW DELETE FROM users; INSERT INTO n VALUES (1) ON DUPLICATE KEY UPDATE a = 2",
            false,
        ),
        (
            Dialect::Mysql,
            "CREATE TABLE n (a INT); CREATE TRIGGER t BEFORE INSERT ON n FOR EACH ROW SET NEW.a = 1; INSERT INTO n VALUES (1)",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE n (a int); CREATE RULE r AS ON INSERT TO n DO ALSO DELETE FROM users; INSERT INTO n VALUES (1)",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE VIEW v AS SELECT a FROM users; CREATE RULE r AS ON INSERT TO v DO INSTEAD INSERT INTO users VALUES (NEW.a); INSERT INTO v VALUES (1)",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION zf() RETURNS int LANGUAGE sql AS 'DELETE FROM users RETURNING 1'; CREATE TABLE q (a int DEFAULT zf()); INSERT INTO q DEFAULT VALUES",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION zf() RETURNS int LANGUAGE sql AS 'DELETE FROM users RETURNING 1'; CREATE TABLE q (a int); ALTER TABLE q ALTER a SET DEFAULT zf(); INSERT INTO q DEFAULT VALUES",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION zf() RETURNS int LANGUAGE sql AS 'DELETE FROM users RETURNING 1'; CREATE VIEW q AS SELECT zf(); SELECT * FROM q",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION zf() RETURNS int LANGUAGE sql AS 'DELETE FROM users RETURNING 1'; CREATE VIEW q AS SELECT zf(); CREATE TABLE c AS SELECT * FROM q",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION zf() RETURNS int LANGUAGE sql AS 'DELETE FROM users RETURNING 1'; CREATE DOMAIN dd AS int CHECK (VALUE > zf()); SELECT 3::dd",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION zf() RETURNS int LANGUAGE sql AS 'DELETE FROM users RETURNING 1'; SELECT users.zf FROM users",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION zf() RETURNS int LANGUAGE sql AS 'DELETE FROM users RETURNING 1'; CREATE TABLE q (a int); INSERT INTO q VALUES (1); SELECT a FROM q",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION zf() RETURNS int LANGUAGE sql AS 'DELETE FROM users RETURNING 1'; CREATE FUNCTION yf() RETURNS int LANGUAGE sql AS 'SELECT zf()'; CREATE VIEW q AS SELECT yf(); TABLE q",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE q (a int); CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM users; RETURN NEW; END $$; CREATE TRIGGER t AFTER INSERT ON q FOR EACH ROW EXECUTE FUNCTION tf(); INSERT INTO q VALUES (1)",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE q (a int); CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM users; RETURN NEW; END $$; CREATE TRIGGER t AFTER TRUNCATE ON q EXECUTE FUNCTION tf(); TRUNCATE q",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE q (a int); CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM users; RETURN NEW; END $$; CREATE TRIGGER t AFTER UPDATE OR DELETE ON q FOR EACH ROW EXECUTE FUNCTION tf(); INSERT INTO q VALUES (1)",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DELETE FROM ' || TG_ARGV[0]; RETURN NEW; END $$; CREATE TABLE q (a int); CREATE TRIGGER t AFTER INSERT ON q FOR EACH ROW EXECUTE FUNCTION tf('users'); INSERT INTO q VALUES (1)",
            false,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE \"Q\" (a int); CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM \"Q\" WHERE a = 2; RETURN NEW; END $$; CREATE TRIGGER t AFTER INSERT ON \"Q\" FOR EACH ROW EXECUTE FUNCTION tf(); INSERT INTO \"Q\" VALUES (1)",
            true,
        ),
        (
            Dialect::Postgres,
            "CREATE TABLE q (a int); CREATE TABLE \"Users\" (a int); CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM users; RETURN NEW; END $$; CREATE TRIGGER t AFTER INSERT ON q FOR EACH ROW EXECUTE FUNCTION tf(); INSERT INTO q VALUES (1)",
            false,
        ),
    ] {
        let script = parse(dialect, sql);
        let statement = script.statements.last().unwrap();
        let found = matches!(statement.effect, Effect::Additive | Effect::Data);
        assert_eq!(found, is_fine, "{sql}: {:?}", statement.effect);
    }
}

/// A view has no rows of its own: what is written to it is written to the tables behind it.
#[test]
fn rows_that_a_new_view_shows_are_as_new_as_their_table() {
    for dialect in [Dialect::Sqlite, Dialect::Postgres, Dialect::Mysql] {
        for write in ["DELETE FROM v WHERE a = 1", "UPDATE v SET a = 99"] {
            for (before, is_fine) in [
                ("CREATE VIEW v AS SELECT * FROM users", false),
                (
                    "CREATE VIEW v (a) AS SELECT b FROM users WHERE b > 1",
                    false,
                ),
                (
                    "CREATE VIEW u AS SELECT * FROM users; CREATE VIEW v AS SELECT * FROM u",
                    false,
                ),
                (
                    "CREATE TABLE n (a INT); CREATE VIEW v AS SELECT * FROM users WHERE a IN (SELECT a FROM n)",
                    false,
                ),
                (
                    "CREATE TABLE n (a INT); CREATE VIEW v AS SELECT n.a FROM n, users",
                    false,
                ),
                (
                    "CREATE TABLE n (a INT); CREATE VIEW v AS SELECT n.a FROM n JOIN users ON users.a = n.a",
                    false,
                ),
                (
                    "CREATE TABLE n (a INT); CREATE VIEW v AS SELECT a, a + 1 AS b FROM n WHERE a > 1",
                    true,
                ),
                (
                    "CREATE TABLE n (a INT); CREATE VIEW u AS SELECT a FROM n; CREATE VIEW v AS SELECT a FROM u",
                    true,
                ),
                (
                    "CREATE TABLE n (a INT); CREATE VIEW v AS SELECT a FROM n; DROP VIEW v; CREATE VIEW v AS SELECT a FROM users",
                    false,
                ),
            ] {
                let sql = format!("{before}; {write}");
                let script = parse(dialect, &sql);
                let last = script.statements.last().unwrap();
                let found = matches!(last.effect, Effect::Additive | Effect::Data);
                assert_eq!(found, is_fine, "{dialect:?} {sql}: {:?}", last.effect);
                assert_eq!(last.loses.is_none(), is_fine, "{dialect:?} {sql}");
            }
        }
        // One that is only read accuses nobody.
        let script = parse(
            dialect,
            "CREATE VIEW v AS SELECT * FROM users; SELECT a FROM v; DROP VIEW v",
        );
        for statement in &script.statements {
            assert_eq!(
                statement.effect,
                Effect::Additive,
                "{dialect:?} {}",
                statement.text
            );
        }
    }
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

/// Old versions leave NULL what they do not know: a constraint on that asks nothing of them.
#[test]
fn a_constraint_on_columns_that_old_versions_leave_null_is_additive() {
    use Dialect::{Mysql, Postgres, Sqlite};
    let all: &[Dialect] = &[Postgres, Mysql, Sqlite];
    let servers: &[Dialect] = &[Postgres, Mysql];
    for (dialects, sql, is_fine) in [
        (
            all,
            "ALTER TABLE t ADD COLUMN a INT; CREATE UNIQUE INDEX i ON t (a)",
            true,
        ),
        (
            all,
            "ALTER TABLE t ADD COLUMN a INT; CREATE UNIQUE INDEX i ON t (b)",
            false,
        ),
        (
            all,
            "ALTER TABLE t ADD COLUMN a INT; CREATE UNIQUE INDEX i ON u (a)",
            false,
        ),
        // One of them is enough.
        (
            all,
            "ALTER TABLE t ADD COLUMN a INT; CREATE UNIQUE INDEX i ON t (b, a DESC)",
            true,
        ),
        (
            all,
            "ALTER TABLE t ADD COLUMN a INT DEFAULT 1; CREATE UNIQUE INDEX i ON t (a)",
            false,
        ),
        (
            all,
            "ALTER TABLE t ADD COLUMN a INT NOT NULL DEFAULT 1; CREATE UNIQUE INDEX i ON t (a)",
            false,
        ),
        (
            all,
            "ALTER TABLE t ADD COLUMN a INT; CREATE UNIQUE INDEX i ON t (coalesce(a, 1))",
            false,
        ),
        (
            servers,
            "ALTER TABLE t ADD COLUMN a INT; CREATE UNIQUE INDEX i ON t (a); ALTER TABLE t ALTER COLUMN a SET DEFAULT 1",
            true,
        ),
        (
            servers,
            "ALTER TABLE t ADD COLUMN a INT; ALTER TABLE t ALTER COLUMN a SET DEFAULT 1; CREATE UNIQUE INDEX i ON t (a)",
            false,
        ),
        (
            servers,
            "ALTER TABLE t ADD COLUMN a INT; ALTER TABLE t ADD CONSTRAINT u UNIQUE (a)",
            true,
        ),
        (
            servers,
            "ALTER TABLE t ADD COLUMN a INT, ADD CONSTRAINT u UNIQUE (a)",
            true,
        ),
        (
            servers,
            "ALTER TABLE t ADD COLUMN a INT; ALTER TABLE t ADD CONSTRAINT u UNIQUE (b)",
            false,
        ),
        (
            servers,
            "ALTER TABLE t ADD COLUMN a INT; ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES o (id)",
            true,
        ),
        (
            servers,
            "ALTER TABLE t ADD COLUMN a INT; ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a, b) REFERENCES o (x, y)",
            false,
        ),
        (
            servers,
            "ALTER TABLE t ADD COLUMN a INT; ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0 AND a < 10)",
            true,
        ),
        (
            servers,
            "ALTER TABLE t ADD COLUMN a INT; ALTER TABLE t ADD CONSTRAINT c CHECK (a IS NOT NULL)",
            false,
        ),
        (
            servers,
            "ALTER TABLE t ADD COLUMN a INT; ALTER TABLE t ADD CONSTRAINT c CHECK (a > b)",
            false,
        ),
        (
            servers,
            "ALTER TABLE t ADD COLUMN a INT; ALTER TABLE t ADD CONSTRAINT c CHECK (coalesce(a, 0) > 0)",
            false,
        ),
        (
            &[Postgres][..],
            "ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT; CREATE UNIQUE INDEX i ON t (a)",
            false,
        ),
        (
            &[Postgres],
            "ALTER TABLE t ADD COLUMN a INT; CREATE UNIQUE INDEX i ON t (a) NULLS NOT DISTINCT",
            false,
        ),
        (
            &[Postgres],
            "ALTER TABLE t ADD COLUMN a INT; ALTER TABLE t ADD CONSTRAINT u UNIQUE NULLS NOT DISTINCT (a)",
            false,
        ),
        (
            &[Postgres],
            "ALTER TABLE t DROP COLUMN a, ADD COLUMN a INT; CREATE UNIQUE INDEX i ON t (a)",
            false,
        ),
        (
            &[Mysql],
            "ALTER TABLE t ADD COLUMN a TIMESTAMP; CREATE UNIQUE INDEX i ON t (a)",
            false,
        ),
        // Something fills it when they write.
        (
            &[Postgres],
            "ALTER TABLE t ADD COLUMN a INT; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f(); CREATE UNIQUE INDEX i ON t (a)",
            false,
        ),
        (
            &[Mysql],
            "ALTER TABLE t ADD COLUMN a INT; CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1; CREATE UNIQUE INDEX i ON t (a)",
            false,
        ),
        (
            &[Postgres],
            "CREATE MATERIALIZED VIEW m AS SELECT a FROM t; CREATE UNIQUE INDEX i ON m (a)",
            true,
        ),
        (
            all,
            "CREATE TABLE n (a INT); CREATE UNIQUE INDEX i ON n (a)",
            true,
        ),
        (&[Mysql], "CREATE INDEX i ON t (a); DROP INDEX i ON t", true),
        (
            &[Mysql],
            "CREATE INDEX i ON u (a); DROP INDEX i ON t",
            false,
        ),
        (
            &[Mysql],
            "CREATE INDEX IF NOT EXISTS i ON t (a); DROP INDEX i ON t",
            false,
        ),
        (
            &[Postgres],
            "CREATE TABLE n (a INT); CREATE RULE r AS ON DELETE TO n DO INSTEAD NOTHING",
            true,
        ),
        // A name that a view has taken over.
        (
            &[Postgres],
            "ALTER TABLE t RENAME TO u; CREATE VIEW t AS SELECT 1; DELETE FROM t",
            false,
        ),
    ] {
        for dialect in dialects {
            let script = parse(*dialect, sql);
            let statement = script.statements.last().unwrap();
            let found = matches!(statement.effect, Effect::Additive | Effect::Data);
            assert_eq!(found, is_fine, "{dialect:?} {sql}: {:?}", statement.effect);
        }
    }
}

/// What writes the value that is there changes nothing.
#[test]
fn an_insert_that_keeps_what_is_in_its_way_is_only_an_insert() {
    for (dialect, sql, is_fine) in [
        (
            Dialect::Mysql,
            "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = a",
            true,
        ),
        (
            Dialect::Mysql,
            "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE t.a = t.a, b = b",
            true,
        ),
        (
            Dialect::Mysql,
            "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = a + 1",
            false,
        ),
        (
            Dialect::Mysql,
            "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = VALUES(a)",
            false,
        ),
        (
            Dialect::Mysql,
            "INSERT INTO t (a) VALUES (1) ON DUPLICATE KEY UPDATE a = a, b = 1",
            false,
        ),
        (
            Dialect::Sqlite,
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = a",
            true,
        ),
        (
            Dialect::Sqlite,
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = excluded.a",
            false,
        ),
        (
            Dialect::Postgres,
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = t.a RETURNING a",
            true,
        ),
        (
            Dialect::Postgres,
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = excluded.a",
            false,
        ),
        (
            Dialect::Postgres,
            "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = t.a, b = 1",
            false,
        ),
    ] {
        let script = parse(dialect, sql);
        let found = script.statements[0].effect == Effect::Data;
        assert_eq!(found, is_fine, "{sql}: {:?}", script.statements[0].effect);
        assert_eq!(script.statements[0].loses.is_none(), is_fine, "{sql}");
    }
}
