//! Whether the script of a later migration needs what an earlier contract takes away.

use super::super::{Dialect, ObjectKind, Script, Statement, Verb};
use super::{Dependent, Dependents, Gone, Runs, create, names};

/// What a script does with something that is gone before it, or goes after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Met {
    /// It names it, and so fails without it.
    Named,
    /// It makes it anew, under the same name.
    Back,
    /// It does so only where it is missing, and finds the old one where it runs before that is gone.
    BackIfMissing,
    /// It has nothing to do with it.
    Not,
}

impl Gone {
    #[must_use]
    pub fn met_by(&self, dialect: Dialect, text: &str) -> Met {
        let Ok(script) = Script::parse(dialect, text) else {
            // The one statement of a backfill, which has parameters.
            return if names::names(dialect, &plain(text), false, self) {
                Met::Named
            } else {
                Met::Not
            };
        };
        for statement in &script.statements {
            let mut objects = statement.objects();
            if let Some(object) = objects.find(|object| self.is_back(dialect, object)) {
                let is_conditional = object.verb == Verb::Create
                    && object.if_exists_or_not
                    && !statement.says_or_replace(dialect);
                return match is_conditional {
                    true => Met::BackIfMissing,
                    false => Met::Back,
                };
            }
            if self.is_named_by(dialect, statement) {
                return Met::Named;
            }
        }
        // By the function of a trigger.
        if Dependents::made_by(&script).that_name(self).is_empty() {
            Met::Not
        } else {
            Met::Named
        }
    }

    fn is_named_by(&self, dialect: Dialect, statement: &Statement) -> bool {
        let is_it = |gone: &Gone| {
            dialect.may_be_same_name(&gone.table, &self.table)
                && match (&gone.column, &self.column) {
                    (Some(a), Some(b)) => dialect.may_be_same_name(a, b),
                    (_, None) => true,
                    (None, Some(_)) => false,
                }
        };
        let changes = statement.objects().any(|object| {
            let table = match object.kind {
                ObjectKind::Table => Some(&object.name),
                _ => object.table.as_ref(),
            };
            let column = (object.kind == ObjectKind::Column).then(|| object.name.clone());
            table.is_some_and(|table| {
                is_it(&Gone {
                    table: table.clone(),
                    column,
                    ..self.clone()
                })
            })
        });
        let made = create::dependent(dialect, statement);
        let on = made
            .as_ref()
            .and_then(|made| made.table.as_deref())
            .is_some_and(|table| dialect.may_be_same_name(table, &self.table));
        let made = made.unwrap_or_else(|| plain(&statement.text));
        changes || names::names(dialect, &made, on, self)
    }
}

/// A statement that is code of nothing.
fn plain(text: &str) -> Dependent {
    Dependent {
        kind: ObjectKind::View,
        word: "statement",
        schema: None,
        name: String::new(),
        table: None,
        header: String::new(),
        body: text.to_owned(),
        calls: None,
        arguments: None,
        runs: Runs::Used,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_that_need_a_column_or_a_table() {
        for (column, text, met) in [
            (Some("a"), "CREATE INDEX i ON t (a)", Met::Named),
            (Some("a"), "CREATE INDEX i ON t (b)", Met::Not),
            (Some("a"), "CREATE INDEX i ON u (a)", Met::Not),
            (Some("a"), "INSERT INTO u SELECT a FROM t", Met::Named),
            (
                Some("a"),
                "INSERT INTO u SELECT x.a FROM t AS x",
                Met::Named,
            ),
            (Some("a"), "INSERT INTO u (a) SELECT b FROM t", Met::Not),
            (Some("a"), "CREATE VIEW v AS SELECT a FROM t", Met::Named),
            (Some("a"), "ALTER TABLE t ADD COLUMN a INT", Met::Back),
            (
                Some("a"),
                "ALTER TABLE t ADD COLUMN a INT; UPDATE t SET a = 1",
                Met::Back,
            ),
            (Some("a"), "ALTER TABLE t DROP COLUMN a", Met::Named),
            (Some("a"), "ALTER TABLE u DROP COLUMN a", Met::Not),
            (
                Some("a"),
                "UPDATE t SET b = a WHERE id > :after AND id <= :upto",
                Met::Named,
            ),
            (
                Some("a"),
                "UPDATE t SET b = c WHERE id > :after AND id <= :upto",
                Met::Not,
            ),
            (None, "ALTER TABLE t ADD COLUMN a INT", Met::Named),
            (None, "CREATE TABLE u (a INT REFERENCES t (id))", Met::Named),
            (None, "CREATE TABLE t (a INT)", Met::Back),
            (
                None,
                "CREATE TABLE IF NOT EXISTS t (a INT)",
                Met::BackIfMissing,
            ),
            (None, "ALTER TABLE u RENAME TO t", Met::Back),
            (None, "CREATE TABLE u (t INT)", Met::Not),
            (None, "INSERT INTO u SELECT a FROM t", Met::Named),
            (None, "CREATE VIEW v AS SELECT 1 FROM t", Met::Named),
            (None, "CREATE INDEX i ON t (a)", Met::Named),
            (None, "CREATE INDEX i ON u (t)", Met::Not),
        ] {
            let gone = Gone {
                verb: Verb::Drop,
                kind: match column {
                    Some(_) => ObjectKind::Column,
                    None => ObjectKind::Table,
                },
                schema: None,
                table: "t".to_owned(),
                column: column.map(ToOwned::to_owned),
            };
            for dialect in Dialect::ALL {
                let found = gone.met_by(*dialect, text);
                assert_eq!(found, met, "{dialect:?} {column:?} {text}");
            }
        }
    }
}
