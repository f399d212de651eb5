//! Which tables and columns belong to the formats of a migration, as far as its scripts tell.

use crate::model::Sync;
use crate::sql::{Dialect, Object, ObjectKind, Script, Statement, Verb};

use super::Scripts;

/// What the scripts show of the new and the old format.
pub(super) struct Formats {
    dialect: Dialect,
    sync: Sync,
    /// Tables that expand.sql makes.
    tables: Vec<String>,
    /// Columns that are new, or that this migration fills or changes, with their tables.
    columns: Vec<(String, String)>,
    /// Columns that expand.sql adds, or gives this name, with their tables.
    added: Vec<(String, String)>,
    /// Whether expand.sql adds columns.
    adds: bool,
    /// Columns that contract.sql takes away.
    old_columns: Vec<(String, String)>,
    /// Tables that contract.sql takes away.
    old_tables: Vec<String>,
}

impl Formats {
    pub fn of(scripts: &Scripts<'_>) -> Self {
        let dialect = scripts.dialect;
        let (expand, contract) = (scripts.adds(), scripts.contract);
        let added: Vec<(String, String)> = columns_of(expand, made).collect();
        let mut columns = added.clone();
        let adds = columns_of(expand, |object| {
            (object.verb == Verb::Create).then(|| object.name.clone())
        })
        .next()
        .is_some();
        columns.extend(columns_of(contract, |object| {
            (object.verb == Verb::Alter).then(|| object.name.clone())
        }));
        let filled = scripts
            .backfill
            .and_then(|backfill| dialect.filled(&backfill.text));
        if let Some((table, filled)) = filled {
            let is_it = |other: &str| dialect.may_be_same_name(other, &table);
            let adds = columns_of(expand, made).any(|(of, _)| is_it(&of));
            if !adds {
                columns.extend(filled.into_iter().map(|column| (table.clone(), column)));
            }
        }
        let tables = objects(expand)
            .filter(|object| is_relation(object))
            .filter_map(made);
        let old_tables = objects(contract)
            .filter(|object| object.kind == ObjectKind::Table && is_taken(object))
            .map(|object| object.name.clone());
        Self {
            dialect,
            sync: scripts
                .manifest
                .and_then(|manifest| manifest.sync.as_ref())
                .map_or(Sync::None, |sync| sync.value),
            tables: tables.collect(),
            added,
            adds,
            old_columns: columns_of(contract, |object| {
                is_taken(object).then(|| object.name.clone())
            })
            .collect(),
            old_tables: old_tables.collect(),
            columns,
        }
    }

    fn is(&self, a: &str, b: &str) -> bool {
        self.dialect.may_be_same_name(a, b)
    }

    /// Whether expand.sql makes the table.
    pub fn has_table(&self, table: &str) -> bool {
        self.tables.iter().any(|made| self.is(made, table))
    }

    /// Whether it belongs to the new format. Without a table, any that has such a column counts.
    pub fn is_new(&self, table: Option<&str>, column: &str) -> bool {
        table.is_some_and(|table| self.has_table(table)) || self.holds(&self.columns, table, column)
    }

    /// Whether expand.sql makes the column, or its table.
    pub fn makes(&self, table: &str, column: &str) -> bool {
        self.has_table(table) || self.holds(&self.added, Some(table), column)
    }

    /// Whether it belongs to the old format, which a sync keeps up: contract.sql takes it away, or, where that does not
    /// tell, the migration declares that the new format refreshes it.
    pub fn is_kept_up(&self, table: Option<&str>, column: &str) -> bool {
        let of_table = |of: &str| table.is_none_or(|table| self.is(of, table));
        if self.holds(&self.old_columns, table, column)
            || self.old_tables.iter().any(|of| of_table(of))
        {
            return true;
        }
        let tells = self.old_columns.iter().any(|(of, _)| of_table(of));
        !tells && matches!(self.sync, Sync::Both | Sync::ToOld)
    }

    fn holds(&self, columns: &[(String, String)], table: Option<&str>, column: &str) -> bool {
        columns
            .iter()
            .any(|(of, name)| table.is_none_or(|table| self.is(of, table)) && self.is(name, column))
    }

    /// Whether expand.sql adds a column to a table that was there.
    pub fn adds_columns(&self) -> bool {
        self.adds
    }

    /// The names of the columns of the new format.
    pub fn new_names(&self) -> Vec<&str> {
        let names = self.columns.iter().map(|(_, name)| name.as_str());
        names.collect()
    }
}

fn objects(script: Option<&Script>) -> impl Iterator<Item = &Object> {
    let statements = script.into_iter().flat_map(|script| &script.statements);
    statements.flat_map(Statement::objects)
}

fn columns_of(
    script: Option<&Script>,
    name: impl Fn(&Object) -> Option<String>,
) -> impl Iterator<Item = (String, String)> {
    objects(script)
        .filter(|object| object.kind == ObjectKind::Column)
        .filter_map(move |object| Some((object.table.clone()?, name(object)?)))
}

/// The name under which it is there afterwards.
fn made(object: &Object) -> Option<String> {
    match object.verb {
        Verb::Create => Some(object.name.clone()),
        Verb::Rename => object.renamed_to.clone(),
        Verb::Drop | Verb::Alter => None,
    }
}

const fn is_taken(object: &Object) -> bool {
    matches!(object.verb, Verb::Drop | Verb::Rename)
}

const fn is_relation(object: &Object) -> bool {
    matches!(
        object.kind,
        ObjectKind::Table | ObjectKind::View | ObjectKind::MaterializedView
    )
}

/// Whether the statement makes a table of this name.
pub(super) fn creates(dialect: Dialect, statement: &Statement, table: &str) -> bool {
    statement.objects().any(|object| {
        object.kind == ObjectKind::Table
            && object.verb == Verb::Create
            && dialect.may_be_same_name(&object.name, table)
    })
}

/// Whether a script makes the table, or gives it this name.
pub(super) fn makes(script: &Script, table: &str) -> bool {
    objects(Some(script))
        .filter(|object| is_relation(object))
        .filter_map(made)
        .any(|name| script.dialect.may_be_same_name(&name, table))
}
