//! The constant that stands in a column where an INSERT leaves it out, against what is asked of the rows of the table.

use super::listed::{listed, plain};
use super::{ConstraintRule, Dialect, Table, TableColumn, same};
use crate::computed::shape::Shape;
use crate::lexeme::{self, Kind};
use crate::{Outcome, Value, checked};

/// What is asked of a column, and what its default has to do with that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultMet {
    pub column: String,
    /// As written, without a cast.
    pub default: String,
    pub by: Asks,
    pub meets: Meets,
}

/// What asks, with its name where that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    Check(Option<String>),
    /// Of this column alone.
    Unique(Option<String>),
    ForeignKey(Option<String>),
    /// The type, which says how long a text may be.
    Length(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meets {
    /// A row that has it is refused: each one, or each but the first.
    Refused,
    MayBeRefused,
}

impl TableColumn {
    /// The values that it may have, where its type lists them: an enumeration of MySQL.
    #[must_use]
    pub fn members(&self, dialect: Dialect) -> Option<Vec<String>> {
        let lower = self.kind.to_ascii_lowercase();
        if dialect != Dialect::Mysql || !lower.trim_start().starts_with("enum") {
            return None;
        }
        let tokens = lexeme::tokens(dialect.grammar(), &self.kind).ok()?;
        let values = tokens.iter().filter(|token| token.kind == Kind::Literal);
        values
            .map(|token| plain(dialect, token.text(&self.kind)))
            .collect()
    }

    /// The constant that stands in it where an INSERT leaves it out; `None` if there is none, or it is NULL, or computed.
    #[must_use]
    pub fn constant(&self, dialect: Dialect) -> Option<String> {
        constant(dialect, self.default.as_ref().filter(|_| !self.is_made)?)
    }
}

/// The same of a default as it is written.
pub(crate) fn constant(dialect: Dialect, default: &str) -> Option<String> {
    let tokens = lexeme::tokens(dialect.grammar(), default).ok()?;
    // PostgreSQL prints the type behind it: `'new'::character varying`.
    let cast = tokens
        .iter()
        .find(|token| token.text(default).starts_with(':'));
    let end = cast.map_or(default.len(), |cast| cast.span.start);
    let text = default.get(..end)?.trim().trim_matches(['(', ')']);
    let value = Value {
        text: text.to_owned(),
    };
    match value.outcomes(dialect).as_slice() {
        [Outcome::Literal(literal)] => Some(literal.clone()),
        _ => None,
    }
}

impl Dialect {
    /// Whether the list has the constant; `None` where capital letters or blanks decide, which count for nothing in some collations.
    #[must_use]
    pub fn is_among(self, constant: &str, list: &[String]) -> Option<bool> {
        let text = plain(self, constant)?;
        let bare = |text: &str| text.trim().to_lowercase();
        match list.contains(&text) {
            true => Some(true),
            false if list.iter().any(|one| bare(one) == bare(&text)) => None,
            false => Some(false),
        }
    }

    /// Whether a CHECK with this condition lets the constant in; `None` where that cannot be told by reading.
    #[must_use]
    pub fn lets_in(self, column: &str, constant: &str, condition: &str) -> Option<bool> {
        if let Some(list) = listed(self, condition) {
            return self.is_among(constant, &list);
        }
        let text = format!("{column} x DEFAULT {constant} CHECK ({condition})");
        let tokens = lexeme::tokens(self.grammar(), &text).ok()?;
        let is_it = |name: &str| {
            (self.grammar().identifier)(name)
                .is_some_and(|name| self.may_be_same_name(&name, column))
        };
        checked::default_is_let_in(&text, &tokens, is_it)
    }
}

impl Table {
    /// The columns whose default is, or may be, refused by what the table asks of them.
    #[must_use]
    pub fn defaults_met(&self, dialect: Dialect) -> Vec<DefaultMet> {
        let met = |column: &TableColumn| {
            let default = column.constant(dialect);
            default.map(|default| self.met(dialect, &column.name, &default))
        };
        self.columns.iter().filter_map(met).flatten().collect()
    }

    /// What this constant in this column meets.
    #[must_use]
    pub fn met(&self, dialect: Dialect, column: &str, constant: &str) -> Vec<DefaultMet> {
        let is_alone =
            |columns: &[String]| matches!(columns, [only] if same(dialect, only, column));
        let mut found = Vec::new();
        let mut add = |by, meets| {
            found.push(DefaultMet {
                column: column.to_owned(),
                default: constant.to_owned(),
                by,
                meets,
            });
        };
        let known = self.column(dialect, column);
        if let Some(kind) = known.map(|known| &known.kind)
            && !fits(dialect, constant, kind)
        {
            add(Asks::Length(kind.clone()), Meets::Refused);
        }
        for one in self.constraints.iter().filter(|one| is_alone(&one.columns)) {
            let name = one.name.clone();
            match (one.rule, &one.condition, &one.lists) {
                (ConstraintRule::ForeignKey, ..) => {
                    add(Asks::ForeignKey(name), Meets::MayBeRefused)
                }
                (ConstraintRule::Check, condition, lists) => {
                    let is_let_in = match (lists, condition) {
                        (Some(list), _) => dialect.is_among(constant, list),
                        (None, Some(condition)) => dialect.lets_in(column, constant, condition),
                        (None, None) => None,
                    };
                    match is_let_in {
                        Some(true) => {}
                        Some(false) => add(Asks::Check(name), Meets::Refused),
                        None => add(Asks::Check(name), Meets::MayBeRefused),
                    }
                }
            }
        }
        let key = is_alone(&self.primary_key).then_some(None);
        let unique = self
            .indexes
            .iter()
            .filter(|index| index.is_unique && index.is_plain && is_alone(&index.columns));
        let unique = unique.map(|index| index.name.clone());
        for name in key.into_iter().chain(unique) {
            add(Asks::Unique(name), Meets::Refused);
        }
        found
    }
}

/// Whether a text is no longer than the type says, blanks at its end left aside.
fn fits(dialect: Dialect, constant: &str, kind: &str) -> bool {
    if dialect == Dialect::Sqlite {
        return true;
    }
    match (Shape::of_type(dialect, kind), plain(dialect, constant)) {
        (Shape::Text(Some(most)), Some(text)) => {
            text.trim_end().chars().nth(most as usize).is_none()
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Script, Tables};

    #[test]
    fn a_default_meets_what_its_table_asks() {
        use Dialect::{Mysql, Postgres, Sqlite};
        for (dialect, definition, expected) in [
            (
                Postgres,
                "c text DEFAULT 'new' CHECK (c IN ('paid'))",
                "refused",
            ),
            (
                Postgres,
                "c text DEFAULT 'new' CHECK (c IN ('new', 'paid'))",
                "",
            ),
            (
                Postgres,
                "c text DEFAULT 'new'::text CHECK (c IN ('paid'))",
                "refused",
            ),
            (
                Mysql,
                "c varchar(9) DEFAULT 'NEW' CHECK (c IN ('new'))",
                "maybe",
            ),
            (Postgres, "c varchar(3) DEFAULT 'too long'", "refused"),
            (Postgres, "c character varying(3) DEFAULT 'äöü'", ""),
            (Postgres, "c integer DEFAULT 0 CHECK (c > 0)", "refused"),
            (Postgres, "c integer DEFAULT 1 CHECK (c > 0)", ""),
            (
                Postgres,
                "c integer DEFAULT (-1) CHECK (c >= 0 AND c < 9)",
                "refused",
            ),
            (Postgres, "c integer DEFAULT 0 CHECK (c > 0 OR c = 0)", ""),
            (Postgres, "c integer DEFAULT 0 CHECK (NOT (c = 0))", "maybe"),
            (Postgres, "c integer DEFAULT 0 CHECK (odd(c))", "maybe"),
            (
                Postgres,
                "c text DEFAULT '' CHECK (length(c) > 0)",
                "refused",
            ),
            (Postgres, "c text DEFAULT '' UNIQUE", "refused"),
            (Sqlite, "c text DEFAULT '' UNIQUE", "refused"),
            (Postgres, "c uuid DEFAULT gen_random_uuid() UNIQUE", ""),
            (Mysql, "c char(36) DEFAULT (uuid()) UNIQUE", ""),
            (Postgres, "c text DEFAULT NULL UNIQUE", ""),
            (Postgres, "c bigserial UNIQUE", ""),
            (Postgres, "c integer DEFAULT 0 REFERENCES p (id)", "maybe"),
            (
                Postgres,
                "c integer DEFAULT 0, d integer, UNIQUE (c, d)",
                "",
            ),
        ] {
            let script = Script::parse(dialect, &format!("CREATE TABLE t (id int, {definition})"));
            let mut tables = Tables::default();
            tables.apply(&script.unwrap());
            let met = tables.get(dialect, "t").unwrap().defaults_met(dialect);
            let met: Vec<&str> = met
                .iter()
                .map(|one| match one.meets {
                    Meets::Refused => "refused",
                    Meets::MayBeRefused => "maybe",
                })
                .collect();
            assert_eq!(met.join(" "), expected, "{dialect:?}: {definition}");
        }
    }
}
