//! Tables, views and triggers, from the schema table.

use super::Sqlite;
use crate::database::DatabaseError;
use crate::sql::{Dependents, Dialect, Inventory, Relation, RelationKind, Script};

impl Sqlite {
    pub(super) async fn take_stock(&mut self) -> Result<Inventory, DatabaseError> {
        let mut inventory = Inventory {
            code: Dependents::new(Dialect::Sqlite),
            relations: Vec::new(),
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
                });
            }
            // What cannot be read names nothing that could be told.
            let script = row
                .optional_text(2)?
                .and_then(|sql| Script::parse(Dialect::Sqlite, sql).ok());
            if let Some(script) = script {
                let made = Dependents::made_by(&script);
                inventory.code.all.extend(made.all);
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
        Ok(inventory)
    }
}
