//! Values that an earlier migration lets in, before those are gone who do not know them; and defaults that a contract forbids.

use super::losing::codes;
use super::*;

const READS: &str = "description = \"draft\"\nsync = \"to-new\"\n[services.web]\nreads = { old = \"<2.0.0\", new = \">=2.0.0\" }\nwrites = { old = \"<3.0.0\", new = \">=3.0.0\" }\n";
const BASE: &str = "description = \"base\"\n[services.web]\nnew = \">=1.0.0\"\n";
const NEW: &str = "description = \"n\"\n[services.web]\nnew = \">=3.0.0\"\n";
const FILL: &str = "description = \"n\"\n[backfill]\ntable = \"orders\"\nkey = \"id\"\nremaining = \"SELECT count(*) FROM orders WHERE status IS NULL\"\n";

fn of(dialect: &str, files: &[(&str, &str)]) -> Vec<String> {
    let config = format!("[database]\ndialects = [\"{dialect}\"]\n[services.web]\n");
    let files = [&[("migrate.toml", config.as_str())], files].concat();
    lines(&written(&files), None)
}

/// What `check` says of the last of three migrations, of which the second one lets `draft` in.
fn said(dialect: &str, manifest: &str, (step, sql): (&str, &str)) -> Vec<String> {
    let (table, adds) = match dialect {
        "postgres" => (
            "CREATE TYPE st AS ENUM ('new', 'paid');\nCREATE TABLE orders (id int PRIMARY KEY, status st NOT NULL DEFAULT 'new', note text);\n",
            "ALTER TYPE st ADD VALUE 'draft';\n",
        ),
        "mysql" => (
            "CREATE TABLE orders (id int PRIMARY KEY, status enum('new','paid') NOT NULL DEFAULT 'new', note text);\n",
            "ALTER TABLE orders MODIFY COLUMN status enum('new','paid','draft') NOT NULL DEFAULT 'new';\n",
        ),
        _ => (
            "CREATE TABLE orders (id int PRIMARY KEY, status varchar(9) NOT NULL DEFAULT 'new', note text, CONSTRAINT c CHECK (status IN ('new', 'paid')));\n",
            "ALTER TABLE orders DROP CONSTRAINT c, ADD CONSTRAINT c CHECK (status IN ('new', 'paid', 'draft'));\n",
        ),
    };
    let dialect = if dialect == "list" {
        "postgres"
    } else {
        dialect
    };
    let file = format!("0003_n/{step}.sql");
    let files = [
        ("0001_base/migration.toml", BASE),
        ("0001_base/expand.sql", table),
        ("0002_draft/migration.toml", READS),
        ("0002_draft/expand.sql", adds),
        ("0003_n/migration.toml", manifest),
        (file.as_str(), sql),
    ];
    let mut lines = of(dialect, &files);
    lines.retain(|line| line.contains("too-new-value"));
    lines
}

#[test]
fn a_value_that_is_new_waits_for_those_who_do_not_know_it() {
    let contract = |old: &str| format!("description = \"n\"\n[services.web]\nold = \"{old}\"\n");
    for kind in ["postgres", "mysql", "list"] {
        for (manifest, script, is_found) in [
            (
                NEW,
                (
                    "expand",
                    "ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'draft';\n",
                ),
                true,
            ),
            (
                NEW,
                (
                    "expand",
                    "ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'paid';\n",
                ),
                false,
            ),
            (
                NEW,
                (
                    "expand",
                    "ALTER TABLE orders ALTER COLUMN note SET DEFAULT 'draft';\n",
                ),
                false,
            ),
            (
                NEW,
                (
                    "expand",
                    "INSERT INTO orders (id, status) VALUES (1, 'draft');\n",
                ),
                true,
            ),
            (
                NEW,
                ("expand", "INSERT INTO orders VALUES (1, 'draft', 'x');\n"),
                true,
            ),
            (
                NEW,
                (
                    "expand",
                    "INSERT INTO orders VALUES (1, 'paid', 'draft');\n",
                ),
                false,
            ),
            (
                FILL,
                (
                    "backfill",
                    "UPDATE orders SET status = 'draft' WHERE note = 'x' AND id > :after AND id <= :upto;\n",
                ),
                true,
            ),
            (
                FILL,
                (
                    "backfill",
                    "UPDATE orders SET status = 'paid' WHERE status = 'draft' AND id > :after AND id <= :upto;\n",
                ),
                false,
            ),
            (
                &contract("<2.0.0"),
                (
                    "contract",
                    "ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'draft';\n",
                ),
                false,
            ),
            (
                &contract("<1.5.0"),
                (
                    "contract",
                    "ALTER TABLE orders ALTER COLUMN status SET DEFAULT 'draft';\n",
                ),
                true,
            ),
        ] {
            let found = said(kind, manifest, script);
            assert_eq!(!found.is_empty(), is_found, "{kind} {script:?}: {found:?}");
        }
    }
}

