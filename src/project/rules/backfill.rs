//! What a backfill does beside filling the new format: columns that live versions use, and functions of an author's own.

use crate::model::Step;
use crate::sql::{self, Dependent, Dependents, ObjectKind};

use super::super::finding::Finding;
use super::super::later;
use super::Scripts;
use super::formats::Formats;
use super::triggers::is_stamp;

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let Some(backfill) = scripts.backfill else {
        return Vec::new();
    };
    let first_line = backfill.text.lines().next().unwrap_or_default().len();
    let mut found = Vec::new();
    let mut say = |code, message: String, help: &str| {
        let finding = Finding::new(code, 0..first_line, message, help);
        found.push((Step::Backfill, finding.excusable(0)));
    };
    for (table, column) in beside(scripts, &backfill.text) {
        say(
            "fills-too-much",
            format!(
                "this also writes `{column}` of `{table}`, which expand.sql does not add: live versions use what is in it"
            ),
            "fill the new columns alone, and leave that to a migration of its own",
        );
    }
    if let Some(why) = strange(scripts, &backfill.text) {
        say(
            "unknown-effect",
            format!("what this does to rows cannot be told: {why}"),
            "write out what it computes, or make the function in expand.sql, where it can be read",
        );
    }
    found
}

/// The columns that it writes beside those that expand.sql adds.
fn beside(scripts: &Scripts<'_>, text: &str) -> Vec<(String, String)> {
    let formats = Formats::of(scripts);
    if !formats.adds_columns() {
        return Vec::new();
    }
    let filled = scripts.dialect.filled(text).into_iter();
    let filled = filled.flat_map(|(table, columns)| {
        let columns = columns.into_iter();
        columns.map(move |column| (table.clone(), column))
    });
    let filled = filled.filter(|(table, column)| !formats.is_new(Some(table), column));
    // What it does about rows that are there already, or in a further UPDATE, makes no column of others its own.
    let along = scripts.dialect.overwritten(text).into_iter();
    let along = along.filter(|(table, column)| !formats.makes(table, column));
    let mut others = Vec::new();
    for other in filled.chain(along) {
        if !is_stamp(&other.1) && !others.contains(&other) {
            others.push(other);
        }
    }
    others
}

