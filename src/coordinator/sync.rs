//! The triggers by which migrations keep their formats in step: whose they are, and whether they still do.
//!
//! Invariant: what a migration's `sync` promises is believed between its expand and its contract only as long as the
//! triggers that its expand.sql makes do in the database what they do in the file.

use std::collections::HashMap;

use super::CoordinatorError;
use super::past_return::past_return;
use super::session::Session;
use crate::database::{Connection, MarksSeen, TriggerMark, TriggerMarks};
use crate::gate::OutOfStep;
use crate::ledger::{InStep, KnownMark, Ledger, LedgerError, Touched, TriggerStanding};
use crate::model::{MigrationId, MigrationState, Phase, Schema, Step, Sync};
use crate::project::{Migration, Project};
use crate::sql::{Dependent, Dependents, Dialect, Object, ObjectKind, Runs, Script, Verb, Visible};

/// The code by which a migration that is under way keeps its formats in step.
pub(super) struct Owned<'p> {
    pub id: MigrationId,
    code: &'p Dependents,
}

impl Owned<'_> {
    /// Whether the migration has made this trigger.
    pub fn has(&self, trigger: &Dependent) -> bool {
        let same = |a: &str, b: &str| self.code.dialect.may_be_same_name(a, b);
        triggers(self.code).any(|one| {
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

/// What other migrations keep in step now.
pub(super) async fn owned_by_others<'p>(
    session: &mut Session<'p>,
    id: &MigrationId,
) -> Result<Vec<Owned<'p>>, CoordinatorError> {
    let dialect = session.connection.capabilities().dialect;
    let project = session.orders.project;
    let Some(mut ledger) = Ledger::read(session.connection.as_mut()).await? else {
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
            code: expand.made(),
        })
    });
    Ok(owned.collect())
}

/// Whether there is a migration under way that has made triggers.
pub(super) fn is_any_in_step(
    project: &Project,
    schema: &Schema,
    connection: &dyn Connection,
) -> bool {
    !made(project, schema, None, connection.capabilities().dialect).is_empty()
}

/// The triggers that migrations under way have made, with the scripts that have.
fn made<'p>(
    project: &'p Project,
    schema: &Schema,
    only: Option<&MigrationId>,
    dialect: Dialect,
) -> Vec<(&'p Migration, &'p Script, &'p Dependents)> {
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
        let made = expand.made();
        triggers(made).next()?;
        Some((migration, &expand.script, made))
    });
    made.collect()
}

/// The triggers of one migration as they are now.
pub(super) struct Watched {
    pub id: MigrationId,
    /// What they do not do, in words.
    pub short: Vec<String>,
    marks: Vec<KnownMark>,
    place: String,
    /// What is remembered of them; `None` in a ledger of before, and until the first script after the expand is through.
    known: Option<InStep>,
    /// What shows that one was made anew since.
    touched: Option<String>,
}

impl Watched {
    /// Why rows may have been written past it that the recorded kinds do not tell of; `None` if there is no such time.
    pub fn gap(&self) -> Option<String> {
        let missed = self.known.as_ref().and_then(|known| known.missed.clone());
        match (self.short.first(), missed) {
            (Some(short), None) => Some(short.clone()),
            // It goes on; whoever comes meanwhile is counted when it ends.
            (Some(_), Some(_)) => None,
            (None, Some(missed)) => Some(format!("{missed}, until it was put back")),
            (None, None) => self.touched.clone(),
        }
    }

    /// Whether something else is to be remembered now than what is.
    pub fn is_news(&self) -> bool {
        let is_at_home = |known: &InStep| known.place == self.place;
        self.gap().is_some()
            || self.short.is_empty() && !self.known.as_ref().is_some_and(is_at_home)
    }

    /// What is to be remembered of it from now on.
    pub fn record(&self) -> InStep {
        InStep {
            number: self.id.number(),
            place: self.place.clone(),
            missed: self.short.first().cloned(),
            marks: self.marks.clone(),
        }
    }

    pub fn findings(&self) -> impl Iterator<Item = OutOfStep> {
        self.short.iter().map(|what| OutOfStep {
            migration: self.id.clone(),
            what: what.clone(),
        })
    }
}

