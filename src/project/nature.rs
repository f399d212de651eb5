//! What the SQL of another tool's revision does to the versions that are live, in the words of the rules for our own scripts.

use std::ops::Range;

use crate::model::Step;
use crate::sql::{Dialect, Effect, ObjectKind, Script, Statement, Verb};

use super::row_writes::changes_rows;
use super::scripts;

/// What a revision does, as far as its SQL says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nature {
    /// Something comes that a version may need.
    pub adds: bool,
    /// Why versions that are live may not survive it, each completing the sentence "it …".
    pub takes: Vec<String>,
    /// Rows are written.
    pub rows: bool,
    /// Why that cannot be told.
    pub unclear: Option<String>,
}

impl Nature {
    /// Of SQL as this database reads it. `history` is the table in which the tool keeps what it has applied.
    #[must_use]
    pub fn of(dialect: Dialect, sql: &str, history: Option<&str>) -> Self {
        let text = without_its_own(dialect, sql, history);
        let (script, findings) = scripts::check(Step::Expand, dialect, &text);
        let mut nature = Self::default();
        let Some(script) = script else {
            let why = findings.into_iter().next().map(|finding| finding.message);
            nature.unclear = Some(why.unwrap_or_else(|| "it cannot be read".to_owned()));
            return nature;
        };
        for statement in &script.statements {
            nature.count(statement);
        }
        nature
    }

    fn count(&mut self, statement: &Statement) {
        match &statement.effect {
            Effect::Additive => self.adds |= is_for_versions(statement),
            _ if changes_rows(statement) => self.rows = true,
            Effect::Destructive { why } => {
                self.takes.push(why.clone());
                let brings = |verb: Verb| matches!(verb, Verb::Create | Verb::Rename);
                self.adds |= statement.objects().any(|object| brings(object.verb));
            }
            Effect::Unknown { why } => self.unclear = Some(why.clone()),
            Effect::Data | Effect::TransactionControl { .. } | Effect::SessionSetting { .. } => {}
        }
    }
}

/// No version needs an index to work.
fn is_for_versions(statement: &Statement) -> bool {
    let mut kinds = statement.objects().map(|object| object.kind).peekable();
    let helps = |kind: ObjectKind| matches!(kind, ObjectKind::Index | ObjectKind::Extension);
    kinds.peek().is_none() || !kinds.all(helps)
}

/// The text without what the tool does for itself: its transaction, its settings, and what it notes in its history. What is left
/// stands where it stood.
#[must_use]
pub fn without_its_own(dialect: Dialect, sql: &str, history: Option<&str>) -> String {
    let Ok(script) = Script::parse(dialect, sql) else {
        return sql.to_owned();
    };
    let own: Vec<Range<usize>> = script
        .statements
        .iter()
        .filter(|statement| is_its_own(dialect, statement, history))
        .map(|statement| statement.span.clone())
        .collect();
    let mut kept = String::with_capacity(sql.len());
    let mut at = 0;
    for span in own {
        kept.push_str(sql.get(at..span.start).unwrap_or_default());
        let gone = sql.get(span.clone()).unwrap_or_default();
        kept.extend(
            gone.bytes()
                .map(|byte| if byte == b'\n' { '\n' } else { ' ' }),
        );
        at = span.end;
        // Its end goes as well: nothing is no statement.
        if let Some(rest) = sql
            .get(at..)
            .filter(|rest| rest.trim_start().starts_with(';'))
        {
            let end = at + rest.find(';').unwrap_or_default();
            kept.push_str(sql.get(at..end).unwrap_or_default());
            kept.push(' ');
            at = end + 1;
        }
    }
    kept.push_str(sql.get(at..).unwrap_or_default());
    kept
}

fn is_its_own(dialect: Dialect, statement: &Statement, history: Option<&str>) -> bool {
    let is_setting = matches!(
        statement.effect,
        Effect::TransactionControl { .. } | Effect::SessionSetting { .. }
    );
    let bare = history.map(|name| name.rsplit('.').next().unwrap_or(name));
    is_setting || bare.is_some_and(|name| names_first(dialect, statement, name))
}

