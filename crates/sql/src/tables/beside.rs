//! What hangs on a table beside what it consists of: who inherits from it, and triggers that fire for some of its columns.

use super::definition::{Cursor, items};
use super::{Dialect, Table, TableIndex, Tables, same};

/// A trigger `UPDATE OF` columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableTrigger {
    pub name: String,
    pub columns: Vec<String>,
}

impl Tables {
    /// `INHERITS (a, b)` behind the columns of a table.
    pub(super) fn inherit(&mut self, cursor: &mut Cursor<'_>, child: &str) {
        if cursor.until("inherits").is_none() {
            return;
        }
        for parent in cursor.columns_in_group().unwrap_or_default() {
            self.inherits(cursor.dialect, &parent, child);
        }
    }

    fn inherits(&mut self, dialect: Dialect, parent: &str, child: &str) {
        let children = &mut self.get_mut(dialect, parent).inherited_by;
        if !children.iter().any(|known| same(dialect, known, child)) {
            children.push(child.to_owned());
        }
    }

    /// `INHERIT a` or `NO INHERIT a`; whether it was that.
    pub(super) fn inheritance(&mut self, action: &mut Cursor<'_>, child: &str) -> bool {
        let begins = action.clone();
        let ends = action.eats(&["no", "inherit"]);
        if !ends && !action.eat("inherit") {
            return false;
        }
        let dialect = action.dialect;
        let Some(parent) = action.name() else {
            *action = begins;
            return false;
        };
        if ends {
            let children = &mut self.get_mut(dialect, &parent).inherited_by;
            children.retain(|known| !same(dialect, known, child));
        } else {
            self.inherits(dialect, &parent, child);
        }
        true
    }

    pub(super) fn disinherit(&mut self, dialect: Dialect, child: &str) {
        for table in self.all.values_mut() {
            table
                .inherited_by
                .retain(|known| !same(dialect, known, child));
        }
    }

    /// From the word behind `CREATE` on, if it is a trigger for some columns.
    pub(super) fn create_trigger(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let dialect = cursor.dialect;
        cursor.eats(&["or", "replace"]);
        cursor.eat("constraint");
        if !cursor.eat("trigger") {
            return Some(());
        }
        cursor.eats(&["if", "not", "exists"]);
        let Some(name) = cursor.name() else {
            return Some(());
        };
        let events = cursor.rest();
        cursor.until("on")?;
        let before_on = events.len().checked_sub(cursor.rest().len() + 1)?;
        let mut events = cursor.within(events.get(..before_on)?);
        let mut columns = Vec::new();
        if events.until("update").is_some() && events.eat("of") {
            for item in items(events.rest()) {
                // `OF a OR DELETE`
                columns.extend(events.within(item).name());
            }
        }
        let table = cursor.name()?;
        let of = &mut self.get_mut(dialect, &table).triggers;
        of.retain(|known| !same(dialect, &known.name, &name));
        if !columns.is_empty() {
            of.push(TableTrigger { name, columns });
        }
        Some(())
    }

    /// From the name on.
    pub(super) fn drop_trigger(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        cursor.eats(&["if", "exists"]);
        let dialect = cursor.dialect;
        let name = cursor.name()?;
        let on = if cursor.eat("on") {
            cursor.name()
        } else {
            None
        };
        for (table, there) in &mut self.all {
            if on.as_deref().is_none_or(|on| same(dialect, on, table)) {
                there
                    .triggers
                    .retain(|known| !same(dialect, &known.name, &name));
            }
        }
        Some(())
    }
}

impl Cursor<'_> {
    /// `INCLUDE (a, b)`, if that is next.
    pub(super) fn included(&mut self) -> Vec<String> {
        if !self.eat("include") {
            return Vec::new();
        }
        self.columns_in_group().unwrap_or_default()
    }
}

impl Table {
    fn index_at(&self, dialect: Dialect, name: &str) -> Option<usize> {
        let is_it = |index: &TableIndex| {
            let own = index.name.as_deref();
            own.is_some_and(|own| same(dialect, own, name))
        };
        self.indexes.iter().position(is_it)
    }

    /// `UNIQUE USING INDEX name`: the index is called as the constraint from then on.
    pub(super) fn takes_index(
        &mut self,
        cursor: &mut Cursor<'_>,
        name: Option<String>,
    ) -> Option<()> {
        let of = cursor.name()?;
        let at = self.index_at(cursor.dialect, &of)?;
        let index = self.indexes.get_mut(at)?;
        index.name = name.or(Some(of));
        index.is_constraint = true;
        index.is_plain &= !cursor.has("deferrable");
        Some(())
    }

    /// `PRIMARY KEY USING INDEX name`
    pub(super) fn key_takes_index(&mut self, cursor: &mut Cursor<'_>) -> Option<()> {
        let of = cursor.name()?;
        let at = self.index_at(cursor.dialect, &of)?;
        let index = self.indexes.remove(at);
        self.primary_key = index.columns;
        self.key_includes = index.includes;
        self.keys_are_not_null(cursor.dialect);
        Some(())
    }

    /// An index that refuses more than what is there twice. From what is excluded on.
    pub(super) fn excludes(&mut self, cursor: &mut Cursor<'_>, name: Option<String>) -> Option<()> {
        while !cursor.is_group() {
            if cursor.rest().is_empty() {
                return None;
            }
            cursor.skip();
        }
        let group = cursor.group()?;
        let mut columns: Vec<String> = Vec::new();
        let condition = cursor.rest();
        for tokens in items(group).into_iter().chain([condition]) {
            for found in cursor.names_in(tokens) {
                let is_word = [
                    "with",
                    "asc",
                    "desc",
                    "using",
                    "deferrable",
                    "initially",
                    "deferred",
                ]
                .iter()
                .any(|word| found.eq_ignore_ascii_case(word));
                if !is_word && !columns.contains(&found) {
                    columns.push(found);
                }
            }
        }
        self.indexes.push(TableIndex {
            name,
            columns,
            is_unique: false,
            is_constraint: true,
            is_plain: false,
            includes: Vec::new(),
        });
        Some(())
    }
}
