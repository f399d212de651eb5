//! How large tables are: the number of the last row, which is found at once, and the size of the file.

use super::{Sqlite, identifier};
use crate::database::size::{Sizes, TableSize};
use crate::database::{Connection as _, DatabaseError};
use crate::sql::Place;

const BYTES: &str =
    "SELECT p.page_count * s.page_size FROM pragma_page_count() AS p, pragma_page_size() AS s";

impl Sqlite {
    pub(super) async fn measure(&mut self, tables: &[Place]) -> Result<Sizes, DatabaseError> {
        let rows = self.query(BYTES, &[]).await?;
        let bytes = rows.first().map_or(Ok(0), |row| row.int(0))?;
        let mut sizes = Sizes::default();
        for place in tables {
            let last = format!(
                "SELECT coalesce(max(rowid), 0) FROM {}",
                identifier(&place.table)
            );
            // A table that is not there, and one whose rows have no numbers.
            let last = self.query(&last, &[]).await.unwrap_or_default();
            let last = last.first().and_then(|row| row.int(0).ok());
            sizes
                .tables
                .push(last.and_then(|last| TableSize::of(last, bytes)));
        }
        Ok(sizes)
    }
}