/// The triggers of the migrations that are under way, beside what is remembered of them; of the one of `only`, where that is given.
///
/// Where the catalogue shows this role only a part of its code, nothing is concluded from what is missing. While a contract takes
/// the old format away, its own statements take the triggers.
pub(super) async fn watch(
    project: &Project,
    schema: &Schema,
    only: Option<&MigrationId>,
    ledger: &mut Ledger<'_>,
) -> Result<Vec<Watched>, LedgerError> {
    let dialect = ledger.capabilities().dialect;
    let mut made = made(project, schema, only, dialect);
    let mut at = 0;
    while let Some((migration, ..)) = made.get(at) {
        let id = migration.id();
        let is_going = schema
            .get(id)
            .is_some_and(|state| state.phase == Phase::Contracting)
            && past_return((id, Some(*migration)), Step::Contract, ledger).await?;
        if is_going {
            made.remove(at);
        } else {
            at += 1;
        }
    }
    if made.is_empty() {
        return Ok(Vec::new());
    }
    let known = ledger.in_step().await?;
    let connection = ledger.connection().await?;
    let inventory = connection.inventory().await?;
    let now = connection.trigger_marks().await?;
    if inventory.visible == Visible::Part || now.seen == MarksSeen::Part {
        return Ok(Vec::new());
    }
    let elsewhere = Elsewhere::new(project, schema, dialect);
    let mut watched: Vec<Watched> = Vec::new();
    for (migration, script, code) in &made {
        let id = migration.id();
        let mut one = Watched {
            id: id.clone(),
            short: Vec::new(),
            marks: Vec::new(),
            place: now.place.clone(),
            known: known
                .iter()
                .find(|known| known.number == id.number())
                .cloned(),
            touched: None,
        };
        for trigger in triggers(code) {
            one.marks.extend(marks_of(trigger, &now));
            if elsewhere.changes(id, trigger) {
                continue;
            }
            if let Some(how) = inventory.falls_short(code, script, trigger) {
                let table = trigger.table.as_deref().unwrap_or_default();
                one.short
                    .push(format!("the trigger `{}` of `{table}` {how}", trigger.name));
            }
        }
        one.marks.sort();
        one.marks.dedup();
        let touched = one.known.as_ref().and_then(|known| known.touched(&now));
        one.touched = touched.map(|(Touched::Gone(what) | Touched::Again(what))| what);
        watched.push(one);
    }
    Ok(watched)
}

/// The mark of the trigger of that name; where there is none, those of all of its table, one of which does instead.
fn marks_of(trigger: &Dependent, now: &TriggerMarks) -> Vec<KnownMark> {
    let table = trigger.table.as_deref().unwrap_or_default();
    let of_table = || {
        let same = |one: &&TriggerMark| one.table.eq_ignore_ascii_case(table);
        now.all.iter().filter(same)
    };
    let known = |one: &TriggerMark, is| KnownMark {
        table: one.table.clone(),
        name: one.name.clone(),
        mark: one.mark.clone(),
        is,
    };
    match of_table().find(|one| one.name.eq_ignore_ascii_case(&trigger.name)) {
        Some(one) => vec![known(one, TriggerStanding::Own)],
        None => of_table()
            .map(|one| known(one, TriggerStanding::Instead))
            .collect(),
    }
}

/// What the scripts of applied migrations have made or changed that a trigger may be, or depend on, by its name in lower case.
struct Elsewhere<'p> {
    dialect: Dialect,
    objects: HashMap<String, Vec<(&'p MigrationId, &'p Object)>>,
}

impl<'p> Elsewhere<'p> {
    fn new(project: &'p Project, schema: &'p Schema, dialect: Dialect) -> Self {
        let mut objects: HashMap<String, Vec<(&'p MigrationId, &'p Object)>> = HashMap::new();
        let applied = schema.migrations().iter();
        for state in applied.filter(|state| state.phase != Phase::Pending) {
            let Some(migration) = project.as_read(state.id()) else {
                continue;
            };
            let files = migration.files(dialect);
            let contract = files.contract.as_ref();
            let contract = contract.filter(|_| state.phase.contract_has_begun());
            let scripts = files.expand.iter().chain(contract);
            for object in scripts
                .flat_map(|file| &file.script.statements)
                .flat_map(|one| one.objects())
            {
                let name = match (object.kind, object.verb) {
                    (ObjectKind::Trigger | ObjectKind::Function, _)
                    // A database writes the text of the trigger anew.
                    | (ObjectKind::Table, Verb::Rename) => &object.name,
                    (ObjectKind::Column, Verb::Rename) => match &object.table {
                        Some(table) => table,
                        None => continue,
                    },
                    _ => continue,
                };
                let known = objects.entry(name.to_lowercase()).or_default();
                known.push((state.id(), object));
            }
        }
        Self { dialect, objects }
    }

    /// Whether the script of another migration may have made it another than it was, as somebody has vouched for.
    fn changes(&self, own: &MigrationId, trigger: &Dependent) -> bool {
        let (table, calls) = (trigger.table.as_deref(), trigger.calls.as_deref());
        let names = [Some(trigger.name.as_str()), calls, table];
        names.into_iter().flatten().any(|name| {
            let known = self.objects.get(&name.to_lowercase()).into_iter().flatten();
            let mut others = known.filter(|(id, _)| *id != own);
            others.any(|(_, object)| self.is_about(object, trigger))
        })
    }

    fn is_about(&self, object: &Object, trigger: &Dependent) -> bool {
        let same = |a: &str, b: &str| self.dialect.may_be_same_name(a, b);
        let is = |name: &str, wanted: Option<&str>| wanted.is_some_and(|wanted| same(name, wanted));
        let table = trigger.table.as_deref();
        match object.kind {
            ObjectKind::Trigger => same(&object.name, &trigger.name),
            ObjectKind::Function => is(&object.name, trigger.calls.as_deref()),
            ObjectKind::Table => is(&object.name, table),
            ObjectKind::Column => object.table.as_deref().is_some_and(|of| is(of, table)),
            _ => false,
        }
    }
}
