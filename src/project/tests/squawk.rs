//! What squawk finds, beside what is found here.

use super::examples::codes;
use crate::sql::Dialect;

/// What becomes of a statement that one of squawk's rules finds.
pub(super) enum Answer {
    /// The rule that finds it here.
    Found(&'static str),
    /// Nothing does: squawk's reason, and why it is none here.
    Fine(&'static str),
}

/// The rules of squawk 2.70, each with a statement that it finds, as its pages and tests have it.
const SQUAWK: &[(&str, &str, &str, Answer)] = {
    use Answer::{Fine, Found};
    const ADDED_LATER: &str = "no live version writes NULL before one that declares the new format";
    const TASTE: &str = "a matter of taste, and not of a rollout";
    &[
        (
            "adding-field-with-default",
            "expand.sql",
            "ALTER TABLE users ADD COLUMN b boolean DEFAULT random() > 0.5",
            Found("rewrites-table"),
        ),
        (
            "adding-field-with-default",
            "expand.sql",
            "ALTER TABLE users ADD COLUMN b uuid DEFAULT uuid_generate_v4()",
            Found("rewrites-table"),
        ),
        (
            "adding-field-with-default",
            "expand.sql",
            "ALTER TABLE users ADD COLUMN b jsonb DEFAULT my_jsonb()",
            Found("unknown-effect"),
        ),
        (
            "adding-field-with-default",
            "expand.sql",
            "ALTER TABLE users ADD COLUMN b numeric GENERATED ALWAYS AS (id + 1.0) STORED",
            Found("rewrites-table"),
        ),
        (
            "adding-foreign-key-constraint",
            "contract.sql",
            "ALTER TABLE users ADD CONSTRAINT f FOREIGN KEY (b) REFERENCES orders (id)",
            Found("scans-under-lock"),
        ),
        (
            "adding-not-nullable-field",
            "contract.sql",
            "ALTER TABLE users ALTER COLUMN b SET NOT NULL",
            Found("scans-under-lock"),
        ),
        (
            "adding-required-field",
            "expand.sql",
            "ALTER TABLE users ADD COLUMN b integer NOT NULL",
            Found("destructive-expand"),
        ),
        (
            "adding-serial-primary-key-field",
            "expand.sql",
            "ALTER TABLE users ADD COLUMN b serial",
            Found("rewrites-table"),
        ),
        (
            "adding-serial-primary-key-field",
            "contract.sql",
            "ALTER TABLE users ADD PRIMARY KEY (b)",
            Found("locks-out"),
        ),
        (
            "ban-alter-domain-with-add-constraint",
            "contract.sql",
            "ALTER DOMAIN d ADD CONSTRAINT c CHECK (VALUE > 0)",
            Found("unknown-effect"),
        ),
        (
            "ban-char-field",
            "expand.sql",
            "CREATE TABLE n (a char(3))",
            Fine(TASTE),
        ),
        (
            "ban-concurrent-index-creation-in-transaction",
            "expand.sql",
            "CREATE INDEX CONCURRENTLY i ON users (a); ALTER TABLE users ADD COLUMN b text",
            Found("needs-no-transaction"),
        ),
        (
            "ban-create-domain-with-constraint",
            "expand.sql",
            "CREATE DOMAIN d AS int CHECK (VALUE > 0)",
            Fine("nothing uses it yet; a column of it is found by rewrites-table"),
        ),
        (
            "ban-drop-column",
            "expand.sql",
            "ALTER TABLE users DROP COLUMN a",
            Found("destructive-expand"),
        ),
        (
            "ban-drop-database",
            "expand.sql",
            "DROP DATABASE shop",
            Found("needs-no-transaction"),
        ),
        (
            "ban-drop-not-null",
            "expand.sql",
            "ALTER TABLE users ALTER COLUMN a DROP NOT NULL",
            Fine(ADDED_LATER),
        ),
        (
            "ban-drop-table",
            "expand.sql",
            "DROP TABLE orders",
            Found("destructive-expand"),
        ),
        (
            "ban-truncate-cascade",
            "expand.sql",
            "TRUNCATE users CASCADE",
            Found("destructive-expand"),
        ),
        (
            "ban-truncate-cascade",
            "contract.sql",
            "TRUNCATE users CASCADE",
            Found("silent-loss"),
        ),
        (
            "ban-uncommitted-transaction",
            "expand.sql",
            "BEGIN; CREATE TABLE n (a int)",
            Found("transaction-control"),
        ),
        (
            "changing-column-type",
            "expand.sql",
            "ALTER TABLE users ALTER COLUMN id TYPE bigint",
            Found("destructive-expand"),
        ),
        (
            "changing-column-type",
            "contract.sql",
            "ALTER TABLE users ALTER COLUMN b TYPE varchar(9)",
            Found("takes-too-much"),
        ),
        (
            "constraint-missing-not-valid",
            "contract.sql",
            "ALTER TABLE users ADD CONSTRAINT c CHECK (b <> '')",
            Found("scans-under-lock"),
        ),
        (
            "constraint-missing-not-valid",
            "contract.sql",
            "ALTER TABLE users ADD CONSTRAINT c CHECK (b <> '') NOT VALID; ALTER TABLE users VALIDATE CONSTRAINT c",
            Found("scans-under-lock"),
        ),
        (
            "disallowed-unique-constraint",
            "contract.sql",
            "ALTER TABLE users ADD CONSTRAINT u UNIQUE (b)",
            Found("locks-out"),
        ),
        (
            "disallowed-unique-constraint",
            "contract.sql",
            "ALTER TABLE users ADD COLUMN c text CONSTRAINT u UNIQUE",
            Found("locks-out"),
        ),
        (
            "prefer-big-int",
            "expand.sql",
            "CREATE TABLE n (id int)",
            Fine(TASTE),
        ),
        (
            "prefer-identity",
            "expand.sql",
            "CREATE TABLE n (id serial)",
            Fine(TASTE),
        ),
        (
            "prefer-repack",
            "expand.sql",
            "-- migrate: no-transaction\nVACUUM FULL users",
            Found("rewrites-table"),
        ),
        (
            "prefer-robust-stmts",
            "expand.sql",
            "CREATE TABLE n (id int)",
            Fine("each statement is recorded, so that none runs twice"),
        ),
        (
            "prefer-text-field",
            "expand.sql",
            "CREATE TABLE n (a varchar(20))",
            Fine(TASTE),
        ),
        (
            "prefer-timestamptz",
            "expand.sql",
            "CREATE TABLE n (a timestamp)",
            Fine(TASTE),
        ),
        (
            "renaming-column",
            "expand.sql",
            "ALTER TABLE users RENAME COLUMN a TO c",
            Found("destructive-expand"),
        ),
        (
            "renaming-table",
            "expand.sql",
            "ALTER TABLE orders RENAME TO sales",
            Found("destructive-expand"),
        ),
        (
            "require-concurrent-index-creation",
            "expand.sql",
            "CREATE INDEX i ON users (a)",
            Found("locks-writes"),
        ),
        (
            "require-concurrent-index-deletion",
            "contract.sql",
            "DROP INDEX i",
            Found("locks-out"),
        ),
        (
            "require-concurrent-partition-detach",
            "contract.sql",
            "ALTER TABLE users DETACH PARTITION p",
            Found("takes-too-much"),
        ),
        (
            "require-concurrent-reindex",
            "expand.sql",
            "-- migrate: no-transaction\nREINDEX INDEX i",
            Found("locks-out"),
        ),
        (
            "require-enum-value-ordering",
            "expand.sql",
            "ALTER TYPE mood ADD VALUE 'calm'",
            Fine(TASTE),
        ),
        (
            "transaction-nesting",
            "expand.sql",
            "BEGIN; CREATE TABLE n (a int); COMMIT",
            Found("transaction-control"),
        ),
    ]
};

/// The rows that say something else than what is found: a rule of the tool, the script that it finds a statement in, that
/// statement, and what becomes of it here.
pub(super) fn wrong(dialect: Dialect, rows: &[(&str, &str, &str, Answer)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (rule, file, sql, answer) in rows {
        let found = codes(dialect, &[(file, sql)]);
        let of_rules: Vec<&str> = found
            .iter()
            .copied()
            .filter(|code| super::super::rule(code).is_some())
            .collect();
        let is_right = match answer {
            Answer::Found(code) => of_rules.contains(code),
            Answer::Fine(reason) => !reason.is_empty() && of_rules.is_empty(),
        };
        if !is_right {
            wrong.push(format!("{rule}: {file}: {sql}: {found:?}"));
        }
    }
    wrong
}

#[test]
fn what_squawk_finds_is_found_or_is_fine_for_a_reason() {
    let wrong = wrong(Dialect::Postgres, SQUAWK);
    assert!(wrong.is_empty(), "{wrong:#?}");
}