/// Why a function that it calls may do more than compute.
fn strange(scripts: &Scripts<'_>, text: &str) -> Option<String> {
    let dialect = scripts.dialect;
    let mut known = vec!["nextval".to_owned()];
    let mut code = scripts
        .expand
        .map_or_else(|| Dependents::new(dialect), Dependents::made_by);
    let before = scripts.all.len().saturating_sub(scripts.later.len());
    let before = scripts.all.get(..before).unwrap_or_default();
    loop {
        let called = sql::strange_call(dialect, text, &known)?;
        let name = called.rsplit('.').next().unwrap_or(&called).to_owned();
        let is_it = |one: &&Dependent| {
            one.kind == ObjectKind::Function && dialect.may_be_same_name(&one.name, &name)
        };
        if !code.all.iter().any(|one| is_it(&one)) {
            let Some(made) = later::code_with(before, dialect, &name) else {
                return Some(format!(
                    "it calls `{called}`, which is in no file here and may do anything"
                ));
            };
            code.all.extend(made.all);
        }
        let function = code.all.iter().find(is_it)?;
        if let Some(deed) = code.deeds(function).first() {
            return Some(format!("it calls `{called}`, which {}", deed.sentence()));
        }
        if known.contains(&name) {
            return Some(format!("it calls `{called}`, which may do anything"));
        }
        known.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Scripts;
    use super::*;
    use crate::sql::{Dialect, Script, backfill_statement};

    fn said(dialect: Dialect, expand: &str, set: &str) -> Vec<&'static str> {
        let text = format!("UPDATE users SET {set} WHERE id > :after AND id <= :upto");
        by(dialect, expand, &text)
    }

    fn by(dialect: Dialect, expand: &str, text: &str) -> Vec<&'static str> {
        let expand = Script::parse(dialect, expand).unwrap();
        let backfill = backfill_statement(dialect, text, None).unwrap();
        let lint = crate::project::LintConfig::default();
        let scripts = Scripts {
            expand: Some(&expand),
            backfill: Some(&backfill),
            ..Scripts::none(dialect, &lint)
        };
        let found = check(&scripts);
        found.iter().map(|(_, finding)| finding.code).collect()
    }

    #[test]
    fn columns_that_live_versions_use_are_left_alone() {
        const ADD: &str = "ALTER TABLE users ADD COLUMN first_name TEXT";
        for (expand, set, expected) in [
            (ADD, "first_name = full_name", &[][..]),
            (
                ADD,
                "first_name = full_name, email = NULL",
                &["fills-too-much"],
            ),
            (ADD, "email = lower(email)", &["fills-too-much"]),
            // What has the row's time told, or keeps it from being told.
            (ADD, "first_name = full_name, updated_at = updated_at", &[]),
            (
                ADD,
                "first_name = full_name, updated_at = CURRENT_TIMESTAMP",
                &[],
            ),
            (ADD, "first_name = full_name, email = email", &[]),
            // A migration that adds no column is about one that is there.
            ("CREATE TABLE own (id INT)", "email = 'x'", &[]),
        ] {
            for dialect in Dialect::ALL {
                assert_eq!(
                    said(*dialect, expand, set),
                    expected,
                    "{dialect:?} {expand}: {set}"
                );
            }
        }
        let conflict = |set: &str| {
            format!(
                "INSERT INTO users (id, email) SELECT id, email FROM users WHERE id > :after AND id <= :upto {set}"
            )
        };
        const UPDATE: &str = "ON CONFLICT (id) DO UPDATE SET";
        const SELF: &[Dialect] = &[Dialect::Postgres, Dialect::Sqlite];
        for (dialects, text, expected) in [
            (SELF, conflict(&format!("{UPDATE} first_name = users.full_name, n = 5")), &["fills-too-much"][..]),
            (SELF, conflict(&format!("{UPDATE} first_name = users.full_name, n = users.n")), &[]),
            (&[Dialect::Mysql], conflict("ON DUPLICATE KEY UPDATE first_name = full_name, n = 5"), &["fills-too-much"]),
            (&[Dialect::Mysql], conflict("ON DUPLICATE KEY UPDATE first_name = full_name"), &[]),
            (
                SELF,
                "INSERT INTO orders (id, total) SELECT id, 0 FROM users WHERE id > :after AND id <= :upto ON CONFLICT (id) DO UPDATE SET total = 0".to_owned(),
                &["fills-too-much"],
            ),
        ] {
            for dialect in dialects {
                assert_eq!(by(*dialect, ADD, &text), expected, "{dialect:?} {text}");
            }
        }
        let tuple = said(
            Dialect::Postgres,
            ADD,
            "(first_name, email) = (full_name, '')",
        );
        assert_eq!(tuple, ["fills-too-much"]);
    }

    #[test]
    fn functions_of_an_authors_own_are_looked_into() {
        let add = |function: &str| format!("ALTER TABLE users ADD COLUMN a TEXT; {function}");
        let pg = |body: &str| {
            add(&format!(
                "CREATE FUNCTION app.f(x text) RETURNS text LANGUAGE plpgsql AS $$ {body} $$"
            ))
        };
        for (expand, set, expected) in [
            (add("SELECT 1"), "a = f(b)", &["unknown-effect"][..]),
            (add("SELECT 1"), "a = lower(b)", &[]),
            (pg("BEGIN RETURN lower(x); END"), "a = app.f(b)", &[]),
            (
                pg("BEGIN RETURN lower(x); END"),
                "a = f(b) || g(b)",
                &["unknown-effect"],
            ),
            (
                pg("BEGIN DELETE FROM orders; RETURN x; END"),
                "a = app.f(b)",
                &["unknown-effect"],
            ),
            (
                pg("BEGIN RETURN g(x); END"),
                "a = app.f(b)",
                &["unknown-effect"],
            ),
            (add("CREATE SEQUENCE s"), "a = nextval('s')", &[]),
        ] {
            assert_eq!(
                said(Dialect::Postgres, &expand, set),
                expected,
                "{expand}: {set}"
            );
        }
        let mysql = |body: &str| {
            add(&format!(
                "CREATE FUNCTION f(x TEXT) RETURNS TEXT DETERMINISTIC {body}"
            ))
        };
        for (expand, set, expected) in [
            (add("SELECT 1"), "a = f(b)", &["unknown-effect"][..]),
            (mysql("RETURN LOWER(x)"), "a = f(b)", &[]),
            (
                mysql("BEGIN DELETE FROM orders; RETURN x; END"),
                "a = f(b)",
                &["unknown-effect"],
            ),
        ] {
            assert_eq!(
                said(Dialect::Mysql, &expand, set),
                expected,
                "{expand}: {set}"
            );
        }
    }
}
