//! The record of an applied file, made to say what the file says now, where nothing but the record differs.
//!
//! That is so where the statements are those that were applied, and the hash of the file alone is another one; and for the
//! statement of a backfill that is done: it runs never again, and its rows were judged by `remaining` and `check`. Statements
//! that differ are another schema on a new database than here, and no record makes that untrue.

use super::drift::hash_now;
use super::in_ledger::End;
use super::same_script::{is_as_applied, script_of};
use super::take::Coordinator;
use super::{Changed, CoordinatorError, Situation};
use crate::database::Connection;
use crate::ledger::{AppliedFile, Entry, EventKind, Ledger, LedgerError, StepRecord};
use crate::model::{MigrationId, Phase, Step};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repaired {
    /// These files are recorded as they are now; empty if everything was recorded so.
    Done(Vec<String>),
    /// More than the record differs. In words, each.
    Refused(Vec<String>),
}

/// A file of an applied phase, as it is recorded: its hash, and its statements where they were kept.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub file: AppliedFile,
    pub steps: Vec<StepRecord>,
}

/// What is recorded of a migration's files.
///
/// # Errors
/// A database error.
pub async fn present(
    connection: &mut dyn Connection,
    id: &MigrationId,
) -> Result<Vec<Recorded>, LedgerError> {
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(Vec::new());
    };
    let read = read(&mut ledger, id).await;
    ledger.rollback().await?;
    read
}

async fn read(ledger: &mut Ledger<'_>, id: &MigrationId) -> Result<Vec<Recorded>, LedgerError> {
    let mut found = Vec::new();
    for file in ledger.files().await? {
        if file.number == id.number() {
            let steps = match file.step() {
                Some(step) => ledger.steps(id, step).await?,
                None => Vec::new(),
            };
            found.push(Recorded { file, steps });
        }
    }
    Ok(found)
}

impl Coordinator<'_> {
    /// Records the files of a migration as they are now, where nothing but the record differs.
    ///
    /// # Errors
    /// A database or ledger error.
    pub async fn repair(
        &mut self,
        id: &MigrationId,
        reason: &str,
    ) -> Result<Repaired, CoordinatorError> {
        let situation = self.session.observe().await?;
        let migration = self.session.orders.migration(id)?;
        let dialect = self.session.connection.capabilities().dialect;
        let recorded = present(self.session.connection.as_mut(), id).await?;
        let has_statement = hash_now(migration, Step::Backfill, dialect).is_some();
        let refused = more_than_the_record(id, &situation, has_statement);
        if !refused.is_empty() {
            return Ok(Repaired::Refused(refused));
        }
        let differing: Vec<(Step, String, String)> = recorded
            .iter()
            .filter_map(|recorded| {
                let step = recorded.file.step()?;
                let (path, sha256) = hash_now(migration, step, dialect)?;
                let is_same = match script_of(migration, step, dialect) {
                    Some(script) => is_as_applied(&recorded.steps, script, dialect),
                    None => step == Step::Backfill,
                };
                let is_recorded = (&path, &sha256) == (&recorded.file.path, &recorded.file.sha256);
                (is_same && !is_recorded).then_some((step, path, sha256))
            })
            .collect();
        if differing.is_empty() {
            return Ok(Repaired::Done(Vec::new()));
        }
        let (token, actor) = (self.session.token, self.session.actor.clone());
        self.session
            .in_ledger(async |ledger| {
                for (step, path, sha256) in &differing {
                    ledger.record_file(Entry::Known, id, *step, path, sha256);
                    let detail = serde_json::json!({
                        "phase": step.name(), "file": path, "sha256": sha256, "reason": reason,
                    });
                    ledger
                        .append(EventKind::Repaired, &actor, Some(id), &detail)
                        .await?;
                }
                ledger.fence(token).await?;
                Ok(End::Commit(()))
            })
            .await?;
        let paths = differing.into_iter().map(|(_, path, _)| path);
        Ok(Repaired::Done(paths.collect()))
    }
}

/// What stands in the way, each with the way out.
fn more_than_the_record(
    id: &MigrationId,
    situation: &Situation,
    has_statement: bool,
) -> Vec<String> {
    let mut applied = situation.view.applied.iter();
    let phase = applied
        .find(|applied| applied.state.id() == id)
        .map_or(Phase::Pending, |applied| applied.state.phase);
    let is_finished = matches!(
        phase,
        Phase::Backfilled | Phase::Contracting | Phase::Contracted
    );
    let drift = situation.drift.iter();
    let own = drift.filter(|drift| drift.migration == *id);
    // The statement of a backfill that is done is nobody's any more.
    let counts = own.filter(|drift| {
        !(is_finished && has_statement && drift.what == Changed::Script(Step::Backfill))
    });
    let way_out = if phase.contract_has_begun() {
        "put it back as it was applied, and make the change in a new migration".to_owned()
    } else {
        format!(
            "put it back as it was applied; or, because {id} is not contracted, `migrate revert {id}`, and expand it again with the \
             file as it is meant"
        )
    };
    counts
        .map(|drift| format!("{drift}, and more than the record differs: {way_out}"))
        .collect()
}
