//! What reads and writes do to real rows. Nothing in here knows of row kinds.

use phasegate::model::{Behaviour, Declaration, Freshness, RowKind, Rows, Sync};

use super::state::{Row, State};

/// Whether a statement of a backfill replaces values that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statement {
    Overwrites,
    FillsOnly,
}

/// What this reader sees: nothing, or the number of a write. `None` where it does not read.
pub fn read(row: &Row, behaviour: Behaviour) -> Option<Option<u8>> {
    match (behaviour.reads.old, behaviour.reads.new) {
        (false, false) => None,
        (true, false) => Some(row.old),
        (false, true) => Some(row.new),
        (true, true) => Some(row.new.or(row.old)),
    }
}

/// Writes a row as a version that behaves like this does; the triggers of `sync` do their part.
pub fn write(row: &mut Row, behaviour: Behaviour, sync: Option<Sync>) {
    row.latest += 1;
    let written = behaviour.writes;
    let carried_to_new = matches!(sync, Some(Sync::Both | Sync::ToNew)) && written.old;
    let carried_to_old = matches!(sync, Some(Sync::Both | Sync::ToOld)) && written.new;
    if written.old || carried_to_old {
        row.old = Some(row.latest);
    }
    if written.new || carried_to_new {
        row.new = Some(row.latest);
    }
}

/// Whether rows may be updated at all.
pub fn are_mutable(declaration: &Declaration) -> bool {
    declaration.rows == Rows::Mutable
}

/// One batch of one row.
pub fn backfill(row: &mut Row, statement: Statement) {
    row.due = false;
    if statement == Statement::Overwrites || row.new.is_none() {
        row.new = row.old;
    }
}

/// What the `remaining` query counts.
pub fn remaining(state: &State) -> u8 {
    let missing = state.rows.iter().filter(|row| row.new.is_none());
    u8::try_from(missing.count()).unwrap_or(u8::MAX)
}

/// The kind that a row really is of, to hold it against the recorded ones.
pub fn kind(row: &Row) -> RowKind {
    let worth = |value: Option<u8>| match value {
        None => Freshness::Absent,
        Some(number) if number == row.latest => Freshness::Fresh,
        Some(_) => Freshness::Stale,
    };
    RowKind {
        old: worth(row.old),
        new: worth(row.new),
    }
}
