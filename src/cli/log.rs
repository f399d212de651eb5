//! `migrate log`: what was done, by whom and when.

use serde_json::json;

use super::args::{Global, LogArgs};
use super::context::Context;
use super::failure::Failure;
use super::json::time;
use super::out::Out;
use crate::ledger::{Event, KnownHead, Ledger, Verified};

pub(super) async fn run(args: &LogArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = Context::load(global, out)?;
    if args.verify || args.head.is_some() {
        return ends(args, &context, out).await;
    }
    let mut events = Vec::new();
    let mut has_ledger = false;
    if let Some(mut connection) = context.connect().await? {
        if let Some(mut ledger) = Ledger::read(connection.as_mut()).await? {
            has_ledger = true;
            events = ledger.events().await?;
            ledger.rollback().await?;
        }
        connection.close().await;
    }
    context.tells_something(has_ledger)?;
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

/// The head of the log, and whether it is believed.
async fn ends(args: &LogArgs, context: &Context, out: &Out) -> Result<u8, Failure> {
    let known = args.head.as_ref().and_then(Option::as_ref);
    if !args.verify && known.is_some() {
        return Err(Failure::new("a head that was kept is for `--verify`")
            .help("`migrate log --verify --head SEQ:HASH` checks it, `migrate log --head` prints the present one")
            .usage());
    }
    let mut head = KnownHead {
        seq: Some(0),
        hash: String::new(),
    };
    let mut verified = match known.filter(|known| known.seq != Some(0)) {
        Some(known) => Verified::Contradicted {
            reason: format!("there is no log that leads over the known head {known}"),
        },
        None => Verified::Whole { head: head.clone() },
    };
    if let Some(mut connection) = context.connect().await? {
        if let Some(mut ledger) = Ledger::read(connection.as_mut()).await? {
            if args.verify {
                verified = ledger.verify_events(known).await?;
            } else {
                head = ledger.log_head().await?;
            }
            ledger.rollback().await?;
        }
        connection.close().await;
    }
    if args.verify {
        return Ok(show_verified(&verified, known, out));
    }
    if out.is_json() {
        out.json(&json!({ "head": head.to_string(), "events": head.seq, "hash": head.hash }));
    } else {
        out.line(head.to_string());
    }
    Ok(0)
}

fn show_verified(verified: &Verified, known: Option<&KnownHead>, out: &Out) -> u8 {
    const BACKUP: &str = "Compare the ledger's tables with a backup";
    let (code, value, text) = match verified {
        Verified::Whole { head } => {
            let events = head.seq.unwrap_or_default();
            let proves = if known.is_some() {
                "leads over the head that was kept, and what is recorded is as it tells"
            } else {
                "what is recorded is as it tells. That it was not written anew from the start is shown by \
                 `migrate log --verify --head`, with a head that was kept elsewhere"
            };
            (
                0,
                json!({ "whole": true, "events": events, "head": head.to_string() }),
                format!(
                    "the log is whole: {events} events, each sealed with the hash of the one before; {proves}"
                ),
            )
        }
        Verified::Broken { seq, reason } => (
            1,
            json!({ "whole": false, "event": seq, "reason": reason }),
            format!("the log is broken at event {seq}: {reason}. {BACKUP}"),
        ),
        Verified::Contradicted { reason } => (
            1,
            json!({ "whole": false, "event": null, "reason": reason }),
            format!("the log and the ledger contradict each other: {reason}. {BACKUP}"),
        ),
    };
    if out.is_json() {
        out.json(&value);
    } else {
        out.line(&text);
        if let Verified::Whole { head } = verified {
            out.line(format!("head: {head}"));
        }
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
        // Seals are for `--verify`.
        .filter(|(name, _)| !["sha256", "steps", "kinds", "declared"].contains(&name.as_str()))
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
