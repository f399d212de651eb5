//! A table as it stands in a database, for whoever declares a change of it. Read only.

use super::shape::SEPARATOR;
use super::tongue::tongue;
use super::world::texts;
use crate::database::{Access, Connection, DatabaseError};
use crate::sql::{Dialect, Table, TableColumn, TableIndex};

/// The table that a statement means by this name; none where there is none.
///
/// # Errors
/// The database could not be asked.
pub async fn standing(
    connection: &mut dyn Connection,
    dialect: Dialect,
    name: &str,
) -> Result<Option<Table>, DatabaseError> {
    let tongue = tongue(dialect);
    connection.begin(Access::Read).await?;
    let defined = connection.query(tongue.defined, &[]).await;
    let indexed = match defined {
        Ok(_) => connection.query(tongue.indexed, &[]).await,
        Err(_) => Ok(Vec::new()),
    };
    let ended = connection.rollback().await;
    let (defined, indexed) = (defined?, indexed?);
    ended?;
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
    let columns: Vec<TableColumn> = defined
        .into_iter()
        .map(texts)
        .filter(is_meant)
        .map(|row| column(&row))
        .collect();
    if columns.is_empty() {
        return Ok(None);
    }
    let mut table = Table {
        columns,
        primary_key: Vec::new(),
        indexes: Vec::new(),
        is_certain: true,
    };
    for row in indexed.into_iter().map(texts).filter(is_meant) {
        let columns: Vec<String> = at(&row, 7).split(SEPARATOR).map(str::to_owned).collect();
        if at(&row, 5) == "1" {
            table.primary_key = columns;
            continue;
        }
        table.indexes.push(TableIndex {
            name: Some(at(&row, 3).to_owned()).filter(|name| !name.is_empty()),
            columns,
            is_unique: at(&row, 4) == "1",
            is_constraint: at(&row, 8) == "1",
            is_plain: at(&row, 6) == "1",
        });
    }
    Ok(Some(table))
}

fn at(row: &[String], index: usize) -> &str {
    row.get(index).map_or("", String::as_str)
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
