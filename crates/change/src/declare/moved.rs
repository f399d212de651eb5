//! Columns that leave a table: they go, or move to a table of their own with the types that they have.

use phasegate_sql::{Dialect, TableColumn};

use super::{Asked, Unanswered, varied};
use crate::definition::{given_out, is_text};
use crate::{DropColumn, Kind, NewColumn, SplitTable, Varied, Wrong};

impl Asked<'_> {
    pub(super) fn dropped(&self, columns: &[String]) -> Kind {
        let is_needed = self.known.dialects != [Dialect::Postgres];
        Kind::DropColumn(DropColumn {
            columns: columns.to_vec(),
            placeholder: self.known.said.fill.as_deref().map(Varied::from),
            drop_indexes: if is_needed {
                self.over(columns)
            } else {
                Vec::new()
            },
        })
    }

    pub(super) fn split_table(
        &self,
        columns: &[String],
        to: &str,
        link: Option<&str>,
    ) -> Result<Kind, Unanswered> {
        let key = self.key()?;
        let own = self.table.rsplit('.').next().unwrap_or(self.table);
        let link = match (key.as_slice(), link) {
            ([_], Some(link)) => vec![link.to_owned()],
            ([key], None) => vec![format!("{own}_{key}")],
            (_, None) => key.clone(),
            (_, Some(_)) => {
                return Err(Wrong::new(
                    format!(
                        "the key of `{own}` has {} columns, which one name cannot stand for",
                        key.len()
                    ),
                    "leave the name out: they are called there as they are here",
                )
                .into());
            }
        };
        let all = key.iter().zip(&link);
        let all = all.chain(columns.iter().zip(columns));
        let new: Result<Vec<NewColumn>, Wrong> =
            all.map(|(old, name)| self.as_it_is(old, name)).collect();
        Ok(Kind::SplitTable(SplitTable {
            new: new?,
            key,
            to: to.to_owned(),
            link,
            drop_indexes: self.over(columns),
            drop_constraints: self.constrained(columns),
        }))
    }

    /// A column of a new table that holds what one of this table does.
    fn as_it_is(&self, old: &str, name: &str) -> Result<NewColumn, Wrong> {
        let known = self.each(|dialect| {
            self.column(dialect, old)
                .map(|column| self.kept(dialect, column))
        });
        let known: Vec<(Dialect, Option<String>)> = known.collect();
        let missing = known
            .iter()
            .find(|(_, kind)| kind.as_ref().is_none_or(String::is_empty));
        if let Some((dialect, _)) = missing {
            return Err(Wrong::new(
                format!(
                    "the type of `{}.{old}` on {} is not known",
                    self.table,
                    dialect.title()
                ),
                "name a database that has the table (`--database-url`), or write `[change]` by hand: `migrate new NAME` without any of these options",
            ));
        }
        let kinds = known
            .into_iter()
            .filter_map(|(dialect, kind)| Some((dialect, kind?)));
        Ok(NewColumn {
            name: name.to_owned(),
            kind: varied(kinds),
            ..NewColumn::default()
        })
    }

    /// Its type, and what its values are compared by, wherever that comes from.
    fn kept(&self, dialect: Dialect, column: &TableColumn) -> String {
        let kind = match dialect {
            Dialect::Postgres => given_out(&column.kind),
            Dialect::Mysql | Dialect::Sqlite => &column.kind,
        };
        let table = self.known.tables.get(&dialect);
        let of_table = table.and_then(|table| table.compared_by.clone());
        let by = column
            .compared_by()
            .or_else(|| of_table.filter(|_| is_text(kind)));
        match by {
            Some(by) if !kind.is_empty() => format!("{kind} {by}"),
            _ => kind.to_owned(),
        }
    }
}
