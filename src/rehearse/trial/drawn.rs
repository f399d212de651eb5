//! Values that are drawn anew for each row, such as a uuid or the moment: no two runs of a backfill give the same, so that what triggers
//! and defaults have put there is held to what can be: that something stands there.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::rehearse::RehearseError;
use crate::rehearse::rows::{Rows, differing};
use crate::rehearse::stage::Stage;

/// Longer than the coarsest clock of a database goes without a step.
const A_MOMENT: Duration = Duration::from_millis(1100);

pub(super) fn is_like(wanted: &[Rows], found: &[Rows]) -> bool {
    let mut each = wanted.iter().zip(found);
    each.all(|(wanted, found)| differing(wanted, found).is_empty())
}

/// What is wanted and what was found, without what differs between two runs of the backfill over the same rows as well.
pub(super) async fn without_drawn(
    stage: &mut Stage<'_>,
    old: &[Rows],
    wanted: &[Rows],
    found: &[Rows],
) -> Result<Option<(Vec<Rows>, Vec<Rows>)>, RehearseError> {
    tokio::time::sleep(A_MOMENT).await;
    let Some(again) = stage.made_of(old).await? else {
        return Ok(None);
    };
    let drawn: Vec<BTreeSet<usize>> = wanted
        .iter()
        .zip(&again)
        .map(|(one, other)| drawn(one, other))
        .collect();
    if drawn.iter().all(BTreeSet::is_empty) {
        return Ok(None);
    }
    let masked = |all: &[Rows]| {
        all.iter()
            .zip(&drawn)
            .map(|(rows, of)| masked(rows, of))
            .collect()
    };
    Ok(Some((masked(wanted), masked(found))))
}

/// The columns, but for the first one, which tells rows apart, that two runs have filled otherwise.
fn drawn(one: &Rows, other: &Rows) -> BTreeSet<usize> {
    let mut found = BTreeSet::new();
    for (row, other) in differing(one, other) {
        let (Some(row), Some(other)) = (row, other) else {
            continue;
        };
        let cells = row.iter().zip(other).enumerate();
        found.extend(
            cells
                .filter(|(_, (one, other))| one != other)
                .map(|(at, _)| at),
        );
    }
    found
}

/// Whether something stands in these columns, in place of what does.
fn masked(rows: &Rows, columns: &BTreeSet<usize>) -> Rows {
    let mut rows = rows.clone();
    for row in &mut rows.rows {
        for (at, cell) in row.iter_mut().enumerate() {
            if columns.contains(&at) && cell != "NULL" {
                "drawn".clone_into(cell);
            }
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_runs_do_not_share_is_only_held_to_be_there() {
        let rows = |of: &[[&str; 3]]| Rows {
            columns: vec!["id".to_owned(), "uid".to_owned(), "name".to_owned()],
            rows: of
                .iter()
                .map(|row| row.iter().map(ToString::to_string).collect())
                .collect(),
        };
        let (one, other) = (
            rows(&[["1", "'a'", "'x'"], ["2", "'b'", "'y'"]]),
            rows(&[["1", "'c'", "'x'"], ["2", "'d'", "'y'"]]),
        );
        let drawn = drawn(&one, &other);
        assert_eq!(drawn, BTreeSet::from([1]));
        let found = rows(&[["1", "'e'", "'x'"], ["2", "NULL", "'z'"]]);
        let pairs = [masked(&one, &drawn), masked(&found, &drawn)];
        assert_eq!(
            differing(&pairs[0], &pairs[1]).len(),
            1,
            "NULL where something has to be"
        );
    }
}
