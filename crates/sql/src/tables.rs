//! What scripts make of tables: their columns as they are defined, their keys and their indexes. Read by words alone, so
//! that what a statement does that is not understood makes the table *uncertain*: it may have more, or less, than is known.

use std::collections::BTreeMap;

use super::lexeme::{self, Kind, Token};
use super::{Dialect, ObjectKind, Script, Statement, Verb};

mod asked;
mod behind;
mod beside;
mod column;
mod constraints;
mod defaults;
mod definition;
mod index;
mod listed;
mod renamed;

pub use beside::TableTrigger;
pub use column::TableColumn;
pub use constraints::{Action, ConstraintRule, SaidWith, TableConstraint};
pub(super) use defaults::constant;
pub use defaults::{Asks, DefaultMet, Meets};
pub(super) use definition::{Cursor, items};
pub use index::TableIndex;
pub use listed::listed;
pub(super) use listed::plain;

/// Tables by name, as far as scripts tell of them.
#[derive(Clone, Debug, Default)]
pub struct Tables {
    all: BTreeMap<String, Table>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    pub columns: Vec<TableColumn>,
    /// Empty where there is none, or it is not known.
    pub primary_key: Vec<String>,
    /// Columns that its index has beside them (`INCLUDE`).
    pub key_includes: Vec<String>,
    pub indexes: Vec<TableIndex>,
    pub constraints: Vec<TableConstraint>,
    /// The index by which PostgreSQL tells whoever follows a publication which row was changed; None for the primary key.
    pub replica_identity: Option<String>,
    /// Tables that inherit from it and are no partitions: triggers of this one do not fire for their rows.
    pub inherited_by: Vec<String>,
    /// Triggers that fire where a statement names one of some columns.
    pub triggers: Vec<TableTrigger>,
    /// The character set and collation of its texts, where a column says none and MySQL's table does.
    pub compared_by: Option<String>,
    /// Whether its rows are in partitions, as far as PostgreSQL is concerned.
    pub is_partitioned: bool,
    /// Whether all that is said here holds, and nothing more does.
    pub is_certain: bool,
}

/// Names of columns: without case on all but PostgreSQL.
fn same(dialect: Dialect, a: &str, b: &str) -> bool {
    dialect.may_be_same_name(a, b)
}

impl Tables {
    /// A table by its name alone.
    #[must_use]
    pub fn get(&self, dialect: Dialect, table: &str) -> Option<&Table> {
        let name = table.rsplit('.').next().unwrap_or(table);
        let mut all = self.all.iter();
        all.find(|(there, _)| same(dialect, there, name))
            .map(|(_, table)| table)
    }

