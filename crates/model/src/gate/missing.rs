//! Fewer instances are proven than there have to be: why, and what helps.

use std::collections::BTreeSet;

use super::blocker::{Blocker, Seen};
use super::reason::{Missing, Reason, Unseen};
use crate::model::{
    Ending, EndingCause, InstanceState, LiveGroup, Settling, Snapshot, SourceStatus, Twins,
};

pub(super) fn too_few(service: &str, seen: u64, wanted: u64, snapshot: &Snapshot) -> Blocker {
    let settling = snapshot.settling.iter();
    let soon: Option<&Settling> = settling
        .filter(|settling| settling.service == service)
        .find(|settling| seen.saturating_add(settling.instances) >= wanted);
    let missing = match soon {
        Some(soon) => Missing::Settling {
            instances: soon.instances,
            left_ms: soon.left_ms,
        },
        None => Missing::Unseen(Box::new(unseen(service, snapshot))),
    };
    let reason = Reason::MissingInstances {
        service: service.to_owned(),
        seen,
        wanted,
        missing,
    };
    Blocker::from(reason).seen(Seen {
        instances: seen,
        ..Seen::default()
    })
}

fn unseen(service: &str, snapshot: &Snapshot) -> Unseen {
    let groups = snapshot.groups.iter();
    let unproven: Vec<&LiveGroup> = groups
        .filter(|group| group.service == service && !group.state.proves())
        .collect();
    let of = |state: InstanceState| {
        let groups = unproven.iter().copied();
        groups.filter(move |group| group.state == state)
    };
    let states: BTreeSet<InstanceState> = unproven.iter().map(|group| group.state).collect();
    let settling = snapshot.settling.iter();
    let settling = settling.filter(|settling: &&Settling| settling.service == service);
    let admitted = snapshot.ending.iter().filter(|ending: &&Ending| {
        ending.service == service && ending.cause == EndingCause::Admitted
    });
    let twins = snapshot.twins.iter();
    let twins = twins.filter(|twins: &&Twins| twins.service == service);
    let sources = snapshot.sources.iter();
    let silent = sources.filter(|source| source.status != SourceStatus::Fresh);
    Unseen {
        unproven: instances(&unproven),
        states: states.into_iter().collect(),
        settling: settling.map(|settling| settling.instances).sum(),
        admitted: admitted.map(|ending| ending.leases).sum(),
        starting: crate::model::count(of(InstanceState::Starting)),
        lost: of(InstanceState::Lost)
            .flat_map(|group| group.examples.clone())
            .collect(),
        twins: twins.take(3).cloned().collect(),
        silent: silent.map(|source| source.name.clone()).collect(),
    }
}

/// How many they are. One that contradicts itself is in several groups.
fn instances(groups: &[&LiveGroup]) -> u64 {
    let (torn, others): (Vec<&LiveGroup>, Vec<&LiveGroup>) = groups
        .iter()
        .copied()
        .partition(|group| group.state == InstanceState::Contradictory);
    let rows = torn.iter().map(|group| group.instances).sum::<u64>();
    let names: BTreeSet<&String> = torn.iter().flat_map(|group| &group.examples).collect();
    let shown: usize = torn.iter().map(|group| group.examples.len()).sum();
    let all_are_shown = u64::try_from(shown).is_ok_and(|shown| shown == rows);
    let torn = if all_are_shown {
        u64::try_from(names.len()).unwrap_or(rows)
    } else {
        rows
    };
    torn.saturating_add(crate::model::count(others))
}
