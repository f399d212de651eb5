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
        (&[("0002_split/revert.sql", "DROP TABLE users;\n")], &[]),
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
