//! Declared changes: `[change]` in `migration.toml` says what changes, and the scripts of every phase follow from it.
//!
//! Pure: a declaration in, texts out. A kind of change is one file; where databases differ in it, each has a file of its own
//! below. What is generated is meant to be read and committed: it looks as somebody would write it by hand who knows all that
//! can happen to a trigger. See docs/change.md.
//!
//! Invariant: the same declaration always gives the same texts, so that `check` can say when they differ.

mod clocks;
mod columns;
mod constraint;
mod declare;
mod definition;
mod known;
mod names;
mod plain;
mod renamed;
mod split;
mod text;
mod trial;
mod values;
mod widen;
mod wish;
mod written;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use phasegate_model::model::{Step, Sync};
use phasegate_sql::Dialect;

pub use columns::{Columns, NewColumn, NewIndex};
pub use constraint::{Check, ForeignKey, NotNull, Unique};
pub use declare::{Known, Question, Said, Unanswered, declare, doubts};
pub use known::{Objection, Weight, is_literal, objections};
pub use plain::{AddColumn, DropColumn, DropIndex, DropTable, Index, SetDefault};
pub use renamed::RenameTable;
pub use split::SplitTable;
pub use trial::Trial;
pub use values::Values;
pub use widen::{Widen, Wider};
pub use wish::{Ask, What, Wish};
pub use written::written;

/// The first line of a script that follows from the declaration; without it the script is somebody's own.
pub const GENERATED: &str = "-- migrate: generated from [change]";
/// The same for a script that runs statement by statement.
pub const GENERATED_ONE_BY_ONE: &str = "-- migrate: no-transaction, generated from [change]";

/// A text that may differ between databases.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Varied {
    pub common: Option<String>,
    pub own: BTreeMap<Dialect, String>,
}

impl Varied {
    #[must_use]
    pub fn of(&self, dialect: Dialect) -> Option<&str> {
        let own = self.own.get(&dialect).or(self.common.as_ref());
        own.map(String::as_str)
    }

    /// What is said under `key` for a database, or that it is not.
    fn said(&self, key: &str, dialect: Dialect) -> Result<&str, Wrong> {
        self.of(dialect).ok_or_else(|| {
            Wrong::new(
                format!("`{key}` is not said for {}", dialect.title()),
                format!(
                    "write it under `[change.{key}]`: `{} = \"…\"`",
                    dialect.name()
                ),
            )
        })
    }
}

impl From<&str> for Varied {
    fn from(common: &str) -> Self {
        Self {
            common: Some(common.to_owned()),
            own: BTreeMap::new(),
        }
    }
}

/// What changes in one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// As in the catalogue, without quotes; `schema.table` where it is not on the search path.
    pub table: String,
    pub kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Columns that are replaced by others: renamed, retyped, split, merged.
    Columns(Columns),
    NotNull(NotNull),
    Check(Check),
    ForeignKey(ForeignKey),
    Unique(Unique),
    AddColumn(AddColumn),
    Default(SetDefault),
    DropColumn(DropColumn),
    DropTable(DropTable),
    RenameTable(RenameTable),
    /// Columns that move to a table of their own.
    SplitTable(SplitTable),
    Index(Index),
    DropIndex(DropIndex),
    Widen(Widen),
    Values(Values),
}

impl Kind {
    /// The words for it in `migration.toml`, in the order of the documentation.
    pub const NAMES: &[&str] = &[
        "columns",
        "not-null",
        "check",
        "foreign-key",
        "unique",
        "add-column",
        "default",
        "drop-column",
        "drop-table",
        "rename-table",
        "split-table",
        "index",
        "drop-index",
        "widen",
        "values",
    ];

    /// Which formats of a row a migration of this kind has.
    #[must_use]
    pub fn formats(&self) -> Formats {
        match self {
            Self::Columns(_) | Self::RenameTable(_) | Self::SplitTable(_) => Formats::Both,
            Self::Widen(_) | Self::Values(_) if self.is_read_before_written() => Formats::Both,
            Self::Default(change) if change.to.is_none() => Formats::Old,
            Self::NotNull(change) if change.fill.is_some() => Formats::Both,
            Self::DropColumn(change) if change.placeholder.is_some() => Formats::Both,
            Self::NotNull(_)
            | Self::Check(_)
            | Self::ForeignKey(_)
            | Self::Unique(_)
            | Self::DropColumn(_)
            | Self::DropTable(_)
            | Self::DropIndex(_)
            | Self::Values(_) => Formats::Old,
            Self::AddColumn(_) | Self::Default(_) | Self::Index(_) | Self::Widen(_) => Formats::New,
        }
    }
}

