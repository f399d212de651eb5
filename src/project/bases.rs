//! Which migrations change what an earlier one keeps until its contract: columns that its triggers keep in step, or a view in a
//! table's place.
//!
//! Pure: of a declared change its declaration tells, of scripts the objects that their statements name. What only adds other
//! columns, an index or a constraint goes its way: a constraint over new columns may be there before the old ones go.

use std::collections::BTreeMap;

use crate::change::{Change, Kind};
use crate::model::{Basis, Keeps, MigrationId, Step, Sync};
use crate::sql::{Dialect, Object, ObjectKind, Place, Script, Statement, Verb};

use super::counts_on::{CountsOn, Outcomes, Over};
use super::definitions::{Contracts, Definitions, says_default_alone};
use super::files::Files;
use super::fired::{self, Apart};
use super::kept::{given, kept};
use super::later::{self, Forward};
use super::migration::Migration;

/// What a migration does that others may build on, or that builds on others.
pub(super) struct Deeds {
    id: MigrationId,
    each: BTreeMap<Dialect, Own>,
}

/// The same on one database.
#[derive(Debug, Default)]
struct Own {
    /// Each with the table or view whose changes concern it.
    keeps: Vec<(Place, Keeps)>,
    /// The triggers that keep it, by which one tells a migration that takes them away.
    triggers: Vec<String>,
    changes: Vec<Changes>,
    /// Code that its expand fires, of which another migration tells the rest.
    apart: Vec<Apart>,
    /// Triggers that its expand takes away, with their tables where the statement names them.
    drops: Vec<(Option<Place>, String)>,
    definitions: Definitions,
    counts_on: CountsOn,
    /// Whether what it keeps is one column whose NULLs are filled: a default beside that is nobody's harm.
    is_fill: bool,
}

#[derive(Debug)]
struct Changes {
    place: Place,
    what: What,
}

/// What is changed of a table.
#[derive(Debug)]
enum What {
    Column {
        name: String,
        /// Whether it adds one, drops it, or makes something else of it.
        verb: Verb,
        /// Whether it gives it a default, or takes that away, and no more.
        is_default: bool,
    },
    /// Takes it away, or gives it another name.
    Itself,
    /// Anything that a view cannot stand in for.
    Shape,
    /// A trigger of its own beside those that are there, with its text and that of what it runs.
    Trigger { name: String, text: String },
}

impl Deeds {
    pub fn of(migration: &Migration, change: Option<&Change>) -> Self {
        let sync = migration.declaration.sync;
        let each = migration.files.iter().map(|(dialect, files)| {
            let asked = asked(migration, *dialect);
            let of_scripts = Own {
                definitions: Definitions::of(files, asked, *dialect),
                counts_on: CountsOn::of(files, change, *dialect),
                ..Own::of(sync, files, *dialect)
            };
            let own = match change {
                Some(change) => Own {
                    triggers: of_scripts.triggers,
                    drops: of_scripts.drops,
                    definitions: reshaping(of_scripts.definitions, change),
                    counts_on: of_scripts.counts_on,
                    ..declared(change)
                },
                None => of_scripts,
            };
            (*dialect, own)
        });
        Self {
            id: migration.id().clone(),
            each: each.collect(),
        }
    }
}

impl Own {
    /// By what the scripts say.
    fn of(sync: Sync, files: &Files, dialect: Dialect) -> Self {
        let expand = || files.expand.iter().flat_map(|file| &file.script.statements);
        Self {
            keeps: kept(sync, files, dialect),
            changes: (files.expand.iter().chain(&files.contract))
                .flat_map(|file| changes(&file.script, dialect))
                .collect(),
            apart: (files.expand.iter())
                .flat_map(|file| fired::apart(&file.script))
                .collect(),
            triggers: triggers(expand(), Verb::Create)
                .map(|object| object.name.clone())
                .collect(),
            drops: triggers(expand(), Verb::Drop)
                .map(|object| (object.place(), object.name.clone()))
                .collect(),
            ..Self::default()
        }
    }
}

/// The columns that a declared change makes into others, or carries to another table, as they are at its expand.
fn reshaping(definitions: Definitions, change: &Change) -> Definitions {
    let place = Place::named(&change.table);
    match &change.kind {
        Kind::Columns(kind) => definitions.reshaping(&place, kind.old.iter().cloned()),
        Kind::SplitTable(kind) => {
            let moved = kind.moved().map(|new| new.name.clone());
            definitions.reshaping(&place, moved)
        }
        _ => definitions,
    }
}

