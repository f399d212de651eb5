//! A declaration from what somebody asks for and what is known of the table: types, keys, NULL, indexes.

use std::collections::BTreeMap;

use phasegate_sql::{Dialect, Table, TableColumn, TableIndex};

use super::definition::{bare_type, defined};
use super::names::quoted;
use super::wish::{What, Wish};
use super::{
    AddColumn, Change, Check, Columns, DropIndex, DropTable, ForeignKey, Index, Kind, NewColumn,
    NewIndex, NotNull, Unique, Varied, Wrong,
};

mod casts;
mod halves;
mod holds;
mod moved;
mod pending;
mod retyped;
mod said;

pub(crate) use casts::{exists_cast, means_nothing};
pub(crate) use holds::whole_range;
pub use retyped::doubts;

/// What is known where a change is asked for.
#[derive(Clone, Debug, Default)]
pub struct Known {
    pub dialects: Vec<Dialect>,
    /// The table that changes, for each database where it is known.
    pub tables: BTreeMap<Dialect, Table>,
    /// The table as all migrations leave it, also those that are not applied.
    pub by_files: BTreeMap<Dialect, Table>,
    /// What somebody says beside it.
    pub said: Said,
}

/// What nobody can know but whoever asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    pub key: Option<Vec<String>>,
    /// The type of the column that is there, or for MySQL all of its definition.
    pub kind: Option<String>,
    /// What stands in place of NULL.
    pub fill: Option<String>,
    pub default: Option<String>,
}

