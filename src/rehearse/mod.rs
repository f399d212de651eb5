//! A migration tried on scratch databases: what its declaration claims is tested, before anybody believes it.
//!
//! | file | owns |
//! | --- | --- |
//! | `derived`, `names` | pure: the ranges that recorded statements of releases show, and the names that one format alone has |
//! | `report` | pure: what was found, tried and measured |
//! | `shape` | pure: catalogues and their differences, and which of it is the old and the new format |
//! | `values`, `rows` | pure: awkward values of every type, and the statements that versions write them with |
//! | `tongue` | what each database is asked, as data; one file each |
//! | `scratch`, `world` | databases that are ours, and what is done in one |
//! | `standing` | a table of the project's own database, read for whoever declares a change of it |
//! | `traced` | pure: what the rules of `check` say of a statement, beside what it did |
//! | `stage`, `seeds` | the state before the migration, and the rows that every trial begins with |
//! | `trial` | the trials: one file each |
//!
//! One law carries most of them. The new format of a row is what the migration's own backfill makes of its old format. So whatever
//! versions have written, in whatever order and from however many sessions: taking the old format of all rows, putting it
//! into a database of its own, expanding and backfilling that has to give the new format that is there.
//!
//! Invariant: nothing is done to any database but those that the rehearsal has made itself.

mod derived;
mod names;
mod report;
mod rows;
mod scratch;
mod seeds;
mod shape;
mod stage;
mod standing;
mod tongue;
mod traced;
mod trial;
mod values;
mod world;

use std::collections::BTreeMap;
use std::time::Instant;

pub use derived::{Derived, Shown};
pub use report::{Finding, Measured, Rehearsal, Tried, Weight};
pub use standing::standing;
pub use traced::{Judged, Traced};

use crate::database::{DatabaseError, Target};
use crate::interrupt::Interrupt;
use crate::model::MigrationId;
use crate::project::{Migration, Project};
use crate::sql::Dialect;

/// What a rehearsal goes by.
pub struct Settings<'s> {
    pub project: &'s Project,
    /// The server on which scratch databases are made, for databases that are one.
    pub server: Option<&'s Target>,
    /// Path and text of what makes the schema that no migration made.
    pub schema: Option<(String, String)>,
    /// Path and text of statements that write rows as the application does.
    pub seed: Option<(String, String)>,
    /// The files of statements that probes and `statements` of the services name, by their paths.
    pub recorded: &'s BTreeMap<String, String>,
    /// How many rows the largest table has while statements are measured.
    pub rows: u64,
    pub interrupt: Interrupt,
}

/// Why nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub enum RehearseError {
    #[error("{why}")]
    Cannot { why: String, help: String },
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl RehearseError {
    fn cannot(why: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Cannot {
            why: why.into(),
            help: help.into(),
        }
    }
}

/// Tries one migration on one kind of database.
///
/// # Errors
/// It could not be tried: that says nothing about the migration.
pub async fn rehearse(
    settings: &Settings<'_>,
    migration: &Migration,
    dialect: Dialect,
) -> Result<Rehearsal, RehearseError> {
    // What another tool does is not tried, and what came by it would be missing.
    let so_far = settings.project.migrations.iter();
    let mut so_far = so_far.take_while(|one| one.id() <= migration.id());
    if let Some(by_runner) = so_far.find(|one| !one.files(dialect).revisions.is_empty()) {
        return Err(RehearseError::cannot(
            format!(
                "{} is carried out by the migration tool of [runner], which is not rehearsed",
                by_runner.id()
            ),
            "try its revisions with that tool, on a database of its own",
        ));
    }
    let began = Instant::now();
    let scratch = scratch::Scratch::new(dialect, settings.server, settings.interrupt).await?;
    let tried = trial::all(&scratch, settings, migration).await;
    scratch.end().await;
    let tried = tried?;
    Ok(Rehearsal {
        migration: MigrationId::clone(migration.id()),
        database: dialect,
        findings: report::in_order(tried.findings),
        tried: tried.tried,
        rows: settings.rows,
        statements: tried.measured,
        derived: tried.derived,
        took: began.elapsed(),
    })
}
