//! What the contract of an earlier migration takes away or makes, and a later expand counts on: a name that is free by then, a key that is
//! there, a rule that is not. In a database that has come so far the contract was long ago; in a new one it is still to come.
//!
//! Pure: the scripts tell, and of what a constant is written to, or a view is made over, the declaration.

use std::collections::BTreeMap;

use crate::change::{Change, Kind, Varied, is_literal};
use crate::model::{Basis, Keeps, MigrationId, Step};
use crate::sql::{Dialect, Object, ObjectKind, Place, Statement, Verb};

use super::definitions::{words, words_beside};
use super::files::Files;

/// The same of one migration.
#[derive(Debug, Default)]
pub(super) struct CountsOn {
    outcomes: Vec<Outcome>,
    /// What its expand makes, or gives a name.
    makes: Vec<Named>,
    /// The keys that its expand refers to.
    refers: Vec<(Place, Vec<String>)>,
    /// Columns in which there will be a constant.
    fills: Option<(Place, Vec<String>)>,
    /// A table over all of whose columns there is a view from the expand on.
    views: Option<Place>,
}

/// What a contract does.
#[derive(Debug)]
struct Outcome {
    of: Named,
    what: Does,
}

#[derive(Debug)]
enum Does {
    TakesAway,
    /// A unique index or constraint, with the statement.
    MakesUnique(String),
    /// Gives a column another type.
    Retypes,
}

/// Something in the catalogue.
#[derive(Debug)]
struct Named {
    kind: ObjectKind,
    /// The table that it is, or is of; `None` where the statement names none.
    place: Option<Place>,
    name: String,
}

impl CountsOn {
    pub fn of(files: &Files, change: Option<&Change>, dialect: Dialect) -> Self {
        let expand = files.expand.iter().flat_map(|file| &file.script.statements);
        let contract: &[Statement] = match &files.contract {
            Some(file) => &file.script.statements,
            None => &[],
        };
        let made_by_contract: Vec<Named> = contract.iter().flat_map(made).collect();
        let mut outcomes: Vec<Outcome> = contract.iter().flat_map(outcomes).collect();
        let makes: Vec<Named> = expand.clone().flat_map(made).collect();
        // What it makes again is there, and what it made itself concerns nobody; who makes code of its expand again goes on with it.
        let is_code = |made: &&Named| {
            matches!(
                made.kind,
                ObjectKind::Trigger | ObjectKind::Function | ObjectKind::View
            )
        };
        outcomes.retain(|outcome| {
            let mut there = made_by_contract.iter().chain(makes.iter().filter(is_code));
            !matches!(outcome.what, Does::TakesAway)
                || !there.any(|made| made.may_be(&outcome.of, dialect))
        });
        let mut found = Self {
            outcomes,
            makes,
            ..Self::default()
        };
        for reference in expand.flat_map(|statement| statement.references(dialect)) {
            if !reference.parent_columns.is_empty() {
                let parent = Place::named(&reference.parent);
                found.refers.push((parent, reference.parent_columns));
            }
        }
        let Some(change) = change else { return found };
        let place = || Some(Place::named(&change.table));
        let fills = |columns: &[String]| Some((Place::named(&change.table), columns.to_vec()));
        match &change.kind {
            Kind::NotNull(kind) if is_constant(kind.fill.as_ref(), dialect) => {
                found.fills = fills(std::slice::from_ref(&kind.column));
            }
            Kind::Default(kind) if is_constant(kind.to.as_ref(), dialect) => {
                found.fills = fills(std::slice::from_ref(&kind.column));
            }
            Kind::DropColumn(kind) if is_constant(kind.placeholder.as_ref(), dialect) => {
                found.fills = fills(&kind.columns);
            }
            Kind::RenameTable(_) => found.views = place(),
            Kind::DropIndex(kind) => {
                // Where the statement does not name the table, the declaration does.
                for outcome in &mut found.outcomes {
                    let is_it = outcome.of.kind == ObjectKind::Index
                        && dialect.may_be_same_name(&outcome.of.name, &kind.name);
                    if is_it && outcome.of.place.is_none() {
                        outcome.of.place = place();
                    }
                }
            }
            _ => {}
        }
        found
    }
}

/// Whether many rows get the same: a function may give each its own, and parentheses in a text are none.
fn is_constant(value: Option<&Varied>, dialect: Dialect) -> bool {
    let text = value.and_then(|value| value.of(dialect));
    text.is_some_and(|text| is_literal(text.trim()) || !text.contains('('))
}

fn made(statement: &Statement) -> Vec<Named> {
    let given = statement
        .objects()
        .filter_map(|object| Some(Named::of(object, object.given_name()?.to_owned())));
    given.collect()
}

fn outcomes(statement: &Statement) -> Vec<Outcome> {
    let found = statement.objects().filter_map(|object| {
        let what = match (object.kind, object.verb) {
            (_, Verb::Drop | Verb::Rename) => Does::TakesAway,
            (ObjectKind::Index | ObjectKind::Constraint, Verb::Create) => {
                let mut words = words(&statement.text);
                words
                    .any(|word| word.eq_ignore_ascii_case("unique"))
                    .then(|| Does::MakesUnique(statement.text.clone()))?
            }
            (ObjectKind::Column, Verb::Alter) => {
                let words = words_beside(&statement.text, &object.name);
                let mut words = words.into_iter();
                words
                    .any(|word| word.eq_ignore_ascii_case("type"))
                    .then_some(Does::Retypes)?
            }
            _ => return None,
        };
        let of = Named::of(object, object.name.clone());
        Some(Outcome { of, what })
    });
    found.collect()
}

