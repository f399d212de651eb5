//! Whether the tables of the ledger are what this program has made.

use super::{LEDGER_PREFIX, Sqlite};
use crate::database::DatabaseError;

impl Sqlite {
    /// What speaks against the ledger's tables.
    pub(super) async fn against_ledger(
        &mut self,
        tables: &[&str],
    ) -> Result<Vec<String>, DatabaseError> {
        let prefix = LEDGER_PREFIX;
        let names: Vec<String> = tables
            .iter()
            .map(|name| format!("'{prefix}{name}'"))
            .collect();
        let names = names.join(", ");
        let rows = self
            .rows(&format!(
                "SELECT tbl_name || ' has the trigger ' || name FROM sqlite_master \
                 WHERE type = 'trigger' AND lower(tbl_name) IN ({names}) \
                 UNION ALL SELECT name || ' is no table' FROM sqlite_master WHERE type = 'view' AND lower(name) IN ({names}) \
                 UNION ALL SELECT name || ' is a virtual table' FROM sqlite_master \
                 WHERE type = 'table' AND lower(name) IN ({names}) AND sql LIKE 'create virtual%' \
                 UNION ALL SELECT tbl_name || ' has the unique index ' || name FROM sqlite_master \
                 WHERE type = 'index' AND lower(tbl_name) IN ({names}) AND sql LIKE 'create unique%' \
                 UNION ALL SELECT f.\"table\" || ' is tied to ' || m.name || ' by a foreign key' \
                 FROM sqlite_master m CROSS JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND m.sql LIKE '%references%' AND m.sql NOT LIKE 'create virtual%' \
                 AND (lower(f.\"table\") IN ({names}) OR lower(m.name) IN ({names}))"
            ))
            .await?;
        rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
    }
}
