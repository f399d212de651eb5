//! The triggers by which migrations keep their formats in step: whose they are, and whether they still do.
//!
//! Invariant: what a migration's `sync` promises is believed between its expand and its contract only as long as the
//! triggers that its expand.sql makes do in the database what they do in the file.

use super::session::Coordinator;
use super::{CoordinatorError, Situation};
use crate::database::{Connection, DatabaseError};
use crate::gate::OutOfStep;
use crate::ledger::Ledger;
use crate::model::{MigrationId, MigrationState, Phase, Schema, Sync};
use crate::project::{Migration, Project};
use crate::sql::{Dependent, Dependents, Dialect, ObjectKind, Runs, Script, Verb, Visible};

/// The code by which a migration that is under way keeps its formats in step.
pub(super) struct Owned {
    pub id: MigrationId,
    code: Dependents,
}

impl Owned {
    /// Whether the migration has made this trigger.
    pub fn has(&self, trigger: &Dependent) -> bool {
        let same = |a: &str, b: &str| self.code.dialect.may_be_same_name(a, b);
        triggers(&self.code).any(|one| {
            same(&one.name, &trigger.name)
                && one.table.as_deref().is_none_or(|table| {
                    trigger
                        .table
                        .as_deref()
                        .is_some_and(|other| same(table, other))
                })
        })
    }
}

fn triggers(code: &Dependents) -> impl Iterator<Item = &Dependent> {
    code.all
        .iter()
        .filter(|one| one.kind == ObjectKind::Trigger && one.runs == Runs::Used)
}

/// Between expand and contract, with a sync that is relied on.
fn is_in_step(state: &MigrationState) -> bool {
    state.declaration.sync != Sync::None
        && !matches!(state.phase, Phase::Pending | Phase::Contracted)
}

impl Coordinator<'_> {
    /// What other migrations keep in step now.
    pub(super) async fn owned_by_others(
        &mut self,
        id: &MigrationId,
    ) -> Result<Vec<Owned>, CoordinatorError> {
        let dialect = self.connection.capabilities().dialect;
        let project = self.project();
        let Some(mut ledger) = Ledger::read(self.connection.as_mut()).await? else {
            return Ok(Vec::new());
        };
        let view = ledger.view().await;
        ledger.rollback().await?;
        let states = view?.applied.into_iter().map(|applied| applied.state);
        let others = states.filter(|state| state.id() != id && is_in_step(state));
        let owned = others.filter_map(|state| {
            let expand = project
                .as_read(state.id())?
                .files(dialect)
                .expand
                .as_ref()?;
            Some(Owned {
                id: state.id().clone(),
                code: Dependents::made_by(&expand.script),
            })
        });
        Ok(owned.collect())
    }
}

/// Looks whether what keeps the formats of migrations in step is there, for whoever asks about them.
///
/// # Errors
/// A database or ledger error.
pub async fn look_at_sync(
    project: &Project,
    situation: &mut Situation,
    connection: &mut dyn Connection,
) -> Result<(), CoordinatorError> {
    let schema = &situation.evidence.schema;
    if made(project, schema, None, connection.capabilities().dialect).is_empty() {
        return Ok(());
    }
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(());
    };
    let connection = ledger.connection().await?;
    let found = out_of_step(project, schema, None, connection).await;
    ledger.rollback().await?;
    situation.evidence.facts.out_of_step = found?;
    Ok(())
}

/// The triggers that migrations under way have made, with the scripts that have.
fn made<'p>(
    project: &'p Project,
    schema: &Schema,
    only: Option<&MigrationId>,
    dialect: Dialect,
) -> Vec<(&'p Migration, &'p Script, Dependents)> {
    let states = schema.migrations().iter();
    let relied = states.filter(|state| {
        // What is being added is not there yet, or not any more.
        is_in_step(state)
            && !matches!(state.phase, Phase::Expanding | Phase::Reverting)
            && only.is_none_or(|id| id == state.id())
    });
    let made = relied.filter_map(|state| {
        let migration = project.as_read(state.id())?;
        let expand = migration.files(dialect).expand.as_ref()?;
        let made = Dependents::made_by(&expand.script);
        triggers(&made).next()?;
        Some((migration, &expand.script, made))
    });
    made.collect()
}

/// Which of the migrations that are under way no longer keep their formats in step as their files say. In a transaction.
///
/// Where the catalogue shows this role only a part of its code, nothing is concluded from what is missing.
pub(super) async fn out_of_step(
    project: &Project,
    schema: &Schema,
    only: Option<&MigrationId>,
    connection: &mut dyn Connection,
) -> Result<Vec<OutOfStep>, DatabaseError> {
    let dialect = connection.capabilities().dialect;
    let made = made(project, schema, only, dialect);
    if made.is_empty() {
        return Ok(Vec::new());
    }
    let inventory = connection.inventory().await?;
    if inventory.visible == Visible::Part {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for (migration, script, made) in made {
        for trigger in triggers(&made) {
            if is_changed_elsewhere(project, schema, migration.id(), dialect, trigger) {
                continue;
            }
            let Some(how) = inventory.falls_short(&made, script, trigger) else {
                continue;
            };
            let table = trigger.table.as_deref().unwrap_or_default();
            found.push(OutOfStep {
                migration: migration.id().clone(),
                what: format!("the trigger `{}` of `{table}` {how}", trigger.name),
            });
        }
    }
    Ok(found)
}

/// Whether the script of another migration may have made it another than it was, as somebody has vouched for.
fn is_changed_elsewhere(
    project: &Project,
    schema: &Schema,
    own: &MigrationId,
    dialect: Dialect,
    trigger: &Dependent,
) -> bool {
    let applied = schema.migrations().iter();
    let others = applied.filter(|state| state.id() != own && state.phase != Phase::Pending);
    let mut scripts = others.flat_map(|state| {
        let files = project
            .as_read(state.id())
            .map(|other| other.files(dialect));
        let contract = files.filter(|_| state.phase.contract_has_begun());
        let expand = files.and_then(|files| files.expand.as_ref());
        [expand, contract.and_then(|files| files.contract.as_ref())]
    });
    scripts.any(|file| file.is_some_and(|file| changes(&file.script, trigger)))
}

fn changes(script: &Script, trigger: &Dependent) -> bool {
    let same = |a: &str, b: &str| script.dialect.may_be_same_name(a, b);
    let is = |name: &str, wanted: Option<&str>| wanted.is_some_and(|wanted| same(name, wanted));
    let table = trigger.table.as_deref();
    let mut objects = script.statements.iter().flat_map(|one| one.objects());
    objects.any(|object| match object.kind {
        ObjectKind::Trigger => same(&object.name, &trigger.name),
        ObjectKind::Function => is(&object.name, trigger.calls.as_deref()),
        // A database writes the text of the trigger anew.
        ObjectKind::Table => object.verb == Verb::Rename && is(&object.name, table),
        ObjectKind::Column => {
            object.verb == Verb::Rename && object.table.as_deref().is_some_and(|of| is(of, table))
        }
        _ => false,
    })
}
