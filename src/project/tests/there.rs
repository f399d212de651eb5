//! What IF NOT EXISTS finds, and what is made again without what was in it: neither is of the migration that says so.

use super::losing::{EVERYWHERE, codes, of};
use super::*;

/// What was there before: an earlier migration has made it.
const BEFORE: &str = "CREATE TABLE users (id INT PRIMARY KEY, full_name TEXT, email TEXT, n INT);
CREATE TABLE orders (id INT PRIMARY KEY, user_id INT, total INT);
CREATE INDEX ue ON users (email);
";
const ADDITIVE: &str = "description = \"x\"\n[services.web]\nnew = \">=1.3.0\"\n";

fn found(dialect: &str, files: &[(&str, &str)]) -> Vec<String> {
    let before = [
        ("0001_base/migration.toml", "description = \"base\"\n"),
        ("0001_base/expand.sql", BEFORE),
    ];
    of(dialect, &[&before[..], files].concat())
}

/// One that makes it only where it is missing has made nothing, and takes nothing back.
#[test]
fn a_revert_leaves_what_if_not_exists_has_found() {
    const ALL: &[&str] = EVERYWHERE;
    const COLUMNS: &[&str] = &["postgres", "mysql"];
    const POSTGRES: &[&str] = &["postgres"];
    for (dialects, earlier, expand, revert, is_fine) in [
        (
            ALL,
            "",
            "CREATE TABLE IF NOT EXISTS orders (id INT)",
            "DROP TABLE orders",
            false,
        ),
        (
            ALL,
            "",
            "CREATE TABLE IF NOT EXISTS news (id INT)",
            "DROP TABLE news",
            true,
        ),
        // It was gone.
        (
            ALL,
            "CREATE TABLE news (id INT); DROP TABLE news;",
            "CREATE TABLE IF NOT EXISTS news (id INT)",
            "DROP TABLE news",
            true,
        ),
        (
            ALL,
            "ALTER TABLE orders RENAME TO news;",
            "CREATE TABLE IF NOT EXISTS news (id INT)",
            "DROP TABLE news",
            false,
        ),
        (
            COLUMNS,
            "",
            "ALTER TABLE users ADD COLUMN IF NOT EXISTS email TEXT",
            "ALTER TABLE users DROP COLUMN email",
            false,
        ),
        (
            COLUMNS,
            "",
            "ALTER TABLE users ADD COLUMN a TEXT, ADD COLUMN IF NOT EXISTS email TEXT",
            "ALTER TABLE users DROP COLUMN a; ALTER TABLE users DROP COLUMN email",
            false,
        ),
        (
            COLUMNS,
            "",
            "ALTER TABLE users ADD COLUMN IF NOT EXISTS a TEXT",
            "ALTER TABLE users DROP COLUMN a",
            true,
        ),
        (
            POSTGRES,
            "CREATE SEQUENCE sq;",
            "CREATE SEQUENCE IF NOT EXISTS sq",
            "DROP SEQUENCE sq",
            false,
        ),
        (
            POSTGRES,
            "",
            "CREATE SEQUENCE IF NOT EXISTS sq",
            "DROP SEQUENCE sq",
            true,
        ),
        (
            POSTGRES,
            "CREATE SCHEMA app;",
            "CREATE SCHEMA IF NOT EXISTS app",
            "DROP SCHEMA app",
            false,
        ),
        (
            POSTGRES,
            "",
            "CREATE SCHEMA IF NOT EXISTS app",
            "DROP SCHEMA app",
            true,
        ),
        (
            POSTGRES,
            "",
            "CREATE INDEX IF NOT EXISTS ue ON users (email)",
            "DROP INDEX ue",
            false,
        ),
        (
            POSTGRES,
            "",
            "CREATE INDEX IF NOT EXISTS un ON users (n)",
            "DROP INDEX un",
            true,
        ),
    ] {
        for dialect in dialects {
            let base = format!("{BEFORE}{earlier}");
            let found = of(
                dialect,
                &[
                    (
                        "0001_base/migration.toml",
                        "description = \"base\"\n[[expand.allow]]\nstatement = \"ALTER TABLE orders RENAME TO news\"\nreason = \"a test\"\n[[expand.allow]]\nstatement = \"DROP TABLE news\"\nreason = \"a test\"\n",
                    ),
                    ("0001_base/expand.sql", &base),
                    ("0002_split/migration.toml", ADDITIVE),
                    ("0002_split/expand.sql", &format!("{expand};\n")),
                    ("0002_split/revert.sql", &format!("{revert};\n")),
                    ("-0002_split/backfill.sql", ""),
                    ("-0002_split/contract.sql", ""),
                ],
            );
            let of_revert: Vec<String> = found
                .iter()
                .filter(|line| line.contains("revert.sql"))
                .cloned()
                .collect();
            let expected: &[&str] = if is_fine { &[] } else { &["takes-too-much"] };
            assert_eq!(codes(&of_revert), expected, "{dialect} {expand}: {found:?}");
        }
    }
}

