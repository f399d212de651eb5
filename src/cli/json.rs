//! The shapes of `--output json`.

use serde_json::{Value, json};

use crate::gate::{Action, Blocker, Decision};
use crate::model::{Snapshot, SourceReport, SourceStatus};

/// A moment as RFC 3339 with three decimals, from milliseconds since the epoch.
pub(super) fn time(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds)
        .map_or_else(|_| milliseconds.to_string(), |at| format!("{at:.3}"))
}

pub(super) fn decision(decision: &Decision, snapshot: &Snapshot) -> Value {
    json!({
        "verdict": decision.verdict.name(),
        "action": action(&decision.action),
        "blockers": decision.blockers.iter().map(blocker).collect::<Vec<_>>(),
        "notes": decision.notes,
        "sources": snapshot.sources.iter().map(source).collect::<Vec<_>>(),
        "checked_at": time(snapshot.taken_at),
    })
}

pub(super) fn action(action: &Action) -> Value {
    match action {
        Action::Step { step, migration } => json!({ "kind": step.name(), "migration": migration }),
        Action::Deploy(live) => {
            let services: serde_json::Map<String, Value> = live
                .iter()
                .map(|who| (who.service.clone(), who.version.to_string().into()))
                .collect();
            json!({ "kind": "deploy", "services": services })
        }
    }
}

pub(super) fn blocker(blocker: &Blocker) -> Value {
    json!({
        "kind": blocker.kind.name(),
        "verdict": blocker.verdict.name(),
        "migration": blocker.migration,
        "service": blocker.service,
        "version": blocker.version,
        "instances": blocker.instances,
        "examples": blocker.examples,
        "source": blocker.source,
        "seen_at": blocker.seen_at.map(time),
        "message": blocker.message,
        "help": blocker.help,
    })
}

pub(super) fn source(report: &SourceReport) -> Value {
    let reason = match &report.status {
        SourceStatus::Failed { reason } => Some(reason.as_str()),
        SourceStatus::Fresh | SourceStatus::Stale => None,
    };
    json!({
        "name": report.name,
        "status": report.status.name(),
        "instances": report.instances,
        "age_ms": report.age_ms,
        "reason": reason,
        "notes": report.notes,
    })
}
