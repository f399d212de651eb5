//! SQL files.

use super::*;

#[test]
fn what_scripts_may_not_contain() {
    let expand = "0002_split/expand.sql";
    let manifest = "0002_split/migration.toml";
    let allowing = |statement: &str| {
        SPLIT.replace(
            "[backfill]",
            &format!(
                "[[expand.allow]]\nstatement = \"{statement}\"\nreason = \"unused\"\n[backfill]"
            ),
        )
    };
    let drop = "SELECT 1;\nDROP INDEX users_email;\n";
    let remaining = SPLIT.replace(
        "SELECT count(*) FROM users WHERE first_name IS NULL",
        "DELETE FROM users",
    );
    check(&[
        (
            &[(expand, "-- nothing yet\n")],
            &["0002_split/expand.sql:1:1: there is no statement in this file [empty-script]"],
        ),
        (
            &[(expand, "")],
            &["0002_split/expand.sql:1:1: there is no statement in this file [empty-script]"],
        ),
        (
            &[(expand, "SELECT 1;\nBEGIN;\n")],
            &["0002_split/expand.sql:2:1: BEGIN does not belong…[transaction-control]"],
        ),
        (
            &[("0002_split/contract.sql", "COMMIT;\n")],
            &["0002_split/contract.sql:1:1: COMMIT…[transaction-control]"],
        ),
        (
            &[(expand, "PRAGMA synchronous = OFF;\n")],
            &["0002_split/expand.sql:1:1: PRAGMA…[session-setting]"],
        ),
        (
            &[(expand, "VACUUM;\n")],
            &["0002_split/expand.sql:1:1: SQLite refuses this…[needs-no-transaction]"],
        ),
        (&[(expand, "-- migrate: no-transaction\nVACUUM;\n")], &[]),
        (
            &[(expand, "SELECT 1;\n\nSELEC 2;\n")],
            &["0002_split/expand.sql:3:…[sql]"],
        ),
        (
            &[(expand, "DROP TABLE users;\n")],
            &["0002_split/expand.sql:1:1: live versions may not survive this…[destructive-expand]"],
        ),
        (
            &[("0002_split/revert.sql", "DROP TABLE users;\n")],
            &[
                "0002_split/revert.sql:1:1: this takes away the table `users`, which belongs to the old format…[takes-too-much]",
            ],
        ),
        (
            &[
                (expand, drop),
                (manifest, &allowing("drop index  users_email")),
            ],
            &[],
        ),
        (
            &[(expand, drop), (manifest, &allowing("DROP INDEX"))],
            &[
                "0002_split/migration.toml:7:13: this allows too much…[unused-allowance]",
                "0002_split/expand.sql:2:1: …[destructive-expand]",
            ],
        ),
        (
            &[(manifest, &allowing("DROP INDEX x"))],
            &[
                "0002_split/migration.toml:7:13: no statement in expand.sql begins like this [unused-allowance]",
            ],
        ),
        (
            &[(manifest, &allowing("ALTER TABLE users"))],
            &["0002_split/migration.toml:7:13: warning: the statement…[needless-allowance]"],
        ),
        (
            &[(manifest, &allowing("  "))],
            &["0002_split/migration.toml:7:13: `statement` is empty [empty-value]"],
        ),
        (
            &[("0002_split/backfill.sql", "-- later\n")],
            &["0002_split/backfill.sql:1:1: there is no statement in this file [empty-script]"],
        ),
        (
            &[("0002_split/backfill.sql", "UPDATE users SET x = 1;\n")],
            &[
                "0002_split/backfill.sql:1:1: `:after`…[sql]",
                "0002_split/backfill.sql:1:1: `:upto`…[sql]",
            ],
        ),
        (
            &[(manifest, &remaining)],
            &["0002_split/migration.toml:9:14: this is not a SELECT [not-a-select]"],
        ),
    ]);
}

