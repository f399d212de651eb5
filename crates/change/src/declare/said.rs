//! What a column is said to be, and is to be said in another way: a longer text, more values, another default; or the table
//! by another name.

use std::collections::BTreeMap;

use phasegate_sql::{ConstraintRule, Dialect, TableConstraint};

use super::{Asked, Unanswered, varied};
use crate::definition::told;
use crate::{Kind, RenameTable, SetDefault, Values, Varied, Widen, Wider, Wrong};

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

    /// The CHECK that lists the values of a column, and the values; `None` if that is not known of each database, or they differ.
    fn listed(&self, column: &str) -> Option<Values> {
        let of = |dialect: Dialect| -> Option<(String, Vec<String>)> {
            let table = self.known.tables.get(&dialect)?;
            let is_it = |one: &&TableConstraint| {
                one.rule == ConstraintRule::Check
                    && one.columns.len() == 1
                    && one.is_over(dialect, column)
            };
            let one = table.constraints.iter().find(is_it)?;
            Some((one.name.clone()?, one.lists.clone()?))
        };
        let mut names = Vec::new();
        let mut from: Option<Vec<String>> = None;
        for (dialect, found) in self.each(of) {
            let (name, lists) = found?;
            let is_same = |first: &Vec<String>| {
                first.len() == lists.len() && first.iter().all(|value| lists.contains(value))
            };
            if !from.as_ref().is_none_or(is_same) {
                return None;
            }
            from.get_or_insert(lists);
            names.push((dialect, name));
        }
        Some(Values {
            column: column.to_owned(),
            name: varied(names),
            from: from?,
            ..Values::default()
        })
    }

    pub(super) fn fewer_values(
        &self,
        column: &str,
        values: &[(String, Option<String>)],
    ) -> Result<Kind, Unanswered> {
        let Some(listed) = self.listed(column) else {
            return Err(Wrong::new(
                format!(
                    "no CHECK with a name is known that lists the values of `{}.{column}` alike on every database of the project",
                    self.table
                ),
                "a value of an enumeration type stays; where a CHECK lists them, declare it: `kind = \"values\"`, with the `name` of the CHECK, `from` and `to`",
            )
            .into());
        };
        let unknown = values
            .iter()
            .find(|(value, _)| !listed.from.contains(value));
        if let Some((unknown, _)) = unknown {
            return Err(Wrong::new(
                format!("`{unknown}` is no value of `{}.{column}`", self.table),
                format!("it has {}", listed.from.join(", ")),
            )
            .into());
        }
        let goes = |value: &&String| values.iter().any(|(old, _)| old == *value);
        let stays = listed.from.iter().filter(|value| !goes(value));
        let instead = values.iter().cloned();
        Ok(Kind::Values(Values {
            to: stays.cloned().collect(),
            instead: instead.filter_map(|(old, new)| Some((old, new?))).collect(),
            ..listed
        }))
    }

    pub(super) fn more_values(&self, column: &str, values: &[String]) -> Result<Kind, Unanswered> {
        if let Some(listed) = self.listed(column) {
            let known = values.iter().find(|value| listed.from.contains(value));
            if let Some(known) = known {
                return Err(Wrong::new(
                    format!(
                        "`{}.{column}` knows the value `{known}` already",
                        self.table
                    ),
                    "name what is new",
                )
                .into());
            }
            return Ok(Kind::Values(Values {
                to: [&listed.from, values].concat(),
                ..listed
            }));
        }
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
