use super::super::tests::parse;
use super::super::{Dialect, Mode, Visible};
use super::{Commits, Dependents, Inventory, Relation, RelationKind, Texts};

/// What the second script leaves of the first one's code.
fn left(dialect: Dialect, expand: &str, contract: &str) -> Vec<String> {
    let made = Dependents::made_by(&parse(dialect, expand));
    let contract = parse(dialect, contract);
    let commits = match contract.mode {
        Mode::Transactional => Commits::AtTheEnd,
        Mode::NoTransaction => Commits::EachStatement,
    };
    made.left_by(&contract, 0, commits)
        .iter()
        .map(|left| format!("{}: {}", left.index, left.dependent.name))
        .collect()
}

const POSTGRES: &str = "ALTER TABLE users ADD COLUMN name text;
CREATE FUNCTION users_sync() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.name IS NULL THEN NEW.name := NEW.full_name; ELSE NEW.full_name := NEW.name; END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER users_sync BEFORE INSERT OR UPDATE ON users FOR EACH ROW EXECUTE FUNCTION users_sync();";

const MYSQL: &str = "ALTER TABLE users ADD COLUMN name TEXT;
CREATE TRIGGER users_in BEFORE INSERT ON users FOR EACH ROW SET NEW.name = COALESCE(NEW.name, NEW.full_name);
CREATE TRIGGER users_up BEFORE UPDATE ON users FOR EACH ROW BEGIN IF NEW.name IS NULL THEN SET NEW.name = NEW.full_name; END IF; END;";

const SQLITE: &str = "ALTER TABLE users ADD COLUMN name TEXT;
CREATE TRIGGER users_sync AFTER INSERT ON users WHEN NEW.name IS NULL
BEGIN UPDATE users SET name = full_name WHERE id = NEW.id; END;";

#[test]
fn what_names_a_column_that_goes_is_left_behind() {
    use Dialect::{Mysql, Postgres, Sqlite};
    let drop = "ALTER TABLE users DROP COLUMN full_name";
    let none: &[&str] = &[];
    for (dialect, expand, contract, expected) in [
        (Postgres, POSTGRES, drop.to_owned(), &["0: users_sync"][..]),
        (
            Postgres,
            POSTGRES,
            "ALTER TABLE users RENAME COLUMN full_name TO x".to_owned(),
            &["0: users_sync"],
        ),
        (
            Postgres,
            POSTGRES,
            "ALTER TABLE public.users DROP COLUMN \"full_name\"".to_owned(),
            &["0: users_sync"],
        ),
        (
            Postgres,
            POSTGRES,
            "ALTER TABLE users DROP COLUMN \"Full_Name\"".to_owned(),
            none,
        ),
        (
            Postgres,
            POSTGRES,
            "ALTER TABLE users DROP COLUMN email".to_owned(),
            none,
        ),
        (
            Postgres,
            POSTGRES,
            "ALTER TABLE orders DROP COLUMN full_name".to_owned(),
            none,
        ),
        (
            Postgres,
            POSTGRES,
            format!("{drop}; DROP TRIGGER users_sync ON users"),
            none,
        ),
        (
            Postgres,
            POSTGRES,
            format!("DROP FUNCTION users_sync() CASCADE; {drop}"),
            none,
        ),
        (
            Postgres,
            POSTGRES,
            format!("DROP TRIGGER users_sync ON orders; {drop}"),
            &["1: users_sync"],
        ),
        (Postgres, POSTGRES, "DROP TABLE users".to_owned(), none),
        // One function with a body that does without.
        (
            Postgres,
            POSTGRES,
            format!(
                "{drop}; CREATE OR REPLACE FUNCTION users_sync() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$"
            ),
            none,
        ),
        (
            Postgres,
            POSTGRES,
            format!("-- migrate: no-transaction\n{drop}; DROP TRIGGER users_sync ON users"),
            &["0: users_sync"],
        ),
        // What is there again at the end is not gone.
        (
            Postgres,
            POSTGRES,
            format!("{drop}; ALTER TABLE users ADD COLUMN full_name text"),
            none,
        ),
        (
            Mysql,
            MYSQL,
            drop.to_owned(),
            &["0: users_in", "0: users_up"],
        ),
        (
            Mysql,
            MYSQL,
            "ALTER TABLE users DROP `FULL_name`".to_owned(),
            &["0: users_in", "0: users_up"],
        ),
        (
            Mysql,
            MYSQL,
            format!("DROP TRIGGER users_in; DROP TRIGGER users_up; {drop}"),
            none,
        ),
        // What is replaced is what it is from then on.
        (
            Mysql,
            MYSQL,
            format!(
                "CREATE OR REPLACE TRIGGER users_in BEFORE INSERT ON users FOR EACH ROW SET NEW.name = ''; {drop}"
            ),
            &["1: users_up"],
        ),
        // Statements are committed one by one: the order counts.
        (
            Mysql,
            MYSQL,
            format!("DROP TRIGGER users_in; {drop}; DROP TRIGGER users_up"),
            &["1: users_up"],
        ),
        (
            Mysql,
            MYSQL,
            "ALTER TABLE users CHANGE full_name x TEXT".to_owned(),
            &["0: users_in", "0: users_up"],
        ),
        (Sqlite, SQLITE, drop.to_owned(), &["0: users_sync"]),
        (
            Sqlite,
            SQLITE,
            format!("DROP TRIGGER Users_Sync; {drop}"),
            none,
        ),
        (
            Sqlite,
            SQLITE,
            "ALTER TABLE users RENAME COLUMN full_name TO x".to_owned(),
            none,
        ),
    ] {
        assert_eq!(left(dialect, expand, &contract), expected, "{contract}");
    }
}

