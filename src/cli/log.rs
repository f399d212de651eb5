//! `migrate log`: what was done, by whom and when.

use serde_json::json;

use super::args::{Global, LogArgs};
use super::context::Context;
use super::failure::Failure;
use super::json::time;
use super::out::Out;
use crate::ledger::{Event, Ledger, Verified};

pub(super) async fn run(args: &LogArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = Context::load(global)?;
    let mut events = Vec::new();
    let mut verified = Verified::Whole { events: 0 };
    if let Some(mut connection) = context.connect().await? {
        if let Some(mut ledger) = Ledger::read(connection.as_mut()).await? {
            events = ledger.events().await?;
            verified = ledger.verify_events().await?;
            ledger.rollback().await?;
        }
        connection.close().await;
    }
    if args.verify {
        return Ok(show_verified(&verified, out));
    }
    let skip = args
        .last
        .map_or(0, |last| events.len().saturating_sub(last));
    let shown = events.into_iter().skip(skip);
    if out.is_json() {
        let events: Vec<_> = shown.map(|event| as_json(&event)).collect();
        out.json(&json!({ "events": events }));
    } else {
        let lines: Vec<String> = shown.map(|event| as_text(&event)).collect();
        if lines.is_empty() {
            out.line("nothing has been recorded yet");
        }
        lines.iter().for_each(|line| out.line(line));
    }
    Ok(0)
}

fn show_verified(verified: &Verified, out: &Out) -> u8 {
    let (code, value, text) = match verified {
        Verified::Whole { events } => (
            0,
            json!({ "whole": true, "events": events }),
            format!(
                "the log is whole: {events} events, each sealed with the hash of the one before"
            ),
        ),
        Verified::Broken { seq, reason } => (
            1,
            json!({ "whole": false, "event": seq, "reason": reason }),
            format!(
                "the log is broken at event {seq}: {reason}. Compare the ledger's tables with a backup"
            ),
        ),
    };
    if out.is_json() {
        out.json(&value);
    } else {
        out.line(&text);
    }
    code
}

fn detail(event: &Event) -> serde_json::Value {
    serde_json::from_str(&event.detail).unwrap_or_else(|_| event.detail.clone().into())
}

fn as_json(event: &Event) -> serde_json::Value {
    json!({
        "seq": event.seq,
        "at": time(event.at),
        "actor": event.actor,
        "kind": event.kind,
        "migration": event.migration,
        "detail": detail(event),
        "hash": event.hash,
    })
}

fn as_text(event: &Event) -> String {
    let detail = detail(event);
    let words: Vec<String> = detail
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "sha256")
        .map(|(name, value)| match value {
            serde_json::Value::String(text) => format!("{name}: {text}"),
            other => format!("{name}: {other}"),
        })
        .collect();
    format!(
        "{:>4}  {}  {}  {}{}  {}",
        event.seq,
        time(event.at),
        event.actor,
        event.kind,
        event
            .migration
            .as_ref()
            .map_or_else(String::new, |id| format!("  {id}")),
        words.join(", ")
    )
}
