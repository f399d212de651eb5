//! Whether a live version goes by itself.

use std::collections::BTreeMap;

use super::Evidence;
use super::reason::Stay;
use crate::model::{EndingCause, InstanceState, LEASES, Live, most_in_one_source};

/// It leaves if every instance of it drains, is lost and its lease ends, or is replaced by a rollout that somebody is at
/// work on.
pub(super) fn stay(who: &Live, evidence: &Evidence) -> Stay {
    let replaced = evidence.rolling.get(&who.service);
    if replaced.is_some_and(|by| *by != who.version) || is_leaving(who, evidence) {
        Stay::Leaving
    } else {
        Stay::Staying
    }
}

/// Whether one source sees as many instances leave as any source sees at all: another may not know what
/// they are doing.
fn is_leaving(who: &Live, evidence: &Evidence) -> bool {
    let snapshot = &evidence.snapshot;
    // Its lease is superseded, and it works on.
    if snapshot.twins_of(who).next().is_some() {
        return false;
    }
    let all = most_in_one_source(snapshot.groups_of(who));
    let mut leaving = BTreeMap::<&str, u64>::new();
    for group in snapshot.groups_of(who) {
        if matches!(
            group.state,
            InstanceState::Draining | InstanceState::Lost | InstanceState::Superseded
        ) {
            let count = leaving.entry(&group.source).or_default();
            *count = count.saturating_add(group.instances);
        }
    }
    // Nobody renews them, so each ends by itself. The others are in the groups by their states.
    let admitted = snapshot.ending_of(who);
    for ending in admitted.filter(|ending| ending.cause == EndingCause::Admitted) {
        let count = leaving.entry(LEASES).or_default();
        *count = count.saturating_add(ending.leases);
    }
    all > 0 && leaving.into_values().any(|count| count >= all)
}

/// Whether an instance of `who` does more than start.
pub(super) fn is_at_work(who: &Live, evidence: &Evidence) -> bool {
    evidence
        .snapshot
        .groups_of(who)
        .any(|group| group.state != InstanceState::Starting)
}
