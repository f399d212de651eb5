//! PostgreSQL: what means something else where each statement runs in a transaction of its own.

use crate::model::Step;
use crate::sql::{Dialect, Mode, ObjectKind, Statement, Verb};

use super::super::finding::{Finding, first_line};
use super::Scripts;

pub(super) fn check(scripts: &Scripts<'_>) -> Vec<(Step, Finding)> {
    if scripts.dialect != Dialect::Postgres {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (step, script) in scripts.whole() {
        for statement in &script.statements {
            let ends_at_once =
                begins(statement, &["SET", "LOCAL"]) || begins(statement, &["SET", "CONSTRAINTS"]);
            if script.mode == Mode::NoTransaction && ends_at_once {
                found.push((step, without_effect(statement)));
            }
            if is_unnamed(statement) {
                found.push((step, unnamed(statement)));
            }
        }
    }
    found
}

fn without_effect(statement: &Statement) -> Finding {
    Finding::new(
        "set-without-effect",
        first_line(statement),
        "this has no effect here: each statement of a `no-transaction` script runs in a transaction of its own, and with it \
         the setting ends",
        "remove it, and name the schema in each statement (`app.orders`); what needs a setting or a role goes into a migration \
         of its own without `-- migrate: no-transaction`",
    )
}

fn unnamed(statement: &Statement) -> Finding {
    Finding::new(
        "unnamed-index",
        first_line(statement),
        "this index has no name: a build that fails leaves an invalid index behind, and without a name nobody can tell later which \
         one it is",
        "give it a name: `CREATE INDEX CONCURRENTLY orders_customer ON orders (customer)`",
    )
}

fn is_unnamed(statement: &Statement) -> bool {
    let names = statement
        .objects()
        .any(|object| object.kind == ObjectKind::Index && object.verb == Verb::Create);
    let builds = begins(statement, &["CREATE", "INDEX", "CONCURRENTLY"])
        || begins(statement, &["CREATE", "UNIQUE", "INDEX", "CONCURRENTLY"]);
    builds && !names
}

/// Whether a statement begins with these words, whatever comments stand between them.
fn begins(statement: &Statement, words: &[&str]) -> bool {
    let mut rest = statement.text.as_str();
    words.iter().all(|word| {
        rest = without_comments(rest);
        let end = rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_'))
            .unwrap_or(rest.len());
        let (first, after) = rest.split_at(end);
        rest = after;
        first.eq_ignore_ascii_case(word)
    })
}

fn without_comments(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        let after = if let Some(comment) = rest.strip_prefix("--") {
            comment.split_once('\n').map(|(_, after)| after)
        } else if let Some(comment) = rest.strip_prefix("/*") {
            comment.split_once("*/").map(|(_, after)| after)
        } else {
            return rest;
        };
        rest = after.unwrap_or_default().trim_start();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::Script;

    fn codes(text: &str) -> Vec<&'static str> {
        let script = Script::parse(Dialect::Postgres, text).unwrap();
        let lint = crate::project::LintConfig::default();
        let scripts = Scripts {
            expand: Some(&script),
            ..Scripts::none(Dialect::Postgres, &lint)
        };
        let found = check(&scripts);
        found.iter().map(|(_, finding)| finding.code).collect()
    }

    #[test]
    fn settings_that_end_at_once() {
        const BARE: &str = "-- migrate: no-transaction\n";
        for sql in [
            "SET LOCAL search_path = app;",
            "set /* a */ local lock_timeout = '1s';",
            "SET -- a\n LOCAL ROLE app_owner;",
            "SET CONSTRAINTS ALL DEFERRED;",
        ] {
            assert_eq!(
                codes(&format!("{BARE}{sql}")),
                ["set-without-effect"],
                "{sql}"
            );
            assert!(codes(sql).is_empty(), "{sql}");
        }
    }

    #[test]
    fn indexes_without_a_name() {
        for (sql, found) in [
            ("CREATE INDEX CONCURRENTLY ON t (a);", true),
            ("create unique index concurrently on t (a);", true),
            ("CREATE INDEX CONCURRENTLY t_a ON t (a);", false),
            (
                "CREATE INDEX CONCURRENTLY IF NOT EXISTS t_a ON t (a);",
                false,
            ),
            ("CREATE INDEX ON t (a);", false),
        ] {
            let codes = codes(&format!("-- migrate: no-transaction\n{sql}"));
            assert_eq!(!codes.is_empty(), found, "{sql}");
        }
    }
}
