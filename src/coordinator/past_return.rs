//! The point of no return of a step that runs statement by statement.

use crate::ledger::{Ledger, LedgerError, StepRecord};
use crate::model::{MigrationId, Step};
use crate::project::{Migration, ScriptFile};
use crate::sql::Statement;

/// Whether a statement of `step` was begun that live versions can notice: from there it can only be finished. Without its
/// script, any statement may have been one.
pub(super) async fn past_return(
    (id, migration): (&MigrationId, Option<&Migration>),
    step: Step,
    ledger: &mut Ledger<'_>,
) -> Result<bool, LedgerError> {
    let dialect = ledger.capabilities().dialect;
    let files = migration.map(|migration| migration.files(dialect));
    let file = match step {
        Step::Contract => files.and_then(|files| files.contract.as_ref()),
        Step::Revert => files.and_then(|files| files.revert.as_ref()),
        Step::Expand | Step::Backfill => return Ok(false),
    };
    let recorded = ledger.steps(id, step).await?;
    Ok(match file {
        Some(file) => is_past_return(file, &recorded),
        None => !recorded.is_empty(),
    })
}

/// The same of a script and what is recorded of it.
fn is_past_return(file: &ScriptFile, recorded: &[StepRecord]) -> bool {
    recorded.iter().any(|step| {
        let index = usize::try_from(step.position).unwrap_or_default();
        let statement = file.script.statements.get(index.saturating_sub(1));
        statement.is_none_or(Statement::is_noticed)
    })
}