#[test]
fn what_if_not_exists_has_found_is_no_new_format() {
    for dialect in ["postgres", "mysql"] {
        let add = "ALTER TABLE users ADD COLUMN IF NOT EXISTS first_name TEXT, ADD COLUMN IF NOT EXISTS n INT;\n";
        let fill =
            "UPDATE users SET first_name = full_name, n = 99 WHERE id > :after AND id <= :upto;\n";
        let files = [
            ("0002_split/expand.sql", add),
            ("0002_split/backfill.sql", fill),
        ];
        let lines = found(dialect, &files);
        assert_eq!(codes(&lines), ["fills-too-much"], "{dialect}: {lines:?}");
        let trigger = match dialect {
            "postgres" => {
                "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.n := 99; RETURN NEW; END $$;\nCREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION tf();\n"
            }
            _ => "CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW SET NEW.n = 99;\n",
        };
        let expand = format!("{add}{trigger}");
        let lines = found(dialect, &[("0002_split/expand.sql", &expand)]);
        assert_eq!(
            codes(&lines),
            ["destructive-expand"],
            "{dialect}: {lines:?}"
        );
    }
}

#[test]
fn a_contract_leaves_what_if_not_exists_has_found() {
    let old = "description = \"x\"\n[services.web]\nold = \"<1.2.0\"\n";
    for (dialects, expand, contract, is_fine) in [
        (
            EVERYWHERE,
            "CREATE TABLE IF NOT EXISTS orders (id INT)",
            "DROP TABLE orders",
            false,
        ),
        (
            EVERYWHERE,
            "CREATE TABLE IF NOT EXISTS helper (id INT)",
            "DROP TABLE helper",
            true,
        ),
        (
            &["postgres", "mysql"][..],
            "ALTER TABLE users ADD COLUMN IF NOT EXISTS n INT",
            "ALTER TABLE users DROP COLUMN n",
            false,
        ),
    ] {
        for dialect in dialects {
            let lines = found(
                dialect,
                &[
                    ("0002_split/migration.toml", old),
                    ("0002_split/expand.sql", &format!("{expand};\n")),
                    ("0002_split/contract.sql", &format!("{contract};\n")),
                    ("-0002_split/backfill.sql", ""),
                ],
            );
            let expected: &[&str] = if is_fine { &[] } else { &["takes-too-much"] };
            assert_eq!(codes(&lines), expected, "{dialect} {contract}: {lines:?}");
        }
    }
}

/// Every expand may come before any contract: one that finds the old thing there makes nothing, and it goes under it.
#[test]
fn a_contract_is_not_made_good_by_if_not_exists() {
    const TABLE: &str = "DROP TABLE orders;\n";
    for (dialects, takes, later, is_fine) in [
        (
            &["postgres", "mysql"][..],
            CONTRACT,
            "ALTER TABLE users ADD COLUMN IF NOT EXISTS full_name TEXT",
            false,
        ),
        (
            EVERYWHERE,
            TABLE,
            "CREATE TABLE IF NOT EXISTS orders (id INT)",
            false,
        ),
        // That one waits until the name is free.
        (EVERYWHERE, TABLE, "CREATE TABLE orders (id INT)", true),
        (
            EVERYWHERE,
            CONTRACT,
            "ALTER TABLE users ADD COLUMN full_name TEXT",
            true,
        ),
    ] {
        let old = "description = \"x\"\n[services.web]\nold = \"<1.2.0\"\n";
        for dialect in dialects {
            let later = format!("{later};\n");
            let lines = found(
                dialect,
                &[
                    ("0002_split/migration.toml", old),
                    ("0002_split/contract.sql", takes),
                    ("-0002_split/expand.sql", ""),
                    ("-0002_split/backfill.sql", ""),
                    ("-0002_split/revert.sql", ""),
                    ("0003_again/migration.toml", ADDITIVE),
                    ("0003_again/expand.sql", &later),
                ],
            );
            let expected: &[&str] = if is_fine { &[] } else { &["takes-too-much"] };
            assert_eq!(codes(&lines), expected, "{dialect} {later}: {lines:?}");
        }
    }
}

