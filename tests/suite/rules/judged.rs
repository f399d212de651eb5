//! Statements that live versions do not survive, or that take something from others, through the command line.

use crate::support::project::Project;
use crate::support::shop::{Shop, said};

const KID: &str = "CREATE TABLE kid (uid {key}, FOREIGN KEY (uid) REFERENCES users (id));\n\
     INSERT INTO kid SELECT id FROM users WHERE id = 1;\n";

scenario!(
    fn an_expand_that_refuses_rows_of_live_versions_is_not_run(db: Db) {
        let shop = Shop::new(db);
        let key = match shop.db.backend.name {
            "sqlite" => "integer",
            _ => "bigint",
        };
        let expand = KID.replace("{key}", key);
        let write = |allow: &str| {
            let manifest = format!("description = \"d\"\n{allow}");
            shop.project.migration(
                "0001_kid",
                &[("migration.toml", &manifest), ("expand.sql", &expand)],
            );
        };
        write("");
        for (command, code) in [
            (&["check"][..], 1),
            (&["gate", "expand", "1"], 11),
            (&["expand"], 11),
        ] {
            let refused = shop.project.migrate(command).expect_code(code);
            assert!(
                said(&refused).contains("hold on to rows of `users`"),
                "{refused:?}"
            );
        }
        let there = "SELECT count(*) FROM kid";
        assert!(shop.db.try_execute(there).is_err());

        // Whoever vouches for it gets what was said.
        write(
            "[[expand.allow]]\nstatement = \"INSERT INTO kid\"\nreason = \"nobody deletes users\"\n",
        );
        shop.run(&["expand"], 0);
        let enforce = match shop.db.backend.name {
            "sqlite" => "PRAGMA foreign_keys = ON; ",
            _ => "",
        };
        let delete = |id: u8| {
            shop.db
                .try_execute(&format!("{enforce}DELETE FROM users WHERE id = {id}"))
        };
        assert!(delete(1).is_err());
        assert!(delete(2).is_ok());
    }
);

const BASE: &str = "CREATE TABLE users (id integer PRIMARY KEY, full_name varchar(50), email varchar(50) NOT NULL, n integer NOT NULL DEFAULT 3);\n\
     CREATE TABLE orders (id integer PRIMARY KEY, user_id integer);\n\
     CREATE UNIQUE INDEX users_email ON users (email);\n\
     CREATE VIEW shown AS SELECT id FROM orders;\n";

/// What stands in contract.sql beside what it is for, or in the expand.sql of the next migration, and the rule that asks for it.
const KINDS: &[(&[&str], &str, &str)] = &[
    (ALL, "DROP VIEW shown", "takes-too-much"),
    (
        ALL,
        "DROP VIEW shown; CREATE VIEW shown AS SELECT user_id FROM orders",
        "takes-too-much",
    ),
    (
        ALL,
        "ALTER TABLE users DROP COLUMN n; ALTER TABLE users ADD COLUMN n integer",
        "takes-too-much",
    ),
    (
        ALL,
        "CREATE UNIQUE INDEX q ON orders (user_id)",
        "takes-too-much",
    ),
    (
        SERVERS,
        "ALTER TABLE users ADD CONSTRAINT c CHECK (n < 3)",
        "takes-too-much",
    ),
    (
        ALL,
        "ALTER TABLE orders ADD COLUMN z integer NOT NULL",
        "takes-too-much",
    ),
    (
        ALL,
        "ALTER TABLE orders ADD COLUMN z integer CHECK (user_id > 0)",
        "takes-too-much",
    ),
    (ALL, "DROP INDEX users_email{on}", "takes-too-much"),
    (
        ALL,
        "CREATE TABLE k (id integer PRIMARY KEY, email varchar(50) NOT NULL, name varchar(200)); \
         INSERT INTO k (id, email, name) SELECT id, email, name FROM users; DROP TABLE users; \
         ALTER TABLE k RENAME TO users; CREATE UNIQUE INDEX users_email ON users (email)",
        "takes-too-much",
    ),
    (
        SERVERS,
        "ALTER TABLE users ALTER n DROP DEFAULT",
        "takes-too-much",
    ),
    (
        &["postgres"],
        "CREATE RULE r AS ON INSERT TO orders DO INSTEAD NOTHING",
        "takes-too-much",
    ),
    (
        &["postgres"],
        "ALTER TABLE users SET SCHEMA old",
        "takes-too-much",
    ),
];
const EXPANDS: &[(&[&str], &str)] = &[
    (
        ALL,
        "ALTER TABLE orders ADD COLUMN of_user integer REFERENCES users (id); UPDATE orders SET of_user = user_id",
    ),
    (
        SERVERS,
        "ALTER TABLE users ADD COLUMN a smallint GENERATED ALWAYS AS (n) STORED",
    ),
    (SERVERS, "ALTER TABLE users ALTER email SET DEFAULT 'x@x'"),
    (
        &["postgres"],
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$; \
         CREATE TRIGGER t BEFORE INSERT OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION f()",
    ),
    (
        &["mysql"],
        "CREATE TABLE kid (id integer PRIMARY KEY, FOREIGN KEY (id) REFERENCES users (id) ON DELETE CASCADE); \
         CREATE TRIGGER t BEFORE INSERT ON users FOR EACH ROW INSERT INTO kid (id) VALUES (NEW.id)",
    ),
    (
        &["mysql"],
        "ALTER TABLE users ADD COLUMN a smallint AS (n) VIRTUAL",
    ),
    (
        &["postgres"],
        "CREATE TABLE part PARTITION OF whole (n NOT NULL) FOR VALUES FROM (1) TO (2)",
    ),
];
const ALL: &[&str] = &["sqlite", "postgres", "mysql"];
const SERVERS: &[&str] = &["postgres", "mysql"];

