//! Tables, views and triggers, from the schema table.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::Sqlite;
use crate::database::{Connection as _, DatabaseError, Value};
use crate::sql::{
    Attached, Dependent, Dependents, Dialect, Inventory, Relation, RelationKind, Visible,
};

/// The code that this statement of the schema makes.
#[cfg(feature = "coordinator")]
#[allow(clippy::unnecessary_wraps, reason = "as where it cannot be told")]
fn code_of(sql: &str) -> Result<Vec<Dependent>, DatabaseError> {
    // Whoever takes many steps looks at the same schema before and after each of them.
    static READ: LazyLock<Mutex<HashMap<String, Vec<Dependent>>>> = LazyLock::new(Mutex::default);
    let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = read.get(sql) {
        return Ok(known.clone());
    }
    // What cannot be read names nothing that could be told.
    let script = crate::sql::Script::parse(Dialect::Sqlite, sql).ok();
    let code = script.map_or_else(Vec::new, |script| Dependents::made_by(&script).all);
    if read.len() >= MOST_KEPT {
        read.clear();
    }
    read.insert(sql.to_owned(), code.clone());
    Ok(code)
}

/// Invariant: a build that reads no SQL never says that there is no code.
#[cfg(not(feature = "coordinator"))]
fn code_of(_sql: &str) -> Result<Vec<Dependent>, DatabaseError> {
    Err(DatabaseError::new(
        crate::database::ErrorKind::Statement,
        "this program is built without what reads SQL: the feature `coordinator` of phasegate-lease brings it",
    ))
}

/// The columns of ordinary tables by the statement that the schema keeps of each: it says all of them, and is another one as soon as one
/// comes, goes or is renamed.
static COLUMNS: LazyLock<Mutex<HashMap<String, Vec<String>>>> = LazyLock::new(Mutex::default);
const MOST_KEPT: usize = 10_000;

fn known_columns(sql: &str) -> Option<Vec<String>> {
    let kept = COLUMNS.lock().unwrap_or_else(PoisonError::into_inner);
    kept.get(sql).cloned()
}

fn keep_columns(sql: String, columns: &[String]) {
    // What a virtual table has is for its module to say.
    let is_ordinary = sql
        .get(.."CREATE TABLE".len())
        .is_some_and(|begin| begin.eq_ignore_ascii_case("CREATE TABLE"));
    if !is_ordinary {
        return;
    }
    let mut kept = COLUMNS.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= MOST_KEPT {
        kept.clear();
    }
    kept.insert(sql, columns.to_vec());
}

impl Sqlite {
    pub(super) async fn take_stock(&mut self) -> Result<Inventory, DatabaseError> {
        let mut inventory = Inventory {
            code: Dependents::new(Dialect::Sqlite),
            relations: Vec::new(),
            attached: Vec::new(),
            visible: Visible::All,
        };
        let rows = self
            .rows("SELECT type, name, sql FROM sqlite_master WHERE type IN ('table', 'view', 'trigger')")
            .await?;
        let mut tables = Vec::new();
        for row in rows {
            let (kind, name, sql) = (row.text(0)?, row.text(1)?, row.optional_text(2)?);
            let kind = match kind {
                "table" => Some(RelationKind::Table),
                "view" => Some(RelationKind::View),
                _ => None,
            };
            if kind == Some(RelationKind::Table) {
                tables.push((name.to_owned(), sql.unwrap_or_default().to_owned()));
            }
            if let Some(kind) = kind {
                inventory.relations.push(Relation {
                    kind,
                    schema: None,
                    name: name.to_owned(),
                    columns: Vec::new(),
                    identity: None,
                });
            }
            if let Some(sql) = sql {
                inventory.code.all.extend(code_of(sql)?);
            }
        }
        let mut columns = self.columns_of(tables).await?;
        for relation in &mut inventory.relations {
            if relation.kind == RelationKind::Table {
                relation.columns = columns.remove(&relation.name).unwrap_or_default();
            }
        }
        inventory.attached = self.foreign_keys_of_others().await?;
        Ok(inventory)
    }

    /// The columns of these tables, each with the statement that the schema keeps of it: SQLite prepares a statement for each table
    /// that it is asked about, and most are as they were a step before.
    async fn columns_of(
        &mut self,
        tables: Vec<(String, String)>,
    ) -> Result<HashMap<String, Vec<String>>, DatabaseError> {
        /// With more it is quicker to ask about all.
        const MOST_NAMED: usize = 100;
        let mut found = HashMap::new();
        let mut unknown = HashMap::new();
        for (name, sql) in tables {
            match known_columns(&sql) {
                Some(columns) => {
                    found.insert(name, columns);
                }
                None => {
                    unknown.insert(name, sql);
                }
            }
        }
        if unknown.is_empty() {
            return Ok(found);
        }
        let mut sql = "SELECT m.name, c.name FROM sqlite_master m CROSS JOIN pragma_table_xinfo(m.name) c WHERE m.type = 'table'".to_owned();
        let mut names = Vec::new();
        if unknown.len() <= MOST_NAMED {
            names.extend(unknown.keys().map(|name| Value::from(name.as_str())));
            let marks = vec!["?"; names.len()].join(", ");
            sql.push_str(&format!(" AND m.name IN ({marks})"));
        }
        let mut asked: HashMap<String, Vec<String>> = HashMap::new();
        for row in self.query(&sql, &names).await? {
            let (table, column) = (row.text(0)?, row.text(1)?);
            if unknown.contains_key(table) {
                let columns = asked.entry(table.to_owned()).or_default();
                columns.push(column.to_owned());
            }
        }
        for (table, columns) in asked {
            if let Some(sql) = unknown.remove(&table) {
                keep_columns(sql, &columns);
            }
            found.insert(table, columns);
        }
        Ok(found)
    }

    /// By the table that they lead to. A key of the table's own is dropped by building it anew, and in no other way.
    async fn foreign_keys_of_others(&mut self) -> Result<Vec<Attached>, DatabaseError> {
        let rows = self
            .rows(
                "SELECT k.\"table\", m.name, k.\"from\" FROM sqlite_master m CROSS JOIN pragma_foreign_key_list(m.name) k \
                 WHERE m.type = 'table' AND m.sql LIKE '%references%' AND lower(k.\"table\") <> lower(m.name) ORDER BY 2, 3",
            )
            .await?;
        let keys = rows.iter().map(|row| {
            let (table, child, column) = (row.text(0)?, row.text(1)?, row.text(2)?);
            Ok(Attached {
                schema: None,
                table: table.to_owned(),
                name: child.to_owned(),
                what: format!("the foreign key of `{child}` ({column})"),
                detail: String::new(),
                number: None,
                with: Some(child.to_owned()),
                columns: vec![column.to_owned()],
                again: format!(
                    "give the copy the name without renaming `{table}` itself (DROP TABLE {table}, then RENAME), or build \
                     `{child}` anew as well"
                ),
            })
        });
        keys.collect()
    }
}
