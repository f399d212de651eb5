//! `[project]`: in which order migrations may be expanded.

use super::places;
use super::reader::Table;
use crate::model::Sequence;

pub(super) fn read(mut table: Table<'_>) -> Sequence {
    let orders = [("strict", Sequence::Strict), ("any", Sequence::Any)];
    let order = if table.has("order") {
        table.choice("order", &orders)
    } else {
        None
    };
    table.finish(places::CONFIG);
    order.unwrap_or_default()
}