/// What has to be said, because it is found nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// A unique key of the table.
    Key { table: String },
    /// The type of a column on these databases.
    Type { column: String, on: Vec<Dialect> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unanswered {
    Asks(Question),
    Wrong(Wrong),
}

impl From<Wrong> for Unanswered {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

impl From<Question> for Unanswered {
    fn from(question: Question) -> Self {
        Self::Asks(question)
    }
}

/// The declaration that follows.
///
/// # Errors
/// What has to be said first, or cannot be.
pub fn declare(wish: &Wish, known: &Known) -> Result<Change, Unanswered> {
    let asked = Asked {
        table: &wish.table,
        known,
    };
    asked.are_there(wish)?;
    let kind = match &wish.what {
        What::Rename { old, new } => asked.renamed(old, new)?,
        What::Retype { old, new, kind } => asked.retyped(old, new.as_deref(), kind)?,
        What::Split { old, new } => asked.split(old, new)?,
        What::Merge { old, new } => asked.merged(old, new)?,
        What::Add { column, kind } => Kind::AddColumn(AddColumn {
            column: column.clone(),
            kind: Varied::from(kind.as_str()),
            default: asked.said_default(),
            not_null: known.said.default.is_some(),
        }),
        What::Drop { columns } => asked.dropped(columns),
        What::DropTable => Kind::DropTable(DropTable),
        What::NotNull { column } => asked.not_null(column)?,
        What::Unique { columns } => Kind::Unique(Unique {
            name: None,
            columns: columns.clone(),
        }),
        What::Index { columns } => Kind::Index(Index {
            name: asked.index_name(columns),
            columns: columns.clone(),
            ..Index::default()
        }),
        What::DropIndex { name } => Kind::DropIndex(DropIndex { name: name.clone() }),
        What::Widen { column, to } => asked.widened(column, to)?,
        What::AddValue { column, values } => asked.more_values(column, values)?,
        What::RemoveValue { column, values } => asked.fewer_values(column, values)?,
        What::SetDefault { column, to } => asked.default(column, Some(to)),
        What::DropDefault { column } => asked.default(column, None),
        What::RenameTable { to } => asked.renamed_table(to)?,
        What::SplitTable { columns, to, link } => {
            asked.split_table(columns, to, link.as_deref())?
        }
        What::ForeignKey {
            columns,
            references,
            referenced,
        } => Kind::ForeignKey(ForeignKey {
            columns: columns.clone(),
            references: references.clone(),
            referenced: referenced.clone(),
            ..ForeignKey::default()
        }),
        What::Check { condition } => Kind::Check(Check {
            name: asked.name_of_check(),
            condition: Varied::from(condition.as_str()),
        }),
    };
    Ok(Change {
        table: wish.table.clone(),
        kind,
    })
}

/// `ON UPDATE CURRENT_TIMESTAMP`
fn is_updating(more: &str) -> bool {
    more.to_ascii_lowercase().contains("on update")
}

/// The type, and what is said of it that another column can have as well. How PostgreSQL stores it is no part of that.
fn typed(column: &TableColumn) -> String {
    let is_carried = |more: &&str| {
        let lower = more.to_ascii_lowercase();
        !lower.starts_with("storage") && !lower.starts_with("compression")
    };
    let more = column.more.iter().map(String::as_str).filter(is_carried);
    let all: Vec<&str> = std::iter::once(column.kind.as_str()).chain(more).collect();
    all.join(" ")
}

/// The type, and what it is compared by.
fn compared(column: &TableColumn) -> String {
    match column.compared_by() {
        Some(by) => format!("{} {by}", column.kind),
        None => column.kind.clone(),
    }
}

/// One text for all databases where it is the same.
fn varied(each: impl IntoIterator<Item = (Dialect, String)>) -> Varied {
    let own: BTreeMap<Dialect, String> = each.into_iter().collect();
    let mut texts = own.values();
    match texts.next() {
        Some(first) if texts.all(|text| text == first) => Varied::from(first.as_str()),
        _ => Varied { common: None, own },
    }
}

struct Asked<'a> {
    table: &'a str,
    known: &'a Known,
}

impl Asked<'_> {
    fn each<T>(&self, of: impl Fn(Dialect) -> T) -> impl Iterator<Item = (Dialect, T)> {
        let dialects = self.known.dialects.iter();
        dialects.map(move |dialect| (*dialect, of(*dialect)))
    }

    fn column(&self, dialect: Dialect, name: &str) -> Option<&TableColumn> {
        self.known.tables.get(&dialect)?.column(dialect, name)
    }

    /// Whether the columns that are there are there.
    fn are_there(&self, wish: &Wish) -> Result<(), Wrong> {
        let names: Vec<&String> = match &wish.what {
            What::Rename { old, .. } | What::Retype { old, .. } | What::Split { old, .. } => {
                vec![old]
            }
            What::Merge { old, .. } => old.iter().collect(),
            What::Drop { columns } | What::SplitTable { columns, .. } => columns.iter().collect(),
            What::NotNull { column }
            | What::Widen { column, .. }
            | What::AddValue { column, .. }
            | What::RemoveValue { column, .. }
            | What::SetDefault { column, .. }
            | What::DropDefault { column } => vec![column],
            _ => return Ok(()),
        };
        for (dialect, table) in &self.known.tables {
            let missing = names
                .iter()
                .find(|name| table.column(*dialect, name).is_none());
            if let Some(missing) = missing {
                return Err(super::definition::no_column(
                    *dialect, self.table, table, missing,
                ));
            }
        }
        Ok(())
    }

    /// The indexes over these columns that can go by their names; none where that differs between databases.
    fn over(&self, columns: &[String]) -> Vec<String> {
        let of = |dialect: Dialect| -> Vec<String> {
            let Some(table) = self.known.tables.get(&dialect) else {
                return Vec::new();
            };
            let over = |column: &String| -> Vec<TableIndex> {
                table.indexes_over(dialect, column).cloned().collect()
            };
            let mut names: Vec<String> = columns
                .iter()
                .flat_map(over)
                .filter(|index| !index.is_constraint || dialect != Dialect::Sqlite)
                .filter_map(|index| index.called(dialect, self.table))
                .collect();
            names.sort();
            names.dedup();
            names
        };
        self.agreed(of)
    }

    /// What is the same in all databases; nothing where they differ.
    fn agreed(&self, of: impl Fn(Dialect) -> Vec<String>) -> Vec<String> {
        let mut all = self.each(of).map(|(_, names)| names);
        let first = all.next().unwrap_or_default();
        if all.all(|other| other == first) {
            first
        } else {
            Vec::new()
        }
    }

    /// The constraints over these columns that MySQL has to be told to drop; none where their names differ between databases.
    fn constrained(&self, columns: &[String]) -> Vec<String> {
        if !self.known.dialects.contains(&Dialect::Mysql) {
            return Vec::new();
        }
        let of = |dialect: Dialect| -> Vec<String> {
            let table = self.known.tables.get(&dialect);
            let all = table.into_iter().flat_map(|table| &table.constraints);
            let over = all.filter(|one| columns.iter().any(|column| one.is_over(dialect, column)));
            let mut names: Vec<String> = over.filter_map(|one| one.name.clone()).collect();
            names.sort();
            names
        };
        self.agreed(of)
    }

    fn said_default(&self) -> Option<Varied> {
        self.known.said.default.as_deref().map(Varied::from)
    }

    fn key(&self) -> Result<Vec<String>, Unanswered> {
        if let Some(key) = &self.known.said.key {
            return Ok(key.clone());
        }
        let mut keys = self.known.tables.values().map(|table| &table.primary_key);
        let key = keys.find(|key| !key.is_empty()).cloned();
        key.ok_or_else(|| {
            Question::Key {
                table: self.table.to_owned(),
            }
            .into()
        })
    }

    /// The type of a column that is there, on each database.
    fn kind(&self, name: &str, of: fn(&TableColumn) -> String) -> Result<Varied, Unanswered> {
        if let Some(kind) = &self.known.said.kind {
            return Ok(Varied::from(kind.as_str()));
        }
        let found: Vec<(Dialect, Option<String>)> = self
            .each(|dialect| self.column(dialect, name).map(of))
            .collect();
        let unknown: Vec<Dialect> = found
            .iter()
            .filter(|(_, kind)| kind.as_ref().is_none_or(String::is_empty))
            .map(|(dialect, _)| *dialect)
            .collect();
        if !unknown.is_empty() {
            return Err(Question::Type {
                column: format!("{}.{name}", self.table),
                on: unknown,
            }
            .into());
        }
        let known = found
            .into_iter()
            .filter_map(|(dialect, kind)| Some((dialect, kind?)));
        Ok(varied(known))
    }

    /// The name of a column as an expression of each database has it.
    fn named(&self, name: &str) -> Varied {
        varied(self.each(|dialect| quoted(dialect, name)))
    }

    /// A column that takes the place of one: it is NOT NULL if that is, where all databases can do that to a column that is
    /// there.
    fn in_place_of(&self, old: &str, name: &str, kind: Varied) -> Result<NewColumn, Wrong> {
        let all: Vec<(Dialect, &TableColumn)> = self
            .known
            .dialects
            .iter()
            .filter_map(|dialect| Some((*dialect, self.column(*dialect, old)?)))
            .collect();
        let is_made = |column: &TableColumn| {
            column.is_made || column.more.iter().any(|more| is_updating(more))
        };
        if all.iter().any(|(_, column)| is_made(column)) {
            return Err(Wrong::new(
                format!(
                    "the database gives out or computes `{old}` itself, and would not do so for what takes its place"
                ),
                "write the scripts of this migration by hand: `migrate new NAME` without any of these options",
            ));
        }
        let can = !self.known.dialects.contains(&Dialect::Sqlite);
        let defaults: Vec<(Dialect, String)> = all
            .iter()
            .filter_map(|(dialect, column)| Some((*dialect, column.default.clone()?)))
            .filter(|(_, default)| !default.eq_ignore_ascii_case("null"))
            .collect();
        let is_everywhere = !defaults.is_empty() && defaults.len() == self.known.dialects.len();
        let never_null = !all.is_empty() && all.iter().all(|(_, column)| !column.is_nullable);
        Ok(NewColumn {
            name: name.to_owned(),
            not_null: can && never_null && !retyped::is_moment_of_mysql(&all, &kind),
            default: (can && is_everywhere).then(|| varied(defaults)),
            kind,
        })
    }

    fn renamed(&self, old: &str, new: &str) -> Result<Kind, Unanswered> {
        let kind = self.kind(old, typed)?;
        let column = self.in_place_of(old, new, kind)?;
        let (forward, back) = (self.named(old), self.named(new));
        self.replaced(old, column, forward, back)
    }

    fn retyped(&self, old: &str, new: Option<&str>, kind: &str) -> Result<Kind, Unanswered> {
        let before = self.kind(old, |column| column.kind.clone())?;
        let word: String = kind
            .chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect();
        let named = format!("{old}_{}", word.to_lowercase());
        let new = new.unwrap_or(&named);
        let column = self.in_place_of(old, new, self.compared_as(old, kind))?;
        let cast = |name: &str, to: Option<&str>, from: Option<&str>, dialect| {
            casts::cast(
                dialect,
                &quoted(dialect, name),
                bare_type(from.unwrap_or_default()),
                bare_type(to.unwrap_or_default()),
            )
        };
        let forward = self.each(|dialect| cast(old, Some(kind), before.of(dialect), dialect));
        let back = self.each(|dialect| cast(new, before.of(dialect), Some(kind), dialect));
        let (forward, back) = (varied(forward), varied(back));
        self.replaced(old, column, forward, back)
    }

    /// One column in place of one.
    fn replaced(
        &self,
        old: &str,
        column: NewColumn,
        forward: Varied,
        back: Varied,
    ) -> Result<Kind, Unanswered> {
        Ok(Kind::Columns(Columns {
            key: self.key()?,
            old: vec![old.to_owned()],
            indexes: self.carried(old, &column.name),
            drop_constraints: self.constrained(&[old.to_owned()]),
            forward: BTreeMap::from([(column.name.clone(), forward)]),
            back: BTreeMap::from([(old.to_owned(), back)]),
            new: vec![column],
            ..Columns::default()
        }))
    }

    /// The plain indexes over the old column, as they are over the new one. What differs between databases is left to be
    /// said.
    fn carried(&self, old: &str, new: &str) -> Vec<NewIndex> {
        let of = |dialect: Dialect| -> Vec<NewIndex> {
            let Some(table) = self.known.tables.get(&dialect) else {
                return Vec::new();
            };
            let over = table.indexes_over(dialect, old);
            over.filter(|index| index.is_plain)
                .filter_map(|index| self.carried_one(dialect, index, old, new))
                .fold(Vec::new(), pending::named_once)
        };
        let mut all = self.each(of).map(|(_, indexes)| indexes);
        let first = all.next().unwrap_or_default();
        if all.all(|other| other == first) {
            first
        } else {
            Vec::new()
        }
    }

    fn carried_one(
        &self,
        dialect: Dialect,
        index: &TableIndex,
        old: &str,
        new: &str,
    ) -> Option<NewIndex> {
        let replaces = index.called(dialect, self.table)?;
        let is_old = |column: &String| dialect.may_be_same_name(column, old);
        let columns: Vec<String> = index
            .columns
            .iter()
            .map(|column| {
                if is_old(column) {
                    new.to_owned()
                } else {
                    column.clone()
                }
            })
            .collect();
        let name = match replaces.contains(old) {
            true if replaces != old => replaces.replacen(old, new, 1),
            _ => self.index_name(&columns),
        };
        Some(NewIndex {
            name,
            columns,
            is_unique: index.is_unique,
            replaces: Some(replaces),
            ..NewIndex::default()
        })
    }

    fn index_name(&self, columns: &[String]) -> String {
        let table = self.table.rsplit('.').next().unwrap_or(self.table);
        let name = format!("{table}_{}", columns.join("_"));
        name.chars().take(60).collect()
    }

    fn not_null(&self, column: &str) -> Result<Kind, Unanswered> {
        let mysql = self.known.dialects.contains(&Dialect::Mysql);
        let kind = match mysql {
            true => {
                let only = Known {
                    dialects: vec![Dialect::Mysql],
                    ..self.known.clone()
                };
                let asked = Asked {
                    table: self.table,
                    known: &only,
                };
                asked.kind(column, defined)?
            }
            false => Varied::default(),
        };
        let fill = self.known.said.fill.as_deref().map(Varied::from);
        Ok(Kind::NotNull(NotNull {
            column: column.to_owned(),
            kind,
            key: match fill {
                Some(_) => self.key()?,
                None => Vec::new(),
            },
            fill,
        }))
    }
}

#[cfg(test)]
mod tests;
