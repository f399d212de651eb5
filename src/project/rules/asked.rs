//! What expand.sql asks of the rows of its own columns and tables: `UNIQUE`, `CHECK` and `NOT NULL`, statement by statement.

use crate::sql::{ConstraintRule, Dialect, Effect, Script, Table, Tables};

use super::formats::Formats;

/// What a rule of a table asks of its rows.
pub(super) enum Asked {
    /// Of these columns together. `name` is that of the key where it has one.
    Unique {
        columns: Vec<String>,
        name: Option<String>,
        is_primary: bool,
    },
    Check {
        columns: Vec<String>,
        condition: String,
    },
    NotNull(String),
}

/// A rule that a statement of expand.sql makes.
pub(super) struct Made {
    pub index: usize,
    pub table: String,
    pub asked: Asked,
}

/// The rules that the script makes for its own columns and tables, and the tables as it leaves them.
pub(super) fn rules(script: &Script, formats: &Formats) -> (Vec<Made>, Tables) {
    let dialect = script.dialect;
    let mut tables = Tables::default();
    let mut found = Vec::new();
    for (index, statement) in script.statements.iter().enumerate() {
        let before = tables.clone();
        tables.apply_statement(dialect, statement);
        // One question is asked once.
        let is_told = matches!(
            statement.effect,
            Effect::Destructive { .. } | Effect::Unknown { .. }
        );
        if is_told {
            continue;
        }
        for (name, after) in tables.iter() {
            let none = Table::default();
            let was = before.get(dialect, name).unwrap_or(&none);
            let is_own = |column: &String| formats.makes(name, column);
            let asked = asked(dialect, was, after, &is_own);
            found.extend(asked.into_iter().map(|asked| Made {
                index,
                table: name.to_owned(),
                asked,
            }));
        }
    }
    (found, tables)
}

/// What a table asks beside what it asked.
fn asked(
    dialect: Dialect,
    was: &Table,
    now: &Table,
    is_own: &dyn Fn(&String) -> bool,
) -> Vec<Asked> {
    let mut found = Vec::new();
    if now.primary_key != was.primary_key && now.primary_key.iter().any(is_own) {
        found.push(Asked::Unique {
            columns: now.primary_key.clone(),
            name: None,
            is_primary: true,
        });
    }
    let keys = now.indexes.iter().filter(|index| {
        index.is_unique && !was.indexes.contains(index) && index.columns.iter().any(is_own)
    });
    found.extend(keys.map(|index| Asked::Unique {
        columns: index.columns.clone(),
        name: index.name.clone(),
        is_primary: false,
    }));
    let checks = now.constraints.iter().filter(|one| {
        one.rule == ConstraintRule::Check
            && !was.constraints.contains(one)
            && one.columns.iter().any(is_own)
    });
    found.extend(checks.filter_map(|one| {
        Some(Asked::Check {
            columns: one.columns.clone(),
            condition: one.condition.clone()?,
        })
    }));
    let strict = now.columns.iter().filter(|column| {
        let before = was.column(dialect, &column.name);
        let is_new = before.is_none_or(|before| before.is_nullable);
        !column.is_nullable && !column.is_made && is_new && is_own(&column.name)
    });
    found.extend(strict.map(|column| Asked::NotNull(column.name.clone())));
    found
}
