//! Tables, views, triggers, routines and events, by `information_schema`.

use super::Mysql;
use crate::database::{Connection as _, DatabaseError, Row};
use crate::sql::{
    Dependent, Dependents, Dialect, Inventory, ObjectKind, Relation, RelationKind, Runs,
};

const QUERIES: &[&str] = &[
    "SELECT CAST(TABLE_NAME AS CHAR), CAST(TABLE_TYPE AS CHAR) FROM information_schema.TABLES \
     WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE <> 'SEQUENCE'",
    "SELECT CAST(TABLE_NAME AS CHAR), CAST(COLUMN_NAME AS CHAR) FROM information_schema.COLUMNS \
     WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME",
    "SELECT CAST(TRIGGER_NAME AS CHAR), CAST(EVENT_OBJECT_TABLE AS CHAR), CAST(ACTION_STATEMENT AS CHAR), \
     CONCAT(ACTION_TIMING, ' ', EVENT_MANIPULATION) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()",
    // What a role may not read is NULL.
    "SELECT CAST(ROUTINE_NAME AS CHAR), CAST(ROUTINE_DEFINITION AS CHAR), CAST(ROUTINE_TYPE AS CHAR) \
     FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()",
    "SELECT CAST(EVENT_NAME AS CHAR), CAST(EVENT_DEFINITION AS CHAR), 'EVENT' \
     FROM information_schema.EVENTS WHERE EVENT_SCHEMA = DATABASE()",
    "SELECT CAST(TABLE_NAME AS CHAR), CAST(VIEW_DEFINITION AS CHAR), 'VIEW' \
     FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()",
];

impl Mysql {
    pub(super) async fn take_stock(&mut self) -> Result<Inventory, DatabaseError> {
        let queries: Vec<String> = QUERIES.iter().map(|sql| (*sql).to_owned()).collect();
        let results = self.query_all(&queries).await?;
        let mut results = results.into_iter();
        let mut next = || results.next().unwrap_or_default();
        let mut inventory = Inventory {
            code: Dependents::new(Dialect::Mysql),
            relations: Vec::new(),
        };
        for row in next() {
            inventory.relations.push(Relation {
                kind: match row.text(1)? {
                    "VIEW" => RelationKind::View,
                    _ => RelationKind::Table,
                },
                schema: None,
                name: row.text(0)?.to_owned(),
                columns: Vec::new(),
            });
        }
        for row in next() {
            let (table, column) = (row.text(0)?, row.text(1)?);
            let relation = inventory
                .relations
                .iter_mut()
                .find(|relation| relation.name == table);
            if let Some(relation) = relation {
                relation.columns.push(column.to_owned());
            }
        }
        for row in next() {
            inventory.code.all.push(Dependent {
                table: Some(row.text(1)?.to_owned()),
                body: row.text(2)?.to_owned(),
                header: row.text(3)?.to_owned(),
                ..dependent(&row, ObjectKind::Trigger, "trigger")?
            });
        }
        for row in next().into_iter().chain(next()).chain(next()) {
            let (kind, word) = match row.text(2)? {
                "VIEW" => (ObjectKind::View, "view"),
                "EVENT" => (ObjectKind::Function, "event"),
                "PROCEDURE" => (ObjectKind::Function, "procedure"),
                _ => (ObjectKind::Function, "function"),
            };
            let body = row.optional_text(1)?.unwrap_or_default().to_owned();
            inventory.code.all.push(Dependent {
                body,
                ..dependent(&row, kind, word)?
            });
        }
        Ok(inventory)
    }
}

fn dependent(row: &Row, kind: ObjectKind, word: &'static str) -> Result<Dependent, DatabaseError> {
    Ok(Dependent {
        kind,
        word,
        schema: None,
        name: row.text(0)?.to_owned(),
        table: None,
        header: String::new(),
        body: String::new(),
        calls: None,
        runs: Runs::Used,
    })
}
