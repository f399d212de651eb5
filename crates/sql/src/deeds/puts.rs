//! The constants that a statement puts into columns: as their default, or into rows.

use super::super::lexeme::{Kind, Token};
use super::super::tables::{constant, items, plain};
use super::super::{Dialect, ObjectKind, Statement, Verb};
use super::{Body, Deed, Fires, Value, read};

/// A text that a statement puts into a column.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Puts {
    pub table: String,
    pub column: PutsAt,
    /// Without its quotes.
    pub text: String,
    pub into: PutsAs,
}

/// A column of the table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PutsAt {
    Named(String),
    /// By its place: an INSERT that names none.
    Place(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PutsAs {
    /// It stands in the column wherever an INSERT leaves that out.
    Default,
    Rows,
}

impl Value {
    /// The texts that it can come to, as far as they are written there.
    fn texts(&self, dialect: Dialect) -> Vec<String> {
        let written = match constant(dialect, &self.text) {
            Some(one) => vec![one],
            None => {
                let outcomes = self.outcomes(dialect).into_iter();
                let literals = outcomes.filter_map(|one| match one {
                    super::Outcome::Literal(literal) => Some(literal),
                    _ => None,
                });
                literals.collect()
            }
        };
        let texts = written.iter().filter_map(|text| plain(dialect, text));
        texts.collect()
    }
}

impl Statement {
    /// What it puts where, by itself; not what code does that it makes.
    #[must_use]
    pub fn puts(&self, dialect: Dialect) -> Vec<Puts> {
        let tokens = self.tokens(dialect);
        let mut found = self.defaults(dialect, &tokens);
        if self.may_write_rows(&tokens) && self.code(dialect).is_none() {
            let body = Body {
                text: &self.text,
                returns_row: false,
                fires: Fires {
                    table: None,
                    header: "",
                },
            };
            found.extend(into_rows(dialect, &read::deeds(dialect, body, &[]), None));
        }
        found
    }

    fn may_write_rows(&self, tokens: &[Token]) -> bool {
        let verbs = ["insert", "update", "replace", "with", "merge"];
        let first = tokens.first();
        first.is_some_and(|first| verbs.iter().any(|verb| first.is_word(&self.text, verb)))
    }

    /// The constants that become the default of a column that is there.
    fn defaults(&self, dialect: Dialect, tokens: &[Token]) -> Vec<Puts> {
        let altered = self
            .objects()
            .filter(|object| object.kind == ObjectKind::Column && object.verb == Verb::Alter);
        let mut found = Vec::new();
        for object in altered {
            let Some(table) = &object.table else { continue };
            let name = object.given_name().unwrap_or(&object.name);
            let is_name = |token: &Token| {
                let own = (dialect.grammar().identifier)(token.text(&self.text));
                own.is_some_and(|own| {
                    dialect.may_be_same_name(&own, name)
                        || dialect.may_be_same_name(&own, &object.name)
                })
            };
            for action in items(tokens) {
                let is_its = action.iter().any(is_name);
                let says = action
                    .iter()
                    .position(|token| token.is_word(&self.text, "default"));
                let Some(says) = says.filter(|_| is_its) else {
                    continue;
                };
                let text = default_at(&self.text, action.get(says + 1..).unwrap_or_default());
                let value = Value {
                    text: text.to_owned(),
                };
                found.extend(value.texts(dialect).into_iter().map(|text| Puts {
                    table: table.clone(),
                    column: PutsAt::Named(name.to_owned()),
                    text,
                    into: PutsAs::Default,
                }));
            }
        }
        found
    }
}

/// A literal at the beginning, whatever it is cast to.
fn default_at<'t>(text: &'t str, tokens: &[Token]) -> &'t str {
    let begins = tokens
        .iter()
        .position(|token| token.kind != Kind::Open && !token.is_word(text, "cast"));
    let tokens = begins.and_then(|at| tokens.get(at..)).unwrap_or_default();
    let is_sign = tokens
        .first()
        .is_some_and(|token| matches!(token.text(text), "-" | "+"));
    let last = tokens.get(usize::from(is_sign));
    match (tokens.first(), last) {
        (Some(first), Some(last)) => text
            .get(first.span.start..last.span.end)
            .unwrap_or_default(),
        _ => "",
    }
}

