//! What stands in `[change]`: names, texts that may differ between databases, expressions.

use std::collections::BTreeMap;

use crate::change::Varied;
use crate::sql::Dialect;

use super::super::problem::{closest, listed};
use super::super::reader::{Given, Located, Table};
use super::super::source::Source;

pub(super) fn text(table: &mut Table<'_>, key: &'static str, example: &str) -> Option<String> {
    let found = table.string(key, example)?;
    Some(found.value.trim().to_owned())
}

pub(super) fn required(table: &mut Table<'_>, key: &'static str, example: &str) -> Option<String> {
    let found = table.required_string(key, example)?;
    Some(found.value.trim().to_owned())
}

/// Names of columns; at least one.
pub(super) fn columns(
    table: &mut Table<'_>,
    key: &'static str,
    example: &str,
) -> Option<Vec<String>> {
    if !table.has(key) {
        table.missing(key, example);
        return None;
    }
    if !table.is_array(key) {
        return Some(vec![required(table, key, example)?]);
    }
    let names: Vec<String> = table
        .strings(key, example)?
        .into_iter()
        .map(|name| name.value.trim().to_owned())
        .collect();
    if names.is_empty() {
        table.missing(key, example);
        return None;
    }
    Some(names)
}

pub(super) fn dialect(name: &str) -> Option<Dialect> {
    let mut all = Dialect::ALL.iter().copied();
    all.find(|dialect| dialect.name() == name)
}

/// A string, or a table with one for each database.
pub(super) fn varied(
    source: &Source,
    table: &mut Table<'_>,
    key: &'static str,
    example: &str,
) -> Option<Varied> {
    match table.given(key, example)? {
        Given::Text(text) => Some(Varied::from(text.value)),
        Given::Table(mut inner) => {
            let mut varied = Varied::default();
            for (name, given) in inner.all(example) {
                let Some(dialect) = dialect(name.value) else {
                    unknown_database(source, &name);
                    continue;
                };
                if let Given::Text(text) = given {
                    varied.own.insert(dialect, text.value.to_owned());
                }
            }
            Some(varied)
        }
    }
}

pub(super) fn unknown_database(source: &Source, name: &Located<&str>) {
    let known = || Dialect::ALL.iter().map(|dialect| dialect.name());
    source.error(
        "unknown-database",
        name.span.clone(),
        format!("`{}` is no database", name.value),
        match closest(name.value, known()) {
            Some(guess) => format!("did you mean `{guess}`?"),
            None => format!("write {}", listed(known())),
        },
    );
}

/// Expressions of columns, with `[change.forward.mysql]` where a database differs.
pub(super) fn expressions(
    source: &Source,
    table: &mut Table<'_>,
    key: &'static str,
    example: &str,
) -> BTreeMap<String, Varied> {
    let mut found: BTreeMap<String, Varied> = BTreeMap::new();
    let Some(Given::Table(mut inner)) = table.given(key, example) else {
        if !table.has(key) {
            table.missing(key, example);
        }
        return found;
    };
    for (name, given) in inner.all(example) {
        match (given, dialect(name.value)) {
            (Given::Text(text), _) => {
                let entry = found.entry(name.value.to_owned()).or_default();
                entry.common = Some(text.value.to_owned());
            }
            (Given::Table(mut own), Some(dialect)) => {
                for (column, given) in own.all(example) {
                    if let Given::Text(text) = given {
                        let entry = found.entry(column.value.to_owned()).or_default();
                        entry.own.insert(dialect, text.value.to_owned());
                    }
                }
            }
            (Given::Table(_), None) => unknown_database(source, &name),
        }
    }
    found
}

/// Names, or none.
pub(super) fn names(table: &mut Table<'_>, key: &'static str, example: &str) -> Vec<String> {
    let names = table.strings(key, example).unwrap_or_default().into_iter();
    names.map(|name| name.value.trim().to_owned()).collect()
}
