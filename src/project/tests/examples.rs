//! Each rule beside what looks like it and is none.

use super::*;
use crate::sql::Dialect;

const URLS: &[(Dialect, &str)] = &[
    (Dialect::Sqlite, "sqlite://shop.db"),
    (Dialect::Postgres, "postgres://localhost/shop"),
    (Dialect::Mysql, "mysql://localhost/shop"),
];

const DECLARED: &str =
    "description = \"x\"\nsync = \"both\"\n[services.web]\nold = \"<2\"\nnew = \">=1\"\n";
const READ_FIRST: &str = "description = \"x\"\nsync = \"to-new\"\n[services.web]\nreads = { old = \"<2\", new = \">=2\" }\nwrites = { old = \"<3\", new = \">=3\" }\n";
const ONLY_NEW: &str = "description = \"x\"\n[services.web]\nnew = \">=2\"\n";
const NEW_FIRST: &str =
    "description = \"x\"\nsync = \"both\"\n[services.web]\nold = \"<2\"\nnew = \">=2\"\n";
const FILLED: &str = "description = \"x\"\n[services.web]\nold = \"<2\"\nnew = \">=1\"\n[backfill]\ntable = \"users\"\nkey = \"id\"\nremaining = \"SELECT count(*) FROM users WHERE b IS NULL\"\n";

/// What is found in a project of two migrations, of which the first makes the tables and the second has these files.
pub(super) fn codes(dialect: Dialect, files: &[(&str, &str)]) -> Vec<&'static str> {
    let url = URLS
        .iter()
        .find(|(of, _)| *of == dialect)
        .map_or("", |(_, url)| url);
    let config = format!("[database]\nurl = \"{url}\"\n[services.web]\n");
    let is_filled = files.iter().any(|(name, _)| *name == "backfill.sql");
    let mut all = vec![
        ("migrate.toml".to_owned(), config.as_str()),
        (
            "0001_base/migration.toml".to_owned(),
            "description = \"x\"\n",
        ),
        (
            "0001_base/expand.sql".to_owned(),
            "CREATE TABLE users (id int PRIMARY KEY, a text); CREATE TABLE orders (id int PRIMARY KEY, user_id int);",
        ),
        (
            "0002_next/migration.toml".to_owned(),
            if is_filled { FILLED } else { DECLARED },
        ),
        (
            "0002_next/expand.sql".to_owned(),
            "ALTER TABLE users ADD COLUMN b text;",
        ),
    ];
    for (name, text) in files {
        let path = match name.contains('/') {
            true => (*name).to_owned(),
            false => format!("0002_next/{name}"),
        };
        all.retain(|(known, _)| *known != path);
        all.push((path, text));
    }
    let all: Vec<(&str, &str)> = all
        .iter()
        .map(|(path, text)| (path.as_str(), *text))
        .collect();
    loaded(&written(&all), None)
        .iter()
        .map(|problem| problem.code)
        .collect()
}

struct Example {
    rule: &'static str,
    dialect: Dialect,
    file: &'static str,
    /// What else the migration has.
    beside: &'static [(&'static str, &'static str)],
    found: &'static str,
    /// Looks like it, and is right.
    fine: &'static str,
}

const fn example(
    rule: &'static str,
    dialect: Dialect,
    file: &'static str,
    found: &'static str,
    fine: &'static str,
) -> Example {
    Example {
        rule,
        dialect,
        file,
        beside: &[],
        found,
        fine,
    }
}

