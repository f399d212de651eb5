//! The values that a CHECK lists: more of them, or fewer.
//!
//! A value that is new is let in by expand, before anybody writes it. One that goes is forbidden by the contract, once nobody writes
//! it any more; rows that have it get another one then, if there is one for it. Not before: a version that does not know the other
//! value could still come, and would read it.

use std::collections::{BTreeMap, BTreeSet};

use phasegate_model::model::{Step, Sync};
use phasegate_sql::Dialect;

use super::names::Place;
use super::text::Script;
use super::widen::literal;
use super::{Allowed, Generated, Varied, Wrong, not_for_sqlite};

/// Other values than a CHECK lists now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Values {
    pub column: String,
    /// Of the CHECK, which may be called otherwise on each database.
    pub name: Varied,
    /// All that it lists now.
    pub from: Vec<String>,
    /// All that it lists then.
    pub to: Vec<String>,
    /// What rows get that have a value which goes.
    pub instead: BTreeMap<String, String>,
}

impl Values {
    /// Those that are new.
    #[must_use]
    pub fn added(&self) -> Vec<&String> {
        let is_new = |value: &&String| !self.from.contains(value);
        self.to.iter().filter(is_new).collect()
    }

    /// Those that go.
    #[must_use]
    pub fn removed(&self) -> Vec<&String> {
        let goes = |value: &&String| !self.to.contains(value);
        self.from.iter().filter(goes).collect()
    }

    fn wrong(&self) -> Option<Wrong> {
        let (added, removed) = (self.added(), self.removed());
        let twice = |values: &[String]| {
            let mut seen = BTreeSet::new();
            values.iter().find(|value| !seen.insert(*value)).cloned()
        };
        if let Some(value) = twice(&self.from).or_else(|| twice(&self.to)) {
            return Some(Wrong::new(
                format!("the value `{value}` is listed twice"),
                "name each value once under `from`, and once under `to`",
            ));
        }
        match (added.as_slice(), removed.as_slice()) {
            ([], []) => {
                return Some(Wrong::new(
                    "`from` and `to` list the same values",
                    "there is nothing to do: remove the migration",
                ));
            }
            ([new, ..], [old, ..]) => {
                return Some(Wrong::new(
                    format!(
                        "`{new}` comes and `{old}` goes: versions that do not know `{new}` may be live as long as `{old}` is written"
                    ),
                    "add in one migration and take away in a later one, with `instead` for the rows that are there",
                ));
            }
            _ => {}
        }
        let stays = self.instead.keys().find(|value| !removed.contains(value));
        if let Some(stays) = stays {
            return Some(Wrong::new(
                format!("`instead` says what becomes of `{stays}`, which does not go"),
                "name there values that `from` lists and `to` does not",
            ));
        }
        let unknown = self.instead.values().find(|value| !self.to.contains(value));
        unknown.map(|unknown| {
            Wrong::new(
                format!("`instead` gives rows `{unknown}`, which `to` does not list"),
                "name one of `to`; where it is to come, add it in an earlier migration",
            )
        })
    }
}

/// A column with the list that it may have.
struct List<'a> {
    place: &'a Place,
    column: String,
    constraint: String,
}

impl List<'_> {
    fn literals<'v>(&self, values: impl IntoIterator<Item = &'v String>) -> String {
        let dialect = self.place.dialect;
        let each = values.into_iter().map(|value| literal(value, dialect));
        each.collect::<Vec<_>>().join(", ")
    }

    /// One list in place of another, in one statement, so that there is no moment without one.
    fn swapped(&self, script: Script, values: &[String]) -> (Script, String) {
        let (table, name) = (self.place.table(), &self.constraint);
        let swap = format!(
            "ALTER TABLE {table} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} CHECK ({} IN ({}))",
            self.column,
            self.literals(values)
        );
        match self.place.dialect {
            Dialect::Postgres => {
                let swap = format!("{swap} NOT VALID");
                let script = script
                    .explained(
                        "One list in place of the other at once; the table is read for it after that, beside writers.",
                        &swap,
                    )
                    .statement(format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}"));
                (script, swap)
            }
            Dialect::Mysql | Dialect::Sqlite => (
                script.explained("The table is copied for it while writers wait.", &swap),
                swap,
            ),
        }
    }
}

pub(super) fn values(change: &Values, place: &Place) -> Result<Generated, Wrong> {
    if let Some(wrong) = change.wrong() {
        return Err(wrong);
    }
    if place.dialect == Dialect::Sqlite {
        return Err(not_for_sqlite(
            "SQLite cannot change a CHECK of a table that is there",
            &format!(
                "declare a column in place of `{}` whose type has the other list, `kind = \"columns\"` with \
                 `new = {{ NAME = \"text CHECK (NAME IN ({}))\" }}`, or rebuild the table with scripts of your own",
                change.column,
                List::in_words(&change.to)
            ),
        ));
    }
    let list = List {
        place,
        column: place.column(&change.column),
        constraint: place.column(change.name.said("name", place.dialect)?),
    };
    let script = || match place.dialect {
        Dialect::Postgres => Script::one_by_one(),
        Dialect::Mysql | Dialect::Sqlite => Script::whole(),
    };
    let removed = change.removed();
    if removed.is_empty() {
        let (script, swap) = list.swapped(script(), &change.to);
        return Ok(Generated {
            // A row with such a value has to be read by whoever is live then: `reads` and `writes` of the services say so.
            sync: Sync::ToNew,
            allow: allowed(Step::Expand, [swap]),
            ..Generated::of([(Step::Expand, script)])
        });
    }
    let (table, column) = (place.table(), &list.column);
    let updates: Vec<String> = change
        .instead
        .iter()
        .map(|(old, new)| {
            let (old, new) = (literal(old, place.dialect), literal(new, place.dialect));
            format!("UPDATE {table} SET {column} = {new} WHERE {column} = {old}")
        })
        .collect();
    let replaced = updates.iter().enumerate().fold(script(), |script, (at, update)| match at {
        0 => script.explained(
            "Nobody writes it any more. Where many rows have it, an UPDATE of your own in parts comes before this.",
            update,
        ),
        _ => script.statement(update),
    });
    let (contract, swap) = list.swapped(replaced, &change.to);
    let left: Vec<&String> = removed
        .into_iter()
        .filter(|value| !change.instead.contains_key(*value))
        .collect();
    let require = (!left.is_empty()).then(|| {
        let left = list.literals(left);
        format!("SELECT count(*) FROM {table} WHERE {column} IN ({left})")
    });
    Ok(Generated {
        require: require.into_iter().collect(),
        allow: allowed(Step::Contract, updates.into_iter().chain([swap])),
        ..Generated::of([(Step::Contract, contract)])
    })
}

impl List<'_> {
    /// As an example of SQL has them.
    fn in_words(values: &[String]) -> String {
        let each = values.iter().map(|value| literal(value, Dialect::Sqlite));
        each.collect::<Vec<_>>().join(", ")
    }
}

fn allowed(step: Step, statements: impl IntoIterator<Item = String>) -> Vec<Allowed> {
    let statements = statements.into_iter();
    statements
        .map(|statement| Allowed { step, statement })
        .collect()
}
