//! Events, as text and as JSON.

use serde_json::Value;
use textwrap::core::display_width;

use super::super::json::detail;
pub(super) use super::super::json::event as as_json;
use super::super::paint::{Line, Tone};
use crate::ledger::Event;

/// Seals are for `--verify`, and a file is named by its migration and phase.
const LEFT_OUT: [&str; 6] = ["sha256", "steps", "kinds", "declared", "from", "to"];

/// How wide the columns of an actor and of a migration are.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Columns {
    actor: usize,
    migration: usize,
}

/// Wider ones are not waited for by the others.
const WIDEST: usize = 40;

impl Columns {
    /// As wide as these events need, and no narrower than before.
    pub(super) fn widened(self, events: &[Event]) -> Self {
        let wider = |width: usize, text: &str| match display_width(text) {
            needed if needed <= WIDEST => width.max(needed),
            _ => width,
        };
        events.iter().fold(self, |columns, event| Self {
            actor: wider(columns.actor, &event.actor),
            migration: wider(
                columns.migration,
                event.migration.as_deref().unwrap_or_default(),
            ),
        })
    }
}

/// `   3  2026-01-05 10:00:00Z  ann@ci-7  0002_split  pending → expanded`.
pub(super) fn as_text(event: &Event, columns: Columns) -> Line {
    let detail = detail(event);
    let (tone, what) = what(event, &detail);
    let words = words(&detail);
    let is_of_one = if event.kind == "phase" { "  " } else { ": " };
    let rest = if words.is_empty() {
        String::new()
    } else {
        format!("{is_of_one}{}", words.join(", "))
    };
    let line = Line::default()
        .and(&format!("{:>4}  ", event.seq))
        .toned(Tone::Past, &moment(event.at))
        .and(&format!("  {}  ", padded(&event.actor, columns.actor)));
    let migration = event.migration.as_deref().unwrap_or_default();
    let line = match columns.migration {
        0 => line,
        width => line.and(&format!("{}  ", padded(migration, width))),
    };
    line.toned(tone, &what).and(&rest)
}

/// To the second, which is as exact as a person reads it.
fn moment(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds).map_or_else(
        |_| milliseconds.to_string(),
        |at| at.strftime("%F %TZ").to_string(),
    )
}

fn padded(text: &str, width: usize) -> String {
    let missing = width.saturating_sub(display_width(text));
    format!("{text}{}", " ".repeat(missing))
}

/// What happened, in a word or two.
fn what(event: &Event, detail: &Value) -> (Tone, String) {
    let field = |name: &str| detail.get(name).and_then(Value::as_str);
    let what = match (field("from"), field("to")) {
        (Some(from), Some(to)) if event.kind == "phase" => format!("{from} → {to}"),
        (Some(from), Some(to)) => format!("{} {from} → {to}", event.kind),
        _ => event.kind.clone(),
    };
    let tone = match event.kind.as_str() {
        "failed" => Tone::Refuse,
        "phase" => Tone::Go,
        "override" | "takeover" | "forgot" | "repaired" | "backfill_undone" => Tone::Hold,
        _ => Tone::Label,
    };
    (tone, what)
}

/// What is to be known beside it.
fn words(detail: &Value) -> Vec<String> {
    let fields = detail.as_object().into_iter().flatten();
    let fields = fields.filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()));
    let words = fields.map(|(name, value)| match value {
        Value::String(text) => format!("{name}: {text}"),
        other => format!("{name}: {other}"),
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::super::paint::Screen;

    use super::*;

    #[test]
    fn a_log_is_read_in_columns() {
        let event = |seq, actor: &str, kind: &str, migration: Option<&str>, detail: Value| Event {
            seq,
            at: 1_767_607_200_123,
            actor: actor.to_owned(),
            kind: kind.to_owned(),
            migration: migration.map(str::to_owned),
            detail: detail.to_string(),
            previous: String::new(),
            hash: String::new(),
        };
        let file = "0001_a/expand.sql";
        let moved = json!({ "from": "pending", "to": "expanded", "sha256": "ab", "file": file });
        let failed = json!({ "step": "backfill", "error": "no\nway" });
        let events = [
            event(1, "ann@ci-7", "phase", Some("0001_a"), moved),
            event(12, "東京@x", "failed", Some("0002_longer"), failed),
            event(
                13,
                "ann@ci-7",
                "rollout",
                None,
                json!({ "rollout": 1, "state": "done" }),
            ),
        ];
        let columns = Columns::default().widened(&events);
        let lines: Vec<String> = events
            .iter()
            .map(|event| Screen::NONE.drawn(&as_text(event, columns)))
            .collect();
        assert_eq!(
            lines,
            [
                "   1  2026-01-05 10:00:00Z  ann@ci-7  0001_a       pending → expanded  file: 0001_a/expand.sql",
                "  12  2026-01-05 10:00:00Z  東京@x    0002_longer  failed: error: no\\nway, step: backfill",
                "  13  2026-01-05 10:00:00Z  ann@ci-7               rollout: rollout: 1, state: done",
            ]
        );
    }
}