#[test]
fn a_name_belongs_to_its_table() {
    use Dialect::{Mysql, Postgres, Sqlite};
    let drop = "ALTER TABLE users DROP COLUMN full_name";
    let function = |body: &str| {
        format!(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$; \
             CREATE TRIGGER g BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f();"
        )
    };
    let on_users = |body: &str| function(body).replace("ON orders", "ON users");
    for (dialect, expand, contract, is_left) in [
        // The same column of another table.
        (Postgres, function("NEW.full_name := 'x';"), drop, false),
        (Postgres, function("UPDATE users SET full_name = NEW.buyer WHERE id = NEW.user_id;"), drop, true),
        (Postgres, function("MERGE INTO users u USING staging o ON u.id = o.id WHEN MATCHED THEN UPDATE SET full_name = o.full_name;"), drop, true),
        (Postgres, function("MERGE INTO staging o USING users u ON u.id = o.id WHEN MATCHED THEN UPDATE SET full_name = u.email;"), drop, false),
        (Postgres, function("UPDATE users AS u SET name = 'x' WHERE u.full_name = 'y';"), drop, true),
        (Postgres, function("UPDATE orders SET full_name = (SELECT name FROM users);"), drop, false),
        (Postgres, function("INSERT INTO audit (full_name) SELECT name FROM users;"), drop, false),
        (Postgres, function("INSERT INTO audit (x) SELECT full_name FROM users;"), drop, true),
        (Postgres, function("INSERT INTO users (full_name) VALUES ('x');"), drop, true),
        (Postgres, function("SELECT a.full_name INTO x FROM audit a, users u;"), drop, false),
        (Postgres, function("EXECUTE 'UPDATE users SET full_name = 1';"), drop, true),
        (Postgres, function("PERFORM pg_notify('full_name', 'users');"), drop, false),
        (Postgres, on_users("INSERT INTO audit (full_name) VALUES (NEW.name);"), drop, false),
        (Postgres, on_users("INSERT INTO audit VALUES (OLD.full_name);"), drop, true),
        (Postgres, on_users("INSERT INTO audit SELECT row_to_json(NEW);"), drop, false),
        (Postgres, on_users("NEW.name := NEW.name AS full_name;"), drop, false),
        (Postgres, on_users("NEW.name := NEW.full_name_2;"), drop, false),
        (Postgres, on_users("-- NEW.full_name\n"), drop, false),
        (
            Postgres,
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO audit SELECT full_name FROM fresh; RETURN NULL; END $$; \
             CREATE TRIGGER g AFTER INSERT ON users REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION f();"
                .to_owned(),
            drop,
            true,
        ),
        (
            Postgres,
            "CREATE TRIGGER g AFTER UPDATE OF full_name ON users FOR EACH ROW EXECUTE FUNCTION audit();".to_owned(),
            drop,
            true,
        ),
        // Views are tied to their columns by the server, functions are not.
        (Postgres, "CREATE VIEW v AS SELECT full_name FROM users".to_owned(), drop, false),
        (
            Postgres,
            "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(full_name) FROM users'".to_owned(),
            drop,
            true,
        ),
        (
            Postgres,
            "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM orders, users WHERE users.id = 1'".to_owned(),
            "DROP TABLE users",
            true,
        ),
        (
            Postgres,
            "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS 'SELECT users FROM orders'".to_owned(),
            "DROP TABLE users",
            false,
        ),
        (Mysql, "CREATE VIEW v AS SELECT id, full_name FROM users".to_owned(), drop, true),
        (Mysql, "CREATE VIEW v AS SELECT id, name FROM users".to_owned(), drop, false),
        (Mysql, "CREATE VIEW v AS SELECT id FROM users".to_owned(), "RENAME TABLE users TO people", true),
        (
            Mysql,
            "CREATE TRIGGER g AFTER INSERT ON orders FOR EACH ROW INSERT INTO users (id, full_name) VALUES (NEW.a, NEW.b)".to_owned(),
            drop,
            true,
        ),
        (
            Mysql,
            "CREATE TRIGGER g AFTER INSERT ON orders FOR EACH ROW INSERT INTO users (id) VALUES (NEW.id) ON DUPLICATE KEY UPDATE full_name = NEW.b".to_owned(),
            drop,
            true,
        ),
        (
            Mysql,
            "CREATE TRIGGER g AFTER INSERT ON users FOR EACH ROW INSERT INTO audit (full_name) VALUES (NEW.name)".to_owned(),
            drop,
            false,
        ),
        (
            Mysql,
            "CREATE PROCEDURE p() BEGIN DECLARE x INT; UPDATE users SET full_name = 'x'; END".to_owned(),
            drop,
            true,
        ),
        (
            Sqlite,
            "CREATE TRIGGER g AFTER INSERT ON orders BEGIN UPDATE users SET full_name = NEW.a; END".to_owned(),
            drop,
            true,
        ),
        (
            Sqlite,
            "CREATE TRIGGER g AFTER INSERT ON orders BEGIN UPDATE users SET name = NEW.full_name; END".to_owned(),
            drop,
            false,
        ),
        (
            Sqlite,
            "CREATE TRIGGER g AFTER INSERT ON orders BEGIN DELETE FROM users WHERE id = NEW.id; END".to_owned(),
            "DROP TABLE users",
            true,
        ),
        (
            Sqlite,
            "CREATE TRIGGER g AFTER INSERT ON orders BEGIN DELETE FROM users WHERE id = NEW.id; END".to_owned(),
            "CREATE TABLE n (id); DROP TABLE users; ALTER TABLE n RENAME TO users",
            false,
        ),
    ] {
        let found = left(dialect, &expand, contract);
        assert_eq!(!found.is_empty(), is_left, "{expand}\n{contract}\n{found:?}");
    }
}

