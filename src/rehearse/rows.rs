//! Rows, and the statements that versions of the application write them with. Pure.

use std::collections::BTreeMap;

use super::shape::{Column, Relation, Surface};
use super::values::{awkward, extreme, plain};
use crate::sql::Dialect;

/// Some columns of a row with a literal each.
pub(super) type Tuple = BTreeMap<String, String>;

/// Rows of one relation by their columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Rows {
    pub columns: Vec<String>,
    /// A literal for each column.
    pub rows: Vec<Vec<String>>,
}

impl Rows {
    pub fn tuples(&self) -> impl Iterator<Item = Tuple> + '_ {
        self.rows.iter().map(|row| {
            let columns = self.columns.iter().cloned();
            columns.zip(row.iter().cloned()).collect()
        })
    }
}

pub(super) fn quoted(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::Mysql => format!("`{}`", name.replace('`', "``")),
        Dialect::Postgres | Dialect::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// Keys of the tables that rows of others lead to, as they are known so far.
pub(super) type Parents = BTreeMap<(String, String), Vec<String>>;

/// Makes rows of one relation.
pub(super) struct Maker<'m> {
    pub relation: &'m Relation,
    /// Columns that are given awkward values.
    pub changing: &'m [String],
    pub parents: &'m Parents,
}

impl Maker<'_> {
    /// How many rows show every value at least once.
    pub fn enough(&self) -> u64 {
        let most = self
            .changing
            .iter()
            .filter_map(|name| self.relation.column(name))
            .map(|column| awkward(&column.kind).len())
            .max();
        u64::try_from(most.unwrap_or(6).max(6)).unwrap_or(6)
    }

    /// Row number `number`, counted from 1; the same number gives the same row.
    pub fn row(&self, number: u64) -> Tuple {
        self.row_with(number, true)
    }

    /// The same row without anything awkward in it.
    pub fn plain_row(&self, number: u64) -> Tuple {
        self.row_with(number, false)
    }

    fn row_with(&self, number: u64, is_awkward: bool) -> Tuple {
        let mut tuple = Tuple::new();
        for column in &self.relation.columns {
            if column.is_generated {
                continue;
            }
            let is_key = self.relation.key.contains(&column.name);
            let place = self.changing.iter().position(|name| *name == column.name);
            if let Some(value) = self.of_parent(column, number) {
                tuple.insert(column.name.clone(), value);
                continue;
            }
            if let (Some(place), false, true) = (place, column.is_unique || is_key, is_awkward) {
                let mut values = awkward(&column.kind);
                if !column.is_nullable {
                    values.retain(|value| value != "NULL");
                }
                tuple.insert(column.name.clone(), chosen(&values, number, place));
                continue;
            }
            // What the database gives, the application mostly leaves to it.
            let is_one_for_all = column.is_unique && !column.is_auto && !column.is_volatile;
            let is_given = column.is_auto || column.has_default && !is_one_for_all;
            if !is_key && place.is_none() && is_given {
                continue;
            }
            let value = plain(&column.kind, number);
            if value == "NULL" && (!column.is_nullable || column.has_default) {
                continue;
            }
            tuple.insert(column.name.clone(), value);
        }
        tuple
    }

    fn of_parent(&self, column: &Column, number: u64) -> Option<String> {
        let parent = column.parent.as_ref()?;
        if parent.0 == self.relation.sql {
            return column.is_nullable.then(|| "NULL".to_owned());
        }
        let keys = self.parents.get(parent).filter(|keys| !keys.is_empty())?;
        let count = u64::try_from(keys.len()).unwrap_or(1);
        let index = usize::try_from(number % count).unwrap_or_default();
        keys.get(index).cloned()
    }
}

/// Each value comes up, and each column meets those of the others in another order.
fn chosen(values: &[String], number: u64, place: usize) -> String {
    let count = u64::try_from(values.len()).unwrap_or(1).max(1);
    let place = u64::try_from(place).unwrap_or_default();
    let at = (number - 1) * (place + 1) + place + (number - 1) / count * place;
    let index = usize::try_from(at % count).unwrap_or_default();
    values
        .get(index)
        .cloned()
        .unwrap_or_else(|| "NULL".to_owned())
}

