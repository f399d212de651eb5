//! What a migration builds on: what an earlier one keeps in step, or in a table's place, from its expand to its contract.

use std::fmt;

use super::{MigrationId, Step};

/// An earlier migration that has to be contracted before a later one changes what it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Basis {
    pub migration: MigrationId,
    pub keeps: Keeps,
    /// The step of the later one that has to wait, and all that come after it: expand, or contract alone.
    pub from: Step,
}

/// What it keeps until its contract, which the later one changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// These columns of a table, in step with each other.
    Columns { table: String, columns: Vec<String> },
    /// A table, in step with what it has come from.
    Table(String),
    /// A view under this name, where the table will be.
    View(String),
    /// A column or constraint of a table, to which its contract gives another definition: also before it is expanded.
    Definition { table: String, name: String },
    /// A column, or a whole table, that its contract names: also before it is expanded.
    Needed {
        table: String,
        column: Option<String>,
    },
    /// Something that its contract takes away, or makes, and that the later one counts on: also before it is expanded.
    Outcome {
        /// `None` where it is a table itself, or nothing tells.
        table: Option<String>,
        name: String,
    },
}

impl Keeps {
    /// Whether this is so from the expand on; what a contract does is to come from the beginning.
    #[must_use]
    pub const fn begins_with_expand(&self) -> bool {
        matches!(self, Self::Columns { .. } | Self::Table(_) | Self::View(_))
    }
}

impl fmt::Display for Keeps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Columns { table, columns } => {
                for (at, column) in columns.iter().enumerate() {
                    let before = match at {
                        0 => "",
                        _ if at + 1 == columns.len() => " and ",
                        _ => ", ",
                    };
                    write!(f, "{before}{table}.{column}")?;
                }
                Ok(())
            }
            Self::Table(name) | Self::View(name) => f.write_str(name),
            Self::Definition { table, name }
            | Self::Needed {
                table,
                column: Some(name),
            }
            | Self::Outcome {
                table: Some(table),
                name,
            } => write!(f, "{table}.{name}"),
            Self::Outcome { table: None, name } => f.write_str(name),
            Self::Needed {
                table,
                column: None,
            } => write!(f, "the table {table}"),
        }
    }
}
