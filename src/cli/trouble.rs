//! What `status` says of steps that failed, and of those that nobody is at work on any more.

use super::json::time;
use super::paint::{Line, Tone};
use crate::ask::{Trouble, under_way, way_out};
use crate::model::MigrationState;

/// The lines below the table.
pub(super) fn lines(
    state: &MigrationState,
    Trouble {
        failures,
        idle_since,
    }: Trouble<'_>,
) -> Vec<Line> {
    let mut lines = Vec::new();
    for failure in &failures {
        let (message, next) = way_out(failure);
        let failed = format!("{}:", state.id());
        let failed = Line::default().toned(Tone::Refuse, &failed);
        lines.push(failed.and(&format!(
            " the {} failed at {} ({}): {}",
            failure.step,
            time(failure.at),
            failure.actor,
            message
        )));
        lines.push(Line::named("  ", "next:", &next));
    }
    if let (Some(since), Some(step)) = (idle_since, under_way(state)) {
        let mut line = format!(
            "{}: nobody is at work on its {} since {}",
            state.id(),
            step.name(),
            time(since)
        );
        if failures.is_empty() {
            line.push_str(&format!(
                "; `migrate {} {}` goes on from what is recorded",
                step.name(),
                state.id()
            ));
        }
        lines.push(Line::from(line));
    }
    lines
}
