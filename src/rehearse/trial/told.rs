//! How what a trial has found is told: the row by which it shows, and the statement that failed.

use crate::rehearse::rows::{Rows, differing};
use crate::rehearse::stage::Stage;

/// How the first row that differs does so, if one does.
pub(super) fn first_change(stage: &Stage<'_>, wanted: &[Rows], found: &[Rows]) -> Option<String> {
    wanted.iter().zip(found).find_map(|(wanted, found)| {
        let differing = differing(wanted, found);
        let (row, other) = differing.first()?;
        Some(told(stage, &wanted.columns, *row, *other))
    })
}

/// How a row differs, by the columns in which it does.
pub(super) fn told(
    stage: &Stage<'_>,
    columns: &[String],
    wanted: Option<&[String]>,
    found: Option<&[String]>,
) -> String {
    let named = |row: &[String]| {
        let key = columns.first().zip(row.first());
        key.map_or_else(String::new, |(name, value)| {
            format!("{name} = {}", stage.shown(value))
        })
    };
    match (wanted, found) {
        (Some(wanted), Some(found)) => {
            let each: Vec<String> = columns
                .iter()
                .zip(wanted.iter().zip(found))
                .filter(|(_, (wanted, found))| wanted != found)
                .map(|(name, (wanted, found))| {
                    format!(
                        "{name} is {} and should be {}",
                        stage.shown(found),
                        stage.shown(wanted)
                    )
                })
                .collect();
            format!("in the row with {} {}", named(wanted), each.join(", "))
        }
        (Some(wanted), None) => format!("the row with {} is missing", named(wanted)),
        (None, Some(found)) => format!("the row with {} should not be there", named(found)),
        (None, None) => String::new(),
    }
}

pub(super) fn shortened(stage: &Stage<'_>, statement: &str) -> String {
    let text = if stage.is_seeded {
        crate::rehearse::report::masked(statement)
    } else {
        statement.to_owned()
    };
    let mut short: String = text.chars().take(160).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