fn inventory(dialect: Dialect, script: &str) -> Inventory {
    Inventory {
        code: Dependents::made_by(&parse(dialect, script)),
        relations: vec![Relation {
            kind: RelationKind::Table,
            schema: None,
            name: "users".to_owned(),
            columns: Vec::new(),
            identity: None,
        }],
        attached: Vec::new(),
        visible: Visible::All,
    }
}

/// What becomes of the trigger is told, and whether the script says it by name.
#[test]
fn a_replaced_trigger_is_named() {
    for (dialect, expand, does) in [
        (Dialect::Mysql, MYSQL, "SET NEW.name = 'x'"),
        (Dialect::Postgres, POSTGRES, "EXECUTE FUNCTION other()"),
    ] {
        let name = if dialect == Dialect::Mysql {
            "users_in"
        } else {
            "users_sync"
        };
        let before = inventory(dialect, expand);
        let replace =
            format!("CREATE OR REPLACE TRIGGER {name} BEFORE INSERT ON users FOR EACH ROW {does}");
        let replace = parse(dialect, &replace);
        assert!(replace.may_take());
        let (_, lost) = before
            .would_lose(&replace, 0, |_| true)
            .expect("it does less");
        assert_eq!(lost.len(), 1);
        assert_eq!(lost[0].said_at, Some(0));
        // Nor does it stand in for one that goes with its table.
        let swap = format!(
            "-- migrate: no-transaction\nCREATE TABLE copy (id int); \
             CREATE OR REPLACE TRIGGER {name} BEFORE INSERT ON copy FOR EACH ROW {does}; DROP TABLE users; \
             CREATE TABLE users (id int)"
        );
        let lost = before.would_lose(&parse(dialect, &swap), 0, |loss| loss.said_at.is_none());
        assert!(lost.is_some());
    }
}

