//! Backfill: fills the new format for existing rows, batch by batch along a key.
//!
//! Invariant: a batch and its checkpoint commit together, so a killed run redoes nothing and skips
//! nothing. The last key is fixed at the start, so the run ends under concurrent inserts.

use std::time::Instant;

use crate::coordinator::{Coordinator, CoordinatorError, Done, Outcome, Progress};
use crate::coordinator::{Move, lease_versions, move_to};
use crate::database::{Batch, LockTimeout};
use crate::gate::{Action, Decision, Verdict, decide};
use crate::ledger::{Cursor, Ledger};
use crate::model::{Live, MigrationId, MigrationState, Phase, Step};
use crate::project::{BackfillFile, BackfillRules};
use crate::sql::Part;

/// Runs, or resumes, the backfill of one migration.
///
/// # Errors
/// Whatever kept it from being finished; what was committed stays done.
pub(crate) async fn run(
    coordinator: &mut Coordinator<'_>,
    id: &MigrationId,
) -> Result<Outcome, CoordinatorError> {
    let began = Instant::now();
    let situation = coordinator.situation().await?;
    let mut decision = coordinator.ask(Step::Backfill, id, &situation);
    let overridden = coordinator.overridden(Step::Backfill, id, &situation);
    coordinator
        .remember(&situation.evidence.snapshot, &overridden, id)
        .await?;
    if decision.verdict != Verdict::Go {
        return Ok(Outcome::Blocked(decision));
    }
    let Some(state) = situation.evidence.schema.get(id).cloned() else {
        return Err(CoordinatorError::NoFiles(id.clone()));
    };
    let migration = coordinator.migration(id)?;
    let (connection, ..) = coordinator.parts();
    let dialect = connection.capabilities().dialect;
    let (Some(rules), Some(file)) = (&migration.backfill, &migration.files(dialect).backfill)
    else {
        return Err(CoordinatorError::NoFiles(id.clone()));
    };
    let work = Work {
        id,
        rules,
        file,
        others: situation.evidence.snapshot.live(),
    };
    let is_done = matches!(
        state.phase,
        Phase::Backfilled | Phase::Contracting | Phase::Contracted
    );
    if is_done {
        let left = if state.phase == Phase::Backfilled {
            work.remaining(coordinator).await?
        } else {
            0
        };
        if left == 0 {
            let note = decision.notes.join("; ");
            return Ok(Outcome::Already {
                migration: id.clone(),
                step: Step::Backfill,
                note,
            });
        }
    }
    let cursor = applied_cursor(&situation, id).filter(|_| state.phase == Phase::Backfilling);
    let (mut cursor, fresh) = match cursor {
        Some(cursor) => (Some(cursor), false),
        None => (work.begin(coordinator, &state).await?, true),
    };
    crate::crash::point("backfill.begun");
    let mut batches = 0;
    let before = if fresh {
        0
    } else {
        cursor.as_ref().map_or(0, |cursor| cursor.rows)
    };
    while let Some(current) = cursor.take() {
        match work.batch(coordinator, current.clone()).await? {
            Some(next) => {
                batches += 1;
                coordinator.report(Progress::Batch {
                    migration: id.clone(),
                    rows: next.rows,
                });
                crate::crash::point("backfill.batch");
                cursor = Some(next);
            }
            None => {
                cursor = Some(current);
                break;
            }
        }
    }
    let rows = cursor.map_or(0, |cursor| cursor.rows);
    let left = work.remaining(coordinator).await?;
    if left != 0 {
        let mut situation = coordinator.situation().await?;
        situation.evidence.facts.remaining = Some(left);
        // The next run starts again at the first key.
        work.give_up(coordinator, &state).await?;
        return Ok(Outcome::Blocked(coordinator.ask(
            Step::Backfill,
            id,
            &situation,
        )));
    }
    if let Some(decision) = work.finish(coordinator, &state).await? {
        return Ok(Outcome::Blocked(decision));
    }
    Ok(Outcome::Done(Done {
        migration: id.clone(),
        step: Step::Backfill,
        statements: batches,
        rows: rows.saturating_sub(before),
        took: began.elapsed(),
        notes: std::mem::take(&mut decision.notes),
    }))
}

