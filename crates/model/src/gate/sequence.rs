//! A migration that comes below what is applied: its SQL runs after the other here, and before it on a new database.

use super::Evidence;
use super::reason::{Order, Reason};
use crate::model::{MigrationId, Sequence};

fn too_late(id: &MigrationId, evidence: &Evidence) -> Option<Reason> {
    let later = evidence.schema.applied_before_its_turn(id)?.id();
    Some(Reason::Order(Order::Strict {
        migration: id.clone(),
        later: later.clone(),
    }))
}

/// What whoever expands it should know.
pub(super) fn note(id: &MigrationId, evidence: &Evidence) -> Option<String> {
    match evidence.schema.order() {
        Sequence::Any => too_late(id, evidence).map(|reason| super::words::message(&reason)),
        Sequence::Strict => None,
    }
}

/// Why it may not be expanded, if the project wants one history alone.
pub(super) fn refused(id: &MigrationId, evidence: &Evidence) -> Option<Reason> {
    match evidence.schema.order() {
        Sequence::Any => None,
        Sequence::Strict => too_late(id, evidence),
    }
}
