//! What fills the rows of a migration: a statement of ours in batches, or revisions of another migration tool.
//!
//! Invariant: a revision is applied once, so it fills the rows that there were then. Where versions have written past it since, what they
//! left is seen by `remaining`, which counts rows that have no new format; a format that is there and stale is not. So where such rows may
//! exist, only `check` can say that all are as they should be, and without one a backfill whose revisions are all applied is refused.

use std::borrow::Cow;

use super::by_runner::are_all_applied;
use super::session::Session;
use super::{CoordinatorError, Situation};
use crate::model::{Fill, MigrationState, Phase, Step};
use crate::project::{BackfillFile, Files, Revisions};
use crate::sql::Ranged;

/// What fills the rows of a migration.
pub(super) struct Filling<'f> {
    /// As it is recorded; of revisions there is no statement.
    pub file: Cow<'f, BackfillFile>,
    pub revisions: Option<&'f Revisions>,
}

impl<'f> Filling<'f> {
    pub(super) fn of(files: &'f Files) -> Option<Self> {
        if let Some(file) = &files.backfill {
            return Some(Self {
                file: Cow::Borrowed(file),
                revisions: None,
            });
        }
        let revisions = files.revisions.get(&Step::Backfill)?;
        let file = BackfillFile {
            path: revisions.path.clone(),
            text: "".into(),
            sha256: revisions.sha256.clone(),
            statement: Ranged {
                text: String::new(),
                parts: Vec::new(),
            },
        };
        Some(Self {
            file: Cow::Owned(file),
            revisions: Some(revisions),
        })
    }
}

/// Refuses revisions that are applied already where rows may be stale since.
pub(super) async fn refuse_applied_before(
    session: &mut Session<'_>,
    revisions: &Revisions,
    state: &MigrationState,
    situation: &Situation,
) -> Result<(), CoordinatorError> {
    // What was applied since the backfill began has seen all that was written before.
    let may_be_stale = state.phase != Phase::Backfilling
        && state.declaration.fill != Fill::Checked
        && state.backfill_must_overwrite(&situation.evidence.snapshot.live());
    if !may_be_stale || !are_all_applied(session, revisions, state).await? {
        return Ok(());
    }
    let id = state.id();
    Err(CoordinatorError::Runner {
        message: format!(
            "the backfill of {id} is `{}` of {}, which is applied already, and versions that write the old format alone may have left rows \
             stale since",
            revisions.names.join("`, `"),
            revisions.kind
        ),
        help: format!(
            "write a revision that brings those rows in step again, name it behind the others under `[backfill]`, and run \
             `migrate backfill {id}` again; or write `check` there, a query that finds such rows, where there are none"
        ),
    })
}

/// What to do about rows that are left, where what was to fill them has been applied.
pub(super) fn left_by(revisions: &Revisions) -> String {
    format!(
        "`{}` of {} is applied, which happens once, and these rows are left: bring them into the new format by hand, or by one more revision \
         that is named behind the others under `[backfill]`, and run the same command again",
        revisions.names.join("`, `"),
        revisions.kind
    )
}
