//! A column that holds more: longer texts, or more values of an enumeration. What is stored stays as it is.

use phasegate_model::model::{Step, Sync};
use phasegate_sql::Dialect;

use super::names::Place;
use super::text::Script;
use super::{Allowed, Generated, Varied, Wrong, not_for_sqlite};

/// A type that holds more and is stored in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Widen {
    pub column: String,
    pub from: Varied,
    pub wider: Wider,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wider {
    /// A longer `varchar`.
    To(Varied),
    /// Values that the enumeration gets, after those that it has.
    Values(Vec<String>),
}

pub(super) fn widen(change: &Widen, place: &Place) -> Result<Generated, Wrong> {
    match &change.wider {
        Wider::To(to) => longer(change, to, place),
        Wider::Values(values) => more_values(change, values, place),
    }
}

/// A value as a literal of any database: MySQL alone reads a backslash.
pub(super) fn literal(value: &str, dialect: Dialect) -> String {
    let doubled = value.replace('\'', "''");
    match dialect {
        Dialect::Mysql => format!("'{}'", doubled.replace('\\', "\\\\")),
        Dialect::Postgres | Dialect::Sqlite => format!("'{doubled}'"),
    }
}

/// `enum('a', 'b')` of a definition, as what is before its closing parenthesis and what is from there on.
fn members(definition: &str) -> Option<(&str, &str)> {
    let lower = definition.to_ascii_lowercase();
    let word = ["enum", "set"]
        .into_iter()
        .find(|word| lower.starts_with(word))?;
    let rest = definition.get(word.len()..)?;
    let open = rest.find(|c: char| !c.is_whitespace())?;
    if !rest.get(open..)?.starts_with('(') {
        return None;
    }
    let mut is_quoted = false;
    let mut is_escaped = false;
    for (at, c) in rest.char_indices().skip(open) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '\'' => is_quoted = !is_quoted,
            ')' if !is_quoted => return definition.split_at_checked(word.len() + at),
            _ => {}
        }
    }
    None
}

/// Whether a value is among those of a MySQL enumeration, as it is written there.
pub(super) fn is_member(definition: &str, value: &str) -> bool {
    members(definition).is_some_and(|(before, _)| before.contains(&literal(value, Dialect::Mysql)))
}

fn more_values(change: &Widen, values: &[String], place: &Place) -> Result<Generated, Wrong> {
    // A row with such a value has to be read by whoever is live then: `reads` and `writes` of the services say so.
    let sync = Sync::ToNew;
    let table = place.table();
    let from = change.from.said("from", place.dialect)?.trim();
    let column = place.column(&change.column);
    let literals: Vec<String> = values
        .iter()
        .map(|value| literal(value, place.dialect))
        .collect();
    let (script, allow) = match place.dialect {
        Dialect::Sqlite => {
            return Err(not_for_sqlite(
                "SQLite has no enumerations: a text holds every value",
                "where a CHECK lists the values, `kind = \"values\"` says what can be done; where none does, leave `[change]` out and say so with `nothing_to_do` under `[expand]`, so that versions still learn of the value before others write it",
            ));
        }
        Dialect::Postgres => {
            if from.contains('(') || length(from).is_some() {
                return Err(Wrong::new(
                    format!(
                        "`from` says `{from}`, which is no enumeration that a type of its own holds"
                    ),
                    "name the type that `CREATE TYPE … AS ENUM` has made: `from = { postgres = \"order_status\" }`; where a CHECK lists the values, `kind = \"values\"` says which it lists then",
                ));
            }
            let add = |literal: &String| format!("ALTER TYPE {from} ADD VALUE {literal}");
            let script = literals.iter().map(add).enumerate().fold(
                Script::whole(),
                |script, (at, statement)| match at {
                    0 => script.explained(
                        "An entry in the catalogue: no row is read. PostgreSQL cannot take a value away again, so that nothing reverts this.",
                        statement,
                    ),
                    _ => script.statement(statement),
                },
            );
            (script, Vec::new())
        }
        Dialect::Mysql => {
            let Some((before, after)) = members(from) else {
                return Err(Wrong::new(
                    format!("`from` says `{from}`, which is no enumeration"),
                    "say all of the column, with each of its values: `from = { mysql = \"enum('new','paid') NOT NULL\" }`; a text holds more values without a migration",
                ));
            };
            let statement = format!(
                "ALTER TABLE {table} MODIFY COLUMN {column} {before},{}{after}, ALGORITHM = INPLACE, LOCK = NONE",
                literals.join(",")
            );
            let script = Script::whole().explained(
                "At the end of the list, so that what is stored stays as it is; refused where the table would be copied.",
                &statement,
            );
            let allowed = Allowed {
                step: Step::Expand,
                statement,
            };
            (script, vec![allowed])
        }
    };
    Ok(Generated {
        sync,
        allow,
        ..Generated::of([(Step::Expand, script)])
    })
}