/// The versions that the earlier migration leaves out, or lets read both, are nobody's worry; code that is fired puts values as well.
#[test]
fn who_can_read_a_new_value_is_not_waited_for() {
    let trigger =
        "CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.status = 'draft';\n";
    assert!(!said("mysql", NEW, ("expand", trigger)).is_empty());
    let found = said(
        "postgres",
        NEW,
        (
            "expand",
            "ALTER TABLE orders ALTER status SET DEFAULT 'draft';\n",
        ),
    );
    let [line] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert!(
        line.contains("web <2.0.0 is declared not to read it"),
        "{line}"
    );
}

#[test]
fn a_contract_does_not_forbid_what_stands_where_a_column_is_left_out() {
    const OLD: &str = "description = \"n\"\n[services.web]\nold = \"<2.0.0\"\n";
    const TABLE: &str = "CREATE TABLE orders (id int PRIMARY KEY, st varchar(9) NOT NULL DEFAULT 'new', code varchar(9) NOT NULL DEFAULT '', n int);\n";
    for (contract, is_found) in [
        (
            "ALTER TABLE orders ADD CONSTRAINT c CHECK (st IN ('paid', 'old'));\n",
            true,
        ),
        (
            "ALTER TABLE orders ADD CONSTRAINT c CHECK (st IN ('paid', 'new'));\n",
            false,
        ),
        (
            "ALTER TABLE orders ADD CONSTRAINT c CHECK (st IN ('paid', 'old'));\nALTER TABLE orders ALTER COLUMN st SET DEFAULT 'paid';\n",
            false,
        ),
        (
            "ALTER TABLE orders ADD CONSTRAINT c CHECK (n > 0);\n",
            false,
        ),
        ("ALTER TABLE orders ADD UNIQUE (code);\n", true),
        ("CREATE UNIQUE INDEX i ON orders (code);\n", true),
        ("CREATE UNIQUE INDEX i ON orders (n);\n", false),
        ("CREATE UNIQUE INDEX i ON orders (code, n);\n", false),
    ] {
        for dialect in ["postgres", "mysql"] {
            let files = [
                ("0001_base/migration.toml", BASE),
                ("0001_base/expand.sql", TABLE),
                ("0002_n/migration.toml", OLD),
                ("0002_n/contract.sql", contract),
            ];
            let found = of(dialect, &files);
            let told = found
                .iter()
                .any(|line| line.contains("from then on") && line.contains("has the default"));
            assert_eq!(told, is_found, "{dialect} {contract}: {found:?}");
            assert!(
                !is_found || codes(&found).contains(&"takes-too-much"),
                "{found:?}"
            );
        }
    }
}

/// What is found where a migration with this expand.sql keeps formats of these tables in step.
fn expanded(dialect: &str, tables: &str, expand: &str) -> Vec<String> {
    const SYNC: &str = "description = \"n\"\nsync = \"to-new\"\n[services.web]\nold = \"<2.0.0\"\nnew = \">=2.0.0\"\n";
    of(
        dialect,
        &[
            ("0001_base/migration.toml", BASE),
            ("0001_base/expand.sql", tables),
            ("0002_n/migration.toml", SYNC),
            ("0002_n/expand.sql", expand),
        ],
    )
}

