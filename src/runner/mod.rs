//! Other migration tools that carry out a phase: each is one file, with its table, its files and its command line.
//!
//! A new tool is one new file and one row in [`KINDS`].
//!
//! Invariant: what is applied is read from the tool's own history table, over our connection, and from nothing that the tool says
//! of itself: some end with 0 and have done nothing, and some call a revision applied that is not.

mod alembic;
mod command;
mod dbmate;
mod django;
mod drizzle;
mod files;
mod flyway;
mod golang_migrate;
mod history;
mod knex;
mod liquibase;
mod more;
mod node_pg_migrate;
mod prisma;
mod process;
mod python;
mod rails;
mod revision;
#[cfg(test)]
mod sample;
mod scratch;
mod settings;
mod sqlx;
mod table;
mod typeorm;

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

pub use history::{Applied, Standing, applied};
pub use more::{along_with, more_than, name_them};
pub use process::{Called, NAME, RunnerFailure, finish_url, printed, run};
pub use revision::{Reach, Revision, along, unknown_before};
pub use scratch::Scratch;
pub use settings::{Runner, UrlFor};
pub use table::{History, Table};

use crate::row::Row;
use crate::sql::Dialect;

/// What is run, and what has to stay until it has ended.
#[derive(Debug)]
pub struct Call {
    /// Behind the program and what the project puts before it.
    pub arguments: Vec<String>,
    /// A view of the project's files that is gone with this.
    pub scratch: Option<Scratch>,
}

impl Call {
    fn new(arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            arguments: arguments.into_iter().map(Into::into).collect(),
            scratch: None,
        }
    }
}

/// Where the SQL of a revision is to be read.
#[derive(Debug)]
pub enum Sql {
    /// In its file, as this text of the same length: what is not for going forward is blank.
    Written(String),
    /// What the tool prints when it is called so, without running anything.
    Printed(Call),
    /// Nowhere: the revision is a program.
    Hidden,
}

/// How a tool is had to print one revision alone.
#[derive(Debug)]
pub struct Printing {
    pub call: Call,
    /// What stands in what it prints, where that is of the revision.
    pub sign: String,
}

/// A migration tool, as far as it has to be known to have it apply one revision.
pub trait Tool: Debug + Send + Sync {
    /// What it is called in migrate.toml.
    fn kind(&self) -> &'static str;
    /// The program and its first arguments, where the project names no other.
    fn program(&self) -> Vec<String>;
    /// Where its revisions are, relative to the directory that it runs in, where the project names no other place.
    fn files(&self, dir: &Path) -> String;
    /// Its history; the project may give its table another name.
    fn history(&self) -> History;

    /// The revisions that there are, in the order in which it applies them.
    ///
    /// # Errors
    /// Why they cannot be read.
    fn revisions(&self, runner: &Runner, root: &Path) -> Result<Vec<Revision>, String>;

    /// Which are applied, by the rows of its history.
    ///
    /// # Errors
    /// What the history says that the files do not explain.
    fn read(&self, rows: &[Vec<String>], known: &[Revision]) -> Result<Vec<Applied>, String>;

    /// What it applies when it is told to apply one.
    fn reach(&self) -> Reach;

    /// Why it would not apply this one although it is pending; `None` if nothing is known to be in the way.
    fn in_the_way(
        &self,
        _known: &[Revision],
        _applied: &[Applied],
        _revision: &str,
    ) -> Option<String> {
        None
    }

    /// Whether it may apply this one along, which no file of the project has: one of a package of which the database has nothing,
    /// so that nobody who is live can use what it changes.
    fn may_come_along(&self, _known: &[Revision], _applied: &[Applied], _name: &str) -> bool {
        false
    }

    /// How it is asked what it would apply to come to this one, without applying anything; `None` where that follows from its files.
    fn asked(&self, _revision: &str) -> Option<Call> {
        None
    }

    /// What it would apply, by what it has printed when it was [`asked`](Self::asked).
    ///
    /// # Errors
    /// What cannot be read in it.
    fn foretold(
        &self,
        _printed: &str,
        _known: &[Revision],
        _applied: &[Applied],
        _revision: &str,
    ) -> Result<Vec<String>, String> {
        Ok(Vec::new())
    }

    /// How it is told to apply this one.
    ///
    /// # Errors
    /// What is in the way.
    fn apply(&self, runner: &Runner, root: &Path, revision: &Revision) -> Result<Call, String>;

    /// Where its SQL is. `text` is that of its file.
    fn sql(&self, revision: &Revision, text: &str) -> Sql;

    /// How it is had to print that revision and no other, where that takes more than what [`sql`](Self::sql) calls it with.
    ///
    /// # Errors
    /// What is in the way.
    fn printing(
        &self,
        _runner: &Runner,
        _root: &Path,
        _dialect: Dialect,
        _revision: &Revision,
    ) -> Result<Option<Printing>, String> {
        Ok(None)
    }

    /// Whether what it has printed of a revision is all that it does: a part that is a program is not printed.
    fn prints_all(&self, _printed: &str) -> bool {
        true
    }

    /// How its own tool is told that a revision is done, or that a failed one is to be forgotten. `table`: where the project keeps its
    /// history, if that is not where it usually is.
    fn mend(&self, table: Option<&str>, revision: &str) -> String;

    /// How a lock is taken away that a killed run of it has left, where it keeps one that outlives its session.
    fn unlock(&self) -> Option<&'static str> {
        None
    }

    /// Whether a project that is here is one of its own.
    fn is_here(&self, dir: &Path) -> bool;
}

/// The kinds of runners that a project may name.
pub const KINDS: &[Kind] = &[
    alembic::KIND,
    django::KIND,
    rails::KIND,
    prisma::KIND,
    sqlx::KIND,
    dbmate::KIND,
    knex::KIND,
    node_pg_migrate::KIND,
    drizzle::KIND,
    typeorm::KIND,
    liquibase::KIND,
    flyway::KIND,
    golang_migrate::KIND,
    command::KIND,
];

/// A kind of runners.
pub struct Kind {
    /// What it is called in migrate.toml.
    pub kind: &'static str,
    /// Makes the tool as its row says; `None` where it cannot be made, which was said.
    pub read: fn(&mut dyn Row) -> Option<Arc<dyn Tool>>,
}

/// Which tool a directory is a project of.
#[must_use]
pub fn found(dir: &Path) -> Vec<&'static str> {
    KINDS
        .iter()
        .filter(|kind| kind.kind != "command")
        .filter_map(|kind| {
            let tool = (kind.read)(&mut settings::NoRow)?;
            tool.is_here(dir).then_some(kind.kind)
        })
        .collect()
}
