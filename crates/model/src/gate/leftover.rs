//! What of a version is there only as leases that nobody renews any more: until when each counts, and what ends it sooner.

use super::blocker::forgetting;
use crate::model::{Ending, EndingCause, InstanceState, Live, Snapshot};

/// What is left of `who`, in words that go on a sentence; empty where all of it is at work.
pub(super) fn leftover(who: &Live, snapshot: &Snapshot) -> String {
    let endings = snapshot.ending_of(who);
    endings.map(|ending| words(ending, who, snapshot)).collect()
}

fn words(ending: &Ending, who: &Live, snapshot: &Snapshot) -> String {
    let left = seconds(ending.left_ms);
    let silent = ending.silent_ms / 1000;
    let (are, count_as) = if ending.leases == 1 {
        ("one lease is", "counts as live")
    } else {
        ("some leases are", "count as live")
    };
    match ending.cause {
        EndingCause::Admitted => format!(
            "; what `migrate admit` let in counts as live for as long as it was let in for, {left} s more at most, unless a source shows it"
        ),
        EndingCause::Lost => format!(
            "; {are} lost since {silent} s ago (nobody has renewed it) and {count_as} until it ends, in {left} s at most: if its instance is \
             gone for good, {}",
            forgetting(&named(InstanceState::Lost, who, snapshot))
        ),
        EndingCause::Superseded => format!(
            "; {are} left behind by an instance that has registered once more since, was renewed {silent} s ago for the last time, and \
             {count_as} until it ends, in {left} s at most: {} sooner, and nothing of an instance that runs",
            forgetting(&named(InstanceState::Superseded, who, snapshot))
        ),
    }
}

const fn seconds(ms: u64) -> u64 {
    ms.saturating_add(999) / 1000
}

/// The names of instances of `who` in this state, as far as they are known.
fn named(state: InstanceState, who: &Live, snapshot: &Snapshot) -> Vec<String> {
    let groups = snapshot.groups_of(who);
    let meant = groups.filter(|group| group.state == state);
    meant.flat_map(|group| group.examples.clone()).collect()
}
