//! Revert: expand is undone, behind a fence that keeps versions of the new format out.

use std::time::Instant;

use super::by_runner::{record_undone, refuse_what_is_left};
use super::change::{Becomes, PhaseTransition};
use super::fence::{FromInside, leave_fence, raise_fence};
use super::recheck::Ran;
use super::run::run_script;
use super::script::Run;
use super::session::Session;
use super::situation::seen_elsewhere;
use super::way_in::{Asked, asked};
use super::{CoordinatorError, Done, Outcome};
use crate::model::{MigrationId, Step};
use crate::project::{Files, ScriptFile};

/// Takes the new format away again.
///
/// It is a contract in the other direction, and takes the same ways in and out: the fence keeps versions of the new format from being
/// admitted between the look and the removal, and comes down whatever ends it. It does not wait: whoever reverts has a rollout to stop,
/// and is told which.
pub(super) async fn run(
    session: &mut Session<'_>,
    id: &MigrationId,
) -> Result<Outcome, CoordinatorError> {
    let began = Instant::now();
    let situation = session.situation_before(Step::Revert, id).await?;
    let ready = match asked(session, Step::Revert, id, situation).await? {
        Asked::Ready(ready) => ready,
        // An earlier run may have left its fence up.
        Asked::Ended(outcome) => {
            return leave_fence(session, Step::Revert, id, Ok(outcome)).await;
        }
    };
    let dialect = session.connection.capabilities().dialect;
    let undo = Undo::of(session.orders.migration(id)?.files(dialect));
    let undo = undo.ok_or_else(|| CoordinatorError::NoFiles(id.clone()))?;
    if let Undo::Recorded(files) = undo {
        refuse_what_is_left(session, files, &ready.state).await?;
    }
    let raised = match session.close_lists(Step::Revert, &ready).await {
        Ok(()) => raise_fence(session, &ready.state, &ready.situation, Step::Revert).await,
        Err(error) => Err(error),
    };
    let ended = match raised {
        Ok(()) => carry_out(session, id, undo).await,
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
            notes: undo.notes(),
        }),
    });
    leave_fence(session, Step::Revert, id, ended).await
}

/// How an expand is undone.
#[derive(Clone, Copy)]
enum Undo<'f> {
    Script(&'f ScriptFile),
    /// The other migration tool that has carried it out has taken it back.
    Recorded(&'f Files),
}

impl<'f> Undo<'f> {
    fn of(files: &'f Files) -> Option<Self> {
        if files.revisions.contains_key(&Step::Expand) {
            return Some(Self::Recorded(files));
        }
        files.revert.as_ref().map(Self::Script)
    }

    fn notes(self) -> Vec<String> {
        let Self::Recorded(files) = self else {
            return Vec::new();
        };
        let of_expand = files.revisions.get(&Step::Expand).into_iter();
        of_expand
            .map(|of| {
                format!(
                    "nothing was run: by the history of {} it was taken back already",
                    of.kind
                )
            })
            .collect()
    }
}

/// Undoes it behind the fence.
async fn carry_out(
    session: &mut Session<'_>,
    id: &MigrationId,
    undo: Undo<'_>,
) -> Result<Ran, CoordinatorError> {
    crate::crash::point("revert.fenced");
    let fenced = session.observe().await?;
    let others = seen_elsewhere(&fenced.evidence.snapshot);
    let Some(state) = fenced.evidence.schema.get(id) else {
        return Err(CoordinatorError::NoFiles(id.clone()));
    };
    let change = PhaseTransition {
        others: &others,
        ..PhaseTransition::new(state, Becomes::After(Step::Revert))
    };
    let recheck = FromInside {
        step: Step::Revert,
        id,
        situation: &fenced,
        orders: session.orders,
    };
    match undo {
        Undo::Script(file) => {
            let run = Run {
                step: Step::Revert,
                file,
                change,
                recheck: Some(&recheck),
            };
            run_script(session, run).await
        }
        Undo::Recorded(files) => record_undone(session, files, change, &recheck).await,
    }
}