    /// Every table, by its name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Table)> {
        self.all.iter().map(|(name, table)| (name.as_str(), table))
    }

    /// What becomes of the tables by this script.
    pub fn apply(&mut self, script: &Script) {
        for statement in &script.statements {
            self.apply_statement(script.dialect, statement);
        }
    }

    /// What becomes of them by this statement alone.
    pub fn apply_statement(&mut self, dialect: Dialect, statement: &Statement) {
        let tokens = lexeme::tokens(dialect.grammar(), &statement.text).unwrap_or_default();
        let mut cursor = Cursor::new(dialect, &statement.text, &tokens);
        let is_understood = match () {
            () if cursor.eat("create") => self.create(&mut cursor),
            () if cursor.eats(&["alter", "table"]) => self.alter(&mut cursor),
            () if cursor.eats(&["rename", "table"]) => self.rename(&mut cursor),
            () if cursor.eats(&["drop", "index"]) => self.drop_index(&mut cursor),
            () if cursor.eats(&["drop", "trigger"]) => self.drop_trigger(&mut cursor),
            () if cursor.eats(&["drop", "table"]) => self.drop_tables(dialect, statement),
            () => None,
        };
        if is_understood.is_none() {
            self.doubt(dialect, statement);
        }
    }

    /// Tables that the statement changes in a way that is not understood.
    fn doubt(&mut self, dialect: Dialect, statement: &Statement) {
        for object in statement.objects() {
            let table = match object.kind {
                ObjectKind::Table => Some(object.name.as_str()),
                ObjectKind::Column | ObjectKind::Constraint | ObjectKind::Index => {
                    object.table.as_deref()
                }
                _ => None,
            };
            let Some(table) = table else { continue };
            let is_rename = object.verb == Verb::Rename && object.kind == ObjectKind::Table;
            for name in [
                Some(table),
                object.renamed_to.as_deref().filter(|_| is_rename),
            ]
            .into_iter()
            .flatten()
            {
                self.get_mut(dialect, name).is_certain = false;
            }
        }
        if matches!(statement.effect, super::Effect::Unknown { .. }) {
            for table in self.all.values_mut() {
                table.is_certain = false;
            }
        }
    }

    /// The table, which may be new and of which nothing is known then.
    fn get_mut(&mut self, dialect: Dialect, name: &str) -> &mut Table {
        let there = self.all.keys().find(|there| same(dialect, there, name));
        let there = there.cloned().unwrap_or_else(|| name.to_owned());
        self.all.entry(there).or_default()
    }

    fn remove(&mut self, dialect: Dialect, name: &str) -> Option<Table> {
        let there = self.all.keys().find(|there| same(dialect, there, name));
        let there = there.cloned()?;
        self.disinherit(dialect, &there);
        self.all.remove(&there)
    }

    fn create(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let is_temporary = cursor.eat("temp") || cursor.eat("temporary");
        cursor.eat("unlogged");
        if cursor.eat("table") {
            let may_be_there = cursor.eats(&["if", "not", "exists"]);
            let name = cursor.name()?;
            if is_temporary || may_be_there && self.get(cursor.dialect, &name).is_some() {
                return Some(());
            }
            let mut table = Table {
                is_certain: true,
                ..Table::default()
            };
            // What is made of a query, or like another table, is not known.
            let items = items(cursor.group()?);
            for item in items {
                table.item(&mut cursor.within(item))?;
            }
            let rest: Vec<&str> = ["as", "select", "inherits", "partition"]
                .into_iter()
                .filter(|word| cursor.has(word))
                .collect();
            table.is_certain &= rest.is_empty() || rest == ["partition"];
            table.behind(cursor);
            table.keys_are_not_null(cursor.dialect);
            table.name_constraints(cursor.dialect, &name);
            self.remove(cursor.dialect, &name);
            self.inherit(cursor, &name);
            self.all.insert(name, table);
            return Some(());
        }
        let is_unique = cursor.eat("unique");
        let _ = cursor.eat("fulltext") || cursor.eat("spatial");
        if !cursor.eat("index") {
            // Functions, views: nobody's columns.
            return self.create_trigger(cursor);
        }
        cursor.eat("concurrently");
        cursor.eats(&["if", "not", "exists"]);
        let name = match cursor.eat("on") {
            true => None,
            false => {
                let name = cursor.name()?;
                cursor.until("on")?;
                Some(name)
            }
        };
        cursor.eat("only");
        let table = cursor.name()?;
        let index = cursor.index(name, is_unique)?;
        self.get_mut(cursor.dialect, &table).indexes.push(index);
        Some(())
    }

    fn alter(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.eats(&["if", "exists"]);
        cursor.eat("only");
        let mut name = cursor.name()?;
        let dialect = cursor.dialect;
        for action in items(cursor.rest()) {
            let mut action = cursor.within(action);
            let is_table_renamed =
                action.eat("rename") && (action.eat("to") || action.eat("as") || action.is_one());
            if is_table_renamed {
                let to = action.name()?;
                let table = self.remove(dialect, &name).unwrap_or_default();
                self.remove(dialect, &to);
                self.all.insert(to.clone(), table);
                name = to;
                continue;
            }
            let mut action = action.again();
            if self.inheritance(&mut action, &name) {
                continue;
            }
            let table = self.get_mut(dialect, &name);
            table.converted(&action);
            table.action(&mut action)?;
            table.name_constraints(dialect, &name);
        }
        Some(())
    }

    fn drop_index(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.eat("concurrently");
        cursor.eats(&["if", "exists"]);
        let dialect = cursor.dialect;
        let name = cursor.name()?;
        for table in self.all.values_mut() {
            table.drop_index(dialect, &name);
        }
        Some(())
    }

    fn drop_tables(&mut self, dialect: Dialect, statement: &Statement) -> Option<()> {
        for object in statement.objects() {
            self.remove(dialect, &object.name);
        }
        Some(())
    }
}