/// The statements of one version on one relation.
pub(super) struct Writer<'w> {
    pub dialect: Dialect,
    pub surface: &'w Surface,
}

impl Writer<'_> {
    fn relation(&self) -> &Relation {
        &self.surface.relation
    }

    fn names(&self, columns: impl Iterator<Item = impl AsRef<str>>) -> String {
        let names: Vec<String> = columns
            .map(|name| quoted(self.dialect, name.as_ref()))
            .collect();
        names.join(", ")
    }

    /// Only what this relation has, and what can be written in it.
    fn own<'t>(&self, tuple: &'t Tuple) -> Vec<(&'t String, &'t String)> {
        let is_own = |name: &str| {
            self.relation()
                .column(name)
                .is_some_and(|column| !column.is_generated)
        };
        tuple.iter().filter(|(name, _)| is_own(name)).collect()
    }

    pub fn insert(&self, tuple: &Tuple) -> String {
        let own = self.own(tuple);
        let columns = self.names(own.iter().map(|(name, _)| name.as_str()));
        let values: Vec<&str> = own.iter().map(|(_, value)| value.as_str()).collect();
        // Of a column that is always given out the value is said here, so that rows can be told apart.
        let overriding = match self.dialect {
            Dialect::Postgres => " OVERRIDING SYSTEM VALUE",
            Dialect::Mysql | Dialect::Sqlite => "",
        };
        let overriding = if self.relation().is_table {
            overriding
        } else {
            ""
        };
        format!(
            "INSERT INTO {} ({columns}){overriding} VALUES ({})",
            self.relation().sql,
            values.join(", ")
        )
    }

    /// Several rows in one statement; `None` if they do not say the same columns.
    pub fn insert_all(&self, tuples: &[Tuple]) -> Option<String> {
        let first = self.insert(tuples.first()?);
        let names: Vec<&String> = tuples.first()?.keys().collect();
        let mut statement = first;
        for tuple in tuples.iter().skip(1) {
            if tuple.keys().collect::<Vec<_>>() != names {
                return None;
            }
            let values: Vec<&str> = self.own(tuple).iter().map(|(_, v)| v.as_str()).collect();
            statement.push_str(&format!(", ({})", values.join(", ")));
        }
        Some(statement)
    }

    /// The row with this key gets what the tuple says of the format; `None` if there is nothing to set.
    pub fn update(&self, key: &Tuple, tuple: &Tuple) -> Option<String> {
        let set: Vec<String> = self
            .surface
            .changing
            .iter()
            .filter(|name| {
                let column = self.relation().column(name);
                column.is_some_and(|column| !column.is_unique)
            })
            .filter_map(|name| Some((name, tuple.get(name)?)))
            .map(|(name, value)| format!("{} = {value}", quoted(self.dialect, name)))
            .collect();
        if set.is_empty() {
            return None;
        }
        Some(format!(
            "UPDATE {} SET {} WHERE {}",
            self.relation().sql,
            set.join(", "),
            self.is_row(key)?
        ))
    }

    /// As [`Self::update`], one column of the format after the other; nothing where it has one alone.
    pub fn update_each(&self, key: &Tuple, tuple: &Tuple) -> Vec<String> {
        let changing = &self.surface.changing;
        if changing.len() < 2 {
            return Vec::new();
        }
        let each = changing.iter().filter_map(|name| {
            let value = tuple.get(name)?.clone();
            self.update(key, &Tuple::from([(name.clone(), value)]))
        });
        each.collect()
    }

    pub fn delete(&self, key: &Tuple) -> Option<String> {
        Some(format!(
            "DELETE FROM {} WHERE {}",
            self.relation().sql,
            self.is_row(key)?
        ))
    }

    /// `"id" = 1`, of the key that the tuple has.
    fn is_row(&self, tuple: &Tuple) -> Option<String> {
        let key = &self.relation().key;
        let each: Option<Vec<String>> = key
            .iter()
            .map(|name| {
                Some(format!(
                    "{} = {}",
                    quoted(self.dialect, name),
                    tuple.get(name)?
                ))
            })
            .collect();
        each.filter(|each| !each.is_empty())
            .map(|each| each.join(" AND "))
    }

    /// The tuple as a row of its own: with another key, and other values where no two rows may have the same.
    pub fn anew(&self, tuple: &Tuple, number: u64) -> Tuple {
        let mut tuple = tuple.clone();
        for column in &self.relation().columns {
            let is_key = self.relation().key.contains(&column.name);
            if (is_key || column.is_unique) && column.parent.is_none() {
                let is_null = tuple.get(&column.name).is_some_and(|value| value == "NULL");
                if is_key || !is_null {
                    tuple.insert(column.name.clone(), plain(&column.kind, number));
                }
            }
        }
        tuple
    }

    /// Writes of the ends of each type of the format, one column at a time: what is written, and the statement.
    pub fn extremes(&self, tuple: &Tuple, number: u64) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for (name, number) in self.surface.changing.iter().zip(number..) {
            let Some(column) = self.relation().column(name) else {
                continue;
            };
            for value in extreme(&column.kind) {
                let mut tuple = self.anew(
                    tuple,
                    number * 1000 + u64::try_from(found.len()).unwrap_or(0),
                );
                let shown = if value.len() > 40 {
                    format!("{name} with {} characters", value.len() - 2)
                } else {
                    format!("{name} = {value}")
                };
                tuple.insert(name.clone(), value);
                found.push((shown, self.insert(&tuple)));
            }
        }
        found
    }
}

