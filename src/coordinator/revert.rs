//! Revert: expand is undone, behind a fence that keeps versions of the new format out.

use std::time::Instant;

use super::change::{Move, WayBack};
use super::fence::{FromInside, RecheckRules};
use super::script::{Ran, Run, seen_elsewhere};
use super::session::Coordinator;
use super::{CoordinatorError, Done, Outcome};
use crate::gate::Verdict;
use crate::ledger::Entry;
use crate::model::{Live, MigrationId, MigrationState, Phase, Step};

impl Coordinator<'_> {
    pub(super) async fn revert(&mut self, id: &MigrationId) -> Result<Outcome, CoordinatorError> {
        let began = Instant::now();
        let situation = self.situation().await?;
        let decision = self.ask(Step::Revert, id, &situation);
        let overridden = self.overridden(Step::Revert, id, &situation);
        self.remember(&situation.evidence.snapshot, &overridden, id)
            .await?;
        if decision.verdict != Verdict::Go {
            return Ok(Outcome::Blocked(decision));
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
        let from = self.raise_fence(&state, &situation, Step::Revert).await?;
        crate::crash::point("revert.fenced");
        let fenced = self.situation().await?;
        let others = seen_elsewhere(&fenced.evidence.snapshot);
        let Some(fenced_state) = fenced.evidence.schema.get(id).cloned() else {
            return Err(CoordinatorError::NoFiles(id.clone()));
        };
        let becomes = |state: &MigrationState, live: &[Live]| state.after(Step::Revert, live);
        let change = Move {
            entry: Entry::Known,
            state: &fenced_state,
            others: &others,
            becomes: &becomes,
            way_back: WayBack::None,
            detail: serde_json::json!({}),
        };
        let recheck = FromInside {
            step: Step::Revert,
            id,
            situation: &fenced,
            coordinator: RecheckRules::of(self),
        };
        let run = Run {
            step: Step::Revert,
            file,
            change,
            recheck: Some(&recheck),
        };
        match self.run_script(run).await {
            Ok(Ran::Done { statements }) => Ok(Outcome::Done(Done {
                migration: id.clone(),
                step: Step::Revert,
                statements,
                rows: 0,
                keys: 0,
                took: began.elapsed(),
                notes: Vec::new(),
            })),
            Ok(Ran::Blocked(decision)) => {
                self.lower_fence(&fenced_state, from).await?;
                Ok(Outcome::Blocked(decision))
            }
            Err(error) => Err(self.lower_fence_after(error, &fenced_state, from).await),
        }
    }
}
