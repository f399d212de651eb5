//! What a column is said to be, and is to be said in another way: a longer text, more values, another default; or the table
//! by another name.

use std::collections::BTreeMap;

use phasegate_sql::Dialect;

use super::{Asked, Unanswered, varied};
use crate::definition::told;
use crate::{Kind, RenameTable, SetDefault, Varied, Widen, Wider};

impl Asked<'_> {
    pub(super) fn widened(&self, column: &str, to: &str) -> Result<Kind, Unanswered> {
        let from = self.kind(column, |column| column.kind.clone())?;
        let whole = |dialect: Dialect, kind: &str| {
            let rest = match (dialect, self.column(dialect, column)) {
                (Dialect::Mysql, Some(there)) => told(there)
                    .strip_prefix(&there.kind)
                    .unwrap_or_default()
                    .to_owned(),
                _ => String::new(),
            };
            format!("{kind}{rest}")
        };
        let to = varied(self.each(|dialect| whole(dialect, to)));
        let from = self.each(|dialect| whole(dialect, from.of(dialect).unwrap_or_default()));
        Ok(Kind::Widen(Widen {
            column: column.to_owned(),
            from: varied(from),
            wider: Wider::To(to),
        }))
    }

    pub(super) fn more_values(&self, column: &str, values: &[String]) -> Result<Kind, Unanswered> {
        let from = self.kind(column, |column| column.kind.clone())?;
        let whole = |dialect: Dialect| match (dialect, self.column(dialect, column)) {
            (Dialect::Mysql, Some(there)) => told(there),
            _ => from.of(dialect).unwrap_or_default().to_owned(),
        };
        Ok(Kind::Widen(Widen {
            column: column.to_owned(),
            from: varied(self.each(whole)),
            wider: Wider::Values(values.to_vec()),
        }))
    }

    pub(super) fn default(&self, column: &str, to: Option<&str>) -> Kind {
        let is = |dialect| {
            let default = self.column(dialect, column)?.default.clone()?;
            (!default.eq_ignore_ascii_case("null")).then_some((dialect, default))
        };
        let from: Vec<(Dialect, String)> = self
            .known
            .dialects
            .iter()
            .filter_map(|dialect| is(*dialect))
            .collect();
        Kind::Default(SetDefault {
            column: column.to_owned(),
            from: (!from.is_empty()).then(|| varied(from)),
            to: to.map(Varied::from),
        })
    }

    pub(super) fn renamed_table(&self, to: &str) -> Result<Kind, Unanswered> {
        let mut change = RenameTable {
            to: to.to_owned(),
            ..RenameTable::default()
        };
        // The others write through a view by themselves.
        if let Some(table) = self.known.tables.get(&Dialect::Sqlite) {
            change.key = self.key()?;
            let written = || {
                table
                    .columns
                    .iter()
                    .filter(|column| !column.is_made || change.key.contains(&column.name))
            };
            let columns: Vec<String> = written().map(|column| column.name.clone()).collect();
            let defaults: BTreeMap<String, Varied> = written()
                .filter_map(|column| {
                    let default = column.default.as_deref()?;
                    let is_one = !default.eq_ignore_ascii_case("null");
                    is_one.then(|| (column.name.clone(), Varied::from(default)))
                })
                .collect();
            change.columns = columns;
            change.defaults = defaults;
        }
        Ok(Kind::RenameTable(change))
    }
}
