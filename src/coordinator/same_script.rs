//! Applied scripts that differ from what is recorded in comments and white space alone: that is no change.
//!
//! The ledger has kept the text of every statement since there were ledgers, so this holds for all that was ever applied.
//! Builds of before go by the hash of the file, and refuse what this lets pass.

use super::{Changed, Drift};
use crate::database::{Connection, ErrorKind};
use crate::ledger::{Ledger, LedgerError, StepRecord, StepState};
use crate::model::Step;
use crate::project::{Migration, Project, ScriptFile};
use crate::sql::Dialect;

/// The script of a step as it is now, where its statements are recorded when it is applied.
pub(super) fn script_of(
    migration: &Migration,
    step: Step,
    dialect: Dialect,
) -> Option<&ScriptFile> {
    let files = migration.files(dialect);
    match step {
        Step::Expand => files.expand.as_ref(),
        Step::Contract => files.contract.as_ref(),
        Step::Revert => files.revert.as_ref(),
        Step::Backfill => None,
    }
}

/// Whether a script says to the database what was applied.
pub(super) fn is_as_applied(
    recorded: &[StepRecord],
    script: &ScriptFile,
    dialect: Dialect,
) -> bool {
    let now = &script.script.statements;
    let is_done = |step: &StepRecord| step.state == StepState::Done;
    !recorded.is_empty()
        && recorded.len() == now.len()
        && recorded.iter().all(is_done)
        && recorded
            .iter()
            .zip(now)
            .all(|(step, now)| dialect.says_the_same(&step.statement, &now.text))
}

/// Takes out of what has changed whatever differs in comments and white space alone.
pub(super) async fn forgive(
    project: &Project,
    drift: &mut Vec<Drift>,
    connection: &mut dyn Connection,
) -> Result<(), LedgerError> {
    let dialect = connection.capabilities().dialect;
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(());
    };
    let mut same = Vec::new();
    for (index, one) in drift.iter().enumerate() {
        let Changed::Script(step) = one.what else {
            continue;
        };
        let migration = project.as_read(&one.migration);
        let Some(script) = migration.and_then(|migration| script_of(migration, step, dialect))
        else {
            continue;
        };
        let recorded = match ledger.steps(&one.migration, step).await {
            Ok(recorded) => recorded,
            // Whoever may not look at them goes by the hashes.
            Err(LedgerError::Database(error)) if error.kind == ErrorKind::Permission => break,
            Err(error) => return Err(error),
        };
        if is_as_applied(&recorded, script, dialect) {
            same.push(index);
        }
    }
    ledger.rollback().await?;
    let mut index = 0;
    drift.retain(|_| {
        index += 1;
        !same.contains(&(index - 1))
    });
    Ok(())
}
