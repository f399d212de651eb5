//! Revert: expand is undone, behind a fence that keeps versions of the new format out.

use std::time::Instant;

use super::change::{Becomes, Move};
use super::fence::{FromInside, RecheckRules};
use super::script::{Ran, Run, seen_elsewhere};
use super::session::Coordinator;
use super::way_in::Asked;
use super::{CoordinatorError, Done, Outcome};
use crate::model::{MigrationId, Step};
use crate::project::ScriptFile;

/// Takes the new format away again.
///
/// It is a contract in the other direction, and takes the same ways in and out: the fence keeps versions of the new format from being
/// admitted between the look and the removal, and comes down whatever ends it. It does not wait: whoever reverts has a rollout to stop,
/// and is told which.
pub(super) async fn run(
    coordinator: &mut Coordinator<'_>,
    id: &MigrationId,
) -> Result<Outcome, CoordinatorError> {
    let began = Instant::now();
    let situation = coordinator.situation_before(Step::Revert, id).await?;
    let ready = match coordinator.asked(Step::Revert, id, situation).await? {
        Asked::Ready(ready) => ready,
        // An earlier run may have left its fence up.
        Asked::Ended(outcome) => {
            return coordinator.leave_fence(Step::Revert, id, Ok(outcome)).await;
        }
    };
    let dialect = coordinator.connection.capabilities().dialect;
    let Some(file) = &coordinator.migration(id)?.files(dialect).revert else {
        return Err(CoordinatorError::NoFiles(id.clone()));
    };
    let raised = coordinator
        .raise_fence(&ready.state, &ready.situation, Step::Revert)
        .await;
    let ended = match raised {
        Ok(()) => undo(coordinator, id, file).await,
        Err(error) => Err(error),
    };
    let ended = ended.map(|ran| match ran {
        Ran::Blocked(decision) => Outcome::Blocked(decision),
        Ran::Done { statements } => Outcome::Done(Done {
            migration: id.clone(),
            step: Step::Revert,
            statements,
            rows: 0,
            keys: 0,
            took: began.elapsed(),
            notes: Vec::new(),
        }),
    });
    coordinator.leave_fence(Step::Revert, id, ended).await
}

/// Runs the script behind the fence.
async fn undo(
    coordinator: &mut Coordinator<'_>,
    id: &MigrationId,
    file: &ScriptFile,
) -> Result<Ran, CoordinatorError> {
    crate::crash::point("revert.fenced");
    let fenced = coordinator.observe().await?;
    let others = seen_elsewhere(&fenced.evidence.snapshot);
    let Some(state) = fenced.evidence.schema.get(id) else {
        return Err(CoordinatorError::NoFiles(id.clone()));
    };
    let change = Move {
        others: &others,
        ..Move::new(state, Becomes::After(Step::Revert))
    };
    let recheck = FromInside {
        step: Step::Revert,
        id,
        situation: &fenced,
        coordinator: RecheckRules::of(coordinator),
    };
    coordinator
        .run_script(Run {
            step: Step::Revert,
            file,
            change,
            recheck: Some(&recheck),
        })
        .await
}
