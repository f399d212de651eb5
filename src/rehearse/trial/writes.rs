//! The statements that a trial writes with.

use crate::rehearse::rows::{Rows, Tuple};
use crate::rehearse::shape::Surface;
use crate::rehearse::stage::Stage;

/// Rows with numbers from here on are written by trials.
pub(super) const ANEW: u64 = 1000;

/// Statements of one version on one surface, made from rows that it may write. New rows have numbers from `first` on.
pub(super) fn statements(
    stage: &Stage<'_>,
    surface: &Surface,
    rows: &Rows,
    first: u64,
) -> Vec<String> {
    let writer = stage.writer(surface);
    let tuples: Vec<Tuple> = rows.tuples().collect();
    let mut found = Vec::new();
    let mut number = first;
    // Each kind of version gives a row other values than the one before it, or nothing would change.
    let stride = usize::try_from(first / (ANEW * 10)).unwrap_or_default() + 1;

    let mut next = || {
        number += 1;
        number
    };
    for (index, tuple) in tuples.iter().enumerate() {
        let fresh = writer.anew(tuple, next());
        found.push(writer.insert(&fresh));
        let other = tuples.get((index + stride) % tuples.len()).unwrap_or(tuple);
        // A row that was written with the triggers there has both formats, and is written again.
        if index % 2 == 1 {
            found.extend(writer.update(&fresh, other));
        }
        found.extend(writer.update(other, tuple));
    }
    if let [one, other, ..] = tuples.as_slice() {
        let pair = [writer.anew(one, next()), writer.anew(other, next())];
        found.extend(writer.insert_all(&pair));
    }
    // What a version says of a row that it need not say may be missing.
    if let Some(one) = tuples.first() {
        let mut tuple = writer.anew(one, next());
        tuple.retain(|name, _| is_needed(surface, name));
        found.push(writer.insert(&tuple));
    }
    if let (Some(last), true) = (tuples.last(), tuples.len() > 4) {
        found.extend(writer.delete(last));
        found.extend(writer.delete(&writer.anew(last, first + 1)));
    }
    found
}

/// Whether a row cannot be written without saying this column, or is told from others by it.
fn is_needed(surface: &Surface, name: &str) -> bool {
    let relation = &surface.relation;
    let column = relation.column(name);
    let can_be_left_out =
        column.is_some_and(|column| column.is_nullable || column.has_default || column.is_auto);
    !can_be_left_out
        || relation.key.iter().any(|key| key == name)
        || surface.changing.iter().any(|other| other == name)
}
