//! What PostgreSQL refuses or leaves behind, seen before it runs.

use crate::model::Step;
use crate::sql::{Dialect, Mode, ObjectKind, Statement, Verb};

use super::super::finding::{Finding, first_line};
use super::Scripts;

/// A value of an enum cannot be used in the transaction that adds it, unless that made the type as well.
pub(super) fn new_values(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        if scripts.dialect != Dialect::Postgres || script.mode != Mode::Transactional {
            continue;
        }
        for (at, adding) in script.statements.iter().enumerate() {
            let Some(value) = adding.added_value() else {
                continue;
            };
            let name = adding.objects().next().map(|object| &object.name);
            let before = script.statements.get(..at).unwrap_or_default();
            let is_new = before
                .iter()
                .flat_map(|statement| statement.objects())
                .any(|object| {
                    object.kind == ObjectKind::Type
                        && object.verb == Verb::Create
                        && Some(&object.name) == name
                });
            let later = script.statements.iter().enumerate().skip(at + 1);
            let using = later.into_iter().find(|(_, statement)| {
                statement.added_value().is_none()
                    && (statement.has_value(value) || runs_with(statement, value))
            });
            if let (false, Some((index, statement))) = (is_new, using) {
                let finding = Finding::new(
                    "new-enum-value",
                    first_line(statement),
                    format!(
                        "the value {value} is added on line {}, and PostgreSQL lets nobody use it before that is committed",
                        adding.line
                    ),
                    "make `-- migrate: no-transaction` the first line of this file, or use the value in a migration of its own. An allowance does not \
                     help, because PostgreSQL refuses it all the same, unless the text is no value of this type",
                );
                found.push((step, finding.excusable(index)));
            }
        }
    }
    found
}

/// Whether it makes a function in SQL whose body has this value: the body is read as soon as it is made, and one in another
/// language only once it is called.
fn runs_with(statement: &Statement, value: &str) -> bool {
    let words = statement.words(Dialect::Postgres);
    let is_sql = words
        .windows(2)
        .any(|pair| matches!(pair, [language, sql] if language == "language" && sql.trim_matches('\'') == "sql"));
    let doubled = value.replace('\'', "''");
    is_sql && (statement.text.contains(value) || statement.text.contains(&doubled))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Script;

    #[test]
    fn a_new_value_is_used_where_the_server_reads_it() {
        for (sql, found) in [
            ("CREATE TABLE u (s st DEFAULT 'c');", true),
            (
                "CREATE FUNCTION f() RETURNS st LANGUAGE sql AS $$ SELECT 'c'::st $$;",
                true,
            ),
            (
                "CREATE FUNCTION f() RETURNS st AS 'SELECT ''c''::st' LANGUAGE sql;",
                true,
            ),
            (
                "CREATE FUNCTION f() RETURNS st LANGUAGE sql AS $$ SELECT 'a'::st $$;",
                false,
            ),
            (
                "CREATE FUNCTION f() RETURNS st LANGUAGE plpgsql AS $$ BEGIN RETURN 'c'::st; END $$;",
                false,
            ),
        ] {
            let text = format!("ALTER TYPE st ADD VALUE 'c';\n{sql}");
            let script = Script::parse(Dialect::Postgres, &text).unwrap();
            let lint = crate::project::LintConfig::default();
            let scripts = Scripts {
                expand: Some(&script),
                ..Scripts::none(Dialect::Postgres, &lint)
            };
            assert_eq!(!new_values(&scripts).is_empty(), found, "{sql}");
        }
    }
}