/// What a second definition of a trigger does not do that the first one does.
#[test]
fn a_trigger_that_does_less_is_told_from_one_that_is_written_otherwise() {
    use Dialect::{Mysql, Postgres, Sqlite};
    let function = |body: &str| {
        format!(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$; "
        )
    };
    let f = function("NEW.a := NEW.b;");
    let pg = |trigger: &str| format!("{f}CREATE TRIGGER {trigger} EXECUTE FUNCTION f();");
    let all = pg("g BEFORE INSERT OR UPDATE ON users FOR EACH ROW");
    for (dialect, before, after, less) in [
        (Postgres, all.clone(), pg("g BEFORE INSERT ON users FOR EACH ROW"), Some("UPDATE")),
        (Postgres, all.clone(), pg("g BEFORE INSERT OR UPDATE OF b ON users FOR EACH ROW"), Some("`b`|of b alone")),
        (Postgres, all.clone(), pg("g AFTER INSERT OR UPDATE ON users FOR EACH ROW"), Some("AFTER")),
        (Postgres, all.clone(), pg("g BEFORE INSERT OR UPDATE ON users FOR EACH STATEMENT"), Some("statement")),
        (Postgres, all.clone(), pg("g BEFORE INSERT OR UPDATE ON users FOR EACH ROW WHEN (false)"), Some("when")),
        (Postgres, all.clone(), all.replace("NEW.a := NEW.b;", ""), Some("`f` was replaced")),
        (Postgres, all.clone(), all.replace("f()", "h()").replace(":= NEW.b", ":= 1"), Some("calls `h`")),
        (Postgres, all.clone(), all.replace("EXECUTE FUNCTION f()", "EXECUTE FUNCTION f('x')"), Some("'x'")),
        // Another name, another way of writing it, or more of it.
        (Postgres, all.clone(), all.replace("f()", "h()"), None),
        (Postgres, all.clone(), all.replace("TRIGGER g", "TRIGGER other"), None),
        (Postgres, all.clone(), all.replace("NEW.a := NEW.b;", "-- as it was\n new.a  := new.b;"), None),
        (Postgres, all.clone(), pg("g BEFORE UPDATE OR DELETE OR INSERT ON public.users FOR EACH ROW"), None),
        (
            Postgres,
            pg("g BEFORE UPDATE OF a, b ON users FOR EACH ROW"),
            pg("g BEFORE UPDATE OF b, c, a ON users FOR EACH ROW"),
            None,
        ),
        (
            Postgres,
            pg("g BEFORE UPDATE OF a, b ON users FOR EACH ROW"),
            pg("g BEFORE UPDATE OF a ON users FOR EACH ROW"),
            Some("`b`"),
        ),
        // By a function that the function calls.
        (
            Postgres,
            format!("CREATE FUNCTION deep(x text) RETURNS text LANGUAGE sql AS 'SELECT x'; {}", all.replace(":= NEW.b", ":= deep(NEW.b)")),
            format!("CREATE FUNCTION deep(x text) RETURNS text LANGUAGE sql AS 'SELECT NULL'; {}", all.replace(":= NEW.b", ":= deep(NEW.b)")),
            Some("`deep` was replaced"),
        ),
        (Mysql, MYSQL.to_owned(), MYSQL.replace("SET NEW.name = COALESCE(NEW.name, NEW.full_name)", "SET NEW.id = NEW.id"), Some("something else")),
        (Mysql, MYSQL.to_owned(), MYSQL.replace("users_in BEFORE INSERT", "users_in AFTER INSERT"), Some("AFTER")),
        (Mysql, MYSQL.to_owned(), MYSQL.replace("SET NEW.name = C", "/* so */ SET  NEW.name = C"), None),
        (
            Mysql,
            "CREATE PROCEDURE p(x INT) UPDATE log SET n = x; CREATE TRIGGER g AFTER INSERT ON users FOR EACH ROW CALL p(NEW.id);".to_owned(),
            "CREATE PROCEDURE p(x INT) UPDATE log SET n = 0; CREATE TRIGGER g AFTER INSERT ON users FOR EACH ROW CALL p(NEW.id);".to_owned(),
            Some("`p` was replaced"),
        ),
        (Sqlite, SQLITE.to_owned(), SQLITE.replace("WHEN NEW.name IS NULL", "WHEN 0"), Some("when 0")),
        (Sqlite, SQLITE.to_owned(), SQLITE.replace("SET name = full_name", "SET name = name"), Some("something else")),
        (Sqlite, SQLITE.to_owned(), SQLITE.replace("AFTER INSERT ON users", "AFTER INSERT ON \"users\" FOR EACH ROW"), None),
    ] {
        let lost = inventory(dialect, &before).lost(
            &inventory(dialect, &after),
            &parse(dialect, ""),
            Texts::Same,
        );
        let how: Vec<String> = lost.iter().map(|loss| format!("{:?}", loss.how)).collect();
        match less {
            None => assert!(how.is_empty(), "{before}\n{after}\n{how:?}"),
            Some(words) => assert!(
                how.len() == 1 && words.split('|').any(|word| how[0].contains(word)),
                "{before}\n{after}\n{how:?}"
            ),
        }
    }
}