/// Its values are gone, though a column of its name is there.
#[test]
fn a_column_that_is_made_again_is_empty() {
    const CASES: &[(&[&str], &str, usize)] = &[
        (
            EVERYWHERE,
            "ALTER TABLE users DROP COLUMN n; ALTER TABLE users ADD COLUMN n INT NOT NULL DEFAULT 3",
            1,
        ),
        (
            EVERYWHERE,
            "ALTER TABLE orders DROP COLUMN total; ALTER TABLE orders ADD COLUMN total INT",
            1,
        ),
        (
            EVERYWHERE,
            "ALTER TABLE users RENAME COLUMN n TO n_old; ALTER TABLE users ADD COLUMN n INT",
            1,
        ),
        (
            EVERYWHERE,
            "ALTER TABLE users DROP COLUMN first_name; ALTER TABLE users ADD COLUMN first_name TEXT",
            1,
        ),
        (
            EVERYWHERE,
            "ALTER TABLE users DROP COLUMN n; ALTER TABLE users RENAME COLUMN email TO n",
            2,
        ),
        (
            &["mysql", "postgres"],
            "ALTER TABLE users DROP COLUMN n, ADD COLUMN n INT",
            1,
        ),
        // The old format, under whose name the new one goes on.
        (
            EVERYWHERE,
            "ALTER TABLE users DROP COLUMN full_name; ALTER TABLE users ADD COLUMN full_name TEXT",
            0,
        ),
        // Another one gets its name, with its values.
        (
            EVERYWHERE,
            "ALTER TABLE users ADD COLUMN n2 INT; UPDATE users SET n2 = n; ALTER TABLE users DROP COLUMN n; ALTER TABLE users RENAME COLUMN n2 TO n",
            0,
        ),
    ];
    for (dialects, sql, count) in CASES {
        for dialect in *dialects {
            let contract = format!("{sql};\n");
            let lines = found(dialect, &[("0002_split/contract.sql", &contract)]);
            let takes = lines
                .iter()
                .filter(|line| line.ends_with("[takes-too-much]"));
            assert_eq!(takes.count(), *count, "{dialect} {sql}: {lines:?}");
        }
    }
}

/// A column of another table may bear the name of one of the formats.
#[test]
fn a_column_is_of_the_formats_by_its_table() {
    for (dialects, sql, count) in [
        (EVERYWHERE, "ALTER TABLE orders DROP COLUMN full_name", 1),
        (EVERYWHERE, "ALTER TABLE orders DROP COLUMN first_name", 1),
        (
            EVERYWHERE,
            "ALTER TABLE orders RENAME COLUMN full_name TO x",
            1,
        ),
        (
            &["postgres"][..],
            "ALTER TABLE app.users DROP COLUMN full_name",
            1,
        ),
        (
            &["postgres"],
            "ALTER TABLE public.users DROP COLUMN full_name",
            0,
        ),
        (
            &["postgres"],
            "ALTER TABLE orders ALTER first_name SET NOT NULL",
            1,
        ),
    ] {
        for dialect in dialects {
            let contract = format!("{sql};\n");
            let lines = found(dialect, &[("0002_split/contract.sql", &contract)]);
            let takes = lines
                .iter()
                .filter(|line| line.ends_with("[takes-too-much]"));
            assert_eq!(takes.count(), count, "{dialect} {sql}: {lines:?}");
        }
    }
}