impl Named {
    fn of(object: &Object, name: String) -> Self {
        Self {
            kind: object.kind,
            place: object.place(),
            name,
        }
    }

    /// Whether both may be one thing.
    fn may_be(&self, other: &Self, dialect: Dialect) -> bool {
        let in_one = match (self.kind, &self.place, &other.place) {
            // Of a schema, whatever table it is of.
            (ObjectKind::Index, Some(one), Some(two)) if dialect != Dialect::Mysql => {
                one.may_lie_beside(two, dialect)
            }
            (_, Some(one), Some(two)) => one.may_be(two, dialect),
            _ => true,
        };
        in_one && self.kind == other.kind && dialect.may_be_same_name(&self.name, &other.name)
    }

    fn is_of(&self, place: &Place, dialect: Dialect) -> bool {
        self.place
            .as_ref()
            .is_some_and(|own| own.may_be(place, dialect))
    }
}

/// The contracts of the migrations before one, by what they take away or make and by its table.
#[derive(Default)]
pub(super) struct Outcomes<'d> {
    by_name: BTreeMap<String, Vec<Open<'d>>>,
    by_table: BTreeMap<String, Vec<Open<'d>>>,
}

/// An outcome of a contract, which may not be there yet.
#[derive(Clone, Copy)]
struct Open<'d> {
    id: &'d MigrationId,
    /// Its place among all migrations.
    at: usize,
    outcome: &'d Outcome,
}

/// The columns of an index or constraint of a table, as the migrations before one leave it; `None` if they do not tell.
pub(super) type Over<'f> = &'f dyn Fn(usize, &Place, &str) -> Option<Vec<String>>;

impl<'d> Outcomes<'d> {
    pub fn add(&mut self, (at, id): (usize, &'d MigrationId), of: &'d CountsOn) {
        for outcome in &of.outcomes {
            let open = Open { id, at, outcome };
            let name = outcome.of.name.to_lowercase();
            self.by_name.entry(name).or_default().push(open);
            if let Some(place) = &outcome.of.place {
                let table = place.table.to_lowercase();
                self.by_table.entry(table).or_default().push(open);
            }
        }
    }

    /// What a later migration has to wait for.
    pub fn before(&self, later: &CountsOn, over: Over<'_>, dialect: Dialect) -> Vec<Basis> {
        let mut found: Vec<Open<'_>> = Vec::new();
        for made in &later.makes {
            let there = self.by_name.get(&made.name.to_lowercase());
            found.extend(there.into_iter().flatten().filter(|open| {
                let (of, what) = (&open.outcome.of, &open.outcome.what);
                matches!(what, Does::TakesAway) && of.may_be(made, dialect)
            }));
        }
        for (parent, columns) in &later.refers {
            found.extend(self.of_table(parent, dialect).filter(|open| {
                let Does::MakesUnique(text) = &open.outcome.what else {
                    return false;
                };
                columns.iter().all(|column| dialect.names(text, column))
            }));
        }
        if let Some((filled, columns)) = &later.fills {
            found.extend(self.of_table(filled, dialect).filter(|open| {
                let (of, what) = (&open.outcome.of, &open.outcome.what);
                let is_rule = matches!(of.kind, ObjectKind::Index | ObjectKind::Constraint);
                let is_one = |a: &String| columns.iter().any(|b| dialect.may_be_same_name(a, b));
                is_rule
                    && matches!(what, Does::TakesAway)
                    && over(open.at, filled, &of.name).is_none_or(|over| over.iter().any(is_one))
            }));
        }
        if let Some(viewed) = &later.views {
            let columns = self.of_table(viewed, dialect);
            found.extend(columns.filter(|open| open.outcome.of.kind == ObjectKind::Column));
        }
        let bases = found.into_iter().map(|open| Basis {
            migration: open.id.clone(),
            keeps: open.outcome.of.kept(),
            from: Step::Expand,
        });
        bases.collect()
    }

    fn of_table(&self, place: &Place, dialect: Dialect) -> impl Iterator<Item = Open<'d>> {
        let there = self.by_table.get(&place.table.to_lowercase());
        let of_it = there.into_iter().flatten().copied();
        of_it.filter(move |open| open.outcome.of.is_of(place, dialect))
    }
}

impl Named {
    fn kept(&self) -> Keeps {
        let is_itself = matches!(self.kind, ObjectKind::Table | ObjectKind::View);
        let place = self.place.as_ref().filter(|_| !is_itself);
        Keeps::Outcome {
            table: place.map(|place| place.table.clone()),
            name: self.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_rows_get_is_a_constant() {
        for (value, expected) in [
            ("''", true),
            ("'none (yet)'", true),
            ("0", true),
            ("CURRENT_TIMESTAMP", true),
            ("md5(random()::text)", false),
            ("'a' || nextval('s')", false),
        ] {
            let value = Varied::from(value);
            assert_eq!(
                is_constant(Some(&value), Dialect::Postgres),
                expected,
                "{value:?}"
            );
        }
        assert!(!is_constant(None, Dialect::Postgres));
    }
}
