//! A declaration against what is known of the table: what it names that is not there, and what stands in its way.
//!
//! Only what is certain is held against it: where a script is not understood, nothing is said.

use phasegate_sql::{Dialect, Table, TableIndex};

use super::definition::no_column;
use super::names::Place;
pub use constants::is_literal;

use super::{Change, Columns, DropColumn, Kind, RenameTable, Wrong, not_for_sqlite};

mod clocks;
mod constants;
mod constraints;
mod defaults;
mod partitions;
mod placeholder;
mod said;
mod servers;
mod split;
mod typed;
mod unseen;

/// What speaks against a declaration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    pub weight: Weight,
    pub wrong: Wrong,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// A script would fail, or take something away that nobody has said.
    Error,
    /// An index is lost that may have been meant to stay.
    IndexGoes,
    /// A foreign key or a condition is lost that may have been meant to stay.
    ConstraintGoes,
    /// A row of a live version may be refused by a rule that is not understood.
    MayBeRefused,
    /// Something happens to rows past the triggers, or with a column that goes.
    Unseen,
}

struct Against<'k> {
    dialect: Dialect,
    name: &'k str,
    table: &'k Table,
    found: Vec<Objection>,
}

/// What is lost with an index.
fn lost_with(index: &TableIndex) -> (&'static str, &'static str) {
    match (index.is_unique, index.is_constraint) {
        (true, _) => (
            "the unique index",
            "keeps the new columns from having one value twice",
        ),
        (false, true) => ("the exclusion constraint", "refuses then what it refused"),
        (false, false) => ("the index", "serves the new columns"),
    }
}

/// What speaks against the change, by the table as the earlier migrations have left it.
#[must_use]
pub fn objections(change: &Change, dialect: Dialect, table: &Table) -> Vec<Objection> {
    if !table.is_certain {
        return Vec::new();
    }
    let mut against = Against {
        dialect,
        name: &change.table,
        table,
        found: Vec::new(),
    };
    against.unseen(&change.kind);
    against.partitions(&change.kind);
    match &change.kind {
        Kind::Columns(columns) => against.columns(columns),
        Kind::NotNull(not_null) => against.not_null(not_null),
        Kind::ForeignKey(foreign_key) => {
            against.are_there(&foreign_key.columns);
            against.default_leads_somewhere(foreign_key);
        }
        Kind::Unique(unique) => {
            against.are_there(&unique.columns);
            against.default_is_unique(unique);
        }
        Kind::AddColumn(add) => {
            against.is_new(&add.column);
            against.holds_default(add);
        }
        Kind::DropColumn(drop) => against.drop_column(drop),
        Kind::Index(index) => {
            against.are_there(&index.columns);
            against.is_new_index(&index.name);
        }
        Kind::DropIndex(drop) => against.has_index(&drop.name),
        Kind::Widen(widen) => against.widen(widen),
        Kind::Values(values) => {
            against.values(values);
            against.default_goes(values);
        }
        Kind::Default(default) => against.default(default),
        Kind::RenameTable(rename) => against.rename_table(rename),
        Kind::SplitTable(split) => against.split_table(split),
        Kind::Check(check) => {
            against.check(check);
            against.default_is_let_in(check);
        }
        Kind::DropTable(_) => {}
    }
    against.found
}

