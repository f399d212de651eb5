//! What steps cost those who use their tables, said beside an answer: it changes none.

use crate::coordinator::{self, Situation};
use crate::database::Connection;
use crate::gate::Action;
use crate::model::{Phase, Step};
use crate::project::Project;

/// Of a step that is still to be taken.
pub(super) async fn notes_of(
    project: &Project,
    action: &Action,
    situation: &Situation,
    connection: &mut dyn Connection,
) -> Vec<String> {
    let Action::Step { step, migration } = action else {
        return Vec::new();
    };
    let Some(state) = situation.evidence.schema.get(migration) else {
        return Vec::new();
    };
    let is_to_come = match step {
        Step::Expand => !state.phase.expand_is_done(),
        Step::Contract => state.phase != Phase::Contracted,
        Step::Revert => state.phase != Phase::Pending,
        Step::Backfill => false,
    };
    if !is_to_come {
        return Vec::new();
    }
    let weighed = coordinator::weighed(project, migration, *step, connection).await;
    weighed.notes().collect()
}
