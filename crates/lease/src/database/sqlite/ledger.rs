//! Whether the tables of the ledger are what this program has made.

use super::{CAPABILITIES, Sqlite};
use crate::database::DatabaseError;

impl Sqlite {
    /// What speaks against the ledger's tables.
    pub(super) async fn against_ledger(
        &mut self,
        tables: &[&str],
    ) -> Result<Vec<String>, DatabaseError> {
        let prefix = CAPABILITIES.ledger_prefix;
        let names: Vec<String> = tables
            .iter()
            .map(|name| format!("'{prefix}{name}'"))
            .collect();
        let names = names.join(", ");
        let rows = self
            .rows(&format!(
                "SELECT tbl_name || ' has the trigger ' || name FROM sqlite_master \
                 WHERE type = 'trigger' AND lower(tbl_name) IN ({names}) \
                 UNION ALL SELECT name || ' is no table' FROM sqlite_master WHERE type = 'view' AND lower(name) IN ({names})"
            ))
            .await?;
        rows.iter().map(|row| Ok(row.text(0)?.to_owned())).collect()
    }
}
