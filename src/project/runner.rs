//! The `[runner]` section: the migration tool that the project uses besides.

use super::reader::Table;
use super::row::RowOf;
use super::source::Source;
use crate::runner::{KINDS, Kind, Runner};

const EXAMPLE: &str = "kind = \"alembic\"";
const PLACES: &[(&str, &str)] = &[];

pub(super) fn read(source: &Source, mut table: Table<'_>) -> Option<Runner> {
    if !table.has("kind") {
        table.missing("kind", EXAMPLE);
        return None;
    }
    let kinds: Vec<(&str, &Kind)> = KINDS.iter().map(|kind| (kind.kind, kind)).collect();
    let kind = table.choice("kind", &kinds)?;
    let runner = Runner::read(kind, &mut RowOf::new(source, &mut table));
    table.finish(PLACES);
    runner
}
