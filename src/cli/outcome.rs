//! What has become of a step, as text and as JSON.

use serde_json::json;

use super::paint::{Line, Tone};
use super::{json, text};
use crate::coordinator::{Done, Outcome};
use crate::model::{Snapshot, Step};

/// How many rows a backfill went over and how fast, where that says something.
fn rate(done: &Done) -> String {
    let over = if done.keys == done.rows {
        String::new()
    } else {
        format!(", of {} gone over", done.keys)
    };
    let milliseconds = u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX);
    if milliseconds < 1000 {
        return over;
    }
    let rate = done.keys.saturating_mul(1000) / milliseconds;
    format!("{over}, {rate} rows/s")
}

pub(super) fn as_text(outcome: &Outcome) -> Vec<Line> {
    match outcome {
        Outcome::Done(done) => {
            let took = text::span(u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX));
            let (did, how_much) = match done.step {
                Step::Expand => ("expanded", text::count(done.statements, "statement")),
                Step::Contract => ("contracted", text::count(done.statements, "statement")),
                Step::Revert => ("reverted", text::count(done.statements, "statement")),
                Step::Backfill => (
                    "backfilled",
                    format!(
                        "{} in {}",
                        text::count(done.rows, "row"),
                        match done.statements {
                            1 => "1 batch".to_owned(),
                            batches => format!("{batches} batches"),
                        }
                    ) + &rate(done),
                ),
            };
            let rest = format!(" {} ({how_much}, {took})", done.migration);
            let mut lines = vec![Line::default().toned(Tone::Go, did).and(&rest)];
            lines.extend(text::notes(&done.notes));
            lines
        }
        Outcome::Already { note, .. } => vec![Line::from(note)],
        Outcome::Blocked(decision) => {
            let now = jiff::Timestamp::now().as_millisecond();
            text::decision(decision, now)
        }
    }
}

pub(super) fn as_json(outcome: &Outcome) -> serde_json::Value {
    match outcome {
        Outcome::Done(done) => json!({
            "outcome": "done",
            "step": done.step.name(),
            "migration": done.migration,
            "statements": done.statements,
            "rows": done.rows,
            "keys": done.keys,
            "took_ms": u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX),
            "notes": done.notes,
        }),
        Outcome::Already {
            migration,
            step,
            note,
        } => json!({
            "outcome": "already",
            "step": step.name(),
            "migration": migration,
            "note": note,
        }),
        Outcome::Blocked(decision) => {
            let snapshot = Snapshot {
                taken_at: jiff::Timestamp::now().as_millisecond(),
                ..Snapshot::default()
            };
            let mut value = json::decision(decision, &snapshot);
            if let Some(object) = value.as_object_mut() {
                object.insert("outcome".into(), "blocked".into());
                object.remove("sources");
            }
            value
        }
    }
}
