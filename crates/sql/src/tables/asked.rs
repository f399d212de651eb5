//! What is asked of a table.

use super::{Dialect, Table, TableColumn, TableIndex, same};

impl Table {
    #[must_use]
    pub fn column(&self, dialect: Dialect, name: &str) -> Option<&TableColumn> {
        let mut columns = self.columns.iter();
        columns.find(|column| same(dialect, &column.name, name))
    }

    /// Whether no two rows have the same in these columns, and none has NULL there.
    #[must_use]
    pub fn is_key(&self, dialect: Dialect, columns: &[String]) -> bool {
        let is_these = |others: &[String]| {
            others.len() == columns.len()
                && others
                    .iter()
                    .all(|other| columns.iter().any(|column| same(dialect, column, other)))
        };
        let never_null = columns.iter().all(|column| {
            self.column(dialect, column)
                .is_some_and(|column| !column.is_nullable)
        });
        is_these(&self.primary_key)
            || never_null
                && self
                    .indexes
                    .iter()
                    .any(|index| index.is_unique && index.is_plain && is_these(&index.columns))
    }

    /// Whether no two rows have the same value in this column; any number of them may have none.
    #[must_use]
    pub fn is_unique(&self, dialect: Dialect, column: &str) -> bool {
        let is_it = |columns: &[String]| matches!(columns, [one] if same(dialect, one, column));
        let mut indexes = self.indexes.iter();
        is_it(&self.primary_key)
            || indexes.any(|index| index.is_unique && index.is_plain && is_it(&index.columns))
    }

    /// The indexes that are over this column, or have it beside.
    pub fn indexes_over<'t>(
        &'t self,
        dialect: Dialect,
        column: &'t str,
    ) -> impl Iterator<Item = &'t TableIndex> {
        self.indexes.iter().filter(move |index| {
            let mut all = index.columns.iter().chain(&index.includes);
            all.any(|name| same(dialect, name, column))
        })
    }
}

impl TableColumn {
    pub(super) fn unknown() -> Self {
        Self {
            name: String::new(),
            kind: String::new(),
            is_nullable: true,
            default: None,
            is_made: false,
            more: Vec::new(),
        }
    }
}