impl Table {
    /// The conditions of its CHECKs that name this column.
    pub fn conditions_on(&self, dialect: Dialect, column: &str) -> impl Iterator<Item = &str> {
        let conditions = self.constraints.iter();
        let conditions = conditions.filter_map(|one| one.condition.as_deref());
        conditions.filter(move |condition| dialect.mentions(condition, column))
    }

    fn keys_are_not_null(&mut self, dialect: Dialect) {
        for column in &mut self.columns {
            let is_key = self
                .primary_key
                .iter()
                .any(|name| same(dialect, name, &column.name));
            if is_key {
                column.is_nullable = false;
            }
        }
    }

    fn drop_index(&mut self, dialect: Dialect, name: &str) {
        self.indexes.retain(|index| {
            let own = index.name.as_deref();
            !own.is_some_and(|own| same(dialect, own, name))
        });
    }

    /// A column or a constraint, as `CREATE TABLE` and `ADD` have it.
    fn item(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let mut name = None;
        if cursor.eat("constraint") && !cursor.is_any(&["primary", "unique", "check", "foreign"]) {
            name = Some(cursor.name()?);
        }
        if cursor.eats(&["primary", "key"]) {
            if cursor.eats(&["using", "index"]) {
                return self.key_takes_index(cursor);
            }
            self.primary_key = cursor.columns_in_group()?;
            self.key_includes = cursor.included();
            self.keys_are_not_null(cursor.dialect);
            return Some(());
        }
        if cursor.is_any(&["unique"]) {
            cursor.eat("unique");
            if cursor.eats(&["using", "index"]) {
                return self.takes_index(cursor, name);
            }
            let _ = cursor.eat("index") || cursor.eat("key");
            if !cursor.is_group() && !cursor.is_any(&["using", "nulls"]) {
                name = Some(cursor.name()?);
            }
            let mut index = cursor.index(name, true)?;
            index.is_constraint = true;
            self.indexes.push(index);
            return Some(());
        }
        if cursor.is_any(&["index", "key"]) && !cursor.names_a_column() {
            let _ = cursor.eat("index") || cursor.eat("key");
            if !cursor.is_group() && !cursor.is_any(&["using"]) {
                name = Some(cursor.name()?);
            }
            let index = cursor.index(name, false)?;
            self.indexes.push(index);
            return Some(());
        }
        if cursor.is_any(&["check", "foreign"]) && !cursor.names_a_column() {
            self.constraints.push(cursor.constraint(name)?);
            return Some(());
        }
        if cursor.eats(&["exclude", "using"]) || cursor.eats(&["exclude"]) {
            return self.excludes(cursor, name);
        }
        if cursor.is_any(&["fulltext", "spatial"]) && !cursor.names_a_column() {
            return Some(());
        }
        if cursor.is_any(&["like", "period"]) && !cursor.names_a_column() {
            return None;
        }
        let may_wait = cursor.has("deferrable");
        let (column, says) = cursor.column()?;
        if says.is_primary {
            self.primary_key = vec![column.name.clone()];
        }
        if says.is_unique {
            self.indexes.push(TableIndex {
                name: None,
                columns: vec![column.name.clone()],
                is_unique: true,
                is_constraint: true,
                is_plain: !may_wait,
                includes: Vec::new(),
            });
        }
        self.forget(cursor.dialect, &column.name);
        self.constraints.extend(says.constraints);
        self.columns.push(column);
        Some(())
    }

    fn forget(&mut self, dialect: Dialect, name: &str) {
        self.columns
            .retain(|column| !same(dialect, &column.name, name));
    }