const EXAMPLES: &[Example] = {
    use Dialect::{Mysql, Postgres, Sqlite};
    &[
        Example {
            rule: "alike-for-all",
            dialect: Mysql,
            file: "migration.toml",
            beside: &[(
                "backfill.sql",
                "UPDATE users SET b = a WHERE id > :after AND id <= :upto",
            )],
            found: "description = \"x\"\n[services.web]\nold = \"<2\"\nnew = \">=1\"\n[backfill]\ntable = \"users\"\nkey = \"id\"\nremaining = 'SELECT count(*) FROM users WHERE \"b\" IS NULL'\n",
            fine: FILLED,
        },
        example(
            "another-table",
            Sqlite,
            "backfill.sql",
            "UPDATE orders SET user_id = 1 WHERE id > :after AND id <= :upto",
            "UPDATE users SET b = a WHERE id > :after AND id <= :upto",
        ),
        example(
            "code-may-fail",
            Mysql,
            "expand.sql",
            "ALTER TABLE users ADD COLUMN b int; CREATE TRIGGER g BEFORE INSERT ON users FOR EACH ROW SET NEW.b = NEW.a",
            "ALTER TABLE users ADD COLUMN b text; CREATE TRIGGER g BEFORE INSERT ON users FOR EACH ROW SET NEW.b = NEW.a",
        ),
        example(
            "destructive-expand",
            Mysql,
            "expand.sql",
            "ALTER TABLE users ADD COLUMN b text, DROP COLUMN a",
            "ALTER TABLE users ADD COLUMN b text, ADD COLUMN `drop column a` text",
        ),
        example(
            "fills-at-once",
            Mysql,
            "expand.sql",
            "ALTER TABLE users ADD COLUMN b text; UPDATE users SET b = a",
            "ALTER TABLE users ADD COLUMN b text; UPDATE users SET b = a WHERE id = 7",
        ),
        example(
            "fills-too-much",
            Postgres,
            "backfill.sql",
            "UPDATE users SET b = a, a = '' WHERE id > :after AND id <= :upto",
            "UPDATE users SET b = lower(a) WHERE id > :after AND id <= :upto",
        ),
        example(
            "hidden-table",
            Postgres,
            "expand.sql",
            "CREATE TEMPORARY TABLE orders (id int) ON COMMIT DROP; ALTER TABLE users ADD COLUMN b text",
            "CREATE TEMPORARY TABLE scratch (id int) ON COMMIT DROP; ALTER TABLE users ADD COLUMN b text",
        ),
        example(
            "holds-lock",
            Postgres,
            "expand.sql",
            "ALTER TABLE users ADD COLUMN b text; UPDATE users SET b = a",
            "CREATE TABLE n (id int REFERENCES users (id)); CREATE UNIQUE INDEX i ON n (id)",
        ),
        example(
            "keeps-invalid",
            Postgres,
            "expand.sql",
            "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS i ON users (a)",
            "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY i ON users (a)",
        ),
        example(
            "key-width",
            Sqlite,
            "backfill.sql",
            "UPDATE users SET b = a WHERE (id, a) > :after AND (id, a) <= :upto",
            "UPDATE users SET b = a WHERE id > :after AND id <= :upto",
        ),
        example(
            "ledger",
            Postgres,
            "expand.sql",
            "ALTER TABLE users ADD COLUMN b text; UPDATE phasegate.meta SET format = 2",
            "ALTER TABLE users ADD COLUMN b text; CREATE TABLE phasegates (id int)",
        ),
        Example {
            rule: "left-behind",
            dialect: Mysql,
            file: "contract.sql",
            beside: &[(
                "expand.sql",
                "ALTER TABLE users ADD COLUMN b text; CREATE TRIGGER g BEFORE INSERT ON users FOR EACH ROW SET NEW.b = COALESCE(NEW.b, NEW.a)",
            )],
            found: "ALTER TABLE users DROP COLUMN a",
            fine: "DROP TRIGGER g; ALTER TABLE users DROP COLUMN a",
        },
        example(
            "locks-out",
            Postgres,
            "expand.sql",
            "-- migrate: no-transaction\nREINDEX TABLE users",
            "-- migrate: no-transaction\nREINDEX TABLE CONCURRENTLY users",
        ),
        example(
            "locks-writes",
            Postgres,
            "expand.sql",
            "CREATE INDEX i ON users (a)",
            "CREATE TABLE n (a int); CREATE INDEX i ON n (a)",
        ),
        Example {
            rule: "long-keys",
            dialect: Postgres,
            file: "expand.sql",
            beside: &[(
                "0001_base/expand.sql",
                "CREATE TABLE users (id int PRIMARY KEY, body text, a text)",
            )],
            found: "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY i ON users (body)",
            fine: "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY i ON users (a)",
        },
        example(
            "loses-rows",
            Sqlite,
            "contract.sql",
            "CREATE TABLE n (id int, b text); INSERT INTO n SELECT id, b FROM users WHERE b <> ''; DROP TABLE users; ALTER TABLE n RENAME TO users",
            "CREATE TABLE n (id int, b text); INSERT INTO n SELECT id, b FROM users; DROP TABLE users; ALTER TABLE n RENAME TO users",
        ),
        example(
            "needs-no-transaction",
            Postgres,
            "expand.sql",
            "CREATE INDEX CONCURRENTLY i ON users (a)",
            "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY i ON users (a)",
        ),
        example(
            "new-enum-value",
            Postgres,
            "expand.sql",
            "ALTER TYPE mood ADD VALUE 'calm'; ALTER TABLE users ADD COLUMN b mood DEFAULT 'calm'",
            "ALTER TYPE mood ADD VALUE 'calm'; ALTER TABLE users ADD COLUMN b mood DEFAULT 'glad'",
        ),
        example(
            "no-equality",
            Postgres,
            "expand.sql",
            "ALTER TABLE users ADD COLUMN b json",
            "ALTER TABLE users ADD COLUMN b jsonb",
        ),
        example(
            "rewrites-table",
            Postgres,
            "expand.sql",
            "ALTER TABLE users ADD COLUMN b uuid DEFAULT gen_random_uuid()",
            "ALTER TABLE users ADD COLUMN b timestamptz DEFAULT now()",
        ),
        example(
            "scans-under-lock",
            Postgres,
            "contract.sql",
            "ALTER TABLE users ADD CONSTRAINT c CHECK (b <> '')",
            "ALTER TABLE users ADD CONSTRAINT c CHECK (b <> '') NOT VALID",
        ),
        example(
            "session-setting",
            Postgres,
            "expand.sql",
            "SET work_mem = '1GB'; ALTER TABLE users ADD COLUMN b text",
            "SET LOCAL work_mem = '1GB'; ALTER TABLE users ADD COLUMN b text",
        ),
        example(
            "set-without-effect",
            Postgres,
            "expand.sql",
            "-- migrate: no-transaction\nSET LOCAL work_mem = '1GB'; ALTER TABLE users ADD COLUMN b text",
            "SET LOCAL work_mem = '1GB'; ALTER TABLE users ADD COLUMN b text",
        ),
        example(
            "silent-loss",
            Postgres,
            "contract.sql",
            "ALTER TABLE users DROP COLUMN a CASCADE",
            "ALTER TABLE users DROP COLUMN a",
        ),
        Example {
            rule: "still-required",
            dialect: Postgres,
            file: "expand.sql",
            beside: &[
                (
                    "0001_base/expand.sql",
                    "CREATE TABLE users (id int PRIMARY KEY, a text NOT NULL)",
                ),
                ("contract.sql", "ALTER TABLE users DROP COLUMN a"),
                ("migration.toml", NEW_FIRST),
            ],
            found: "ALTER TABLE users ADD COLUMN b text",
            fine: "ALTER TABLE users ALTER COLUMN a SET DEFAULT '-'",
        },
        Example {
            rule: "takes-too-much",
            dialect: Sqlite,
            file: "migration.toml",
            beside: &[("contract.sql", "ALTER TABLE users DROP COLUMN a")],
            found: "description = \"x\"\n[services.web]\nnew = \">=1\"\n",
            fine: DECLARED,
        },
        Example {
            rule: "too-new-value",
            dialect: Mysql,
            file: "0003_more/expand.sql",
            beside: &[
                (
                    "0001_base/expand.sql",
                    "CREATE TABLE users (id int PRIMARY KEY, a enum('x') DEFAULT 'x')",
                ),
                ("0002_next/migration.toml", READ_FIRST),
                (
                    "0002_next/expand.sql",
                    "ALTER TABLE users MODIFY a enum('x','y') DEFAULT 'x'",
                ),
                ("0003_more/migration.toml", "description = \"x\"\n"),
            ],
            found: "ALTER TABLE users ALTER a SET DEFAULT 'y'",
            fine: "ALTER TABLE users ALTER a SET DEFAULT 'x'",
        },
        example(
            "transaction-control",
            Mysql,
            "expand.sql",
            "START TRANSACTION; ALTER TABLE users ADD COLUMN b text",
            "ALTER TABLE users ADD COLUMN b text; CREATE TRIGGER g BEFORE INSERT ON users FOR EACH ROW BEGIN SET NEW.b = COALESCE(NEW.b, NEW.a); END",
        ),
        example(
            "unguarded-drop",
            Sqlite,
            "contract.sql",
            "-- migrate: no-transaction\nDROP TABLE users",
            "DROP TABLE users",
        ),
        example(
            "unindexed-key",
            Sqlite,
            "expand.sql",
            "CREATE TABLE n (id int PRIMARY KEY, user_id int REFERENCES users (id))",
            "CREATE TABLE n (id int PRIMARY KEY, user_id int REFERENCES users (id)); CREATE INDEX i ON n (user_id)",
        ),
        example(
            "unknown-effect",
            Postgres,
            "expand.sql",
            "DO $$ BEGIN DROP TABLE users; END $$",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1 $$",
        ),
        example(
            "unnamed-index",
            Postgres,
            "expand.sql",
            "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY ON users (a)",
            "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY i ON users (a)",
        ),
        Example {
            rule: "widens-unsaid",
            dialect: Postgres,
            file: "expand.sql",
            beside: &[
                ("migration.toml", ONLY_NEW),
                (
                    "0001_base/expand.sql",
                    "CREATE TABLE users (id int PRIMARY KEY, a text NOT NULL, b text)",
                ),
            ],
            found: "ALTER TABLE users ALTER COLUMN a DROP NOT NULL",
            fine: "ALTER TABLE users ALTER COLUMN b DROP NOT NULL",
        },
        Example {
            rule: "writes-along",
            dialect: Mysql,
            file: "backfill.sql",
            beside: &[(
                "0001_base/expand.sql",
                "CREATE TABLE users (id int PRIMARY KEY, a text, updated_at timestamp NULL DEFAULT NULL ON UPDATE CURRENT_TIMESTAMP)",
            )],
            found: "UPDATE users SET b = a WHERE id > :after AND id <= :upto",
            fine: "UPDATE users SET b = a, updated_at = updated_at WHERE id > :after AND id <= :upto",
        },
    ]
};

#[test]
fn each_rule_finds_what_it_is_for_and_leaves_what_looks_like_it() {
    let without: Vec<&str> = RULES
        .iter()
        .map(|rule| rule.code)
        .filter(|code| !EXAMPLES.iter().any(|example| example.rule == *code))
        .collect();
    assert!(without.is_empty(), "rules without an example: {without:?}");
    let mut wrong = Vec::new();
    for example in EXAMPLES {
        for (sql, is_one) in [(example.found, true), (example.fine, false)] {
            let mut files = example.beside.to_vec();
            files.push((example.file, sql));
            let found = codes(example.dialect, &files);
            if found.contains(&example.rule) != is_one {
                wrong.push(format!("{} {is_one}: {sql}: {found:?}", example.rule));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