#[test]
fn each_database_reads_its_own_script() {
    let both =
        "[database]\ndialects = [\"sqlite\", \"postgres\"]\n[services.web]\n[services.worker]\n";
    let (expand, postgres) = ("0002_split/expand.sql", "0002_split/expand.postgres.sql");
    let concurrently =
        "-- migrate: no-transaction\nCREATE INDEX CONCURRENTLY i ON users (first_name);\n";
    check(&[
        (&[("migrate.toml", both)], &[]),
        (&[("migrate.toml", both), (postgres, concurrently)], &[]),
        (
            &[
                ("migrate.toml", both),
                (
                    postgres,
                    "CREATE INDEX CONCURRENTLY i ON users (first_name);\n",
                ),
            ],
            &["0002_split/expand.postgres.sql:1:1: PostgreSQL refuses…[needs-no-transaction]"],
        ),
        (
            &[("migrate.toml", both), (expand, concurrently)],
            &["0002_split/expand.sql:2:…[sql]"],
        ),
        (
            &[("migrate.toml", both), (expand, "DROP TABLE users;\n")],
            &["0002_split/expand.sql:1:1: live versions…[destructive-expand]"],
        ),
        (
            &[
                ("migrate.toml", both),
                (postgres, EXPAND),
                ("-0002_split/expand.sql", ""),
            ],
            &[
                "0002_split/expand.sqlite.sql: expand has no script for sqlite: there is `expand.postgres.sql`, and neither `expand.sql` nor `expand.sqlite.sql` [missing-script]",
            ],
        ),
        // Not for this project's database, so not read.
        (&[(postgres, "nonsense")], &[]),
        (&[("0002_split/expand.mysql.sql", "nonsense")], &[]),
        (
            &[("0002_split/expand.oracle.sql", "SELECT 1;")],
            &["0002_split/expand.oracle.sql: this script would never be run…[unknown-script]"],
        ),
        (
            &[("0002_split/expand.postgre.sql", "SELECT 1;")],
            &["0002_split/expand.postgre.sql: this script would never be run…[unknown-script]"],
        ),
    ]);
}

#[test]
fn what_others_call_a_database_is_answered_with_our_name() {
    for (name, right) in [
        (
            "expand.mariadb.sql",
            "`expand.mysql.sql`, for MySQL and for MariaDB",
        ),
        ("contract.postgresql.sql", "`contract.postgres.sql`"),
        ("backfill.sqlite3.sql", "`backfill.sqlite.sql`"),
    ] {
        let dir = changed(&[(&format!("0002_split/{name}"), "SELECT 1;")]);
        let problems = loaded(&dir, None);
        let problem = problems
            .iter()
            .find(|problem| problem.code == "unknown-script")
            .unwrap();
        assert_eq!(problem.help, format!("such a file is called {right}"));
    }
}

#[test]
fn with_nothing_to_say_which_database_is_meant_the_way_out_is_named() {
    let expand =
        "CREATE INDEX CONCURRENTLY i ON users (a);\nSET work_mem = 1;\nSET LOCAL work_mem = 1;\n";
    let dir = changed(&[
        ("migrate.toml", "[services.web]\n"),
        ("0002_split/expand.sql", expand),
    ]);
    let problems = loaded(&dir, None);
    // What only one database minds is said of that one, with its way out.
    for (beginning, way_out) in [
        (
            "for postgres: PostgreSQL refuses",
            "`-- migrate: no-transaction`",
        ),
        (
            "for mysql: whether live versions survive this",
            "`[[expand.allow]]`",
        ),
        (
            "for sqlite: syntax error",
            "`dialects = [\"postgres\", \"mysql\"]`",
        ),
    ] {
        let found = problems
            .iter()
            .find(|problem| problem.message.starts_with(beginning));
        let found = found.unwrap_or_else(|| panic!("{beginning} in {problems:#?}"));
        assert!(found.help.contains(way_out), "{found:#?}");
    }
}

