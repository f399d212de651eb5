//! What is to be known of a change that can be made, before anybody makes it.

use super::holds::{Direction, Way, warning};
use super::{Asked, Change, Kind, Known, What, Wish, Wrong};

/// Where a column gets a type that does not hold each value of the other one: what the triggers do with such a value, in
/// either direction and on each database.
#[must_use]
pub fn doubts(wish: &Wish, known: &Known, change: &Change) -> Vec<Wrong> {
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
    [of(Direction::Forward), of(Direction::Back)].concat()
}