/// The versions that live on write the columns of others, and after a revert those of the old format, as they did.
#[test]
fn constraints_are_put_on_the_formats_alone() {
    const SERVERS: &[&str] = &["postgres", "mysql"];
    const POSTGRES: &[&str] = &["postgres"];
    for (dialects, sql, of_contract, of_revert) in [
        (
            SERVERS,
            "ALTER TABLE users ADD CONSTRAINT c CHECK (n < 3)",
            1,
            1,
        ),
        (SERVERS, "ALTER TABLE users ADD UNIQUE (n)", 1, 1),
        (
            EVERYWHERE,
            "CREATE UNIQUE INDEX q ON orders (user_id)",
            1,
            1,
        ),
        (EVERYWHERE, "CREATE INDEX q ON orders (user_id)", 0, 0),
        (
            SERVERS,
            "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users (id)",
            1,
            1,
        ),
        (
            POSTGRES,
            "ALTER TABLE users ADD EXCLUDE USING gist (n WITH =)",
            1,
            1,
        ),
        // The new format, which a revert takes away.
        (
            EVERYWHERE,
            "CREATE UNIQUE INDEX q ON users (first_name)",
            0,
            0,
        ),
        (
            SERVERS,
            "ALTER TABLE users ADD CHECK (first_name <> '')",
            0,
            0,
        ),
        // The old format, which a contract takes away.
        (
            EVERYWHERE,
            "CREATE UNIQUE INDEX q ON users (full_name)",
            0,
            1,
        ),
        (
            POSTGRES,
            "ALTER TABLE users ALTER full_name SET NOT NULL",
            0,
            1,
        ),
        // It was unique before.
        (EVERYWHERE, "CREATE UNIQUE INDEX q ON users (id, n)", 0, 0),
        (
            POSTGRES,
            "ALTER TABLE users ADD COLUMN g smallint GENERATED ALWAYS AS (n + 1) STORED",
            1,
            1,
        ),
    ] {
        for dialect in dialects {
            for (file, right, count) in [
                ("0002_split/contract.sql", CONTRACT, of_contract),
                (
                    "0002_split/revert.sql",
                    "ALTER TABLE users DROP COLUMN first_name;\n",
                    of_revert,
                ),
            ] {
                let text = format!("{sql};\n{right}");
                let lines = found(dialect, &[(file, &text)]);
                let takes = lines
                    .iter()
                    .filter(|line| line.ends_with("[takes-too-much]"));
                assert_eq!(takes.count(), count, "{dialect} {file} {sql}: {lines:?}");
            }
        }
    }
    // What expand.sql takes away or loosens, the revert gives back.
    for (expand, revert) in [
        (
            "ALTER TABLE users ALTER full_name DROP NOT NULL",
            "ALTER TABLE users ALTER full_name SET NOT NULL",
        ),
        (
            "ALTER TABLE users DROP CONSTRAINT c",
            "ALTER TABLE users ADD CONSTRAINT c CHECK (full_name <> '')",
        ),
        ("DROP INDEX ue", "CREATE UNIQUE INDEX ue ON users (email)"),
    ] {
        let expand = format!("{EXPAND}{expand};\n");
        let revert = format!("{revert};\nALTER TABLE users DROP COLUMN first_name;\n");
        let lines = found(
            "postgres",
            &[
                ("0002_split/expand.sql", &expand),
                ("0002_split/revert.sql", &revert),
            ],
        );
        assert!(!codes(&lines).contains(&"takes-too-much"), "{lines:?}");
    }
}