/// Whether the table that a statement makes or writes is this one: a row of values may well hold its name.
fn names_first(dialect: Dialect, statement: &Statement, table: &str) -> bool {
    let mut objects = statement.objects().peekable();
    if objects.peek().is_some() {
        let is_it = |name: &str| name.eq_ignore_ascii_case(table);
        return objects.all(|object| is_it(&object.name));
    }
    let mut words = statement.text.split_whitespace();
    let begins = words.next().unwrap_or_default().to_ascii_uppercase();
    let skipped = usize::from(begins == "INSERT" || begins == "DELETE");
    let is_written = matches!(begins.as_str(), "INSERT" | "UPDATE" | "DELETE");
    let place = words.nth(skipped).unwrap_or_default();
    is_written && dialect.mentions(place.split('(').next().unwrap_or_default(), table)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nature(dialect: Dialect, sql: &str) -> Nature {
        Nature::of(dialect, sql, Some("alembic_version"))
    }

    #[test]
    fn what_comes_and_what_goes_is_told_apart() {
        for (sql, adds, takes, rows) in [
            (
                "ALTER TABLE shop ADD COLUMN title varchar(100);",
                true,
                0,
                false,
            ),
            ("CREATE TABLE t (id int PRIMARY KEY);", true, 0, false),
            ("CREATE INDEX by_title ON shop (title);", false, 0, false),
            ("UPDATE shop SET title = name;", false, 0, true),
            ("ALTER TABLE shop DROP COLUMN name;", false, 1, false),
            ("DROP TABLE shop;", false, 1, false),
            ("DELETE FROM shop;", false, 1, false),
            ("INSERT INTO shop (id) VALUES (1);", false, 0, true),
            ("ALTER TABLE shop RENAME COLUMN a TO b;", true, 1, false),
            (
                "ALTER TABLE shop ADD COLUMN b int; ALTER TABLE shop DROP COLUMN a;",
                true,
                1,
                false,
            ),
            ("", false, 0, false),
        ] {
            for dialect in Dialect::ALL.iter().copied() {
                let found = nature(dialect, sql);
                assert_eq!(found.unclear, None, "{sql} on {dialect:?}");
                assert_eq!(found.adds, adds, "{sql} on {dialect:?}");
                assert_eq!(found.takes.len(), takes, "{sql} on {dialect:?}");
                assert_eq!(found.rows, rows, "{sql} on {dialect:?}");
            }
        }
        let narrowed = nature(
            Dialect::Postgres,
            "ALTER TABLE shop ALTER COLUMN name SET NOT NULL",
        );
        assert_eq!(narrowed.takes.len(), 1);
        assert!(!narrowed.adds);
        assert!(nature(Dialect::Postgres, "ALTER TABLE").unclear.is_some());
        assert!(
            nature(Dialect::Postgres, "SELECT do_it()")
                .unclear
                .is_some()
        );
    }

    #[test]
    fn what_the_tool_does_for_itself_does_not_count() {
        let printed = "BEGIN;\n\n-- Running upgrade a1 -> b2\n\nALTER TABLE shop ADD COLUMN title VARCHAR(100);\n\n\
                       UPDATE alembic_version SET version_num='b2' WHERE alembic_version.version_num = 'a1';\n\nCOMMIT;\n\n";
        let found = nature(Dialect::Postgres, printed);
        assert!(
            found.adds && !found.rows && found.takes.is_empty(),
            "{found:?}"
        );
        let first = "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);\nCREATE INDEX i ON shop (a);\n\
                     INSERT INTO alembic_version (version_num) VALUES ('a1') RETURNING version_num;\n";
        let found = nature(Dialect::Postgres, first);
        assert_eq!(found, Nature::default());
        // A row of its own that is called so is none of the tool's.
        let found = nature(
            Dialect::Postgres,
            "UPDATE notes SET about = 'x' WHERE about = 'alembic_version'",
        );
        assert!(found.rows);
        let text = without_its_own(Dialect::Postgres, printed, Some("alembic_version"));
        assert!(
            !text.contains("COMMIT") && !text.contains("alembic_version"),
            "{text}"
        );
        assert_eq!(text.len(), printed.len());
    }
}
