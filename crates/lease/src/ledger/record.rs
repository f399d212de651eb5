//! What is written about migrations: phases, files and steps.

use super::{Ledger, LedgerError};
use crate::database::{Row, Value};
use crate::model::{Declaration, MigrationId, Phase, RowKinds, Step};

/// A file as it was when its phase was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedFile {
    pub number: u64,
    pub phase: String,
    pub path: String,
    pub sha256: String,
}

impl AppliedFile {
    /// The step that it was applied with; `None` if a newer program knows one more.
    #[must_use]
    pub fn step(&self) -> Option<Step> {
        self.phase.parse().ok()
    }
}

/// How far a statement is that ran outside of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StepState {
    /// Begun; whether it took effect is for the catalogue to say.
    Started,
    Done,
}

/// One statement of a phase, known by where it stands and what it says, never by a count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepRecord {
    pub position: i64,
    pub sha256: String,
    pub statement: String,
    pub state: StepState,
}

/// Whether anything is recorded of a migration: of one that is pending, nothing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    New,
    Known,
}

/// A migration as it is to be recorded.
#[derive(Clone, Copy, Debug)]
pub struct PhaseChange<'a> {
    pub entry: Entry,
    pub declaration: &'a Declaration,
    pub phase: Phase,
    pub kinds: RowKinds,
    /// The number of admissions that `kinds` takes into account.
    pub seq: i64,
    /// The phase to go back to if the present one is given up.
    pub step_back: Option<Phase>,
}

fn number(id: &MigrationId) -> i64 {
    i64::try_from(id.number()).unwrap_or(i64::MAX)
}

/// Every file of every applied phase.
pub(super) const SELECT_FILES: &str =
    "SELECT number, phase, path, sha256 FROM {files} ORDER BY number, phase, path";

/// What the answer to [`SELECT_FILES`] says.
pub(super) fn read_files(rows: &[Row]) -> Result<Vec<AppliedFile>, LedgerError> {
    rows.iter()
        .map(|row| {
            Ok(AppliedFile {
                number: u64::try_from(row.int(0)?).unwrap_or_default(),
                phase: row.text(1)?.to_owned(),
                path: row.text(2)?.to_owned(),
                sha256: row.text(3)?.to_owned(),
            })
        })
        .collect()
}

