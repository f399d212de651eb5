//! The shapes of answers: what `--output json` prints, and what a server sends.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::details::details;
pub use super::moment::time;
use crate::gate::{Action, Blocker, Decision};
use crate::ledger::Event;
use crate::model::{Live, Snapshot, SourceReport, SourceStatus, Version};

#[must_use]
pub fn decision(decision: &Decision, snapshot: &Snapshot) -> Value {
    json!({
        "verdict": decision.verdict.name(),
        "action": action(&decision.action),
        "blockers": decision.blockers.iter().map(blocker).collect::<Vec<_>>(),
        "notes": decision.notes,
        "sources": snapshot.sources.iter().map(source).collect::<Vec<_>>(),
        "checked_at": time(snapshot.taken_at),
    })
}

#[must_use]
pub fn action(action: &Action) -> Value {
    match action {
        Action::Step { step, migration } => json!({ "kind": step.name(), "migration": migration }),
        Action::Deploy(live) => {
            let services = by_service(live).into_iter();
            let services: serde_json::Map<String, Value> = services
                .map(|(service, versions)| {
                    let of_service = match &versions[..] {
                        [version] => json!(version),
                        several => json!(several),
                    };
                    (service.to_owned(), of_service)
                })
                .collect();
            json!({ "kind": "deploy", "services": services })
        }
    }
}

/// The versions of each service.
#[must_use]
pub fn by_service<'a>(live: impl IntoIterator<Item = &'a Live>) -> BTreeMap<&'a str, Vec<Version>> {
    let mut services: BTreeMap<&str, Vec<Version>> = BTreeMap::new();
    for who in live {
        let versions = services.entry(&who.service).or_default();
        versions.push(who.version.clone());
        versions.sort();
        versions.dedup();
    }
    services
}

#[must_use]
pub fn blocker(blocker: &Blocker) -> Value {
    let seen = &blocker.seen;
    json!({
        "kind": blocker.kind().name(),
        "verdict": blocker.verdict().name(),
        "migration": blocker.migration,
        "service": blocker.service(),
        "version": blocker.version(),
        "instances": seen.instances,
        "examples": seen.examples,
        "source": (!seen.sources.is_empty()).then(|| seen.sources.join(", ")),
        "seen_at": seen.at.map(time),
        "message": blocker.message(),
        "help": blocker.help(),
        "details": details(&blocker.reason),
    })
}

#[must_use]
pub fn source(report: &SourceReport) -> Value {
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

/// What an event tells beside its kind: an object, or text of a build that wrote it otherwise.
#[must_use]
pub fn detail(event: &Event) -> Value {
    serde_json::from_str(&event.detail).unwrap_or_else(|_| event.detail.clone().into())
}

#[must_use]
pub fn event(event: &Event) -> Value {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_version_that_was_asked_about_is_left_out() {
        for (asked, services) in [
            (&[("web", "1.1.0")][..], json!({ "web": "1.1.0" })),
            (
                &[("web", "1.2.0"), ("worker", "2.0.0"), ("web", "1.1.0")],
                json!({ "web": ["1.1.0", "1.2.0"], "worker": "2.0.0" }),
            ),
        ] {
            let live = asked.iter().map(|(service, version)| Live {
                service: (*service).to_owned(),
                version: version.parse().unwrap(),
            });
            let told = action(&Action::Deploy(live.collect()));
            assert_eq!(told["services"], services);
        }
    }
}
