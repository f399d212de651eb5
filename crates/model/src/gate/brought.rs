//! Whether whoever is to start brings the migrations that its version was written with.
//!
//! A version is what somebody says it is. The files beside it came with its code, and cannot be renamed by whoever starts it: so they
//! are held against that word, as far as they say something for certain.
//!
//! Invariant: nothing is concluded from a migration that is *there*. A release brings those of releases to come, when they were merged before
//! it was built. Nothing is concluded either from one that is missing below the newest: a project may have deleted what is long applied.

use crate::model::{Format, Live, MigrationId, MigrationState, Schema};

/// The first migration that one of these was written with, by its declaration, and that is newer than all that came along.
///
/// By the model a version uses a new format only after the expand that makes it, so its code is no older than that migration; and
/// while a live version contradicts that, the expand is refused.
pub(super) fn written_with<'a>(
    candidates: &'a [Live],
    schema: &'a Schema,
    newest: &MigrationId,
) -> Option<(&'a Live, &'a MigrationState)> {
    let later = schema.migrations().iter();
    later
        .filter(|state| state.id().number() > newest.number())
        .find_map(|state| {
            let who = candidates.iter().find(|who| uses_what_is_new(state, who));
            who.map(|who| (who, state))
        })
}

fn uses_what_is_new(state: &MigrationState, who: &Live) -> bool {
    // Where nothing is expanded, the new format may have been there before anybody declared it.
    if !state.declaration.parts.expand || !state.expand_is_done() {
        return false;
    }
    // A pre-release that may be the code of before contradicts nothing.
    let does = state.declaration.behaviours(&who.service, &who.version);
    does.iter().all(|behaviour| behaviour.touches(Format::New))
}
