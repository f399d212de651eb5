//! What the catalogue says about a table that a backfill is to go along.

use std::collections::BTreeMap;

use super::Mysql;
use super::quoted::{literal, table_name};
use crate::database::{Along, DatabaseError, ErrorKind, KeyIndex, Keys, TableKind, UpdateTrigger};

impl Mysql {
    pub(super) async fn look_along(&mut self, keys: Keys<'_>) -> Result<Along, DatabaseError> {
        let (schema, name) = match keys.table.split_once('.') {
            Some((schema, name)) => (literal(schema), literal(name)),
            None => ("DATABASE()".to_owned(), literal(keys.table)),
        };
        // A temporary table stands before one of the same name, and the catalogue does not show it.
        let show = format!("SHOW CREATE TABLE {}", table_name(keys.table));
        let created = match self.rows(&show).await {
            Ok(rows) => rows,
            Err(error) if error.kind == ErrorKind::NoTable => {
                return Ok(Along::of(TableKind::Missing));
            }
            Err(error) => return Err(error),
        };
        let text = created.first().map(|row| row.text(1)).transpose()?;
        if text.is_some_and(|text| text.starts_with("CREATE TEMPORARY")) {
            return Ok(Along::of(TableKind::Other("a temporary table".to_owned())));
        }
        let rows = self
            .rows(&format!(
                "SELECT table_type FROM information_schema.tables WHERE table_schema = {schema} AND table_name = {name}"
            ))
            .await?;
        let kind = match rows.first().map(|row| row.text(0)).transpose()? {
            Some("BASE TABLE" | "SYSTEM VERSIONED") => TableKind::Ordinary,
            Some("VIEW" | "SYSTEM VIEW") => TableKind::Other("a view".to_owned()),
            _ => TableKind::Other("no table".to_owned()),
        };
        let mut along = Along::of(kind);
        let rows = self
            .rows(&format!(
                "SELECT column_name, is_nullable, CASE WHEN extra LIKE '%on update%' THEN 1 ELSE 0 END FROM information_schema.columns \
                 WHERE table_schema = {schema} AND table_name = {name}"
            ))
            .await?;
        let mut columns = Vec::new();
        for row in &rows {
            columns.push((row.text(0)?.to_owned(), row.text(1)? == "YES"));
            if row.int(2)? != 0 {
                along.set_on_update.push(row.text(0)?.to_owned());
            }
        }
        for key in keys.columns {
            match columns.iter().find(|(name, _)| same(name, key)) {
                None => along.missing.push(key.clone()),
                Some((_, true)) => along.nullable.push(key.clone()),
                Some((_, false)) => {}
            }
        }
        let rows = self
            .rows(&format!(
                "SELECT index_name, coalesce(column_name, ''), CASE WHEN non_unique = 0 THEN 1 ELSE 0 END, \
                 CASE WHEN sub_part IS NULL AND index_type = 'BTREE' THEN 1 ELSE 0 END FROM information_schema.statistics \
                 WHERE table_schema = {schema} AND table_name = {name} ORDER BY index_name, seq_in_index"
            ))
            .await?;
        let mut indexes = BTreeMap::<String, KeyIndex>::new();
        for row in &rows {
            let index = indexes.entry(row.text(0)?.to_owned()).or_insert(KeyIndex {
                columns: Vec::new(),
                unique: row.int(2)? != 0,
                ordered: true,
            });
            let is_whole = row.int(3)? != 0;
            let column = if is_whole { row.text(1)? } else { "" };
            index.columns.push(column.to_owned());
        }
        along.indexes = indexes.into_values().collect();
        let rows = self
            .rows(&format!(
                "SELECT trigger_name FROM information_schema.triggers WHERE event_object_schema = {schema} \
                 AND event_object_table = {name} AND event_manipulation = 'UPDATE' ORDER BY action_timing DESC, action_order"
            ))
            .await?;
        for row in &rows {
            along.on_update.push(UpdateTrigger {
                name: row.text(0)?.to_owned(),
                of: Vec::new(),
            });
        }
        Ok(along)
    }
}

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}