/// One allowance excuses one statement, and says which.
#[test]
fn an_allowance_excuses_one_statement() {
    let expand = "0002_split/expand.sql";
    let manifest = "0002_split/migration.toml";
    let allowing = |sections: &[(&str, &str)]| {
        let mut text = SPLIT.to_owned();
        for (step, statement) in sections {
            text.push_str(&format!(
                "[[{step}.allow]]\nstatement = \"{statement}\"\nreason = \"a test\"\n"
            ));
        }
        text
    };
    let three = "ALTER TABLE users ADD COLUMN first_name TEXT;\nDROP INDEX users_email;\nDROP INDEX users_email_2;\nDROP INDEX users_email_2;\n";
    check(&[
        (
            &[
                (
                    expand,
                    "ALTER TABLE users RENAME COLUMN a TO b;\nALTER TABLE users RENAME COLUMN c TO d;\n",
                ),
                (
                    manifest,
                    &allowing(&[("expand", "ALTER TABLE users RENAME COLUMN")]),
                ),
            ],
            &[
                "0002_split/migration.toml:14:13: 2 statements in expand.sql begin like this, and one allowance excuses one [ambiguous-allowance]",
                "0002_split/expand.sql:1:1: …[destructive-expand]",
                "0002_split/expand.sql:2:1: …[destructive-expand]",
            ],
        ),
        // What spells a statement whole means that one; what is there twice needs two.
        (
            &[
                (expand, three),
                (
                    manifest,
                    &allowing(&[
                        ("expand", "DROP INDEX users_email"),
                        ("expand", "DROP INDEX users_email_2"),
                        ("expand", "DROP INDEX users_email_2"),
                    ]),
                ),
            ],
            &[],
        ),
        (
            &[
                (expand, three),
                (
                    manifest,
                    &allowing(&[
                        ("expand", "DROP INDEX users_email"),
                        ("expand", "DROP INDEX users_email_2"),
                    ]),
                ),
            ],
            &["0002_split/expand.sql:4:1: …[destructive-expand]"],
        ),
        (
            &[
                (expand, "DROP INDEX users_email;\n"),
                (
                    manifest,
                    &allowing(&[
                        ("expand", "DROP INDEX users_email"),
                        ("expand", "DROP INDEX users_email"),
                    ]),
                ),
            ],
            &[
                "0002_split/migration.toml:17:13: another allowance says the same already [unused-allowance]",
            ],
        ),
        // Of another step it is another one.
        (
            &[
                (expand, "DROP INDEX users_email;\n"),
                (
                    manifest,
                    &allowing(&[("contract", "DROP INDEX users_email")]),
                ),
            ],
            &[
                "0002_split/migration.toml:14:13: no statement in contract.sql begins like this [unused-allowance]",
                "0002_split/expand.sql:1:1: …[destructive-expand]",
            ],
        ),
    ]);
}

#[test]
fn what_is_suggested_is_accepted() {
    for (dialect, expand) in [
        (
            "sqlite",
            "DROP INDEX a; DROP INDEX a_b; INSERT OR REPLACE INTO users (id) VALUES (1); INSERT OR REPLACE INTO users (id) VALUES (1, 2);",
        ),
        (
            "postgres",
            "ALTER TABLE users ADD CONSTRAINT a CHECK (x > 0); ALTER TABLE users ADD CONSTRAINT b CHECK (x > 0); ALTER TABLE users ADD CONSTRAINT b CHECK (x > 0) NOT VALID;",
        ),
        (
            "mysql",
            "ALTER TABLE users MODIFY a INT; ALTER TABLE users MODIFY a BIGINT;",
        ),
    ] {
        let config =
            format!("[database]\ndialects = [\"{dialect}\"]\n[services.web]\n[services.worker]\n");
        let files = [
            ("migrate.toml", config.as_str()),
            ("0002_split/expand.sql", expand),
        ];
        let mut manifest = SPLIT.to_owned();
        let mut count = 0;
        for problem in loaded(&changed(&files), None) {
            let start = problem.help.find("`statement = ").expect(&problem.help) + 1;
            let line = problem.help[start..].split("`, `reason").next().unwrap();
            manifest.push_str(&format!("[[expand.allow]]\n{line}\nreason = \"a test\"\n"));
            count += 1;
        }
        assert!(count > 1);
        let allowed = [files[0], files[1], ("0002_split/migration.toml", &manifest)];
        assert_eq!(
            without_locks(lines(&changed(&allowed), None)),
            [""; 0],
            "{manifest}"
        );
    }
}