impl Kind {
    /// Whether what it lets in breaks a version that does not know it: a release has to know it before the next one writes it.
    #[must_use]
    pub fn is_read_before_written(&self) -> bool {
        match self {
            Self::Widen(change) => matches!(change.wider, Wider::Values(_)),
            Self::Values(change) => !change.added().is_empty(),
            _ => false,
        }
    }
}

/// Which formats the services of a migration have to declare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formats {
    /// Versions that need what is added.
    New,
    /// Versions that still use, or write, what the contract ends.
    Old,
    Both,
}

/// What follows from a declaration for one database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Generated {
    /// The script of each step that has one, with its first line.
    pub scripts: BTreeMap<Step, String>,
    pub filling: Option<Filling>,
    /// Queries that have to return 0 before the contract.
    pub require: Vec<String>,
    /// Statements that `check` would doubt, and that the declaration vouches for.
    pub allow: Vec<Allowed>,
    /// What the server has to be able to work out, before expand makes triggers that do.
    pub trials: Vec<Trial>,
    pub sync: Sync,
    pub holds: Holds,
}

/// What of rows an expand holds, for whoever undoes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Holds {
    #[default]
    Values,
    /// Rows are as they were without it.
    Nothing,
}

impl Generated {
    fn of(scripts: impl IntoIterator<Item = (Step, text::Script)>) -> Self {
        let scripts = scripts.into_iter();
        Self {
            scripts: scripts
                .map(|(step, script)| (step, script.written()))
                .collect(),
            ..Self::default()
        }
    }
}

/// What `[backfill]` would say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filling {
    pub table: String,
    pub key: Vec<String>,
    pub remaining: String,
    pub check: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    pub step: Step,
    /// Its whole text.
    pub statement: String,
}

/// Why a declaration cannot be carried out on a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    pub message: String,
    pub help: String,
}

impl Wrong {
    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
        }
    }
}

/// What SQLite cannot do, with the way out there. A project for other databases as well has one more.
fn not_for_sqlite(message: impl Into<String>, way_out: &str) -> Wrong {
    Wrong::new(
        message,
        format!(
            "{way_out}; a project that is for other databases as well can leave `sqlite` out of `dialects` in migrate.toml"
        ),
    )
}

/// The scripts of a migration and what else follows, on one database.
///
/// `number` is that of the migration as its directory has it; objects are named after it, so that two migrations of one table
/// never meet.
///
/// # Errors
/// What the database cannot do, or what is missing in the declaration for it.
pub fn generate(change: &Change, dialect: Dialect, number: &str) -> Result<Generated, Wrong> {
    let place = names::Place::new(dialect, &change.table, number);
    match &change.kind {
        Kind::Columns(columns) => columns::generate(columns, &place),
        Kind::NotNull(change) => constraint::not_null(change, &place),
        Kind::Check(change) => constraint::check(change, &place),
        Kind::ForeignKey(change) => constraint::foreign_key(change, &place),
        Kind::Unique(change) => constraint::unique(change, &place),
        Kind::AddColumn(change) => plain::add_column(change, &place),
        Kind::Default(change) => plain::set_default(change, &place),
        Kind::DropColumn(change) => plain::drop_column(change, &place),
        Kind::DropTable(change) => Ok(plain::drop_table(change, &place)),
        Kind::RenameTable(change) => renamed::generate(change, &place),
        Kind::SplitTable(change) => split::generate(change, &place),
        Kind::Index(change) => Ok(plain::index(change, &place)),
        Kind::DropIndex(change) => Ok(plain::drop_index(change, &place)),
        Kind::Widen(change) => widen::widen(change, &place),
        Kind::Values(change) => values::values(change, &place),
    }
}
