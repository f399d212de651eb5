//! What the expands of a project make and nobody has made before, and what its contracts take away.

use super::{Migration, Project};
use crate::model::MigrationId;
use crate::sql::{Dialect, Made, Making, Taking};

/// What tells that a migration has been at work in a database.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Trace {
    pub migration: MigrationId,
    pub sign: Sign,
    pub what: Made,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sign {
    /// It is there, and the expand makes it.
    There,
    /// It is not there, and the contract takes it away.
    Gone,
}

impl Project {
    /// The migrations before the first that cannot be read.
    fn readable(&self) -> impl Iterator<Item = &Migration> {
        let first_broken = self.flaws.migrations.iter().map(|broken| broken.id()).min();
        let all = self.migrations.iter();
        all.take_while(move |one| first_broken.is_none_or(|broken| one.id() < broken))
    }

    /// The tables and columns that the expands make on this database, each with its migration, in the order in which they run:
    /// where nothing was applied, none of them is there. Of migrations that cannot be read, and of those after them, nothing is said.
    #[must_use]
    pub fn made(&self, dialect: Dialect) -> Vec<(MigrationId, Made)> {
        let mut making = Making::new(dialect);
        let mut made = Vec::new();
        for migration in self.readable() {
            let files = migration.files(dialect);
            if let Some(file) = &files.expand {
                let new = making.read(&file.script).into_iter();
                made.extend(new.map(|new| (migration.id().clone(), new)));
            }
            // Before what comes after it.
            if let Some(file) = &files.contract {
                making.read(&file.script);
            }
        }
        made
    }

    /// What tells whether the migrations after `baseline`, which stands for a schema that was there before them, have been at work.
    #[must_use]
    pub fn traces_after(&self, baseline: &MigrationId, dialect: Dialect) -> Vec<Trace> {
        let (before, after): (Vec<_>, Vec<_>) = self
            .readable()
            .partition(|migration| migration.id() <= baseline);
        let mut making = Making::new(dialect);
        let mut taking = Taking::new(dialect);
        for migration in before {
            if let Some(file) = &migration.files(dialect).expand {
                taking.begins_with(&file.script);
            }
        }
        let mut traces = Vec::new();
        for migration in after {
            let files = migration.files(dialect);
            for (sign, file) in [(Sign::There, &files.expand), (Sign::Gone, &files.contract)] {
                let Some(file) = file else {
                    continue;
                };
                let (made, taken) = (making.read(&file.script), taking.read(&file.script));
                let what = match sign {
                    Sign::There => made,
                    Sign::Gone => taken,
                };
                traces.extend(what.into_iter().map(|what| Trace {
                    migration: migration.id().clone(),
                    sign,
                    what,
                }));
            }
        }
        traces
    }
}
