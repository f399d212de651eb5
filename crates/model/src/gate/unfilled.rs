//! A contract whose backfill is not finished.

use super::Evidence;
use super::blocker::BlockerKind;
use super::next::Objection;
use super::phase::by_the_rule;
use super::reason::{FillWork, Reason, Subject, WaitsForFill};
use crate::model::{Live, MigrationState, Phase, Step};

/// A contract before its backfill, and whoever is the real reason: the live versions that hold the backfill up.
pub(super) fn backfill_first(state: &MigrationState, evidence: &Evidence) -> Vec<Objection> {
    let id = state.id();
    let reason = |fill| Reason::BackfillFirst {
        migration: id.clone(),
        waiting: WaitsForFill::Contract,
        fill,
    };
    if state.phase == Phase::Backfilling {
        let facts = &evidence.facts;
        if let Some(who) = facts.taken_by(Step::Backfill, id) {
            let by = who.to_owned();
            return vec![reason(FillWork::Running { by }).into()];
        }
        if facts.is_paused(Step::Backfill, id) {
            return vec![Objection::resume(reason(FillWork::Paused), id, evidence)];
        }
    }
    let live = evidence.snapshot.live();
    let mut found = by_the_rule(Step::Backfill, state, &live, evidence);
    found.retain(|objection| objection.reason.kind() == BlockerKind::LiveVersion);
    let held_up_by: Vec<Live> = found
        .iter()
        .filter_map(|objection| match objection.reason.subject() {
            Subject::Version(who) => Some(who.clone()),
            _ => None,
        })
        .collect();
    let may_be_taken = held_up_by.is_empty();
    let idle = reason(FillWork::Idle {
        phase: state.phase,
        held_up_by,
    });
    found.push(if may_be_taken {
        Objection::take(idle, Step::Backfill, id)
    } else {
        idle.into()
    });
    found
}