/// The queries that are asked before the contract.
fn asked(migration: &Migration, dialect: Dialect) -> Vec<String> {
    let remaining = migration
        .backfill
        .iter()
        .map(|backfill| &backfill.remaining);
    let queries = remaining.chain(&migration.contract_rules.require);
    queries.map(|query| query.of(dialect).to_owned()).collect()
}

fn triggers<'s>(
    statements: impl Iterator<Item = &'s Statement>,
    verb: Verb,
) -> impl Iterator<Item = &'s Object> {
    let objects = statements.flat_map(Statement::objects);
    objects.filter(move |object| object.kind == ObjectKind::Trigger && object.verb == verb)
}

fn declared(change: &Change) -> Own {
    let place = Place::named(&change.table);
    let beside = |name: &str| Place {
        schema: place.schema.clone(),
        ..Place::named(name)
    };
    let mut own = Own::default();
    let mut columns: Vec<&String> = Vec::new();
    let mut keep = |place: &Place, columns: Vec<String>| {
        let table = place.table.clone();
        own.keeps
            .push((place.clone(), Keeps::Columns { table, columns }));
    };
    match &change.kind {
        Kind::Columns(kind) => {
            columns.extend(kind.old.iter().chain(kind.new.iter().map(|new| &new.name)));
            keep(&place, columns.iter().copied().cloned().collect());
        }
        Kind::NotNull(kind) => {
            columns.push(&kind.column);
            if kind.fill.is_some() {
                keep(&place, vec![kind.column.clone()]);
            }
        }
        Kind::AddColumn(kind) => columns.push(&kind.column),
        Kind::Default(kind) => columns.push(&kind.column),
        Kind::Widen(kind) => columns.push(&kind.column),
        Kind::Values(kind) => columns.push(&kind.column),
        Kind::DropColumn(kind) => columns.extend(&kind.columns),
        Kind::RenameTable(kind) => {
            let to = beside(&kind.to);
            let view = Keeps::View(kind.to.clone());
            own.keeps.push((place.clone(), view.clone()));
            own.keeps.push((to.clone(), view));
            own.changes.push(What::Itself.of(place.clone()));
            own.changes.push(What::Shape.of(to));
        }
        Kind::SplitTable(kind) => {
            let to = beside(&kind.to);
            keep(&place, kind.moved().map(|new| new.name.clone()).collect());
            keep(&to, kind.new.iter().map(|new| new.name.clone()).collect());
            columns.extend(kind.moved().map(|new| &new.name));
            own.changes.push(What::Itself.of(to));
        }
        Kind::DropTable(_) => own.changes.push(What::Itself.of(place.clone())),
        Kind::Check(_)
        | Kind::ForeignKey(_)
        | Kind::Unique(_)
        | Kind::Index(_)
        | Kind::DropIndex(_) => {}
    }
    let columns = columns.into_iter().map(|column| {
        let verb = match &change.kind {
            Kind::AddColumn(_) => Verb::Create,
            _ => Verb::Alter,
        };
        let what = What::Column {
            name: column.clone(),
            verb,
            is_default: matches!(&change.kind, Kind::Default(_)),
        };
        what.of(place.clone())
    });
    own.changes.extend(columns);
    own.is_fill = matches!(&change.kind, Kind::NotNull(_));
    own.changes.push(What::Shape.of(place));
    own
}

/// What a script changes. Of a table that another takes the place of within it, the triggers are looked at when that is done.
fn changes(script: &Script, dialect: Dialect) -> Vec<Changes> {
    let statements = &script.statements;
    let there = given(statements);
    let mut changes: Vec<Changes> = statements.iter().flat_map(changed).collect();
    for change in &mut changes {
        if let What::Trigger { name, text } = &mut change.what {
            text.push_str(&fired::code_in(script, &change.place, name));
        }
    }
    changes.retain(|change| {
        !matches!(change.what, What::Itself)
            || !there
                .iter()
                .any(|other| other.may_be(&change.place, dialect))
    });
    changes
}

