//! A column that no INSERT may leave out, and that goes when nobody is left who knows it.

use super::losing::{codes, of};

const BASE: &str =
    "CREATE TABLE users (id integer PRIMARY KEY, a varchar(50) NOT NULL, b varchar(50));\n";
const OLD: &str = "description = \"x\"\n[services.web]\nold = \"<1.1.0\"\n";
const BOTH: &str =
    "description = \"x\"\nsync = \"both\"\n[services.web]\nold = \"<1.1.0\"\nnew = \">=1.1.0\"\n";
/// 1.1.0 writes both, and 1.2.0 the new one alone.
const LATER: &str =
    "description = \"x\"\nsync = \"both\"\n[services.web]\nold = \"<1.2.0\"\nnew = \">=1.1.0\"\n";
const READERS: &str =
    "description = \"x\"\n[services.web]\nreads = { old = \"<1.1.0\" }\n[services.worker]\n";
const DROP: &str = "ALTER TABLE users DROP COLUMN a;\n";
const RELAX: &str = "ALTER TABLE users ALTER COLUMN a SET DEFAULT '-';\n";
const REBUILT: &str = "CREATE TABLE n (id integer PRIMARY KEY, b varchar(50));\nINSERT INTO n (id, b) SELECT id, b FROM users;\nDROP TABLE users;\nALTER TABLE n RENAME TO users;\n";
const ADDED: &str = "ALTER TABLE users ADD COLUMN c varchar(50);\n";

struct Case<'c> {
    base: &'c str,
    manifest: &'c str,
    expand: &'c str,
    contract: &'c str,
}

const fn case<'c>(
    base: &'c str,
    manifest: &'c str,
    expand: &'c str,
    contract: &'c str,
) -> Case<'c> {
    Case {
        base,
        manifest,
        expand,
        contract,
    }
}

