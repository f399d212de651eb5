//! What has become of a step, as text and as JSON.

use std::time::Duration;

use serde_json::json;

use super::args::Global;
use super::paint::{Line, Tone};
use super::{json, text};
use crate::coordinator::{Done, Outcome};
use crate::model::{MigrationId, Snapshot, Step};

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

fn as_text(outcome: &Outcome) -> Vec<Line> {
    match outcome {
        Outcome::Done(done) => {
            let took = text::span(u64::try_from(done.took.as_millis()).unwrap_or(u64::MAX));
            let how_much = match done.step {
                Step::Expand | Step::Contract | Step::Revert => {
                    text::count(done.statements, "statement")
                }
                // Batches go over keys, and revisions of another tool do not.
                Step::Backfill if done.keys == 0 && done.statements > 0 => {
                    text::count(done.statements, "revision")
                }
                Step::Backfill => {
                    let batches = match done.statements {
                        1 => "1 batch".to_owned(),
                        batches => format!("{batches} batches"),
                    };
                    let rows = text::count(done.rows, "row");
                    format!("{rows} in {batches}{}", rate(done))
                }
            };
            let rest = format!(" {} ({how_much}, {took})", done.migration);
            let mut lines = vec![Line::default().toned(Tone::Go, did(done.step)).and(&rest)];
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

/// From this many migrations on those that went well are told as a sum.
const LONG: usize = 11;

/// What is told of each outcome, and what only of many together.
pub(super) struct Sums {
    detail: Detail,
    open: Option<Sum>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// Nothing of what went well.
    Nothing,
    Sums,
    Each,
}

/// Migrations that went well one after the other.
struct Sum {
    step: Step,
    first: MigrationId,
    last: MigrationId,
    migrations: u64,
    took: Duration,
}

impl Sums {
    pub(super) fn new(migrations: usize, global: &Global) -> Self {
        let detail = match (global.quiet, global.verbose) {
            (true, _) => Detail::Nothing,
            (false, 0) if migrations >= LONG => Detail::Sums,
            (false, _) => Detail::Each,
        };
        Self { detail, open: None }
    }

    /// What there is to tell of these outcomes, which took this long together.
    pub(super) fn add(&mut self, outcomes: &[Outcome], took: Duration) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut took = Some(took);
        for outcome in outcomes {
            match (outcome, self.detail) {
                (Outcome::Blocked(_), _) | (_, Detail::Each) => {
                    lines.extend(self.end());
                    lines.extend(as_text(outcome));
                }
                (Outcome::Done(done), Detail::Sums) if done.notes.is_empty() => {
                    lines.extend(self.count(done, took.take().unwrap_or_default()));
                }
                (_, Detail::Sums) => {
                    lines.extend(self.end());
                    lines.extend(as_text(outcome));
                }
                // A note is none of what went well.
                (Outcome::Done(done), Detail::Nothing) if !done.notes.is_empty() => {
                    lines.extend(as_text(outcome));
                }
                (_, Detail::Nothing) => {}
            }
        }
        lines
    }

    fn count(&mut self, done: &Done, took: Duration) -> Vec<Line> {
        if let Some(open) = self.open.as_mut().filter(|open| open.step == done.step) {
            open.last = done.migration.clone();
            open.migrations += 1;
            open.took += took;
            return Vec::new();
        }
        let lines = self.end();
        self.open = Some(Sum {
            step: done.step,
            first: done.migration.clone(),
            last: done.migration.clone(),
            migrations: 1,
            took,
        });
        lines
    }

    /// What is still to be told.
    pub(super) fn end(&mut self) -> Vec<Line> {
        let Some(sum) = self.open.take() else {
            return Vec::new();
        };
        let took = text::span(u64::try_from(sum.took.as_millis()).unwrap_or(u64::MAX));
        let rest = match sum.migrations {
            1 => format!(" {} ({took})", sum.first),
            many => format!(
                " {many} migrations, {} to {} ({took}; `-v` lists them)",
                sum.first, sum.last
            ),
        };
        vec![Line::default().toned(Tone::Go, did(sum.step)).and(&rest)]
    }
}

const fn did(step: Step) -> &'static str {
    match step {
        Step::Expand => "expanded",
        Step::Backfill => "backfilled",
        Step::Contract => "contracted",
        Step::Revert => "reverted",
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
