//! The marks of triggers: whether each stands before a view of the ledger's in the schema table.
//!
//! The number of a row there says nothing by itself, because the last one is given again to whatever is made next, and VACUUM gives
//! all of them anew. The order stays: VACUUM keeps that of triggers and views. So a view of the ledger's is made anew, and stands
//! last, whenever it is known that everything is in order; a trigger that stands behind it was made since.

use super::Sqlite;
use crate::database::{
    Connection as _, DatabaseError, MarksSeen, MarksTell, TriggerMark, TriggerMarks,
};

const VIEW: &str = "phasegate_sealed";
/// A copy by `.dump` has counted fewer changes than the view says, because nothing that was ever dropped is among them.
const COPY: &str = "copy";

impl Sqlite {
    pub(super) async fn marks(&mut self) -> Result<TriggerMarks, DatabaseError> {
        let rows = self
            .rows(&format!(
                "SELECT rowid, sql, (SELECT schema_version FROM pragma_schema_version) FROM sqlite_master \
                 WHERE type = 'view' AND name = '{VIEW}'"
            ))
            .await?;
        let (mut sealed, mut place) = (None, String::new());
        if let Some(row) = rows.first() {
            let text = row.optional_text(1)?.unwrap_or_default();
            let counted = text
                .split_whitespace()
                .find_map(|word| word.parse::<i64>().ok());
            if counted.is_none_or(|counted| row.int(2).is_ok_and(|now| now < counted)) {
                place = COPY.to_owned();
            }
            sealed = Some(row.int(0)?);
        }
        let rows = self
            .rows("SELECT tbl_name, name, rowid FROM sqlite_master WHERE type = 'trigger' ORDER BY 1, 2")
            .await?;
        let all = rows.iter().map(|row| {
            let at = row.int(2)?;
            let mark = match sealed {
                None => "unsealed",
                Some(view) if at < view => "before",
                Some(_) => "behind",
            };
            Ok(TriggerMark {
                table: row.text(0)?.to_owned(),
                name: row.text(1)?.to_owned(),
                mark: mark.to_owned(),
                fires: true,
            })
        });
        Ok(TriggerMarks {
            place,
            all: all.collect::<Result<_, DatabaseError>>()?,
            seen: MarksSeen::All,
            tell: MarksTell::Where,
        })
    }

    /// Puts the view behind everything that is there.
    pub(super) async fn seal(&mut self) -> Result<(), DatabaseError> {
        let rows = self
            .rows("SELECT schema_version FROM pragma_schema_version")
            .await?;
        let version = rows.first().map_or(Ok(0), |row| row.int(0))?;
        self.execute(&format!("DROP VIEW IF EXISTS {VIEW}"), &[])
            .await?;
        let make = format!("CREATE VIEW {VIEW} AS SELECT {version} AS schema_version");
        self.execute(&make, &[]).await?;
        Ok(())
    }
}