/// In every script, however it is done.
#[test]
fn what_is_lost_without_a_word_needs_an_allowance_everywhere() {
    let dialects = |name: &str| {
        format!("[database]\ndialects = [\"{name}\"]\n[services.web]\n[services.worker]\n")
    };
    for (dialect, statement) in [
        ("sqlite", "INSERT OR REPLACE INTO users (id) VALUES (1);"),
        ("mysql", "REPLACE INTO users (id) VALUES (1);"),
        ("mysql", "ALTER IGNORE TABLE users ADD UNIQUE (name);"),
        ("postgres", "DROP FUNCTION f() CASCADE;"),
        ("postgres", "ALTER TABLE users DISABLE TRIGGER ALL;"),
    ] {
        for step in ["contract", "revert"] {
            let path = format!("0002_split/{step}.sql");
            let config = dialects(dialect);
            let files = [
                ("migrate.toml", config.as_str()),
                (path.as_str(), statement),
            ];
            let found = lines(&changed(&files), None);
            assert!(
                matches!(found.as_slice(), [one] if one.contains("this may lose what nobody named")),
                "{statement}: {found:?}"
            );
            let beginning = statement.trim_end_matches(';');
            let manifest = format!(
                "{SPLIT}[[{step}.allow]]\nstatement = \"{beginning}\"\nreason = \"a test\"\n"
            );
            let allowed = [files[0], files[1], ("0002_split/migration.toml", &manifest)];
            assert_eq!(lines(&changed(&allowed), None), [""; 0], "{statement}");
        }
    }
}

/// Whatever the script, and whatever is allowed.
#[test]
fn the_ledger_is_nobodys_business() {
    let config = |name: &str| {
        format!("[database]\ndialects = [\"{name}\"]\n[services.web]\n[services.worker]\n")
    };
    for (dialect, statement) in [
        (
            "sqlite",
            "UPDATE phasegate_migrations SET phase = 'contracted'",
        ),
        (
            "sqlite",
            "CREATE TRIGGER z AFTER INSERT ON phasegate_events BEGIN DELETE FROM phasegate_leases; END",
        ),
        ("mysql", "ALTER TABLE `phasegate_leases` ADD COLUMN a INT"),
        (
            "postgres",
            "UPDATE phasegate.migrations SET phase = 'contracted'",
        ),
        ("postgres", "SET LOCAL search_path = phasegate"),
    ] {
        for step in ["expand", "contract", "revert"] {
            let manifest = format!(
                "{SPLIT}[[{step}.allow]]\nstatement = {statement:?}\nreason = \"a test\"\n"
            );
            let path = format!("0002_split/{step}.sql");
            let text = format!("{statement};\n");
            let config = config(dialect);
            let files = [
                ("migrate.toml", config.as_str()),
                (path.as_str(), text.as_str()),
                ("0002_split/migration.toml", &manifest),
            ];
            let found = lines(&changed(&files), None);
            let is_refused = found.iter().any(|line| line.ends_with("[ledger]"));
            assert!(is_refused, "{step} {statement}: {found:?}");
        }
    }
    let reads =
        |query: &str| SPLIT.replace("SELECT count(*) FROM users WHERE first_name IS NULL", query);
    check(&[
        (
            &[(
                "0002_split/migration.toml",
                &reads("SELECT count(*) FROM phasegate_leases"),
            )],
            &["0002_split/migration.toml:9:13: …[ledger]"],
        ),
        (
            &[(
                "0002_split/backfill.sql",
                "UPDATE phasegate_leases SET version = '9' WHERE id > :after AND id <= :upto;\n",
            )],
            &[
                "0002_split/backfill.sql:1:1: …[ledger]",
                "0002_split/contract.sql:1:1: …[takes-too-much]",
            ],
        ),
    ]);
}

fn postgres(files: &[(&str, &str)]) -> Vec<String> {
    let config = "[database]\ndialects = [\"postgres\"]\n[services.web]\n[services.worker]\n";
    let files = [&[("migrate.toml", config)], files].concat();
    lines(&changed(&files), None)
}

