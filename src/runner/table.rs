//! Where a migration tool keeps what it has applied.

use crate::sql::Dialect;

/// Where a tool keeps what it has applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum History {
    Table(Table),
    /// A query of the project's that returns one revision a row.
    Query(String),
    /// A program of the project's that prints one revision a line.
    Command(Vec<String>),
}

/// A history table, and what is read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// With its schema, if it is not where names are looked for.
    pub name: String,
    /// What it is called on these databases, where that is not its name.
    pub on: &'static [(Dialect, &'static str)],
    /// The columns that are read, each as a text.
    pub columns: &'static [&'static str],
}

impl Table {
    /// What it is called on such a database.
    #[must_use]
    pub fn name_on(&self, dialect: Dialect) -> &str {
        let other = self.on.iter().find(|(other, _)| *other == dialect);
        other.map_or(self.name.as_str(), |(_, name)| name)
    }
}
