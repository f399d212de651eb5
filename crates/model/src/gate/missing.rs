//! Fewer instances are proven than there have to be: why, and what helps.

use std::collections::BTreeSet;

use super::blocker::{Blocker, BlockerKind, Verdict, forgetting};
use crate::model::{
    EndingCause, InstanceState, LiveGroup, Settling, Snapshot, SourceReport, SourceStatus,
};

pub(super) fn too_few(service: &str, seen: u64, wanted: u64, snapshot: &Snapshot) -> Blocker {
    let settling = snapshot.settling.iter();
    let soon: Option<&Settling> = settling
        .filter(|settling| settling.service == service)
        .find(|settling| seen.saturating_add(settling.instances) >= wanted);
    let mut blocker = match soon {
        Some(soon) => still_settling(service, seen, wanted, soon),
        None => missing(service, seen, wanted, snapshot),
    };
    blocker.service = Some(service.to_owned());
    blocker.instances = seen;
    blocker
}

/// Enough of them renew their leases, and have only not stayed long enough yet. Whether they do is not known.
fn still_settling(service: &str, seen: u64, wanted: u64, settling: &Settling) -> Blocker {
    let (are, they) = match settling.instances {
        1 => ("is starting and renews its lease", "it counts once it has"),
        _ => (
            "are starting and renew their leases",
            "they count once they have",
        ),
    };
    let left = settling.left_ms.saturating_add(999) / 1000;
    Blocker::new(
        BlockerKind::MissingInstances,
        Verdict::Hold,
        format!(
            "{seen} of at least {wanted} instances of {service} have stayed for `min_ready` so far; {} more {are}",
            settling.instances
        ),
        format!(
            "{they} stayed for `min_ready`, in about {} s if nothing ends before: ask again then; where this answer comes again and \
             again, look with `migrate fleet` at what ends and starts anew",
            left.max(1)
        ),
    )
}

fn missing(service: &str, seen: u64, wanted: u64, snapshot: &Snapshot) -> Blocker {
    let groups = snapshot.groups.iter();
    let unproven: Vec<&LiveGroup> = groups
        .filter(|group| group.service == service && !group.state.proves())
        .collect();
    let also = if unproven.is_empty() {
        String::new()
    } else {
        let mut states: Vec<&str> = unproven.iter().map(|group| group.state.name()).collect();
        states.sort_unstable();
        states.dedup();
        format!(
            " ({} more prove nothing: {})",
            instances(&unproven),
            states.join(", ")
        )
    };
    let mut ways = ways(service, &unproven, snapshot);
    let silent: Vec<&SourceReport> = snapshot
        .sources
        .iter()
        .filter(|source| source.status != SourceStatus::Fresh)
        .collect();
    if !silent.is_empty() {
        let names: Vec<String> = silent
            .iter()
            .map(|source| format!("`{}`", source.name))
            .collect();
        ways.push(format!(
            "have {} answer again: it may show them",
            names.join(" and ")
        ));
    } else if unproven.is_empty() {
        const START: &str = "start them with `migrate agent`, name a source that sees them";
        // None is what a fleet looks like that is not seen at all: no reason to expect none.
        ways.push(if seen > 0 {
            format!(
                "{START}, or set min_instances = {seen} under [services.{service}] if that is all there are"
            )
        } else {
            format!(
                "{START}, or, if it is meant to run nowhere, say so (`min_instances` in docs/files.md)"
            )
        });
    }
    Blocker::new(
        BlockerKind::MissingInstances,
        Verdict::Unknown,
        format!(
            "{seen} of at least {wanted} instances of {service} are seen{also}: others may be live unseen"
        ),
        ways.join("; "),
    )
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

/// What helps those that prove nothing, for each state that there is.
fn ways(service: &str, unproven: &[&LiveGroup], snapshot: &Snapshot) -> Vec<String> {
    let mut ways = Vec::new();
    let of = |state: InstanceState| {
        let groups = unproven.iter().filter(move |group| group.state == state);
        groups.copied().collect::<Vec<_>>()
    };
    let names = |groups: &[&LiveGroup]| -> Vec<String> {
        groups
            .iter()
            .flat_map(|group| group.examples.clone())
            .collect()
    };
    let starting = of(InstanceState::Starting);
    let settling = snapshot.settling.iter();
    let settling = settling.filter(|settling| settling.service == service);
    let settling: u64 = settling.map(|settling| settling.instances).sum();
    if settling > 0 {
        ways.push(format!(
            "{settling} of them renew their leases and count once they have stayed for `min_ready`; the others have to be started"
        ));
    }
    let ending = snapshot.ending.iter();
    let admitted: u64 = ending
        .filter(|ending| ending.service == service && ending.cause == EndingCause::Admitted)
        .map(|ending| ending.leases)
        .sum();
    if admitted > 0 {
        ways.push(
            "what `migrate admit` let in never renews its lease, so waiting proves nothing of it: start it with `migrate agent`, or \
             name a source that sees it"
                .to_owned(),
        );
    }
    if crate::model::count(starting.iter().copied()) > settling.saturating_add(admitted) {
        ways.push(
            "see why what is starting does not come up (`migrate fleet` shows it)".to_owned(),
        );
    }
    let lost = of(InstanceState::Lost);
    if !lost.is_empty() {
        ways.push(format!(
            "see why what is lost does not renew its lease, and start it anew; if it is gone for good, {}",
            forgetting(&names(&lost))
        ));
    }
    if !of(InstanceState::Superseded).is_empty() {
        ways.push(
            "leases that are superseded stay so: start as many instances as there have to be, each under a name of its own"
                .to_owned(),
        );
    }
    if !of(InstanceState::Contradictory).is_empty() {
        ways.push(
            "see that every source lists each instance once, and at the version that it runs"
                .to_owned(),
        );
    }
    if !of(InstanceState::Unreadable).is_empty() {
        ways.push(
            "what is unreadable has to be looked at (`migrate fleet` says who wrote it)".to_owned(),
        );
    }
    let twins = snapshot.twins.iter();
    for twins in twins.filter(|twins| twins.service == service).take(3) {
        ways.push(format!(
            "give each process a name of its own with `--instance` ({}, which counts as one instance)",
            twins.describe()
        ));
    }
    ways
}