#[test]
fn a_contract_takes_away_the_old_format_and_nothing_else() {
    let contract = "0002_split/contract.sql";
    let revert = "0002_split/revert.sql";
    let expand = "0002_split/expand.sql";
    let manifest = "0002_split/migration.toml";
    let only_new = SPLIT
        .replace("old = \"<1.2.0\"\n", "")
        .replace("sync = \"both\"\n", "");
    let allowed = format!(
        "{SPLIT}[[contract.allow]]\nstatement = \"ALTER TABLE users DROP COLUMN email\"\nreason = \"a test\"\n"
    );
    check(&[
        (
            &[(contract, "ALTER TABLE users DROP COLUMN first_name;\n")],
            &[
                "0002_split/contract.sql:1:1: this takes away the column `first_name` of `users`, which expand.sql adds…[takes-too-much]",
            ],
        ),
        (
            &[(contract, "ALTER TABLE users DROP COLUMN First_Name;\n")],
            &["0002_split/contract.sql:1:1: …[takes-too-much]"],
        ),
        (
            &[(
                contract,
                "ALTER TABLE users RENAME COLUMN first_name TO name;\n",
            )],
            &["0002_split/contract.sql:1:1: this renames the column `first_name`…[takes-too-much]"],
        ),
        // Only a column was of concern.
        (
            &[(contract, "DROP TABLE users;\n")],
            &[
                "0002_split/contract.sql:1:1: this takes away the table `users`, which backfill.sql fills…[takes-too-much]",
            ],
        ),
        (
            &[(contract, "ALTER TABLE users DROP COLUMN email;\n")],
            &[
                "0002_split/contract.sql:1:1: this takes away the column `email` of `users`, which nothing else…[takes-too-much]",
            ],
        ),
        (
            &[
                (contract, "ALTER TABLE users DROP COLUMN email;\n"),
                (manifest, &allowed),
            ],
            &[],
        ),
        // Nobody is declared to use it.
        (
            &[(manifest, &only_new)],
            &[
                "0002_split/migration.toml:8:1: warning: no version is declared to use…[ungated-contract]",
                "0002_split/contract.sql:1:1: …no live version will hold this back [takes-too-much]",
            ],
        ),
        // What it makes itself.
        (
            &[(
                contract,
                "CREATE TABLE t (a INT);\nDROP TABLE t;\nALTER TABLE users DROP COLUMN full_name;\n",
            )],
            &[],
        ),
        (
            &[(revert, "ALTER TABLE users DROP COLUMN full_name;\n")],
            &["0002_split/revert.sql:1:1: …[takes-too-much]"],
        ),
        (
            &[
                (
                    expand,
                    "CREATE TABLE names (id INT);\nALTER TABLE users ADD COLUMN first_name TEXT;\n",
                ),
                (
                    revert,
                    "DROP TABLE names;\nALTER TABLE users DROP COLUMN first_name;\n",
                ),
            ],
            &[],
        ),
        // SQLite's way of changing a table.
        (
            &[(
                contract,
                "CREATE TABLE users_new (id INTEGER PRIMARY KEY, first_name TEXT);\nINSERT INTO users_new SELECT id, first_name FROM users;\nDROP TABLE users;\nALTER TABLE users_new RENAME TO users;\n",
            )],
            &[],
        ),
        // A table that is split: the old one is only read.
        (
            &[
                (
                    expand,
                    "CREATE TABLE names (id INT PRIMARY KEY, name TEXT);\n",
                ),
                (
                    "0002_split/backfill.sql",
                    "INSERT INTO names SELECT id, full_name FROM users WHERE id > :after AND id <= :upto ON CONFLICT DO NOTHING;\n",
                ),
                (contract, "DROP TABLE users;\n"),
                (revert, "DROP TABLE names;\n"),
            ],
            &[],
        ),
    ]);
}

#[test]
fn a_new_value_of_an_enum_is_used_later() {
    let expand = "0002_split/expand.sql";
    let add =
        "ALTER TYPE st ADD VALUE 'c';\nALTER TABLE users ADD COLUMN first_name st DEFAULT 'c';\n";
    let found = postgres(&[(expand, add)]);
    assert!(
        matches!(found.as_slice(), [one] if one.starts_with("0002_split/expand.sql:2:1: the value 'c' is added on line 1")),
        "{found:?}"
    );
    for fine in [
        "-- migrate: no-transaction\nALTER TYPE st ADD VALUE 'c';\nALTER TABLE users ADD COLUMN first_name st DEFAULT 'c';\n",
        "CREATE TYPE st AS ENUM ('a');\nALTER TYPE st ADD VALUE 'c';\nALTER TABLE users ADD COLUMN first_name st DEFAULT 'c';\n",
        "ALTER TYPE st ADD VALUE 'c';\nALTER TABLE users ADD COLUMN first_name st DEFAULT 'a';\n",
        "ALTER TYPE st ADD VALUE 'c';\nALTER TYPE st ADD VALUE 'd' AFTER 'c';\nALTER TABLE users ADD COLUMN first_name st;\n",
    ] {
        assert_eq!(postgres(&[(expand, fine)]), [""; 0], "{fine}");
    }
}