/// A key for messages, without what makes it a literal of one database: `E'7'::bigint` is `7`.
fn readable(literal: &str) -> &str {
    let text = literal.rsplit_once("'::").map_or(literal, |(text, _)| text);
    let text = text.strip_prefix('E').unwrap_or(text);
    let text = text.strip_prefix('\'').unwrap_or(text);
    text.strip_suffix('\'').unwrap_or(text)
}

fn applied_cursor(situation: &crate::coordinator::Situation, id: &MigrationId) -> Option<Cursor> {
    situation
        .view
        .applied
        .iter()
        .find(|applied| applied.state.id() == id)
        .and_then(|applied| applied.cursor.clone())
}

struct Work<'w> {
    id: &'w MigrationId,
    rules: &'w BackfillRules,
    file: &'w BackfillFile,
    /// What the sources saw at the start; the leases are looked at again.
    others: Vec<Live>,
}

impl Work<'_> {
    fn key(&self) -> &str {
        self.rules.key.first().map_or("", String::as_str)
    }

    /// Records that the backfill runs, and fixes its last key. None for an empty table.
    async fn begin(
        &self,
        coordinator: &mut Coordinator<'_>,
        state: &MigrationState,
    ) -> Result<Option<Cursor>, CoordinatorError> {
        let (connection, token, actor) = coordinator.parts();
        let actor = actor.to_owned();
        let range = connection.key_range(&self.rules.table, self.key()).await?;
        let cursor = range.map(|range| Cursor {
            after: range.before_first,
            upto: range.last,
            rows: 0,
        });
        let mut ledger = Ledger::write(connection).await?;
        let becomes = |state: &MigrationState, live: &[Live]| {
            let mut states = state.states_during(Step::Backfill, live);
            if states.is_empty() {
                state.clone()
            } else {
                states.swap_remove(0)
            }
        };
        let change = Move {
            state,
            others: &self.others,
            becomes: &becomes,
            step_back: None,
            detail: serde_json::json!({ "file": self.file.path.display().to_string(), "sha256": self.file.sha256 }),
        };
        move_to(&mut ledger, token, &actor, change).await?;
        let path = self.file.path.display().to_string();
        ledger
            .record_file(self.id, Step::Backfill.name(), &path, &self.file.sha256)
            .await?;
        if let Some(cursor) = &cursor {
            ledger.record_cursor(self.id, cursor).await?;
        }
        ledger.commit().await?;
        Ok(cursor)
    }

    /// Runs one batch with its checkpoint; none when the last key is passed.
    async fn batch(
        &self,
        coordinator: &mut Coordinator<'_>,
        cursor: Cursor,
    ) -> Result<Option<Cursor>, CoordinatorError> {
        let config = &coordinator.project().config.database;
        let (limit, bound) = (LockTimeout(config.lock_timeout), config.lock_retry_for);
        let (connection, token, _) = coordinator.parts();
        let batch = Batch {
            table: &self.rules.table,
            key: self.key(),
            after: &cursor.after,
            upto: &cursor.upto,
            size: self.rules.batch,
        };
        let Some(end) = connection.batch_end(&batch).await? else {
            return Ok(None);
        };
        let sql = self.statement(&cursor.after, &end);
        let began = Instant::now();
        loop {
            let attempt = self
                .try_batch(connection, token, limit, &sql, &cursor, &end)
                .await;
            connection.rollback().await?;
            match attempt {
                Err(
                    CoordinatorError::Database(error)
                    | CoordinatorError::Ledger(crate::ledger::LedgerError::Database(error)),
                ) if matches!(
                    error.kind,
                    crate::database::ErrorKind::Locked | crate::database::ErrorKind::Conflict
                ) && began.elapsed() < bound =>
                {
                    tokio::time::sleep(std::time::Duration::from_millis(fastrand::u64(200..800)))
                        .await;
                }
                Err(CoordinatorError::Database(mut error)) => {
                    error.message = format!(
                        "{}: the batch after key {} up to {} failed, and everything before it stays done: {}",
                        self.file.path.display(),
                        readable(&cursor.after),
                        readable(&end),
                        error.message
                    );
                    return Err(error.into());
                }
                other => return other.map(Some),
            }
        }
    }

    async fn try_batch(
        &self,
        connection: &mut dyn crate::database::Connection,
        token: i64,
        limit: LockTimeout,
        sql: &str,
        cursor: &Cursor,
        end: &str,
    ) -> Result<Cursor, CoordinatorError> {
        let mut ledger = Ledger::write(connection).await?;
        ledger.connection().limit_lock_waits(limit).await?;
        self.check_phase(&mut ledger).await?;
        let rows = ledger.connection().run(sql).await?;
        let next = Cursor {
            after: end.to_owned(),
            upto: cursor.upto.clone(),
            rows: cursor.rows.saturating_add(rows),
        };
        ledger.record_cursor(self.id, &next).await?;
        ledger.fence(token).await?;
        ledger.commit().await?;
        Ok(next)
    }

    /// A version that writes only the old format may have been admitted meanwhile.
    async fn check_phase(&self, ledger: &mut Ledger<'_>) -> Result<(), CoordinatorError> {
        let view = ledger.view().await?;
        let applied = view
            .applied
            .iter()
            .find(|applied| applied.state.id() == self.id);
        let phase = applied.map_or(Phase::Pending, |applied| applied.state.phase);
        if phase == Phase::Backfilling {
            Ok(())
        } else {
            Err(CoordinatorError::Moved {
                migration: self.id.clone(),
                phase,
            })
        }
    }

    /// Puts the limits of a batch into the statement.
    fn statement(&self, after: &str, upto: &str) -> String {
        self.file
            .statement
            .parts
            .iter()
            .map(|part| match part {
                Part::Sql(text) => text.as_str(),
                Part::After => after,
                Part::Upto => upto,
            })
            .collect()
    }

    async fn remaining(&self, coordinator: &mut Coordinator<'_>) -> Result<i64, CoordinatorError> {
        let (connection, ..) = coordinator.parts();
        connection
            .count(&self.rules.remaining)
            .await
            .map_err(|mut error| {
                error.message = format!("`remaining` of {}: {}", self.id, error.message);
                error.into()
            })
    }

    async fn give_up(
        &self,
        coordinator: &mut Coordinator<'_>,
        state: &MigrationState,
    ) -> Result<(), CoordinatorError> {
        let (connection, token, actor) = coordinator.parts();
        let actor = actor.to_owned();
        let mut ledger = Ledger::write(connection).await?;
        let becomes = |state: &MigrationState, live: &[Live]| MigrationState {
            phase: Phase::Expanded,
            kinds: state.reachable(live),
            declaration: state.declaration.clone(),
        };
        let change = Move {
            state,
            others: &self.others,
            becomes: &becomes,
            step_back: None,
            detail: serde_json::json!({ "why": "remaining is not 0" }),
        };
        move_to(&mut ledger, token, &actor, change).await?;
        ledger.commit().await?;
        Ok(())
    }

    /// Records that every row is filled, unless a version that may undo it has come meanwhile.
    async fn finish(
        &self,
        coordinator: &mut Coordinator<'_>,
        state: &MigrationState,
    ) -> Result<Option<Decision>, CoordinatorError> {
        let situation = coordinator.situation().await?;
        let decision = coordinator.ask(Step::Backfill, self.id, &situation);
        if decision.verdict != Verdict::Go {
            return Ok(Some(decision));
        }
        let others = situation.evidence.snapshot.live();
        let (connection, token, actor) = coordinator.parts();
        let actor = actor.to_owned();
        let mut ledger = Ledger::write(connection).await?;
        ledger.lock_admissions().await?;
        self.check_phase(&mut ledger).await?;
        // Asked once more behind the lock: from here to the commit nobody is admitted.
        let view = ledger.view().await?;
        let mut evidence = situation.evidence.clone();
        evidence
            .snapshot
            .groups
            .retain(|group| group.source != crate::ledger::LEASES);
        evidence.snapshot.groups.extend(view.groups.iter().cloned());
        let live = lease_versions(&view);
        tracing::debug!("live at the end of the backfill: {live:?}");
        let action = Action::Step {
            step: Step::Backfill,
            migration: self.id.clone(),
        };
        let decision = decide(action, &evidence);
        let blocks = decision
            .blockers
            .iter()
            .any(|blocker| blocker.verdict != Verdict::Unknown);
        if blocks {
            ledger.rollback().await?;
            return Ok(Some(decision));
        }
        let becomes = |state: &MigrationState, live: &[Live]| state.after(Step::Backfill, live);
        let change = Move {
            state,
            others: &others,
            becomes: &becomes,
            step_back: None,
            detail: serde_json::json!({}),
        };
        crate::crash::point("backfill.recording");
        move_to(&mut ledger, token, &actor, change).await?;
        ledger.commit().await?;
        crate::crash::point("backfill.committed");
        Ok(None)
    }
}