impl Against<'_> {
    fn error(&mut self, message: String, help: String) {
        self.refuse(Wrong::new(message, help));
    }

    fn refuse(&mut self, wrong: Wrong) {
        self.found.push(Objection {
            weight: Weight::Error,
            wrong,
        });
    }

    fn doubt(&mut self, message: String, help: String) {
        self.found.push(Objection {
            weight: Weight::IndexGoes,
            wrong: Wrong::new(message, help),
        });
    }

    fn are_there(&mut self, names: &[String]) {
        const ROWID: &[&str] = &["rowid", "oid", "_rowid_"];
        for name in names {
            let is_rowid = self.dialect == Dialect::Sqlite
                && ROWID.contains(&name.to_ascii_lowercase().as_str());
            if !is_rowid && self.table.column(self.dialect, name).is_none() {
                let wrong = no_column(self.dialect, self.name, self.table, name);
                self.error(wrong.message, wrong.help);
            }
        }
    }

    fn is_new(&mut self, name: &str) {
        if self.table.column(self.dialect, name).is_some() {
            self.error(
                format!("`{}` has a column `{name}` already", self.name),
                "choose another name: expand adds the column".to_owned(),
            );
        }
    }

    fn index(&self, name: &str) -> Option<&TableIndex> {
        let dialect = self.dialect;
        let indexes = self.table.indexes.iter();
        indexes.into_iter().find(|index| {
            index
                .called(dialect, self.name)
                .is_some_and(|own| dialect.may_be_same_name(&own, name))
        })
    }

    fn is_new_index(&mut self, name: &str) {
        if self.index(name).is_some() {
            self.error(
                format!("`{}` has an index `{name}` already", self.name),
                "choose another name: expand builds the index".to_owned(),
            );
        }
    }

    fn has_index(&mut self, name: &str) {
        let is_named = |index: &TableIndex| {
            index.is_constraint || index.called(self.dialect, self.name).is_some()
        };
        let is_there = self.index(name).is_some() || self.may_serve_foreign_key(name);
        if is_there || !self.table.indexes.iter().all(is_named) {
            return;
        }
        let there: Vec<String> = self
            .table
            .indexes
            .iter()
            .filter_map(|index| index.called(self.dialect, self.name))
            .collect();
        let help = if there.is_empty() {
            "it has none beside its primary key".to_owned()
        } else {
            format!("it has {}", there.join(", "))
        };
        self.error(
            format!(
                "`{}` has no index `{name}` on {}, as the earlier migrations make it",
                self.name,
                self.dialect.title()
            ),
            help,
        );
    }

    fn is_key(&mut self, key: &[String]) {
        let before = self.found.len();
        self.are_there(key);
        let is_there = key
            .iter()
            .all(|name| self.table.column(self.dialect, name).is_some());
        if self.found.len() == before {
            self.can_be_gone_along(key);
        }
        if self.found.len() == before && is_there && !self.table.is_key(self.dialect, key) {
            let help = match self.table.primary_key.as_slice() {
                [] => "name columns that are unique and never NULL".to_owned(),
                [one] => format!("its primary key is `key = \"{one}\"`"),
                several => format!("its primary key is `key = {several:?}`"),
            };
            self.error(
                format!(
                    "`key` of `{}` may have one value twice, or NULL, on {}: batches go along a key that is unique",
                    self.name,
                    self.dialect.title()
                ),
                help,
            );
        }
    }

    fn columns(&mut self, change: &Columns) {
        self.are_there(&change.old);
        self.is_key(&change.key);
        change.new.iter().for_each(|new| self.is_new(&new.name));
        for index in &change.indexes {
            self.is_new_index(&index.name);
        }
        for name in change.leaving() {
            self.has_index(name);
        }
        let leaving: Vec<&String> = change.leaving().collect();
        for old in &change.old {
            self.is_free_of_keys(old);
            self.left_out(old);
            for index in self.left_behind(old, &leaving) {
                self.carried(change, &index);
            }
        }
        self.constraints(change);
        self.clocks(change);
        self.casts(change);
    }

    /// SQLite drops no column of a key.
    fn is_free_of_keys(&mut self, name: &str) {
        let key = &self.table.primary_key;
        let is_primary = key
            .iter()
            .chain(&self.table.key_includes)
            .any(|key| self.dialect.may_be_same_name(key, name));
        let is_unique = self.dialect == Dialect::Sqlite
            && self
                .table
                .indexes_over(self.dialect, name)
                .any(|index| index.is_constraint);
        if is_primary {
            self.error(
                format!(
                    "`{name}` is of the primary key of `{}`, which cannot go with it",
                    self.name
                ),
                "make another key first, in a migration of its own with scripts of your own"
                    .to_owned(),
            );
        } else if is_unique {
            self.refuse(not_for_sqlite(
                format!(
                    "SQLite cannot drop `{name}`, which is UNIQUE since `{}` was made",
                    self.name
                ),
                "make the table anew with scripts of your own",
            ));
        }
    }

    /// Whether an INSERT that leaves the column out is refused.
    fn is_needed(&self, name: &str) -> bool {
        let column = self.table.column(self.dialect, name);
        column.is_some_and(|column| {
            !column.is_nullable && !column.is_made && column.default.is_none()
        })
    }

    /// SQLite cannot fill a column in a row before it is refused.
    fn left_out(&mut self, name: &str) {
        if self.dialect == Dialect::Sqlite && self.is_needed(name) {
            self.refuse(not_for_sqlite(
                format!(
                    "`{name}` is NOT NULL without a default, and SQLite refuses a row of the new format, which leaves it out, before a trigger could fill it"
                ),
                "make the table anew with scripts of your own, in which it has a default",
            ));
        }
    }

    /// Indexes over this column of which the declaration says nothing.
    fn left_behind(&self, column: &str, leaving: &[&String]) -> Vec<TableIndex> {
        let dialect = self.dialect;
        let is_said = |index: &TableIndex| {
            let own = index.called(dialect, self.name);
            own.is_some_and(|own| {
                leaving
                    .iter()
                    .any(|name| dialect.may_be_same_name(&own, name))
            })
        };
        let is_of_key = |index: &TableIndex| dialect == Dialect::Sqlite && index.is_constraint;
        let over = self.table.indexes_over(dialect, column);
        over.filter(|index| !is_said(index) && !is_of_key(index))
            .cloned()
            .collect()
    }

    /// What becomes of an index over an old column.
    fn carried(&mut self, change: &Columns, index: &TableIndex) {
        let own = index.called(self.dialect, self.name).unwrap_or_default();
        let new: Vec<String> = match (change.old.as_slice(), change.new.as_slice()) {
            ([old], [new]) => index
                .columns
                .iter()
                .map(|column| {
                    let is_old = self.dialect.may_be_same_name(column, old);
                    if is_old {
                        new.name.clone()
                    } else {
                        column.clone()
                    }
                })
                .collect(),
            (_, new) => new.iter().map(|new| new.name.clone()).collect(),
        };
        let unique = if index.is_unique {
            ", unique = true"
        } else {
            ""
        };
        let place = Place::new(self.dialect, self.name, "");
        let called = place.unquoted(&new.join("_"));
        let help = format!(
            "write `[change.indexes]` `{called} = {{ columns = {new:?}{unique}, replaces = \"{own}\" }}`, or `drop_indexes = [\"{own}\"]` under `[change]` where nobody needs it"
        );
        let help = if index.is_plain {
            help
        } else {
            format!(
                "it is more than an ordinary index over columns: write `[change.indexes]` `{called} = {{ on = \"…\"{unique}, replaces = \"{own}\" }}` where an \
                 expression says it; otherwise build what takes its place in a migration of its own, before this one is contracted, and write \
                 `drop_indexes = [\"{own}\"]` under `[change]`"
            )
        };
        let (what, needs) = lost_with(index);
        if self.dialect == Dialect::Sqlite {
            self.error(
                format!(
                    "{what} `{own}` is over a column that the contract drops, which SQLite refuses"
                ),
                help,
            );
        } else {
            self.doubt(
                format!("{what} `{own}` goes with its column at the contract, and nothing {needs}"),
                help,
            );
        }
    }

    fn drop_column(&mut self, change: &DropColumn) {
        self.are_there(&change.columns);
        for name in &change.drop_indexes {
            self.has_index(name);
        }
        let leaving: Vec<&String> = change.drop_indexes.iter().collect();
        for name in &change.columns {
            self.is_free_of_keys(name);
            self.placeholder(name, change.placeholder.as_ref());
            for index in self.left_behind(name, &leaving) {
                let own = index.called(self.dialect, self.name).unwrap_or_default();
                let others = index
                    .columns
                    .iter()
                    .any(|column| !change.columns.contains(column));
                let help = format!("write `drop_indexes = [\"{own}\"]` under `[change]`");
                match self.dialect {
                    Dialect::Sqlite => self.error(
                        format!("the index `{own}` is over `{name}`, which SQLite does not drop before it"),
                        help,
                    ),
                    Dialect::Mysql if others => self.doubt(
                        format!("of the index `{own}`, which is over `{name}` and others, MySQL would leave the others"),
                        help,
                    ),
                    Dialect::Postgres if others && (index.is_unique || index.is_constraint) => {
                        let (what, _) = lost_with(&index);
                        self.doubt(
                            format!(
                                "{what} `{own}` goes with `{name}` at the contract, and with it what it does for its other columns"
                            ),
                            format!(
                                "build what takes its place by a migration whose contract comes first; then, or where nobody needs it, {help}"
                            ),
                        );
                    }
                    // It goes with its column, which nobody uses any more.
                    Dialect::Mysql | Dialect::Postgres => {}
                }
            }
        }
    }

    /// SQLite writes through a view with triggers, which have to say all of a row.
    fn rename_table(&mut self, change: &RenameTable) {
        if self.dialect != Dialect::Sqlite {
            return;
        }
        self.are_there(&change.columns);
        self.is_key(&change.key);
        let dialect = self.dialect;
        let left_out = |name: &String| {
            !change
                .columns
                .iter()
                .any(|column| dialect.may_be_same_name(column, name))
        };
        let columns = self.table.columns.clone();
        let missing: Vec<&str> = columns
            .iter()
            .filter(|column| !column.is_made && left_out(&column.name))
            .map(|column| column.name.as_str())
            .collect();
        if !missing.is_empty() {
            self.error(
                format!(
                    "`columns` leaves out {} of `{}`: what is written there through the view would be lost",
                    missing.join(" and "),
                    self.name
                ),
                "name each column that can be written".to_owned(),
            );
        }
        for column in columns {
            let Some(default) = &column.default else {
                continue;
            };
            if default.eq_ignore_ascii_case("null") || change.defaults.contains_key(&column.name) {
                continue;
            }
            self.error(
                format!(
                    "`{}` has the default {default}, which SQLite does not give to a row that is written through a view",
                    column.name
                ),
                format!("write `{} = {default:?}` under `[change.defaults]`", column.name),
            );
        }
    }
}

#[cfg(test)]
mod tests;
