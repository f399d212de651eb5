//! An index of a table, as scripts or a database tell of it.

use super::Dialect;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableIndex {
    /// `None` if the database names it.
    pub name: Option<String>,
    /// The columns that it is over; every column that is named in an expression of it.
    pub columns: Vec<String>,
    pub is_unique: bool,
    /// Made with the table or as a constraint of it, and not by a statement of its own.
    pub is_constraint: bool,
    /// Over columns alone and all rows, in their usual order: an ordinary index over other columns does the same.
    pub is_plain: bool,
    /// Columns that it has beside those that it is over (`INCLUDE`): it goes with them as well.
    pub includes: Vec<String>,
}

impl TableIndex {
    /// What it is called: by whoever made it, or by the database. `None` on SQLite, which tells no name of its own.
    #[must_use]
    pub fn called(&self, dialect: Dialect, table: &str) -> Option<String> {
        if self.name.is_some() {
            return self.name.clone();
        }
        let table = table.rsplit('.').next().unwrap_or(table);
        match dialect {
            Dialect::Postgres => Some(format!("{table}_{}_key", self.columns.join("_"))),
            Dialect::Mysql => self.columns.first().cloned(),
            Dialect::Sqlite => None,
        }
    }
}
