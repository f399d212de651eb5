//! What others wait for while a script runs: which statement locks, reads or writes a whole table that was there before it.
//!
//! How large a table is stands in no file, so nothing here stops anything. What each finding is called, and what to do about
//! it, are the rules of `docs/rules.md`; that the servers do as it is said is asked of them in `tests/suite/rules`.

mod keys;
mod mysql;
mod postgres;
mod release;
mod sqlite;
mod toll;
mod words;

#[cfg(test)]
mod tests;

pub use keys::NewKey;
pub use release::{Release, Servers};

use super::{Dialect, Mode, ObjectKind, Place, Script, Statement, Verb};
use toll::Toll;

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Work {
    /// It keeps readers out, or has them wait behind it.
    LocksOut,
    /// It keeps writers out.
    LocksWrites,
    /// It reads every row under a lock that keeps others out.
    Scans,
    /// It writes every row anew.
    Rewrites,
    /// It gives rows their values in one statement and one transaction.
    Fills,
    /// It takes long while a statement before it keeps others out until the transaction ends.
    Holds,
    /// The type of a new column has no equality.
    NoEquality,
    /// It takes what an interrupted build has left for what it would build.
    KeepsInvalid,
}

/// When it is worth a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// There is another way to write it.
    Avoidable,
    /// There is none, so only a table that is known to be large is worth it.
    IfLarge,
}

/// What one statement costs those who use a table that was there before its script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    pub work: Work,
    /// The table whose users wait; `None` if the statement does not name it.
    pub place: Option<Place>,
    /// A sentence.
    pub says: String,
    /// What to write instead; a clause that follows `help:`.
    pub instead: String,
    pub weight: Weight,
}

/// What is known beside the script itself.
#[derive(Clone, Copy)]
pub struct Known<'a> {
    pub servers: Servers,
    /// The scripts of its migration that run before it, in their order.
    pub before: &'a [&'a Script],
    /// Whether an earlier migration has a constraint by which this column of this table is not NULL.
    pub is_not_null: &'a dyn Fn(&Place, &str) -> bool,
    /// Whether no two rows of this table have the same value in this column, as far as earlier migrations tell.
    pub is_key: &'a dyn Fn(&Place, &str) -> bool,
    /// What a type of an earlier migration asks of its values; `None` where none makes it.
    pub domain: &'a dyn Fn(&str) -> Option<DomainChecks>,
}

/// What a type asks of the values of a new column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainChecks {
    Nothing,
    /// It is a domain with a constraint: PostgreSQL writes every row anew to look at its value.
    EachValue,
}

/// The tables that a script has made so far.
#[derive(Default)]
struct Own {
    made: Vec<Place>,
    /// Those among them that hold as many rows as a table that was there before.
    filled: Vec<Place>,
}

impl Script {
    /// What each of its statements costs others.
    #[must_use]
    pub fn costs(&self, known: &Known<'_>) -> Vec<Vec<Cost>> {
        let tolls: Vec<Toll> = (0..self.statements.len())
            .map(|index| match self.dialect {
                Dialect::Postgres => postgres::toll(self, index, known),
                Dialect::Mysql => mysql::toll(self, index, known),
                Dialect::Sqlite => sqlite::toll(self, index, known),
            })
            .collect();
        let mut own = Own::default();
        let mut held: Vec<toll::Lock> = Vec::new();
        let holds = self.mode == Mode::Transactional && self.dialect == Dialect::Postgres;
        let mut found = Vec::with_capacity(tolls.len());
        for (index, toll) in tolls.into_iter().enumerate() {
            let line = self.statements.get(index).map_or(0, |one| one.line);
            // Nobody else knows yet what the script itself has made.
            let is_own =
                |place: &Place| own.made.iter().any(|made| self.is_same_place(made, place));
            let mut costs = toll.costs;
            costs.retain(|cost| !cost.place.as_ref().is_some_and(is_own));
            let is_empty = |place: &Place| {
                is_own(place)
                    && !own
                        .filled
                        .iter()
                        .any(|filled| self.is_same_place(filled, place))
            };
            if let Some(long) = &toll.long
                && holds
                && !long.place.as_ref().is_some_and(is_empty)
                && let Some(lock) = held
                    .iter()
                    .filter(|lock| !self.is_told(lock, &costs))
                    .max_by_key(|lock| lock.level)
            {
                costs.retain(|cost| cost.work != Work::Fills);
                costs.push(lock.held_during(long, |a, b| self.is_same_place(a, b)));
            }
            let locks = toll.locks.into_iter();
            held.extend(
                locks
                    .filter(|lock| !is_own(&lock.place))
                    .map(|lock| toll::Lock { line, ..lock }),
            );
            own.made.extend(toll.makes);
            own.filled.extend(toll.fills);
            if let Some(statement) = self.statements.get(index) {
                self.follow(statement, &mut own);
            }
            found.push(costs);
        }
        found
    }

    /// Whether the users of its table are kept out by the statement itself, or by all that it is said to do.
    fn is_told(&self, lock: &toll::Lock, costs: &[Cost]) -> bool {
        let mut others = costs.iter().filter(|cost| cost.work != Work::Fills);
        others.any(|cost| {
            let place = cost.place.as_ref();
            place.is_none_or(|place| self.is_same_place(place, &lock.place))
        })
    }

    /// Under its new name a table is as much the script's own, and as full, as it was.
    fn follow(&self, statement: &Statement, own: &mut Own) {
        for object in statement.objects() {
            let place = |table: &String| Place {
                schema: object.schema.clone(),
                table: table.clone(),
            };
            let Some(new) = object.renamed_to.as_ref().map(place) else {
                continue;
            };
            if object.kind != ObjectKind::Table || object.verb != Verb::Rename {
                continue;
            }
            let was = place(&object.name);
            for places in [&mut own.made, &mut own.filled] {
                if places.iter().any(|one| self.is_same_place(one, &was)) {
                    places.push(new.clone());
                }
            }
        }
    }

    /// A name without a schema may be the same as one with it: a wrong finding costs more here than one that is missing.
    fn is_same_place(&self, a: &Place, b: &Place) -> bool {
        let schemas = match (&a.schema, &b.schema) {
            (Some(a), Some(b)) => self.dialect.may_be_same_name(a, b),
            _ => true,
        };
        schemas && self.dialect.may_be_same_name(&a.table, &b.table)
    }
}

/// What a type that a script of PostgreSQL makes asks of its values.
#[must_use]
pub fn checks_of_domain(script: &Script, name: &str) -> Option<DomainChecks> {
    (script.dialect == Dialect::Postgres)
        .then(|| postgres::checks_of_domain(script, name))
        .flatten()
}

/// Whether a script of PostgreSQL has a constraint by which the column is not NULL, `NOT VALID` or not.
#[must_use]
pub fn shows_not_null(script: &Script, place: &Place, column: &str) -> bool {
    script.dialect == Dialect::Postgres && postgres::shows_not_null(script, place, column)
}
