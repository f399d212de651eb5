//! What of a version is there only as leases that nobody renews any more.

use super::advice::Leftover;
use crate::model::{Ending, EndingCause, InstanceState, Live, Snapshot};

/// What is left of `who`; empty if all of it is at work.
pub(super) fn leftovers(who: &Live, snapshot: &Snapshot) -> Vec<Leftover> {
    let endings = snapshot.ending_of(who);
    endings
        .map(|ending| Leftover {
            names: named(ending, who, snapshot),
            ending: ending.clone(),
        })
        .collect()
}

/// The names of the instances whose leases these are, as far as they are known.
fn named(ending: &Ending, who: &Live, snapshot: &Snapshot) -> Vec<String> {
    let state = match ending.cause {
        // Each ends at its own time, and none is forgotten by its name.
        EndingCause::Admitted => return Vec::new(),
        EndingCause::Lost => InstanceState::Lost,
        EndingCause::Superseded => InstanceState::Superseded,
    };
    let groups = snapshot.groups_of(who);
    let meant = groups.filter(|group| group.state == state);
    meant.flat_map(|group| group.examples.clone()).collect()
}