/// What these deeds put into rows; `fired_by` is the table whose rows fire them.
#[must_use]
pub fn into_rows(dialect: Dialect, deeds: &[Deed], fired_by: Option<&str>) -> Vec<Puts> {
    let mut found = Vec::new();
    let mut add = |table: &str, column: PutsAt, value: &Value| {
        for text in value.texts(dialect) {
            found.push(Puts {
                table: table.to_owned(),
                column: column.clone(),
                text,
                into: PutsAs::Rows,
            });
        }
    };
    for deed in deeds {
        match deed {
            Deed::Assigns { column, value } => {
                if let Some(table) = fired_by {
                    add(table, PutsAt::Named(column.clone()), value);
                }
            }
            Deed::Updates {
                place,
                column,
                value,
            } => add(&place.table, PutsAt::Named(column.clone()), value),
            Deed::Inserts(insert) => {
                for row in &insert.rows {
                    for (at, value) in row.iter().enumerate() {
                        let column = match &insert.columns {
                            Some(columns) => columns.get(at).cloned().map(PutsAt::Named),
                            None => Some(PutsAt::Place(at)),
                        };
                        if let Some(column) = column {
                            add(&insert.place.table, column, value);
                        }
                    }
                }
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Script;

    fn puts(dialect: Dialect, sql: &str) -> String {
        let script =
            Script::parse(dialect, sql).unwrap_or_else(|errors| panic!("{sql}: {errors:?}"));
        let all = script.statements.iter().flat_map(|one| one.puts(dialect));
        let each = all.map(|one| {
            let column = match &one.column {
                PutsAt::Named(name) => name.clone(),
                PutsAt::Place(at) => at.to_string(),
            };
            let into = match one.into {
                PutsAs::Default => "=",
                PutsAs::Rows => "<",
            };
            format!("{}.{column}{into}{}", one.table, one.text)
        });
        each.collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_a_statement_puts_into_a_column_is_told() {
        use Dialect::{Mysql, Postgres, Sqlite};
        for (dialect, sql, expected) in [
            (
                Postgres,
                "ALTER TABLE o ALTER COLUMN st SET DEFAULT 'draft'",
                "o.st=draft",
            ),
            (
                Postgres,
                "ALTER TABLE o ALTER st SET DEFAULT 'draft'::order_status, ALTER n SET DEFAULT 'x'",
                "o.st=draft o.n=x",
            ),
            (
                Postgres,
                "ALTER TABLE o ALTER st SET DEFAULT CAST('draft' AS order_status)",
                "o.st=draft",
            ),
            (Postgres, "ALTER TABLE o ALTER st DROP DEFAULT", ""),
            (
                Mysql,
                "ALTER TABLE o MODIFY st enum('new','draft') NOT NULL DEFAULT 'draft'",
                "o.st=draft",
            ),
            (
                Mysql,
                "ALTER TABLE o ALTER COLUMN st SET DEFAULT 'draft'",
                "o.st=draft",
            ),
            (
                Postgres,
                "INSERT INTO o (id, st) VALUES (1, 'draft'), (2, 'new')",
                "o.st<draft o.st<new",
            ),
            (Sqlite, "INSERT INTO o VALUES (1, 'draft')", "o.1<draft"),
            (
                Postgres,
                "INSERT INTO o (st) SELECT 'draft' FROM p",
                "o.st<draft",
            ),
            (
                Postgres,
                "UPDATE o SET st = 'draft' WHERE st = 'new'",
                "o.st<draft",
            ),
            (
                Postgres,
                "UPDATE o SET st = CASE WHEN st = 'a' THEN 'draft' ELSE st END",
                "o.st<draft",
            ),
            (Postgres, "UPDATE o SET n = 1 WHERE st = 'draft'", ""),
            (Postgres, "DELETE FROM o WHERE st = 'draft'", ""),
            (Postgres, "CREATE TABLE o (st text DEFAULT 'draft')", ""),
        ] {
            assert_eq!(puts(dialect, sql), expected, "{dialect:?}: {sql}");
        }
    }
}
