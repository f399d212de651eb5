//! What the expands of a project make and nobody has made before.

use super::Project;
use crate::model::MigrationId;
use crate::sql::{Dialect, Made, Making};

impl Project {
    /// The tables and columns that the expands make on this database, each with its migration, in the order in which they run:
    /// where nothing was applied, none of them is there. Of migrations that cannot be read, and of those after them, nothing is said.
    #[must_use]
    pub fn made(&self, dialect: Dialect) -> Vec<(MigrationId, Made)> {
        let first_broken = self.flaws.migrations.iter().map(|broken| broken.id()).min();
        let readable = self.migrations.iter();
        let readable =
            readable.take_while(|one| first_broken.is_none_or(|broken| one.id() < broken));
        let mut making = Making::new(dialect);
        let mut made = Vec::new();
        for migration in readable {
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
}
