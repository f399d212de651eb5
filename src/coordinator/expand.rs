//! Expand: the new format is added beside the old one.

use std::time::Instant;

use super::change::{Becomes, Move, move_to};
use super::in_ledger::End;
use super::script::{Ran, Run, seen_elsewhere};
use super::session::Coordinator;
use super::{CoordinatorError, Done, Outcome, Situation};
use crate::gate::Verdict;
use crate::ledger::Entry;
use crate::model::{MigrationId, MigrationState, Phase, Step};
use crate::sql::Mode;

/// For the event of a migration that comes later here than its number says.
fn late(situation: &Situation, id: &MigrationId) -> serde_json::Value {
    match situation.evidence.schema.applied_before_its_turn(id) {
        Some(later) => serde_json::json!({ "out_of_order_after": later.id() }),
        None => serde_json::json!({}),
    }
}

impl Coordinator<'_> {
    pub(super) async fn expand(&mut self, id: &MigrationId) -> Result<Outcome, CoordinatorError> {
        let began = Instant::now();
        let (until, situation) = self.recent_situation().await?;
        let decision = self.ask(Step::Expand, id, &situation);
        if decision.verdict != Verdict::Go {
            return Ok(Outcome::Blocked(decision));
        }
        let Some(state) = situation.evidence.schema.get(id).cloned() else {
            return Err(CoordinatorError::NoFiles(id.clone()));
        };
        if state.phase.expand_is_done() {
            let note = decision.notes.join("; ");
            return Ok(Outcome::Already {
                migration: id.clone(),
                step: Step::Expand,
                note,
            });
        }
        let migration = self.migration(id)?;
        let dialect = self.connection.capabilities().dialect;
        let others = seen_elsewhere(&situation.evidence.snapshot);
        let script = &migration.files(dialect).expand;
        let begins_first = script
            .as_ref()
            .is_some_and(|file| file.script.mode == Mode::NoTransaction);
        let entry = if state.phase == Phase::Pending && !begins_first {
            Entry::New
        } else {
            Entry::Known
        };
        let change = |detail| Move {
            entry,
            others: &others,
            detail,
            ..Move::new(&state, Becomes::After(Step::Expand))
        };
        let mut statements = 0;
        match script {
            Some(file) => {
                if begins_first && state.phase == Phase::Pending {
                    self.begin_expanding(&state).await?;
                }
                let run = Run {
                    step: Step::Expand,
                    file,
                    change: change(late(&situation, id)),
                    recheck: None,
                };
                match self.run_script(run).await {
                    Ok(Ran::Done { statements: count }) => statements = count,
                    Ok(Ran::Blocked(_)) => {}
                    Err(error) => return Err(self.step_back_to_pending(error, id).await),
                }
            }
            // The new format needs no statement; that it may be used now is still recorded.
            None => {
                let mut detail = late(&situation, id);
                if let Some(object) = detail.as_object_mut() {
                    object.insert("statements".into(), "none needed".into());
                }
                self.change_phase(change(detail)).await?;
            }
        }
        let expanded = state.after(Step::Expand, &situation.evidence.snapshot.live());
        self.keep(until, situation, expanded);
        Ok(Outcome::Done(Done {
            migration: id.clone(),
            step: Step::Expand,
            statements,
            rows: 0,
            keys: 0,
            took: began.elapsed(),
            notes: decision.notes,
        }))
    }

    /// After an error: where no statement was begun, nothing has been expanded. Returns the error, which
    /// is what matters even where going back fails as well.
    async fn step_back_to_pending(
        &mut self,
        error: CoordinatorError,
        id: &MigrationId,
    ) -> CoordinatorError {
        let is_superseded = matches!(
            error,
            CoordinatorError::Ledger(crate::ledger::LedgerError::Superseded { .. })
        );
        if !is_superseded && let Err(second) = self.forget_expanding(id).await {
            tracing::debug!("{id} is still recorded as expanding: {second}");
        }
        error
    }

    async fn forget_expanding(&mut self, id: &MigrationId) -> Result<(), CoordinatorError> {
        let _kept = self.options.interrupt.hold_off();
        let (token, actor) = (self.token, self.actor.clone());
        self.in_ledger(async |ledger| {
            let view = ledger.view().await?;
            let expanding = view.applied.iter().find(|applied| {
                applied.state.id() == id && applied.state.phase == Phase::Expanding
            });
            let begun = ledger.steps(id, Step::Expand.name()).await?;
            let Some(applied) = expanding.filter(|_| begun.is_empty()) else {
                return Ok(End::GiveUp(()));
            };
            let change = Move {
                detail: serde_json::json!({ "stepped_back": true }),
                ..Move::new(&applied.state, Becomes::GivenUp(Phase::Pending))
            };
            move_to(ledger, token, &actor, change).await?;
            Ok(End::Commit(()))
        })
        .await
    }

    /// Records that statements which cannot share a transaction are about to run.
    async fn begin_expanding(&mut self, state: &MigrationState) -> Result<(), CoordinatorError> {
        self.change_phase(Move {
            entry: Entry::New,
            ..Move::new(state, Becomes::Begun(Step::Expand))
        })
        .await?;
        crate::crash::point("expand.begun");
        Ok(())
    }
}
