//! Revert: expand is undone, behind a fence that keeps versions of the new format out.

use std::time::Instant;

use super::change::{Becomes, Move};
use super::fence::{FromInside, RecheckRules};
use super::script::{Ran, Run, seen_elsewhere};
use super::session::Coordinator;
use super::{CoordinatorError, Done, Outcome};
use crate::gate::Verdict;
use crate::model::{MigrationId, Phase, Step};
use crate::project::ScriptFile;

impl Coordinator<'_> {
    pub(super) async fn revert(&mut self, id: &MigrationId) -> Result<Outcome, CoordinatorError> {
        let began = Instant::now();
        let situation = self.situation_before(Step::Revert, id).await?;
        let decision = self.ask(Step::Revert, id, &situation);
        let overridden = self.overridden(Step::Revert, id, &situation);
        self.record_override(&overridden, id).await?;
        if decision.verdict != Verdict::Go {
            // An earlier run may have left its fence up.
            let blocked = Ok(Outcome::Blocked(decision));
            return self.leave_fence(Step::Revert, id, blocked).await;
        }
        let Some(state) = situation.evidence.schema.get(id).cloned() else {
            return Err(CoordinatorError::NoFiles(id.clone()));
        };
        if state.phase == Phase::Pending {
            let note = decision.notes.join("; ");
            return Ok(Outcome::Already {
                migration: id.clone(),
                step: Step::Revert,
                note,
            });
        }
        let dialect = self.connection.capabilities().dialect;
        let Some(file) = &self.migration(id)?.files(dialect).revert else {
            return Err(CoordinatorError::NoFiles(id.clone()));
        };
        let ended = match self.raise_fence(&state, &situation, Step::Revert).await {
            Ok(()) => self.undo(id, file).await,
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
        self.leave_fence(Step::Revert, id, ended).await
    }

    /// Runs the script behind the fence.
    async fn undo(&mut self, id: &MigrationId, file: &ScriptFile) -> Result<Ran, CoordinatorError> {
        crate::crash::point("revert.fenced");
        let fenced = self.observe().await?;
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
            coordinator: RecheckRules::of(self),
        };
        self.run_script(Run {
            step: Step::Revert,
            file,
            change,
            recheck: Some(&recheck),
        })
        .await
    }
}
