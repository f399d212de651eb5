//! What stands against contracts that nobody has begun, whichever step is asked about: what an answer names as next would be
//! refused by it. The user's queries are left to whoever asks about the contract itself, because they may be costly.

use std::collections::BTreeMap;

use super::facts::soak;
use super::needed::needed;
use super::rehearsed::unrehearsed;
use super::{CoordinatorError, Situation};
use crate::database::{Access, Connection};
use crate::gate::{Action, Foreseen, Verdict, decide};
use crate::ledger::{Ledger, LedgerError, View};
use crate::model::{MigrationId, MigrationState, Phase, Schema, Step};
use crate::project::{Migration, Project};

/// Whether its contract is still to come, and nobody has begun it.
fn is_ahead(state: &MigrationState) -> bool {
    let is_ahead = match state.phase {
        Phase::Pending => !state.declaration.parts.expand,
        Phase::Expanded | Phase::Backfilling | Phase::Backfilled => true,
        Phase::Expanding | Phase::Contracting | Phase::Contracted | Phase::Reverting => false,
    };
    is_ahead && state.declaration.parts.contract
}

/// The soaks of the contracts that are ahead.
pub(super) fn soaks(
    project: &Project,
    schema: &Schema,
    view: &View,
) -> BTreeMap<MigrationId, Foreseen> {
    let ahead = schema.migrations().iter().filter(|state| is_ahead(state));
    let soaks = ahead.filter_map(|state| {
        let required = project.as_read(state.id())?.contract_rules.soak?;
        let foreseen = Foreseen {
            soak: Some(soak(required, state, view)),
            ..Foreseen::default()
        };
        Some((state.id().clone(), foreseen))
    });
    soaks.collect()
}

/// Which of them were not rehearsed, where the project asks that they were.
pub(super) async fn look_at_rehearsals(
    project: &Project,
    situation: &mut Situation,
    connection: &mut dyn Connection,
) -> Result<(), LedgerError> {
    if !project.config.rehearsal.required || !situation.has_ledger {
        return Ok(());
    }
    let dialect = connection.capabilities().dialect;
    let ahead = ahead(project, situation);
    if ahead.is_empty() {
        return Ok(());
    }
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(());
    };
    for migration in ahead {
        let found = unrehearsed(project, migration, dialect, &mut ledger).await?;
        let contracts = &mut situation.evidence.contracts;
        let foreseen = contracts.entry(migration.id().clone()).or_default();
        foreseen.unrehearsed = found;
    }
    ledger.rollback().await
}

/// What the server would not let go of, of those that nothing else is in the way of.
///
/// # Errors
/// A database error.
pub async fn look_at_needs(
    project: &Project,
    situation: &mut Situation,
    connection: &mut dyn Connection,
) -> Result<(), CoordinatorError> {
    let is_clear = |migration: &&Migration| {
        let action = Action::Step {
            step: Step::Contract,
            migration: migration.id().clone(),
        };
        decide(action, &situation.evidence).verdict == Verdict::Go
    };
    let clear: Vec<&Migration> = ahead(project, situation)
        .into_iter()
        .filter(is_clear)
        .collect();
    if clear.is_empty() {
        return Ok(());
    }
    connection.begin(Access::Read).await?;
    let mut found = Vec::new();
    for migration in clear {
        match needed(migration, connection).await {
            Ok(needed) => found.push((migration.id().clone(), needed)),
            Err(error) => {
                connection.rollback().await?;
                return Err(error);
            }
        }
    }
    connection.rollback().await?;
    for (id, needed) in found {
        situation.evidence.contracts.entry(id).or_default().needed = needed;
    }
    Ok(())
}

fn ahead<'a>(project: &'a Project, situation: &Situation) -> Vec<&'a Migration> {
    let states = situation.evidence.schema.migrations().iter();
    let ahead = states.filter(|state| is_ahead(state));
    ahead
        .filter_map(|state| project.as_read(state.id()))
        .collect()
}