fn changed(statement: &Statement) -> Vec<Changes> {
    let mut changes = Vec::new();
    for object in statement.objects() {
        let Some(place) = object.place() else {
            continue;
        };
        let mut change = |what: What| changes.push(what.of(place.clone()));
        match object.kind {
            ObjectKind::Column => {
                change(What::Shape);
                for column in std::iter::once(&object.name).chain(&object.renamed_to) {
                    let (name, verb) = (column.clone(), object.verb);
                    let is_default =
                        verb == Verb::Alter && says_default_alone(&statement.text, &object.name);
                    change(What::Column {
                        name,
                        verb,
                        is_default,
                    });
                }
            }
            ObjectKind::Table => {
                change(What::Shape);
                if matches!(object.verb, Verb::Drop | Verb::Rename) {
                    change(What::Itself);
                }
            }
            ObjectKind::Trigger if object.verb == Verb::Create => change(What::Trigger {
                name: object.name.clone(),
                text: statement.text.clone(),
            }),
            ObjectKind::Constraint | ObjectKind::Index => change(What::Shape),
            _ => {}
        }
    }
    changes
}

/// What an earlier migration keeps.
struct Kept<'d> {
    by: &'d MigrationId,
    place: &'d Place,
    triggers: &'d [String],
    keeps: &'d Keeps,
    is_fill: bool,
}

impl Kept<'_> {
    fn basis(&self) -> Basis {
        Basis {
            migration: self.by.clone(),
            keeps: self.keeps.clone(),
            from: Step::Expand,
        }
    }
}

/// What each migration builds on, by the scripts of each database.
#[derive(Clone, Debug, Default)]
pub struct Bases(BTreeMap<Dialect, BTreeMap<MigrationId, Vec<Basis>>>);

impl Bases {
    /// On this database.
    #[must_use]
    pub fn of(&self, dialect: Dialect) -> BTreeMap<MigrationId, Vec<Basis>> {
        self.0.get(&dialect).cloned().unwrap_or_default()
    }

    /// On any of them.
    #[must_use]
    pub fn on_any(&self) -> BTreeMap<MigrationId, Vec<Basis>> {
        let mut all = BTreeMap::new();
        for (id, bases) in self.0.values().flatten() {
            for basis in bases {
                add(&mut all, id, basis.clone());
            }
        }
        all
    }
}

/// What each migration builds on, of migrations in their order.
pub(super) fn of_all(each: &[Deeds], dialects: &[Dialect], forward: &[Forward]) -> Bases {
    let of_each = dialects.iter().map(|dialect| {
        let own = each.iter().enumerate().filter_map(|(at, deeds)| {
            let own = deeds.each.get(dialect)?;
            Some((at, &deeds.id, own))
        });
        let over = |at: usize, place: &Place, name: &str| {
            let before = forward.get(..at)?;
            later::columns_of_rule(before, *dialect, &place.table, name)
        };
        let met = |at: usize, apart: &Apart| {
            let before = forward.get(..at).unwrap_or_default();
            let (place, name, text) = fired::put_together(before, *dialect, apart)?;
            Some(What::Trigger { name, text }.of(place))
        };
        let own = own.collect::<Vec<_>>();
        (*dialect, on(*dialect, &own, &over, &met))
    });
    Bases(of_each.collect())
}

fn on(
    dialect: Dialect,
    each: &[(usize, &MigrationId, &Own)],
    over: Over<'_>,
    met: &dyn Fn(usize, &Apart) -> Option<Changes>,
) -> BTreeMap<MigrationId, Vec<Basis>> {
    let mut bases = BTreeMap::new();
    // By the table or view that it is of: a long history is gone through once.
    let mut kept: BTreeMap<String, Vec<Kept<'_>>> = BTreeMap::new();
    let mut contracts = Contracts::of(each.iter().map(|(.., own)| &own.definitions));
    let mut outcomes = Outcomes::default();
    let mut triggers: BTreeMap<&MigrationId, &[String]> = BTreeMap::new();
    for (at, id, own) in each {
        let fired: Vec<Changes> = match kept.is_empty() {
            true => Vec::new(),
            false => (own.apart.iter())
                .filter_map(|apart| met(*at, apart))
                .collect(),
        };
        for change in own.changes.iter().chain(&fired) {
            let there = kept.get(&change.place.table.to_lowercase());
            for earlier in there.into_iter().flatten() {
                if own.has_to_wait_for(earlier, change, dialect) {
                    add(&mut bases, id, earlier.basis());
                }
            }
        }
        let of_contracts = contracts.before(&own.definitions, dialect);
        let counted_on = outcomes.before(&own.counts_on, over, dialect);
        for basis in of_contracts.into_iter().chain(counted_on) {
            let triggers = triggers.get(&basis.migration).copied().unwrap_or_default();
            if !own.takes_away(triggers, None, dialect) {
                add(&mut bases, id, basis);
            }
        }
        for (place, keeps) in &own.keeps {
            let of_it = kept.entry(place.table.to_lowercase()).or_default();
            of_it.push(Kept {
                by: id,
                place,
                triggers: &own.triggers,
                keeps,
                is_fill: own.is_fill,
            });
        }
        contracts.add(id, &own.definitions);
        outcomes.add((*at, id), &own.counts_on);
        triggers.insert(id, &own.triggers);
    }
    bases
}

