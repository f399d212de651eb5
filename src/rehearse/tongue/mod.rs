//! How each database is asked what is in it, and told what only a scratch database is told. One file each, all of it data.

mod mysql;
mod postgres;
mod sqlite;

use super::shape::{Catalogue, Object};
use super::values::Kind;
use crate::sql::Dialect;

/// What differs between databases.
pub(super) struct Tongue {
    /// See [`super::shape::Told`].
    pub columns: &'static str,
    pub keys: &'static str,
    pub parents: &'static str,
    pub objects: &'static [&'static str],
    /// Schema, table, `1` where its name alone means it, column, type, `1` where NULL is allowed, default or nothing, `1` where
    /// the database makes the value, what else is said of it.
    pub defined: &'static str,
    /// Schema, table, `1` where its name alone means it, index, `1` where it is unique, `1` where it is the primary key, `1` where it is over
    /// columns alone and all rows, its columns with [`super::shape::SEPARATOR`] between them, `1` where it is of a constraint.
    pub indexed: &'static str,
    /// What tells of the foreign keys and conditions of a table.
    pub constrained: Constrained,
    /// An expression that gives the value of a column, as written there, as a literal.
    pub literal: fn(column: &str, kind: &Kind) -> String,
    /// Makes a database, where it is one of a server; like another one where that can be done.
    pub create: fn(name: &str, like: Option<&str>) -> String,
    pub drop: fn(name: &str) -> String,
    /// A query that takes the lock of the rehearsal with these digits for as long as the session lasts: `1` if it was free.
    pub hold: fn(digits: &str) -> String,
    /// Scratch databases that no rehearsal is at work on: nobody holds their lock, no session is in them, and they are ours to drop.
    pub left: &'static str,
    /// Takes all rows out of these tables, whatever leads to them.
    pub empty: fn(tables: &[String]) -> Vec<String>,
    /// Keeps triggers of a table from firing from now on.
    pub silence: fn(table: &str, triggers: &[&str]) -> Vec<String>,
    /// Has a session not wait for the disk.
    pub careless: Option<&'static str>,
    /// Whether others can use the database while it is written.
    pub is_shared: bool,
    /// The locks that the open transaction holds on tables: the mode and the table. `None` if nobody tells.
    pub locks: Option<&'static str>,
    /// What tells whether a table's rows were stored anew: the table, and a mark that changes then.
    pub stored: Option<&'static str>,
    /// What tells whether the open transaction has read a table's rows: the table, and a mark that changes then.
    pub scanned: Option<&'static str>,
}

/// How a database tells of the foreign keys and conditions of a table.
pub(super) enum Constrained {
    /// Schema, table, `1` where its name alone means it, name, `f` for a foreign key, its columns with [`super::shape::SEPARATOR`] between them.
    Listed(&'static str),
    /// By the statement that would make the table, which is the last value of the row that this answers.
    Made(fn(schema: &str, table: &str) -> String),
}

pub(super) const fn tongue(dialect: Dialect) -> &'static Tongue {
    match dialect {
        Dialect::Sqlite => &sqlite::TONGUE,
        Dialect::Postgres => &postgres::TONGUE,
        Dialect::Mysql => &mysql::TONGUE,
    }
}

/// The triggers of a table.
pub(super) fn triggers_of<'c>(catalogue: &'c Catalogue, shown: &str) -> Vec<&'c str> {
    let is_trigger = |object: &&Object| object.what == "trigger" && object.table == shown;
    let found = catalogue.objects.keys().filter(is_trigger);
    found.map(|object| object.name.as_str()).collect()
}