/// What the files tell of a table is all of it where they make it.
#[test]
fn code_names_columns_that_are_there() {
    const TABLES: &str =
        "CREATE TABLE users (id int PRIMARY KEY, name text);\nCREATE TABLE audit (id int);\n";
    let function = |body: &str| {
        format!(
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;\n\
             CREATE TRIGGER t AFTER INSERT ON users FOR EACH ROW EXECUTE FUNCTION f();\n"
        )
    };
    let trigger =
        |body: &str| format!("CREATE TRIGGER t AFTER INSERT ON users FOR EACH ROW {body};\n");
    for (dialect, expand, is_found) in [
        (
            "postgres",
            function("INSERT INTO audit (user_id) VALUES (NEW.id);"),
            true,
        ),
        (
            "postgres",
            function("INSERT INTO audit (id) VALUES (NEW.idd);"),
            true,
        ),
        (
            "postgres",
            function("INSERT INTO audit (id) VALUES (NEW.id);"),
            false,
        ),
        (
            "postgres",
            function("INSERT INTO elsewhere (x) VALUES (NEW.id);"),
            false,
        ),
        (
            "mysql",
            trigger("INSERT INTO audit (user_id) VALUES (NEW.id)"),
            true,
        ),
        (
            "mysql",
            trigger("INSERT INTO audit (id) VALUES (NEW.id)"),
            false,
        ),
        (
            "mysql",
            format!(
                "ALTER TABLE audit ADD COLUMN user_id int;\n{}",
                trigger("INSERT INTO audit (user_id) VALUES (NEW.id)")
            ),
            false,
        ),
    ] {
        let found = expanded(dialect, TABLES, &expand);
        let told = found
            .iter()
            .any(|line| line.contains("which the files do not make"));
        assert_eq!(told, is_found, "{expand}: {found:?}");
    }
}

/// A cast that a text may fail is told of, where the files tell that it is a text and nothing looks first.
#[test]
fn a_cast_of_what_live_versions_write_is_told() {
    const TABLES: &str =
        "CREATE TABLE users (id int PRIMARY KEY, name varchar(300), age varchar(20), n int);\n";
    let function = |adds: &str, body: &str| {
        format!(
            "ALTER TABLE users ADD COLUMN {adds};\n\
             CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;\n\
             CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION f();\n"
        )
    };
    let trigger = |adds: &str, body: &str| {
        format!(
            "ALTER TABLE users ADD COLUMN {adds};\nCREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW {body};\n"
        )
    };
    for (dialect, expand, is_found) in [
        (
            "postgres",
            function("age_i int", "NEW.age_i := NEW.age::int;"),
            true,
        ),
        (
            "postgres",
            function("age_i int", "NEW.age_i := NEW.n::int;"),
            false,
        ),
        (
            "postgres",
            function(
                "age_i int",
                "NEW.age_i := CASE WHEN NEW.age ~ '^[0-9]{1,9}$' THEN NEW.age::int END;",
            ),
            false,
        ),
        (
            "postgres",
            function("initials varchar(2)", "NEW.initials := NEW.name;"),
            true,
        ),
        (
            "postgres",
            function("nom varchar(300)", "NEW.nom := NEW.name;"),
            false,
        ),
        (
            "mysql",
            trigger("age_i int", "SET NEW.age_i = NEW.age"),
            true,
        ),
        (
            "mysql",
            trigger("age_i int", "SET NEW.age_i = NEW.n"),
            false,
        ),
        (
            "mysql",
            trigger("initials varchar(2)", "SET NEW.initials = NEW.name"),
            true,
        ),
        (
            "mysql",
            trigger(
                "initials varchar(2)",
                "SET NEW.initials = left(NEW.name, 2)",
            ),
            false,
        ),
    ] {
        let found = expanded(dialect, TABLES, &expand);
        let told = codes(&found).contains(&"code-may-fail");
        assert_eq!(told, is_found, "{expand}: {found:?}");
    }
}