/// What others call by its name is what it was.
#[test]
fn what_is_made_again_is_the_same() {
    const POSTGRES: &[&str] = &["postgres"];
    const VIEW: &str = "CREATE VIEW vv AS SELECT id, total FROM orders";
    const CALLED: &str = "CREATE FUNCTION tf() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.total := 5; RETURN NEW; END $$";
    const TRIGGER: &str =
        "CREATE TRIGGER tt BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION tf()";
    let trigger = format!("{CALLED};\n{TRIGGER}");
    for (dialects, earlier, sql, is_fine) in [
        (
            EVERYWHERE,
            VIEW,
            "DROP VIEW vv; CREATE VIEW vv AS SELECT id FROM orders".to_owned(),
            false,
        ),
        (EVERYWHERE, VIEW, format!("DROP VIEW vv; {VIEW}"), true),
        // It read what goes.
        (
            EVERYWHERE,
            "CREATE VIEW vv AS SELECT * FROM users",
            "DROP VIEW vv; CREATE VIEW vv AS SELECT id, first_name FROM users".to_owned(),
            true,
        ),
        (
            POSTGRES,
            "CREATE FUNCTION ff() RETURNS int LANGUAGE sql AS 'SELECT 1'",
            "DROP FUNCTION ff(); CREATE FUNCTION ff() RETURNS int LANGUAGE sql AS 'SELECT 2'"
                .to_owned(),
            false,
        ),
        (
            POSTGRES,
            "CREATE TYPE ty AS ENUM ('a', 'b')",
            "DROP TYPE ty; CREATE TYPE ty AS ENUM ('a')".to_owned(),
            false,
        ),
        (
            POSTGRES,
            "CREATE DOMAIN dm AS int",
            "DROP DOMAIN dm; CREATE DOMAIN dm AS int CHECK (value > 5)".to_owned(),
            false,
        ),
        (
            POSTGRES,
            "CREATE MATERIALIZED VIEW mv AS SELECT 1 AS a",
            "DROP MATERIALIZED VIEW mv; CREATE MATERIALIZED VIEW mv AS SELECT 2 AS b".to_owned(),
            false,
        ),
        (
            POSTGRES,
            &trigger,
            format!(
                "DROP TRIGGER tt ON orders; {}",
                TRIGGER.replace("EXECUTE", "WHEN (false) EXECUTE")
            ),
            false,
        ),
        (
            POSTGRES,
            &trigger,
            format!("DROP TRIGGER tt ON orders; {TRIGGER}"),
            true,
        ),
        (
            &["postgres", "sqlite"],
            "CREATE UNIQUE INDEX un ON users (n)",
            "DROP INDEX un; CREATE INDEX un ON users (n)".to_owned(),
            false,
        ),
        (
            &["mysql"],
            "CREATE UNIQUE INDEX un ON users (n)",
            "DROP INDEX un ON users; CREATE INDEX un ON users (n)".to_owned(),
            false,
        ),
        (
            &["postgres", "sqlite"],
            "CREATE UNIQUE INDEX un ON users (n)",
            "DROP INDEX un; CREATE UNIQUE INDEX un ON users (n DESC)".to_owned(),
            true,
        ),
        (
            POSTGRES,
            "SELECT 1",
            "ALTER TABLE users DROP CONSTRAINT users_pkey, ADD PRIMARY KEY (n)".to_owned(),
            false,
        ),
        (
            POSTGRES,
            "SELECT 1",
            "ALTER TABLE users DROP CONSTRAINT users_pkey, ADD PRIMARY KEY (id)".to_owned(),
            true,
        ),
    ] {
        for dialect in dialects {
            let base = format!("{BEFORE}{earlier};\n");
            let contract = format!("{CONTRACT}{sql};\n");
            let lines = of(
                dialect,
                &[
                    ("0001_base/migration.toml", "description = \"base\"\n"),
                    ("0001_base/expand.sql", &base),
                    ("0002_split/contract.sql", &contract),
                ],
            );
            let is_found = codes(&lines).contains(&"takes-too-much");
            assert_eq!(is_found, !is_fine, "{dialect} {sql}: {lines:?}");
        }
    }
}

/// What leads to a table that was built anew has to be made anew as well.
#[test]
fn a_foreign_key_may_lead_to_a_table_that_was_built_anew() {
    const ANEW: &str =
        "CREATE TABLE users_new (id INT PRIMARY KEY, first_name TEXT, email TEXT, n INT);
LOCK TABLE users IN SHARE MODE;
INSERT INTO users_new (id, first_name, email, n) SELECT id, first_name, email, n FROM users;
DROP TABLE users;
ALTER TABLE users_new RENAME TO users;
CREATE INDEX ue ON users (email);
";
    const KEY: &str = "ALTER TABLE orders ADD FOREIGN KEY (user_id) REFERENCES users (id);\n";
    for (contract, is_fine) in [
        (format!("{ANEW}{KEY}"), true),
        (format!("{CONTRACT}{KEY}"), false),
    ] {
        let lines = found("postgres", &[("0002_split/contract.sql", &contract)]);
        let is_found = codes(&lines).contains(&"takes-too-much");
        assert_eq!(is_found, !is_fine, "{contract}: {lines:?}");
    }
}
