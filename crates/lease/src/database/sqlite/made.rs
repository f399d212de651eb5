//! Whether tables and columns are there that a script would make.

use super::Sqlite;
use crate::database::{Connection as _, DatabaseError, Made};

impl Sqlite {
    pub(super) async fn look_for(&mut self, made: &[Made]) -> Result<Option<usize>, DatabaseError> {
        for (index, made) in made.iter().enumerate() {
            // Another file that is attached is not this database.
            let is_elsewhere = made
                .schema
                .as_ref()
                .is_some_and(|schema| !schema.eq_ignore_ascii_case("main"));
            if is_elsewhere {
                continue;
            }
            let table = [made.table.as_str().into()];
            let sql =
                "SELECT 1 FROM main.sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE";
            if self.query(sql, &table).await?.is_empty() {
                continue;
            }
            let Some(column) = &made.column else {
                return Ok(Some(index));
            };
            let named = [made.table.as_str().into(), column.as_str().into()];
            let sql = "SELECT 1 FROM pragma_table_xinfo(?, 'main') WHERE name = ? COLLATE NOCASE";
            if !self.query(sql, &named).await?.is_empty() {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }
}
