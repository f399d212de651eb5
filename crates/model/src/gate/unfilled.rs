//! A contract whose backfill is not finished.

use super::Evidence;
use super::blocker::{Blocker, BlockerKind, Verdict};
use super::next::Reason;
use super::phase::{PAUSED, by_the_rule, resume};
use crate::model::{MigrationState, Phase, Step};

/// A contract before its backfill, and whoever is the real reason: the live versions that hold the backfill up.
pub(super) fn backfill_first(state: &MigrationState, evidence: &Evidence) -> Vec<Reason> {
    let id = state.id();
    if state.phase == Phase::Backfilling {
        let facts = &evidence.facts;
        let said = |verdict, message: String, help: String| {
            let kind = BlockerKind::BackfillFirst;
            vec![Reason::said(Blocker::new(kind, verdict, message, help))]
        };
        if let Some(who) = facts.taken_by(Step::Backfill, id) {
            return said(
                Verdict::Hold,
                format!("its backfill is running ({who})"),
                format!("wait for it: `migrate contract {id} --wait 1h`"),
            );
        }
        if facts.is_paused(Step::Backfill, id) {
            return said(Verdict::Refuse, PAUSED.to_owned(), resume(id, facts));
        }
    }
    let live = evidence.snapshot.live();
    let mut found = by_the_rule(Step::Backfill, state, &live, evidence);
    found.retain(|reason| reason.blocker.kind == BlockerKind::LiveVersion);
    let names: Vec<String> = found
        .iter()
        .filter_map(|Reason { blocker, .. }| {
            let (service, version) = (blocker.service.as_ref()?, blocker.version.as_ref()?);
            Some(format!("{service} {version}"))
        })
        .collect();
    let mut message = format!("{id} is {}: its backfill is not finished", state.phase);
    let first = |message: String, help: String| {
        Blocker::new(BlockerKind::BackfillFirst, Verdict::Refuse, message, help)
    };
    found.push(if names.is_empty() {
        Reason::take(first(message, String::new()), Step::Backfill, id)
    } else {
        message.push_str(&format!(", and has to wait for {}", names.join(" and ")));
        let help = format!(
            "run `migrate backfill {id}` when {} is gone",
            names.join(" and ")
        );
        Reason::said(first(message, help))
    });
    found
}
