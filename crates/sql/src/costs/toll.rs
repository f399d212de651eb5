//! What one statement takes of those beside it, before the rest of its script is considered.

use super::super::Place;
use super::{Cost, Weight, Work};

/// What to do about rows that go.
pub(super) const IN_PORTIONS: &str = "remove them in portions before this, with a job of the application or by statements that commit in between; of a whole table let a contract drop it";

/// How strong a lock is, as those see it who use the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Nobody writes.
    Writes,
    /// Nobody reads or writes.
    Everything,
}

/// A lock on a table, which the transaction keeps.
#[derive(Clone, Debug)]
pub(super) struct Lock {
    pub place: Place,
    pub level: Level,
    /// Of the statement that took it.
    pub line: usize,
}

/// Something that takes the longer the more rows there are.
#[derive(Clone, Debug)]
pub(super) struct Long {
    /// A verb with its object: `reads every row of`.
    pub what: &'static str,
    pub place: Option<Place>,
    pub weight: Weight,
}

#[derive(Default)]
pub(super) struct Toll {
    pub costs: Vec<Cost>,
    pub locks: Vec<Lock>,
    pub long: Option<Long>,
    /// Tables that are the script's own from here on.
    pub makes: Vec<Place>,
    /// The table that this gives as many rows as there are elsewhere.
    pub fills: Option<Place>,
}

impl Toll {
    pub fn cost(
        &mut self,
        work: Work,
        place: Option<&Place>,
        says: impl Into<String>,
        instead: impl Into<String>,
    ) {
        let cost = Cost {
            work,
            place: place.cloned(),
            says: says.into(),
            instead: instead.into(),
            weight: Weight::Avoidable,
        };
        if !self.costs.contains(&cost) {
            self.costs.push(cost);
        }
    }

    /// As [`Self::cost`], where there is no other way.
    pub fn if_large(
        &mut self,
        work: Work,
        place: Option<&Place>,
        says: impl Into<String>,
        instead: impl Into<String>,
    ) {
        self.cost(work, place, says, instead);
        if let Some(last) = self.costs.last_mut() {
            last.weight = Weight::IfLarge;
        }
    }

    pub fn lock(&mut self, place: &Place, level: Level) {
        self.locks.push(Lock {
            place: place.clone(),
            level,
            line: 0,
        });
    }

    /// As [`Self::cost`], of so much weight.
    pub fn weighing(
        &mut self,
        weight: Weight,
        (work, place): (Work, &Place),
        says: impl Into<String>,
        instead: impl Into<String>,
    ) {
        self.cost(work, Some(place), says, instead);
        if let Some(last) = self.costs.last_mut() {
            last.weight = weight;
        }
    }

    pub fn long(&mut self, what: &'static str, place: Option<&Place>) {
        self.long_weighing(Weight::Avoidable, what, place);
    }

    pub fn long_weighing(&mut self, weight: Weight, what: &'static str, place: Option<&Place>) {
        self.long = self.long.take().or_else(|| {
            Some(Long {
                what,
                place: place.cloned(),
                weight,
            })
        });
    }
}

impl Lock {
    /// What it costs that this lock is held while a later statement of the transaction takes its time.
    pub fn held_during(&self, long: &Long, is_same: impl Fn(&Place, &Place) -> bool) -> Cost {
        let nobody = match self.level {
            Level::Writes => "nobody writes to it",
            Level::Everything => "nobody reads or writes it",
        };
        let own = long
            .place
            .as_ref()
            .is_some_and(|place| is_same(place, &self.place));
        let of = match &long.place {
            Some(place) if !own => format!(" `{}`", place.table),
            Some(_) => " the table".to_owned(),
            None => " what it names".to_owned(),
        };
        let scans = long.what.starts_with("checks") || long.what.starts_with("reads");
        Cost {
            work: if own && scans {
                Work::Scans
            } else {
                Work::Holds
            },
            place: Some(self.place.clone()),
            says: format!(
                "this {}{of} while the script still holds the lock that line {} takes on `{}`: {nobody} until the transaction ends",
                long.what, self.line, self.place.table
            ),
            instead: format!(
                "let it stand in a transaction of its own: make `-- migrate: no-transaction` the first line of the file, move it before line {}, or move rows in backfill.sql",
                self.line
            ),
            weight: long.weight,
        }
    }
}