/// A row as it is wanted, and as it was found.
pub(super) type Pair<'r> = (Option<&'r [String]>, Option<&'r [String]>);

/// Rows that are in one and not in the other, told by their keys.
pub(super) fn differing<'r>(wanted: &'r Rows, found: &'r Rows) -> Vec<Pair<'r>> {
    let mut left: Vec<&[String]> = found.rows.iter().map(Vec::as_slice).collect();
    let mut missing: Vec<&[String]> = Vec::new();
    for row in &wanted.rows {
        match left.iter().position(|other| *other == row.as_slice()) {
            Some(at) => {
                left.swap_remove(at);
            }
            None => missing.push(row),
        }
    }
    let mut pairs = Vec::new();
    for row in missing {
        // The first column is that of the key.
        let same = left.iter().position(|other| other.first() == row.first());
        pairs.push((Some(row), same.map(|at| left.swap_remove(at))));
    }
    pairs.extend(left.into_iter().map(|row| (None, Some(row))));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(of: &[&[&str]]) -> Rows {
        Rows {
            columns: vec!["id".to_owned(), "a".to_owned()],
            rows: of
                .iter()
                .map(|row| row.iter().map(ToString::to_string).collect())
                .collect(),
        }
    }

    #[test]
    fn rows_are_compared_by_their_keys() {
        let wanted = rows(&[&["1", "'a'"], &["2", "'b'"], &["3", "'c'"]]);
        let found = rows(&[&["2", "'x'"], &["1", "'a'"], &["4", "'d'"]]);
        let pairs: Vec<(Option<String>, Option<String>)> = differing(&wanted, &found)
            .iter()
            .map(|(a, b)| (a.map(|row| row.join("|")), b.map(|row| row.join("|"))))
            .collect();
        assert_eq!(
            pairs,
            [
                (Some("2|'b'".to_owned()), Some("2|'x'".to_owned())),
                (Some("3|'c'".to_owned()), None),
                (None, Some("4|'d'".to_owned())),
            ]
        );
        assert!(differing(&wanted, &wanted).is_empty());
    }

    #[test]
    fn every_value_comes_up_in_every_column() {
        let values: Vec<String> = (0..15).map(|n| n.to_string()).collect();
        for place in 0..2 {
            let mut seen: Vec<String> = (1..=15).map(|n| chosen(&values, n, place)).collect();
            seen.sort();
            seen.dedup();
            assert!(seen.len() >= 8, "{place}: {seen:?}");
        }
    }
}
