//! SQLite keeps the text of everything that was created.

use super::AdoptError;
use crate::database::Connection;

/// Tables first: an index, a view or a trigger is on one. What a virtual table keeps its rows in comes with it, and an index of a
/// constraint with its table.
const OBJECTS: &str = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL \
     AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE 'phasegate\\_%' ESCAPE '\\' \
     AND tbl_name NOT LIKE 'phasegate\\_%' ESCAPE '\\' \
     AND name NOT IN (SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow') \
     ORDER BY CASE type WHEN 'table' THEN 0 WHEN 'index' THEN 1 WHEN 'view' THEN 2 ELSE 3 END, rowid";

pub(super) async fn read(connection: &mut dyn Connection) -> Result<Vec<String>, AdoptError> {
    let rows = connection.query(OBJECTS, &[]).await?;
    let texts = rows.iter().map(|row| Ok(row.text(0)?.to_owned()));
    texts.collect()
}