#[test]
fn a_view_that_gives_way_to_its_table_is_not_left_behind() {
    let expand =
        "CREATE VIEW people AS SELECT * FROM users; CREATE VIEW few AS SELECT * FROM users LIMIT 1";
    for (contract, expected) in [
        (
            "RENAME TABLE people TO aside, users TO people; DROP VIEW aside",
            &["0: few"][..],
        ),
        (
            "RENAME TABLE people TO aside, users TO people",
            &["0: aside", "0: few"],
        ),
        (
            "RENAME TABLE users TO people; DROP VIEW few",
            &["0: people", "0: few"],
        ),
    ] {
        let contract = format!("-- migrate: no-transaction\n{contract}");
        let mut left = left(Dialect::Mysql, expand, &contract);
        let mut expected: Vec<String> = expected.iter().map(|one| (*one).to_owned()).collect();
        left.sort();
        expected.sort();
        assert_eq!(left, expected, "{contract}");
    }
}

/// Wherever a table or a column may stand in the code of a function, or the whole of its columns is meant.
#[test]
fn code_that_would_fail_is_found_in_each_place_where_it_may_name_what_goes() {
    use Dialect::{Mysql, Postgres, Sqlite};
    let function = |declares: &str, body: &str| {
        format!(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ DECLARE x text; {declares} BEGIN {body} RETURN NEW; END $$;\n\
             CREATE TRIGGER g BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION f();"
        )
    };
    for (declares, body, contract, is_left) in [
        ("", "TRUNCATE stage;", "DROP TABLE stage", true),
        ("", "TRUNCATE TABLE other, stage;", "DROP TABLE stage", true),
        ("", "LOCK stage;", "DROP TABLE stage", true),
        (
            "",
            "LOCK TABLE ONLY stage IN SHARE MODE;",
            "DROP TABLE stage",
            true,
        ),
        ("r stage;", "x := 1;", "DROP TABLE stage", true),
        (
            "r CONSTANT public.stage := NULL;",
            "x := 1;",
            "DROP TABLE stage",
            true,
        ),
        ("r stage[];", "x := 1;", "DROP TABLE stage", true),
        ("", "x := 'stage'::regclass;", "DROP TABLE stage", true),
        (
            "",
            "x := CAST('public.stage' AS regclass);",
            "DROP TABLE stage",
            true,
        ),
        ("", "x := pg_table_size('stage');", "DROP TABLE stage", true),
        (
            "",
            "INSERT INTO audit (what) VALUES ('stage');",
            "DROP TABLE stage",
            false,
        ),
        ("stage text;", "x := stage;", "DROP TABLE stage", false),
        (
            "",
            "SELECT (u).name INTO x FROM users u;",
            "ALTER TABLE users DROP COLUMN name",
            true,
        ),
        (
            "",
            "x := (SELECT max((users).name) FROM users);",
            "ALTER TABLE users RENAME COLUMN name TO nm",
            true,
        ),
        (
            "",
            "INSERT INTO users SELECT 70, 'x';",
            "ALTER TABLE users DROP COLUMN name",
            true,
        ),
        (
            "",
            "INSERT INTO public.users AS u VALUES (70, 'x');",
            "ALTER TABLE users DROP COLUMN name",
            true,
        ),
        (
            "",
            "INSERT INTO users (SELECT 70, 'x');",
            "ALTER TABLE users DROP COLUMN name",
            true,
        ),
        (
            "",
            "INSERT INTO users SELECT 70, 'x';",
            "ALTER TABLE users RENAME COLUMN name TO nm",
            false,
        ),
        (
            "",
            "INSERT INTO users (id, mail) SELECT 70, 'x';",
            "ALTER TABLE users DROP COLUMN name",
            false,
        ),
        (
            "",
            "INSERT INTO users DEFAULT VALUES;",
            "ALTER TABLE users DROP COLUMN name",
            false,
        ),
    ] {
        let found = left(Postgres, &function(declares, body), contract);
        assert_eq!(
            !found.is_empty(),
            is_left,
            "{declares} {body} {contract}: {found:?}"
        );
    }
    const ROW_TYPE: &str =
        "CREATE PROCEDURE p() BEGIN DECLARE r ROW TYPE OF stage; SET r.id = 1; END;";
    assert_eq!(left(Mysql, ROW_TYPE, "DROP TABLE stage").len(), 1);
    for (dialect, code) in [
        (
            Mysql,
            "CREATE TRIGGER g AFTER INSERT ON orders FOR EACH ROW INSERT INTO users VALUES (1, 'x');",
        ),
        (
            Sqlite,
            "CREATE TRIGGER g AFTER INSERT ON orders BEGIN INSERT INTO users VALUES (1, 'x'); END;",
        ),
    ] {
        let found = left(dialect, code, "ALTER TABLE users DROP COLUMN name");
        assert_eq!(found, ["0: g"], "{code}");
    }
}
