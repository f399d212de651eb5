//! Backfill: decided on, begun and recorded here; the batches are those of [`crate::backfill`].

use std::time::Instant;

use super::fence::{FromInside, RecheckRules};
use super::script::{Recheck as _, seen_elsewhere};
use super::session::{Coordinator, Move, WayBack, move_to};
use super::{CoordinatorError, Done, Outcome, Progress, Situation};
use crate::backfill::{BackfillError, Engine};
use crate::gate::{Decision, Verdict};
use crate::ledger::{Cursor, Ledger};
use crate::model::{Live, MigrationId, MigrationState, Phase, Step};

impl Coordinator<'_> {
    pub(super) async fn backfill(&mut self, id: &MigrationId) -> Result<Outcome, CoordinatorError> {
        let began = Instant::now();
        let situation = self.situation().await?;
        let decision = self.ask(Step::Backfill, id, &situation);
        let overridden = self.overridden(Step::Backfill, id, &situation);
        self.remember(&situation.evidence.snapshot, &overridden, id)
            .await?;
        if decision.verdict != Verdict::Go {
            return Ok(Outcome::Blocked(decision));
        }
        let Some(state) = situation.evidence.schema.get(id).cloned() else {
            return Err(CoordinatorError::NoFiles(id.clone()));
        };
        let migration = self.migration(id)?;
        let dialect = self.connection.capabilities().dialect;
        let (Some(rules), Some(file)) = (&migration.backfill, &migration.files(dialect).backfill)
        else {
            return Err(CoordinatorError::NoFiles(id.clone()));
        };
        let config = &self.project().config.database;
        let engine = Engine {
            id,
            rules,
            file,
            token: self.token,
            lock_timeout: config.lock_timeout,
            lock_retry_for: config.lock_retry_for,
        };
        // A query that counts missing values does not see the stale ones that the kinds tell of.
        let is_over = state.has_taken(Step::Backfill, &situation.evidence.snapshot.live())
            && (state.phase != Phase::Backfilled
                || engine.remaining(self.connection.as_mut()).await? == 0);
        if is_over {
            let note = decision.notes.join("; ");
            return Ok(Outcome::Already {
                migration: id.clone(),
                step: Step::Backfill,
                note,
            });
        }
        let recorded =
            recorded_cursor(&situation, id).filter(|_| state.phase == Phase::Backfilling);
        let before = recorded.as_ref().map_or(0, |cursor| cursor.rows);
        let mut notes = decision.notes;
        let cursor = match recorded {
            Some(cursor) => Some(cursor),
            // It is recorded, and was killed before its first batch.
            None if state.phase == Phase::Backfilling => {
                engine.start(self.connection.as_mut()).await?
            }
            None => {
                let inside = self.begin_backfill(&engine, &state, &situation).await?;
                if inside.verdict != Verdict::Go {
                    return Ok(Outcome::Blocked(inside));
                }
                // What the statement has to do depends on who has come until now.
                notes = inside.notes;
                engine.start(self.connection.as_mut()).await?
            }
        };
        crate::crash::point("backfill.begun");
        let (rows, batches) = self.run_batches(&engine, cursor).await?;
        if engine.remaining(self.connection.as_mut()).await? != 0 {
            return self.give_up_backfill(&engine, &state).await;
        }
        if let Some(decision) = self.finish_backfill(&engine, &state).await? {
            return Ok(Outcome::Blocked(decision));
        }
        Ok(Outcome::Done(Done {
            migration: id.clone(),
            step: Step::Backfill,
            statements: batches,
            rows: rows.saturating_sub(before),
            took: began.elapsed(),
            notes,
        }))
    }

    /// Records that the backfill runs, unless a version that would undo it has come meanwhile. From
    /// here on one that comes is noticed; so the last key is fixed only afterwards.
    async fn begin_backfill(
        &mut self,
        engine: &Engine<'_>,
        state: &MigrationState,
        situation: &Situation,
    ) -> Result<Decision, CoordinatorError> {
        let others = seen_elsewhere(&situation.evidence.snapshot);
        let becomes = |state: &MigrationState, live: &[Live]| state.begun(Step::Backfill, live);
        let path = engine.file.path.display().to_string();
        let detail = serde_json::json!({ "file": path, "sha256": engine.file.sha256 });
        let change = Move {
            state,
            others: &others,
            becomes: &becomes,
            way_back: WayBack::None,
            detail,
        };
        let recheck = self.recheck_of(engine.id, situation);
        let mut ledger = Ledger::write(self.connection.as_mut()).await?;
        ledger.lock_admissions().await?;
        let decision = recheck.decide(&mut ledger).await?;
        if decision.verdict != Verdict::Go {
            ledger.rollback().await?;
            return Ok(decision);
        }
        move_to(&mut ledger, self.token, &self.actor, change).await?;
        ledger
            .record_file(engine.id, Step::Backfill.name(), &path, &engine.file.sha256)
            .await?;
        ledger.forget_cursor(engine.id).await?;
        ledger.commit().await?;
        Ok(decision)
    }

    fn recheck_of<'s>(&self, id: &'s MigrationId, situation: &'s Situation) -> FromInside<'s> {
        FromInside {
            step: Step::Backfill,
            id,
            situation,
            coordinator: RecheckRules::of(self),
        }
    }

    /// Returns the rows changed since the backfill began, and the batches of this run.
    async fn run_batches(
        &mut self,
        engine: &Engine<'_>,
        cursor: Option<Cursor>,
    ) -> Result<(u64, u64), CoordinatorError> {
        let Some(mut cursor) = cursor else {
            return Ok((0, 0));
        };
        let mut batches = 0;
        loop {
            let batch = engine.batch(self.connection.as_mut(), &cursor).await;
            let Some(next) = batch.map_err(|error| of_engine(error, engine.id))? else {
                return Ok((cursor.rows, batches));
            };
            cursor = next;
            batches += 1;
            self.report(Progress::Batch {
                migration: engine.id.clone(),
                rows: cursor.rows,
            });
            crate::crash::point("backfill.batch");
        }
    }

    /// `remaining` is not 0 after the last key: the next run starts again at the first one.
    async fn give_up_backfill(
        &mut self,
        engine: &Engine<'_>,
        state: &MigrationState,
    ) -> Result<Outcome, CoordinatorError> {
        let mut situation = self.situation().await?;
        let remaining = engine.remaining(self.connection.as_mut()).await?;
        situation.evidence.facts.remaining = Some(remaining);
        let decision = self.ask(Step::Backfill, engine.id, &situation);
        let others = seen_elsewhere(&situation.evidence.snapshot);
        let becomes = |state: &MigrationState, live: &[Live]| state.given_up(Phase::Expanded, live);
        let detail = serde_json::json!({ "remaining": remaining });
        let change = Move {
            state,
            others: &others,
            becomes: &becomes,
            way_back: WayBack::None,
            detail,
        };
        let mut ledger = Ledger::write(self.connection.as_mut()).await?;
        move_to(&mut ledger, self.token, &self.actor, change).await?;
        ledger.commit().await?;
        Ok(Outcome::Blocked(decision))
    }

    /// Records that every row is filled, unless a version that may undo it has come meanwhile.
    async fn finish_backfill(
        &mut self,
        engine: &Engine<'_>,
        state: &MigrationState,
    ) -> Result<Option<Decision>, CoordinatorError> {
        let situation = self.situation().await?;
        let decision = self.ask(Step::Backfill, engine.id, &situation);
        if decision.verdict != Verdict::Go {
            return Ok(Some(decision));
        }
        let recheck = self.recheck_of(engine.id, &situation);
        let mut ledger = Ledger::write(self.connection.as_mut()).await?;
        // From here to the commit nobody is admitted, so what is seen now is what is recorded.
        ledger.lock_admissions().await?;
        engine
            .check_phase(&mut ledger)
            .await
            .map_err(|error| of_engine(error, engine.id))?;
        let decision = recheck.decide(&mut ledger).await?;
        if decision.verdict != Verdict::Go {
            ledger.rollback().await?;
            return Ok(Some(decision));
        }
        let others = seen_elsewhere(&situation.evidence.snapshot);
        let becomes = |state: &MigrationState, live: &[Live]| state.after(Step::Backfill, live);
        let detail = serde_json::json!({});
        let change = Move {
            state,
            others: &others,
            becomes: &becomes,
            way_back: WayBack::None,
            detail,
        };
        crate::crash::point("backfill.recording");
        move_to(&mut ledger, self.token, &self.actor, change).await?;
        ledger.commit().await?;
        crate::crash::point("backfill.committed");
        Ok(None)
    }
}

fn recorded_cursor(situation: &Situation, id: &MigrationId) -> Option<Cursor> {
    let applied = situation
        .view
        .applied
        .iter()
        .find(|applied| applied.state.id() == id)?;
    applied.cursor.clone()
}

fn of_engine(error: BackfillError, id: &MigrationId) -> CoordinatorError {
    match error {
        BackfillError::Database(error) => error.into(),
        BackfillError::Ledger(error) => error.into(),
        BackfillError::Moved(phase) => CoordinatorError::Moved {
            migration: id.clone(),
            phase,
        },
    }
}
