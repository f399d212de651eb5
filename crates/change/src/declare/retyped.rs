//! What a column keeps in one that takes its place, and what is to be known of that before anybody makes it.

use phasegate_sql::{Dialect, TableColumn};

use super::holds::{Direction, Way, warning};
use super::{Asked, Change, Kind, Known, Varied, What, Wish, Wrong, varied};
use crate::definition::{is_text, says_comparison};
use crate::renamed::through_a_view;

/// A column in place of one that is never NULL, where MySQL and MariaDB do not make it so beside writers: a TIMESTAMP.
pub(super) fn is_moment_of_mysql(old: &[(Dialect, &TableColumn)], kind: &Varied) -> bool {
    let mut old = old.iter();
    let on_mysql = old.any(|(dialect, _)| *dialect == Dialect::Mysql);
    let kind = kind.of(Dialect::Mysql).unwrap_or_default();
    on_mysql && kind.trim().to_ascii_lowercase().starts_with("timestamp")
}

impl Asked<'_> {
    /// Another type for a text is compared as the column is that it takes the place of, unless somebody says by what.
    pub(super) fn compared_as(&self, old: &str, kind: &str) -> Varied {
        let of = |dialect: Dialect| {
            let by = self.column(dialect, old).and_then(TableColumn::compared_by);
            match by.filter(|_| is_text(kind) && !says_comparison(kind)) {
                Some(by) => format!("{kind} {by}"),
                None => kind.to_owned(),
            }
        };
        varied(self.each(of))
    }
}

/// That a column may be NULL which takes the place of one that may not.
fn loses_not_null(old: &str, known: &Known, change: &Change) -> Option<Wrong> {
    let Kind::Columns(columns) = &change.kind else {
        return None;
    };
    let new = columns.new.first().filter(|new| !new.not_null)?;
    let table = known.tables.get(&Dialect::Mysql)?;
    let was = table.column(Dialect::Mysql, old)?;
    let is_lost = !was.is_nullable && is_moment_of_mysql(&[(Dialect::Mysql, was)], &new.kind);
    is_lost.then(|| {
        Wrong::new(
            format!(
                "`{}` may be NULL from the contract on, and `{old}` may not: no server makes a TIMESTAMP NOT NULL beside writers",
                new.name
            ),
            format!(
                "where that has to hold, declare it in a migration of its own after this one: `--check {}='{} IS NOT NULL'`",
                change.table, new.name
            ),
        )
    })
}

/// Where a column gets a type that does not hold each value of the other one: what the triggers do with such a value, in
/// either direction and on each database.
#[must_use]
pub fn doubts(wish: &Wish, known: &Known, change: &Change) -> Vec<Wrong> {
    if let Kind::RenameTable(kind) = &change.kind {
        return through_a_view(&known.dialects, &change.table, &kind.to);
    }
    if let What::Rename { old, .. } = &wish.what {
        return loses_not_null(old, known, change).into_iter().collect();
    }
    let (What::Retype { old, kind, .. }, Kind::Columns(columns)) = (&wish.what, &change.kind)
    else {
        return Vec::new();
    };
    let asked = Asked {
        table: &wish.table,
        known,
    };
    let (Ok(before), Some(new)) = (
        asked.kind(old, |column| column.kind.clone()),
        columns.new.first(),
    ) else {
        return Vec::new();
    };
    let of = |direction| {
        let each = known.dialects.iter().filter_map(|dialect| {
            let before = before.of(*dialect).unwrap_or_default();
            let (from, to, column) = match direction {
                Direction::Forward => (before, kind.as_str(), new.name.as_str()),
                Direction::Back => (kind.as_str(), before, old.as_str()),
            };
            warning(&Way {
                dialect: *dialect,
                from,
                to,
                column,
                direction,
            })
        });
        each.collect::<Vec<Wrong>>()
    };
    let lost: Vec<Wrong> = loses_not_null(old, known, change).into_iter().collect();
    [of(Direction::Forward), of(Direction::Back), lost].concat()
}