fn judge(dialects: &[&str], cases: &[(Case<'_>, bool)]) {
    let mut wrong = Vec::new();
    for dialect in dialects {
        for (case, is_fine) in cases {
            let mut files = vec![
                ("0001_base/migration.toml", "description = \"x\"\n"),
                ("0001_base/expand.sql", case.base),
                ("-0002_split/backfill.sql", ""),
                ("0002_split/migration.toml", case.manifest),
                ("0002_split/contract.sql", case.contract),
            ];
            match case.expand {
                "" => files.extend([
                    ("-0002_split/expand.sql", ""),
                    ("-0002_split/revert.sql", ""),
                ]),
                expand => files.push(("0002_split/expand.sql", expand)),
            }
            let found = of(dialect, &files);
            if codes(&found).contains(&"still-required") == *is_fine {
                wrong.push(format!(
                    "{dialect}: {} | {}\n  {found:#?}",
                    case.expand, case.contract
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_column_that_has_to_be_named_does_not_go_last() {
    judge(
        &["sqlite", "postgres", "mysql"],
        &[
            (case(BASE, OLD, "", DROP), false),
            (
                case(
                    BASE,
                    OLD,
                    "",
                    "ALTER TABLE users RENAME COLUMN a TO a_old;\n",
                ),
                false,
            ),
            (case(BASE, LATER, ADDED, DROP), false),
            (
                case(
                    &format!("{BASE}ALTER TABLE users ADD COLUMN d int NOT NULL DEFAULT 0;\n"),
                    OLD,
                    "",
                    "ALTER TABLE users DROP COLUMN d;\n",
                ),
                true,
            ),
            (
                case(BASE, OLD, "", "ALTER TABLE users DROP COLUMN b;\n"),
                true,
            ),
            (
                case(
                    "CREATE TABLE users (id integer PRIMARY KEY, b varchar(50) CHECK (b IS NOT NULL));\n",
                    OLD,
                    "",
                    "ALTER TABLE users DROP COLUMN b;\n",
                ),
                false,
            ),
            // A table that goes takes its columns along.
            (case(BASE, OLD, "", "DROP TABLE users;\n"), true),
            // Nobody is declared to write it.
            (case(BASE, READERS, "", DROP), true),
            (
                case(
                    BASE,
                    &format!(
                        "{OLD}[[contract.allow]]\nstatement = \"ALTER TABLE users DROP\"\nreason = \"1.1.0 writes it\"\n"
                    ),
                    "",
                    DROP,
                ),
                true,
            ),
        ],
    );
    judge(
        &["postgres", "mysql"],
        &[
            (case(BASE, BOTH, RELAX, DROP), true),
            (case(&format!("{BASE}{RELAX}"), OLD, "", DROP), true),
            // It may start before the default is there.
            (case(BASE, OLD, RELAX, DROP), false),
            // A default is taken away again.
            (
                case(
                    &format!("{BASE}{RELAX}ALTER TABLE users ALTER COLUMN a DROP DEFAULT;\n"),
                    OLD,
                    "",
                    DROP,
                ),
                false,
            ),
        ],
    );
    judge(
        &["sqlite"],
        &[
            (case(BASE, OLD, "", REBUILT), false),
            (case(&BASE.replace(" NOT NULL", ""), OLD, "", REBUILT), true),
        ],
    );
}

#[test]
fn a_trigger_fills_it_before_the_row_is_looked_at() {
    let plpgsql = |when: &str, body: &str| {
        format!(
            "{ADDED}CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} RETURN NEW; END $$;\n\
             CREATE TRIGGER g {when} ON users FOR EACH ROW EXECUTE FUNCTION f();\n"
        )
    };
    const GONE: &str =
        "DROP TRIGGER g ON users;\nDROP FUNCTION f();\nALTER TABLE users DROP COLUMN a;\n";
    let cases = [
        (
            "BEFORE INSERT OR UPDATE",
            "NEW.a := COALESCE(NEW.a, NEW.c);",
            true,
        ),
        (
            "BEFORE INSERT OR UPDATE",
            "IF NEW.a IS NULL THEN NEW.a := NEW.c; ELSE NEW.c := NEW.a; END IF;",
            true,
        ),
        ("BEFORE INSERT OR UPDATE", "NEW.c := NEW.a;", false),
        ("BEFORE UPDATE", "NEW.a := NEW.c;", false),
        (
            "AFTER INSERT",
            "UPDATE users SET a = NEW.c WHERE id = NEW.id;",
            false,
        ),
    ];
    for (when, body, is_fine) in cases {
        judge(
            &["postgres"],
            &[(case(BASE, BOTH, &plpgsql(when, body), GONE), is_fine)],
        );
    }
    let trigger = |when: &str, body: &str| {
        format!("{ADDED}CREATE TRIGGER g {when} ON users FOR EACH ROW {body};\n")
    };
    const DROPPED: &str = "DROP TRIGGER g;\nALTER TABLE users DROP COLUMN a;\n";
    for (when, body, is_fine) in [
        ("BEFORE INSERT", "SET NEW.a = COALESCE(NEW.a, NEW.c)", true),
        ("BEFORE INSERT", "SET NEW.c = NEW.a", false),
        ("BEFORE UPDATE", "SET NEW.a = NEW.c", false),
    ] {
        judge(
            &["mysql"],
            &[(case(BASE, BOTH, &trigger(when, body), DROPPED), is_fine)],
        );
    }
    // SQLite's cannot.
    let after = format!(
        "{ADDED}CREATE TRIGGER g AFTER INSERT ON users BEGIN UPDATE users SET a = NEW.c WHERE id = NEW.id; END;\n"
    );
    judge(&["sqlite"], &[(case(BASE, BOTH, &after, DROPPED), false)]);
}

#[test]
fn whoever_writes_through_a_view_names_it_otherwise() {
    let view = "CREATE VIEW people AS SELECT id, a AS name, b FROM users;\n";
    let contract = "DROP VIEW people;\nALTER TABLE users RENAME COLUMN a TO name;\nALTER TABLE users RENAME TO people;\n";
    judge(
        &["postgres", "mysql"],
        &[(case(BASE, BOTH, view, contract), true)],
    );
}
