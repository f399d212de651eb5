//! A table as it stands in a database, for whoever declares a change of it. Read only.

use super::shape::SEPARATOR;
use super::tongue::{Constrained, tongue};
use super::world::texts;
use crate::database::{Access, Connection, DatabaseError};
use crate::sql::{
    ConstraintRule, Dialect, SaidWith, Script, Table, TableColumn, TableConstraint, TableIndex,
    Tables, listed,
};

/// The table that a statement means by this name; `None` if there is none.
///
/// # Errors
/// The database could not be asked.
pub async fn standing(
    connection: &mut dyn Connection,
    dialect: Dialect,
    name: &str,
) -> Result<Option<Table>, DatabaseError> {
    connection.begin(Access::Read).await?;
    let found = found(connection, dialect, name).await;
    let ended = connection.rollback().await;
    let found = found?;
    ended?;
    Ok(found)
}

async fn found(
    connection: &mut dyn Connection,
    dialect: Dialect,
    name: &str,
) -> Result<Option<Table>, DatabaseError> {
    let tongue = tongue(dialect);
    let defined = connection.query(tongue.defined, &[]).await?;
    let indexed = connection.query(tongue.indexed, &[]).await?;
    let is_meant = |row: &Vec<String>| {
        let (schema, table) = (at(row, 0), at(row, 1));
        match name.split_once('.') {
            Some((of, name)) => {
                dialect.may_be_same_name(schema, of.trim())
                    && dialect.may_be_same_name(table, name.trim())
            }
            None => at(row, 2) == "1" && dialect.may_be_same_name(table, name.trim()),
        }
    };
    let defined: Vec<Vec<String>> = defined.into_iter().map(texts).filter(is_meant).collect();
    let Some(first) = defined.first() else {
        return Ok(None);
    };
    let (mut compared, mut compared_by) = (Vec::new(), None);
    let constraints = match tongue.constrained {
        Constrained::Listed(query) => {
            let listed = connection.query(query, &[]).await?.into_iter().map(texts);
            listed
                .filter(is_meant)
                .map(|row| constraint(dialect, &row))
                .collect()
        }
        Constrained::Made(query) => {
            let made = connection
                .query(&query(at(first, 0), at(first, 1)), &[])
                .await?;
            let made = made.into_iter().map(texts).find_map(|mut row| row.pop());
            let made = said_in(dialect, &made.unwrap_or_default());
            compared = made.columns;
            compared_by = made.compared_by;
            made.constraints
        }
    };
    let mut columns: Vec<TableColumn> = defined.iter().map(|row| column(row)).collect();
    for column in columns.iter_mut().filter(|_| dialect == Dialect::Sqlite) {
        // SQLite tells by what a column is compared in the statement alone that made the table.
        let mut said = compared.iter();
        let said = said.find(|one| dialect.may_be_same_name(&one.name, &column.name));
        column.more = said.map(|one| one.more.clone()).unwrap_or_default();
    }
    let mut table = Table {
        columns,
        primary_key: Vec::new(),
        indexes: Vec::new(),
        constraints,
        compared_by,
        is_partitioned: at(first, 9) == "1",
        is_certain: true,
        ..Table::default()
    };
    for row in indexed.into_iter().map(texts).filter(is_meant) {
        let columns: Vec<String> = at(&row, 7).split(SEPARATOR).map(str::to_owned).collect();
        if at(&row, 5) == "1" {
            table.primary_key = columns;
            table.key_includes = names(at(&row, 9));
            continue;
        }
        table.indexes.push(TableIndex {
            name: Some(at(&row, 3).to_owned()).filter(|name| !name.is_empty()),
            columns,
            is_unique: at(&row, 4) == "1",
            is_constraint: at(&row, 8) == "1",
            is_plain: at(&row, 6) == "1",
            includes: names(at(&row, 9)),
        });
    }
    Ok(Some(table))
}

fn names(listed: &str) -> Vec<String> {
    let names = listed.split(SEPARATOR).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}

fn at(row: &[String], index: usize) -> &str {
    row.get(index).map_or("", String::as_str)
}

fn constraint(dialect: Dialect, row: &[String]) -> TableConstraint {
    TableConstraint {
        lists: listed(dialect, at(row, 6)),
        condition: Some(at(row, 6).to_owned()),
        rule: match at(row, 4) {
            "f" => ConstraintRule::ForeignKey,
            _ => ConstraintRule::Check,
        },
        name: Some(at(row, 3).to_owned()),
        columns: at(row, 5).split(SEPARATOR).map(str::to_owned).collect(),
        said: SaidWith::Table,
        // It fires triggers there.
        action: None,
    }
}

/// What the statement that makes a table says of it; nothing where it is not understood, as of the scripts of a project.
fn said_in(dialect: Dialect, made: &str) -> Table {
    let mut tables = Tables::default();
    if let Ok(script) = Script::parse(dialect, made) {
        tables.apply(&script);
    }
    let mut all = tables.iter();
    all.next()
        .map(|(_, table)| table.clone())
        .unwrap_or_default()
}

fn column(row: &[String]) -> TableColumn {
    TableColumn {
        name: at(row, 3).to_owned(),
        kind: at(row, 4).to_owned(),
        is_nullable: at(row, 5) == "1",
        default: Some(at(row, 6).to_owned()).filter(|default| !default.is_empty()),
        is_made: at(row, 7) == "1",
        more: Some(at(row, 8).to_owned())
            .filter(|more| !more.is_empty())
            .into_iter()
            .collect(),
    }
}
