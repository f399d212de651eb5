//! A migration that comes below what is applied: its SQL runs after the other here, and before it on a new database.

use super::Evidence;
use super::blocker::{Blocker, BlockerKind, Verdict};
use crate::model::{MigrationId, Sequence};

fn said(id: &MigrationId, evidence: &Evidence) -> Option<String> {
    let later = evidence.schema.applied_before_its_turn(id)?.id();
    Some(format!(
        "{id} comes after {later} here, and before it on a new database"
    ))
}

/// What whoever expands it should know.
pub(super) fn note(id: &MigrationId, evidence: &Evidence) -> Option<String> {
    match evidence.schema.order() {
        Sequence::Any => said(id, evidence),
        Sequence::Strict => None,
    }
}

/// Why it may not be expanded, where the project wants one history alone.
pub(super) fn refused(id: &MigrationId, evidence: &Evidence) -> Option<Blocker> {
    if evidence.schema.order() == Sequence::Any {
        return None;
    }
    let help = format!(
        "`migrate renumber {id}` gives it the next free number; `order = \"strict\"` under [project] in migrate.toml asks \
         for this"
    );
    let message = said(id, evidence)?;
    Some(Blocker::new(
        BlockerKind::Order,
        Verdict::Refuse,
        message,
        help,
    ))
}