    /// One action of `ALTER TABLE`.
    fn action(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let dialect = cursor.dialect;
        if cursor.eat("add") {
            cursor.eat("column");
            cursor.eats(&["if", "not", "exists"]);
            if cursor.is_group() {
                for item in items(cursor.group()?) {
                    self.item(&mut cursor.within(item))?;
                }
                return Some(());
            }
            return self.item(cursor);
        }
        if cursor.eat("drop") {
            if cursor.eats(&["primary", "key"]) {
                self.primary_key.clear();
                return Some(());
            }
            let of_index = cursor.eat("index")
                || cursor.eat("key")
                || cursor.eat("constraint")
                || cursor.eats(&["foreign", "key"])
                || cursor.eat("check");
            cursor.eat("column");
            cursor.eats(&["if", "exists"]);
            let name = cursor.name()?;
            self.drop_index(dialect, &name);
            if of_index {
                self.drop_constraint(dialect, &name);
            } else {
                self.forget(dialect, &name);
                self.forget_constraints_over(dialect, &name);
                self.indexes.retain(|index| {
                    !index
                        .columns
                        .iter()
                        .any(|column| same(dialect, column, &name))
                });
            }
            return Some(());
        }
        if cursor.eat("rename") {
            let of_index = cursor.eat("index") || cursor.eat("key") || cursor.eat("constraint");
            cursor.eat("column");
            let from = cursor.name()?;
            cursor.eat("to");
            let to = cursor.name()?;
            self.rename(dialect, &from, &to, of_index);
            return Some(());
        }
        if cursor.eat("modify") || cursor.is_any(&["change"]) {
            let is_change = cursor.eat("change");
            cursor.eat("column");
            cursor.eats(&["if", "exists"]);
            if is_change {
                let from = cursor.name()?;
                let to = cursor.clone().name()?;
                self.rename(dialect, &from, &to, false);
            }
            let (column, says) = cursor.column()?;
            self.redefine_constraints(dialect, &column.name, says.constraints);
            let there = self
                .columns
                .iter_mut()
                .find(|there| same(dialect, &there.name, &column.name));
            match there {
                Some(there) => *there = column,
                None => self.columns.push(column),
            }
            return (!says.is_primary && !says.is_unique).then_some(());
        }
        if cursor.eat("alter") {
            cursor.eat("column");
            let name = cursor.name()?;
            let column = self
                .columns
                .iter_mut()
                .find(|column| same(dialect, &column.name, &name));
            let mut unseen = TableColumn::unknown();
            let column = column.unwrap_or(&mut unseen);
            return cursor.altered(column);
        }
        if cursor.eats(&["replica", "identity"]) {
            let is_index = cursor.eats(&["using", "index"]);
            self.replica_identity = if is_index { cursor.name() } else { None };
            return Some(());
        }
        // Says nothing of columns.
        cursor
            .is_any(&[
                "algorithm",
                "lock",
                "validate",
                "enable",
                "disable",
                "owner",
                "force",
                "engine",
                "comment",
                "set",
                "cluster",
                "no",
                "auto_increment",
            ])
            .then_some(())
    }

    fn rename(&mut self, dialect: Dialect, from: &str, to: &str, of_index: bool) {
        if of_index {
            self.rename_constraint(dialect, from, to);
            for index in &mut self.indexes {
                let is_it = index
                    .name
                    .as_deref()
                    .is_some_and(|own| same(dialect, own, from));
                if is_it {
                    index.name = Some(to.to_owned());
                }
            }
            return;
        }
        let columns = self.columns.iter_mut().map(|column| &mut column.name);
        let of_key = self.primary_key.iter_mut();
        let of_indexes = self.indexes.iter_mut().flat_map(|index| &mut index.columns);
        let of_constraints = self.constraints.iter_mut().flat_map(|one| &mut one.columns);
        let of_others = of_indexes.chain(of_constraints);
        for name in columns.chain(of_key).chain(of_others) {
            if same(dialect, name, from) {
                to.clone_into(name);
            }
        }
    }
}

/// Whether a token can name something.
fn is_name(token: &Token) -> bool {
    matches!(token.kind, Kind::Word | Kind::QuotedName)
}

#[cfg(test)]
mod tests;
