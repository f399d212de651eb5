//! What is applied, by the tool's own history table.

use super::{History, Revision, Runner, Table};
use crate::database::{Access, Connection, DatabaseError, ErrorKind};
use crate::sql::{Dialect, Relation, RelationKind};

/// A revision that the history tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    pub revision: String,
    pub standing: Standing,
    /// When, as the table says it; `None` where it does not.
    pub at: Option<String>,
}

impl Applied {
    #[must_use]
    pub fn done(revision: impl Into<String>) -> Self {
        Self {
            revision: revision.into(),
            standing: Standing::Done,
            at: None,
        }
    }
}

/// How far a revision has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Done,
    /// It was begun and not finished, and its tool refuses to go on.
    Failed,
}

/// Between the columns of a row that is read as one text.
const BETWEEN: char = '\u{1f}';

/// The query that reads a history, one text a row: every database can make one of any type.
fn query(history: &History, dialect: Dialect) -> Option<String> {
    let table = match history {
        History::Table(table) => table,
        History::Query(query) => return Some(query.clone()),
        History::Command(_) => return None,
    };
    let placed: Vec<String> = table
        .name_on(dialect)
        .split('.')
        .map(|part| dialect.quoted(part))
        .collect();
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| format!("CASE WHEN {column} IS NULL THEN '' ELSE concat({column}, '') END"))
        .collect();
    let row = columns.join(&format!(", '{BETWEEN}', "));
    Some(format!(
        "SELECT concat({row}, '') AS applied FROM {}",
        placed.join(".")
    ))
}

/// The rows of the history; empty if there is no such table yet.
async fn rows(
    history: &History,
    connection: &mut dyn Connection,
) -> Result<Vec<Vec<String>>, DatabaseError> {
    /// No project has as many.
    const MOST: u64 = 1_000_000;
    let dialect = connection.capabilities().dialect;
    let Some(query) = query(history, dialect) else {
        return Ok(Vec::new());
    };
    connection.begin(Access::Read).await?;
    let read = connection.sample(&query, MOST).await;
    connection.rollback().await?;
    match (read, history) {
        (Ok(rows), _) => Ok(rows
            .into_iter()
            .filter_map(|row| row.into_iter().next())
            .map(|row| row.split(BETWEEN).map(str::to_owned).collect())
            .collect()),
        (Err(error), History::Table(table)) if error.kind == ErrorKind::NoTable => {
            nowhere_else(table, connection).await.map(|()| Vec::new())
        }
        (Err(mut error), _) => {
            error.message = format!("the runner's history cannot be read: {}", error.message);
            Err(error)
        }
    }
}

/// Makes sure that a table which is not found is not in another schema.
///
/// Invariant: a history that is not seen is not taken for an empty one. Some tools take back what comes after a revision that is
/// applied already.
async fn nowhere_else(table: &Table, connection: &mut dyn Connection) -> Result<(), DatabaseError> {
    connection.begin(Access::Read).await?;
    let inventory = connection.inventory().await;
    connection.rollback().await?;
    let name = table.name_on(connection.capabilities().dialect);
    let bare = name.rsplit('.').next().unwrap_or_default();
    let is_there = |relation: &&Relation| {
        relation.kind == RelationKind::Table && relation.name.eq_ignore_ascii_case(bare)
    };
    match inventory?.relations.iter().find(is_there) {
        None => Ok(()),
        Some(other) => {
            let schema = other.schema.as_deref().unwrap_or_default();
            Err(DatabaseError::new(
                ErrorKind::Statement,
                format!(
                    "the runner's history `{}` is not where this connection looks for names, and there is a table of that name in the \
                     schema `{schema}`: write `table = \"{schema}.{bare}\"` under [runner] in migrate.toml if it is that one",
                    name
                ),
            ))
        }
    }
}

/// What is applied, by the tool's history.
///
/// # Errors
/// A database error, also where the history tells of what the files do not explain.
pub async fn applied(
    runner: &Runner,
    known: &[Revision],
    printed: &[String],
    connection: &mut dyn Connection,
) -> Result<Vec<Applied>, DatabaseError> {
    let history = runner.history();
    let rows = match &history {
        History::Command(_) => printed.iter().map(|line| vec![line.clone()]).collect(),
        history => rows(history, connection).await?,
    };
    runner
        .tool
        .read(&rows, known)
        .map_err(|why| DatabaseError::new(ErrorKind::Statement, why))
}

/// Each row is a revision, by its first column.
pub(super) fn one_a_row(rows: &[Vec<String>]) -> Vec<Applied> {
    let first = rows.iter().filter_map(|row| row.first());
    first
        .filter(|name| !name.trim().is_empty())
        .map(|name| Applied::done(name.trim()))
        .collect()
}

/// Each row is a revision, by its first column; the second says whether it was finished, the third when.
pub(super) fn with_success(rows: &[Vec<String>]) -> Vec<Applied> {
    let of_row = |row: &Vec<String>| {
        let name = row.first()?.trim();
        let is_done = matches!(row.get(1).map(|text| text.trim()), Some("t" | "true" | "1"));
        (!name.is_empty()).then(|| Applied {
            revision: name.to_owned(),
            standing: if is_done {
                Standing::Done
            } else {
                Standing::Failed
            },
            at: row.get(2).filter(|at| !at.is_empty()).cloned(),
        })
    };
    rows.iter().filter_map(of_row).collect()
}

/// As [`one_a_row`], with the time in the second column.
pub(super) fn with_time(rows: &[Vec<String>]) -> Vec<Applied> {
    let mut found = Vec::new();
    for row in rows {
        let mut one = one_a_row(std::slice::from_ref(row));
        if let Some(applied) = one.first_mut() {
            applied.at = row.get(1).filter(|at| !at.is_empty()).cloned();
        }
        found.append(&mut one);
    }
    found
}