/// One for each earlier migration: the one that is waited for first.
fn add(bases: &mut BTreeMap<MigrationId, Vec<Basis>>, id: &MigrationId, basis: Basis) {
    let of_it = bases.entry(id.clone()).or_default();
    let mut known = of_it.iter_mut();
    match known.find(|known| known.migration == basis.migration) {
        Some(known) if known.from <= basis.from => {}
        Some(known) => *known = basis,
        None => of_it.push(basis),
    }
}

impl Own {
    /// Whether this change of it is of what is kept. Who takes the triggers away ends the keeping, and who makes one again goes on
    /// with it: both are looked at when that is done.
    fn has_to_wait_for(&self, earlier: &Kept<'_>, change: &Changes, dialect: Dialect) -> bool {
        let is_of = |name: &String| {
            let mut triggers = earlier.triggers.iter();
            triggers.any(|trigger| dialect.same_name(trigger, name))
        };
        // Of a column that is only filled, the rest may change beside that.
        let is_beside = earlier.is_fill
            && !matches!(change.what, What::Column { is_default, .. } if !is_default);
        let is_made_again = matches!(&change.what, What::Trigger { name, .. } if is_of(name));
        change.place.may_be(earlier.place, dialect)
            && change.is_of(earlier.keeps, dialect)
            && !is_made_again
            && !is_beside
            && !self.takes_away(earlier.triggers, Some(&change.place), dialect)
    }

    /// Whether its expand takes all of these triggers away. One of the same name on another table is another one.
    fn takes_away(&self, triggers: &[String], place: Option<&Place>, dialect: Dialect) -> bool {
        let is_gone = |trigger: &String| {
            self.drops.iter().any(|(of, name)| {
                let is_there = match (of, place) {
                    (Some(of), Some(place)) => of.may_be(place, dialect),
                    _ => true,
                };
                dialect.same_name(trigger, name) && is_there
            })
        };
        !triggers.is_empty() && triggers.iter().all(is_gone)
    }
}

impl What {
    const fn of(self, place: Place) -> Changes {
        Changes { place, what: self }
    }
}

impl Changes {
    /// Whether this changes what is kept, of a table or view of this name.
    fn is_of(&self, keeps: &Keeps, dialect: Dialect) -> bool {
        match (&self.what, keeps) {
            (What::Column { name, .. }, Keeps::Columns { columns, .. }) => columns
                .iter()
                .any(|kept| dialect.may_be_same_name(kept, name)),
            (What::Trigger { text, .. }, Keeps::Columns { columns, .. }) => {
                columns.iter().any(|kept| dialect.mentions(text, kept))
            }
            (What::Itself, Keeps::Columns { .. } | Keeps::Table(_) | Keeps::View(_)) => true,
            (What::Shape, Keeps::Columns { .. }) => false,
            // Of the table behind it, the view has what it had.
            (_, Keeps::View(name)) => dialect.may_be_same_name(&self.place.table, name),
            (What::Column { verb, .. }, Keeps::Table(_)) => *verb != Verb::Create,
            (What::Shape | What::Trigger { .. }, Keeps::Table(_)) => false,
            // These are looked at with the contracts.
            (_, Keeps::Definition { .. } | Keeps::Needed { .. } | Keeps::Outcome { .. }) => false,
        }
    }
}

#[cfg(test)]
mod tests;
