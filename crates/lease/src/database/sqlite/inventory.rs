//! Tables, views and triggers, from the schema table.

use super::Sqlite;
use crate::database::DatabaseError;
use crate::sql::{
    Attached, Dependent, Dependents, Dialect, Inventory, Relation, RelationKind, Visible,
};

/// The code that this statement of the schema makes.
#[cfg(feature = "coordinator")]
#[allow(clippy::unnecessary_wraps, reason = "as where it cannot be told")]
fn code_of(sql: &str) -> Result<Vec<Dependent>, DatabaseError> {
    use std::collections::HashMap;
    use std::sync::{LazyLock, Mutex, PoisonError};
    // Whoever takes many steps looks at the same schema before and after each of them.
    static READ: LazyLock<Mutex<HashMap<String, Vec<Dependent>>>> = LazyLock::new(Mutex::default);
    const MOST_KEPT: usize = 10_000;
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
        for row in rows {
            let kind = match row.text(0)? {
                "table" => Some(RelationKind::Table),
                "view" => Some(RelationKind::View),
                _ => None,
            };
            if let Some(kind) = kind {
                inventory.relations.push(Relation {
                    kind,
                    schema: None,
                    name: row.text(1)?.to_owned(),
                    columns: Vec::new(),
                    identity: None,
                });
            }
            if let Some(sql) = row.optional_text(2)? {
                inventory.code.all.extend(code_of(sql)?);
            }
        }
        let rows = self
            .rows("SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_xinfo(m.name) c WHERE m.type = 'table'")
            .await?;
        for row in rows {
            let table = row.text(0)?;
            let relation = inventory
                .relations
                .iter_mut()
                .find(|relation| relation.name == table);
            if let Some(relation) = relation {
                relation.columns.push(row.text(1)?.to_owned());
            }
        }
        inventory.attached = self.foreign_keys_of_others().await?;
        Ok(inventory)
    }

    /// By the table that they lead to. A key of the table's own is dropped by building it anew, and in no other way.
    async fn foreign_keys_of_others(&mut self) -> Result<Vec<Attached>, DatabaseError> {
        let rows = self
            .rows(
                "SELECT k.\"table\", m.name, k.\"from\" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) k \
                 WHERE m.type = 'table' AND lower(k.\"table\") <> lower(m.name) ORDER BY 2, 3",
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