/// A definition as its type and what else is said of the column, which MySQL has to be told again.
fn apart(definition: &str) -> (&str, &str) {
    let definition = definition.trim();
    let end = match (definition.find('('), definition.find(')')) {
        (Some(open), Some(close)) if open < close => close + 1,
        _ => {
            let lower = definition.to_ascii_lowercase();
            let name = ["character varying", "varchar", "text"];
            let name = name.iter().find(|name| lower.starts_with(**name));
            name.map_or(definition.len(), |name| name.len())
        }
    };
    let (kind, rest) = definition.split_at_checked(end).unwrap_or((definition, ""));
    (kind, rest.trim())
}

/// The length of a `varchar`, or none for one without a bound.
fn length(kind: &str) -> Option<Option<u64>> {
    let kind = kind.trim().to_ascii_lowercase();
    let (name, rest) = kind.split_once('(').unwrap_or((&kind, ""));
    match name.trim() {
        "text" if rest.is_empty() => Some(None),
        "varchar" | "character varying" => {
            if rest.is_empty() {
                return Some(None);
            }
            let bound = rest.strip_suffix(')')?.trim().parse().ok()?;
            Some(Some(bound))
        }
        _ => None,
    }
}

/// How many letters a `varchar` has, whatever else is said of the column.
pub(super) fn length_of(definition: &str) -> Option<u64> {
    length(apart(definition).0).flatten()
}

fn longer(change: &Widen, to: &Varied, place: &Place) -> Result<Generated, Wrong> {
    let table = place.table();
    let column = place.column(&change.column);
    if place.dialect == Dialect::Sqlite {
        return Err(not_for_sqlite(
            "SQLite does not hold texts to the length of their type, so that there is nothing to widen",
            "remove the migration",
        ));
    }
    let from = change.from.said("from", place.dialect)?;
    let to = to.said("to", place.dialect)?;
    let ((from_kind, from_rest), (to_kind, to_rest)) = (apart(from), apart(to));
    if place.dialect == Dialect::Postgres && !(from_rest.is_empty() && to_rest.is_empty()) {
        return Err(Wrong::new(
            format!(
                "`from` and `to` are types alone on {}",
                place.dialect.title()
            ),
            "leave out what else is said of the column, which stays as it is: `to = { postgres = \"varchar(200)\", mysql = \"varchar(200) NOT NULL\" }`",
        ));
    }
    if !from_rest.eq_ignore_ascii_case(to_rest) {
        return Err(Wrong::new(
            format!(
                "`from` says `{from_rest}` beside the type, and `to` says `{to_rest}`: more than the length would change"
            ),
            "say in `to` what `from` says: MySQL forgets of a column what is not said again",
        ));
    }
    let is_wider = match (length(from_kind), length(to_kind)) {
        (Some(Some(from)), Some(Some(to))) => from < to,
        (Some(Some(_)), Some(None)) => place.dialect != Dialect::Mysql,
        _ => false,
    };
    if !is_wider {
        return Err(Wrong::new(
            format!("from `{from}` to `{to}` the column would be written anew, or would hold less"),
            "declare it as `kind = \"columns\"`, with a new column beside the old one; `widen` is for a longer varchar",
        ));
    }
    let (script, statement) = match place.dialect {
        Dialect::Mysql => {
            let statement = format!(
                "ALTER TABLE {table} MODIFY COLUMN {column} {to}, ALGORITHM = INPLACE, LOCK = NONE"
            );
            let why = "Says all of the column again, which MySQL wants to hear; refused where the table would be copied.";
            (Script::whole().explained(why, &statement), statement)
        }
        Dialect::Postgres | Dialect::Sqlite => {
            let statement = format!("ALTER TABLE {table} ALTER COLUMN {column} TYPE {to}");
            (Script::whole().statement(&statement), statement)
        }
    };
    Ok(Generated {
        // What the column was before is declared, and not to be found in a script of this migration.
        allow: vec![Allowed {
            step: Step::Expand,
            statement,
        }],
        ..Generated::of([(Step::Expand, script)])
    })
}