impl Ledger<'_> {
    /// Records the phase of a migration, and forgets how far a backfill is that is not running.
    ///
    /// # Errors
    /// A declaration that cannot be written.
    pub fn record_phase(&mut self, change: PhaseChange<'_>) -> Result<(), LedgerError> {
        let id = &change.declaration.id;
        if matches!(change.phase, Phase::Pending | Phase::Contracted) {
            self.forget_in_step(id.number());
        }
        if change.phase == Phase::Pending {
            // Of an expand that was given up, why is still to be told.
            self.execute_later(
                "DELETE FROM {failures} WHERE (number = ? OR id = ?) \
                 AND NOT EXISTS (SELECT 1 FROM {migrations} WHERE number = ? AND phase = 'expanding')",
                &[number(id).into(), id.as_str().into(), number(id).into()],
            );
            for table in [
                "migrations",
                "files",
                "steps",
                "backfills",
                "backfill_ranges",
            ] {
                self.execute_later(
                    &format!("DELETE FROM {{{table}}} WHERE number = ?"),
                    &[number(id).into()],
                );
            }
            return Ok(());
        }
        let declaration = serde_json::to_string(change.declaration)
            .map_err(|error| LedgerError::Damaged(error.to_string()))?;
        let phase = change.phase.name();
        let kinds = change.kinds.to_string();
        let step_back = change.step_back.map(Phase::name).unwrap_or_default();
        if change.phase == Phase::Backfilling && change.entry == Entry::Known {
            // Writers that fill no new format were let in behind the fence of a revert: what is behind a checkpoint may be
            // empty again.
            for table in ["backfill_ranges", "backfills"] {
                let sql = format!(
                    "DELETE FROM {{{table}}} WHERE number = ? AND EXISTS \
                     (SELECT 1 FROM {{migrations}} WHERE number = ? AND phase = 'reverting')"
                );
                self.execute_later(&sql, &[number(id).into(), number(id).into()]);
            }
        }
        match change.entry {
            Entry::Known => self.execute_later(
                // A soak goes on while a fence is up and when it is lowered again, and what failed before is not over.
                "UPDATE {migrations} SET changed_at = CASE WHEN ? IN ('contracting', 'reverting') \
                 OR (phase IN ('contracting', 'reverting') AND ? <> 'contracted') THEN changed_at ELSE {now} END, \
                 phase = ?, kinds = ?, declaration = ?, seq = ?, step_back = ? WHERE number = ?",
                &[
                    phase.into(),
                    phase.into(),
                    phase.into(),
                    kinds.into(),
                    declaration.into(),
                    change.seq.into(),
                    step_back.into(),
                    number(id).into(),
                ],
            ),
            Entry::New => self.execute_later(
                "INSERT INTO {migrations} (number, id, phase, kinds, declaration, seq, step_back, changed_at, backfill_rows) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, {now}, 0)",
                &[
                    number(id).into(),
                    id.as_str().into(),
                    phase.into(),
                    kinds.into(),
                    declaration.into(),
                    change.seq.into(),
                    step_back.into(),
                ],
            ),
        }
        if change.phase == Phase::Expanded && change.entry == Entry::Known {
            self.forget_backfill(id);
        }
        Ok(())
    }

    /// Every file of every applied phase.
    ///
    /// # Errors
    /// A database error.
    pub async fn files(&mut self) -> Result<Vec<AppliedFile>, LedgerError> {
        read_files(&self.query(SELECT_FILES, &[]).await?)
    }

    /// Records a file together with the phase that it was applied in, in place of the one recorded.
    pub fn record_file(
        &mut self,
        entry: Entry,
        id: &MigrationId,
        of: Step,
        path: &str,
        sha256: &str,
    ) {
        if entry == Entry::Known {
            self.execute_later(
                "DELETE FROM {files} WHERE number = ? AND phase = ?",
                &[number(id).into(), of.name().into()],
            );
        }
        self.execute_later(
            "INSERT INTO {files} (number, phase, path, sha256, applied_at) VALUES (?, ?, ?, ?, {now})",
            &[number(id).into(), of.name().into(), path.into(), sha256.into()],
        );
    }

    /// Records that a statement was begun, or is done.
    pub fn record_step(&mut self, id: &MigrationId, of: Step, step: &StepRecord) {
        let identity = [
            number(id).into(),
            of.name().into(),
            step.position.into(),
            step.sha256.as_str().into(),
        ];
        let mut delete =
            "DELETE FROM {steps} WHERE number = ? AND phase = ? AND position = ? AND sha256 = ?"
                .to_owned();
        if step.state == StepState::Started {
            delete.push_str(" AND state = 'started'");
        }
        self.execute_later(&delete, &identity);
        let (state, done_at) = match step.state {
            StepState::Started => ("started", "NULL"),
            StepState::Done => ("done", "{now}"),
        };
        let insert = format!(
            "INSERT INTO {{steps}} (number, phase, position, sha256, state, statement, started_at, done_at) \
             VALUES (?, ?, ?, ?, ?, ?, {{now}}, {done_at})"
        );
        let [number, phase, position, sha256] = identity;
        self.execute_later(
            &insert,
            &[
                number,
                phase,
                position,
                sha256,
                state.into(),
                step.statement.as_str().into(),
            ],
        );
    }

    /// Records all statements of a phase as done, in place of whatever was recorded of them.
    pub fn record_steps(&mut self, entry: Entry, id: &MigrationId, of: Step, steps: &[StepRecord]) {
        /// Databases bound the number of values in a statement.
        const ROWS: usize = 50;
        if entry == Entry::Known {
            self.execute_later(
                "DELETE FROM {steps} WHERE number = ? AND phase = ?",
                &[number(id).into(), of.name().into()],
            );
        }
        for steps in steps.chunks(ROWS) {
            let rows = vec!["(?, ?, ?, ?, 'done', ?, {now}, {now})"; steps.len()];
            let insert = format!(
                "INSERT INTO {{steps}} (number, phase, position, sha256, state, statement, started_at, done_at) VALUES {}",
                rows.join(", ")
            );
            let values: Vec<Value> = steps
                .iter()
                .flat_map(|step| {
                    [
                        number(id).into(),
                        of.name().into(),
                        step.position.into(),
                        step.sha256.as_str().into(),
                        step.statement.as_str().into(),
                    ]
                })
                .collect();
            self.execute_later(&insert, &values);
        }
    }

    /// Records that these statements are done, one after the other, in place of what is recorded of them.
    pub fn record_done(&mut self, id: &MigrationId, of: Step, steps: &[StepRecord]) {
        let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
            return;
        };
        self.execute_later(
            "DELETE FROM {steps} WHERE number = ? AND phase = ? AND position BETWEEN ? AND ?",
            &[
                number(id).into(),
                of.name().into(),
                first.position.into(),
                last.position.into(),
            ],
        );
        self.record_steps(Entry::New, id, of, steps);
    }

    /// Forgets a statement that was begun: it did not take effect.
    ///
    /// # Errors
    /// A database error.
    pub async fn forget_step(
        &mut self,
        id: &MigrationId,
        of: Step,
        step: &StepRecord,
    ) -> Result<(), LedgerError> {
        self.execute(
            "DELETE FROM {steps} WHERE number = ? AND phase = ? AND position = ? AND sha256 = ?",
            &[
                number(id).into(),
                of.name().into(),
                step.position.into(),
                step.sha256.as_str().into(),
            ],
        )
        .await?;
        Ok(())
    }

    /// The statements of a phase that were begun or are done, in order.
    ///
    /// # Errors
    /// A database error.
    pub async fn steps(
        &mut self,
        id: &MigrationId,
        of: Step,
    ) -> Result<Vec<StepRecord>, LedgerError> {
        let rows = self
            .query(
                "SELECT position, sha256, statement, state FROM {steps} WHERE number = ? AND phase = ? ORDER BY position",
                &[number(id).into(), of.name().into()],
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(StepRecord {
                    position: row.int(0)?,
                    sha256: row.text(1)?.to_owned(),
                    statement: row.text(2)?.to_owned(),
                    state: match row.text(3)? {
                        "done" => StepState::Done,
                        "started" => StepState::Started,
                        other => {
                            return Err(LedgerError::Damaged(format!(
                                "`{other}` is not the state of a step"
                            )));
                        }
                    },
                })
            })
            .collect()
    }
}