const MANIFEST: &str = "description = \"d\"\nsync = \"to-new\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n\
     [backfill]\ntable = \"users\"\nkey = \"id\"\nremaining = \"SELECT count(*) FROM users WHERE name IS NULL\"\n";

/// The rules that `check` names as errors.
fn errors(dialect: &str, files: &[(&str, &str)], next: &str) -> Vec<String> {
    let project = Project::without_database(&["web"]);
    project.file(
        "migrate.toml",
        &format!("[database]\ndialects = [\"{dialect}\"]\n[services.web]\n"),
    );
    let plain = ("migration.toml", "description = \"d\"\n");
    project.migration("0001_base", &[plain, ("expand.sql", BASE)]);
    project.migration(
        "0002_name",
        &[
            &[
                ("migration.toml", MANIFEST),
                (
                    "expand.sql",
                    "ALTER TABLE users ADD COLUMN name varchar(200);\n",
                ),
                (
                    "backfill.sql",
                    "UPDATE users SET name = full_name WHERE id > :after AND id <= :upto;\n",
                ),
            ],
            files,
        ]
        .concat(),
    );
    if !next.is_empty() {
        project.migration("0003_next", &[plain, ("expand.sql", next)]);
    }
    let checked = project.migrate(&["check", "--output", "json"]).json();
    let problems = checked["error"]["problems"].as_array();
    let is_error = |one: &&serde_json::Value| one["severity"] == "error";
    let rules = problems
        .into_iter()
        .flatten()
        .filter(is_error)
        .map(|one| one["rule"].as_str());
    rules
        .map(|rule| rule.unwrap_or("another").to_owned())
        .collect()
}

/// It makes nothing where the thing is there: what it says is not its own.
#[test]
fn what_if_not_exists_finds_belongs_to_others() {
    let add = |column: &str| {
        format!(
            "ALTER TABLE users ADD COLUMN name varchar(200), ADD COLUMN IF NOT EXISTS {column} integer;\n"
        )
    };
    let fill = "UPDATE users SET name = full_name, n = 99 WHERE id > :after AND id <= :upto;\n";
    for dialect in ALL {
        for (table, expected) in [("orders", &["takes-too-much"][..]), ("news", &[])] {
            let expand = format!(
                "ALTER TABLE users ADD COLUMN name varchar(200);\nCREATE TABLE IF NOT EXISTS {table} (id integer);\n"
            );
            let revert = format!("DROP TABLE {table};\nALTER TABLE users DROP COLUMN name;\n");
            let files = [("expand.sql", expand.as_str()), ("revert.sql", &revert)];
            assert_eq!(errors(dialect, &files, ""), expected, "{dialect} {table}");
        }
        let contract = "ALTER TABLE users DROP COLUMN full_name;\nDROP TABLE orders;\n";
        let expand =
            "ALTER TABLE users ADD COLUMN name varchar(200);\nCREATE INDEX o ON orders (id);\n";
        let files = [("contract.sql", contract), ("expand.sql", expand)];
        for (next, expected) in [
            (
                "CREATE TABLE IF NOT EXISTS orders (id integer);\n",
                &["takes-too-much"][..],
            ),
            ("CREATE TABLE orders (id integer);\n", &[]),
        ] {
            assert_eq!(errors(dialect, &files, next), expected, "{dialect} {next}");
        }
    }
    for dialect in SERVERS {
        let (found, new) = (add("n"), add("m"));
        let files = [("expand.sql", found.as_str()), ("backfill.sql", fill)];
        assert_eq!(errors(dialect, &files, ""), ["fills-too-much"], "{dialect}");
        let fill = fill.replace("n = 99", "m = 99");
        let files = [("expand.sql", new.as_str()), ("backfill.sql", &fill)];
        assert_eq!(errors(dialect, &files, ""), [""; 0], "{dialect}");
    }
}

/// The same contract and the same expand without the statement pass: it is this one that is asked for.
#[test]
fn each_kind_of_statement_is_asked_for() {
    const CONTRACT: &str = "ALTER TABLE users DROP COLUMN full_name;\n";
    for dialect in ALL {
        assert!(errors(dialect, &[("contract.sql", CONTRACT)], "").is_empty());
        let on = if *dialect == "mysql" { " ON users" } else { "" };
        for (dialects, statement, rule) in KINDS {
            if !dialects.contains(dialect) {
                continue;
            }
            let is_whole = statement.contains("DROP TABLE users");
            let before = if is_whole { "" } else { CONTRACT };
            let contract = format!("{before}{};\n", statement.replace("{on}", on));
            let mut found = errors(dialect, &[("contract.sql", &contract)], "");
            if is_whole && *dialect == "mysql" {
                // Nothing holds writes up while it is copied there.
                found.retain(|rule| rule != "loses-rows");
            }
            assert_eq!(found, [*rule], "{dialect}: {statement}");
        }
        for (dialects, statement) in EXPANDS {
            if dialects.contains(dialect) {
                let found = errors(dialect, &[], &format!("{statement};\n"));
                assert_eq!(found, ["destructive-expand"], "{dialect}: {statement}");
            }
        }
    }
}