/// What a dump holds is named for what it is, once.
#[test]
fn a_dump_is_told_what_does_not_belong() {
    let expand = "0002_split/expand.sql";
    for (text, expected) in [
        (
            "CREATE TABLE c (id int, name text);\nCOPY public.c (id, name) FROM stdin;\n1\ta;b\n2\tit's\n\\.\nCREATE TABLE d (id int);\n",
            "0002_split/expand.sql:2:1: COPY … FROM stdin takes its rows from psql",
        ),
        (
            "COPY c FROM STDIN WITH (FORMAT csv);\n1,2\n\\.\n",
            "0002_split/expand.sql:1:1: COPY … FROM stdin takes its rows from psql",
        ),
        (
            "COPY c FROM stdin;\n",
            "0002_split/expand.sql:1:1: COPY … FROM stdin takes its rows from psql",
        ),
        (
            "SELECT 1;\n\\restrict abc\nSELECT 2;\n",
            "0002_split/expand.sql:2:1: this line of pg_dump is for psql alone",
        ),
        (
            "SET statement_timeout = 0;\nSET lock_timeout = 0;\nSET client_encoding = 'UTF8';\nSELECT pg_catalog.set_config('search_path', '', false);\nSET row_security = off;\nCREATE TABLE c (id int);\n",
            "0002_split/expand.sql:1:1: 5 settings in a row",
        ),
        (
            "SELECT 'copy a from stdin';\nSELECT 'x;\n",
            "0002_split/expand.sql:2:8: this string is never closed",
        ),
    ] {
        let found = postgres(&[(expand, text)]);
        assert!(
            matches!(found.as_slice(), [one] if one.starts_with(expected)),
            "{text}: {found:?}"
        );
    }
}

/// Whoever keeps the ledger in a database of its own says its name in the file, or in the URL alone.
#[test]
fn a_script_leaves_the_ledgers_own_database_alone() {
    let own = "[database]\nurl = \"mysql://root@db/shop\"\nledger = \"records\"\n[services.web]\n[services.worker]\n";
    let elsewhere =
        "[database]\nurl = \"mysql://root@db/shop\"\n[services.web]\n[services.worker]\n";
    let by_url = Some("mysql://root@db/shop?ssl-mode=REQUIRED&ledger=records");
    for statement in [
        "DROP DATABASE `records`",
        "CREATE TRIGGER z AFTER INSERT ON users FOR EACH ROW INSERT INTO records.a VALUES (1)",
        "CREATE VIEW v AS SELECT * FROM Records.anything",
    ] {
        let text = format!("{statement};\n");
        for (config, url, is_refused) in [
            (own, None, true),
            (elsewhere, by_url, true),
            (elsewhere, None, false),
        ] {
            let files = [
                ("migrate.toml", config),
                ("0002_split/expand.sql", text.as_str()),
            ];
            let found = lines(&changed(&files), url);
            let refused = found.iter().any(|line| line.ends_with("[ledger]"));
            assert_eq!(refused, is_refused, "{statement} {url:?}: {found:?}");
        }
    }
}

/// The settings of a dump of MySQL or MariaDB stand in comments, before and after each table.
#[test]
fn a_dump_of_mysql_is_told_once_of_its_settings() {
    let config = "[database]\ndialects = [\"mysql\"]\n[services.web]\n[services.worker]\n";
    let dump = "/*M!999999\\- enable the sandbox mode */ \n-- MariaDB dump 10.19\n\
        /*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;\n/*!40101 SET NAMES utf8mb4 */;\n\
        /*!40103 SET TIME_ZONE='+00:00' */;\n\
        /*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;\n\
        /*!40101 SET @saved_cs_client     = @@character_set_client */;\n\
        CREATE TABLE c (id int);\n\
        /*!40101 SET character_set_client = @saved_cs_client */;\n";
    let files = [("migrate.toml", config), ("0002_split/expand.sql", dump)];
    let found = lines(&changed(&files), None);
    assert!(
        matches!(found.as_slice(), [one] if one.starts_with("0002_split/expand.sql:3:1: 6 settings, as mysqldump writes them")),
        "{found:?}"
    );
}
