//! The schemas under which migrations ran: one ledger is for one schema.
//!
//! They stand in the third row of `meta`, which ledgers of before do not have until the first command that acts. Earlier
//! builds look at the first row alone.

use super::{Ledger, LedgerError};
use crate::database::Connection;

const ID: i64 = 3;

/// What the third row of `meta` holds, as an expression.
pub(super) const RECORDED: &str = "(SELECT head FROM {meta} WHERE id = 3)";

/// Makes sure that names are looked for where the migrations of this ledger ran; a ledger that does not say so is everywhere.
pub(super) async fn is_here(
    connection: &mut dyn Connection,
    recorded: Option<&str>,
) -> Result<(), LedgerError> {
    let (Some(recorded), Some(schemas)) = (recorded, connection.schemas()) else {
        return Ok(());
    };
    let elsewhere = LedgerError::Elsewhere {
        recorded: recorded.to_owned(),
        schemas: schemas.to_owned(),
    };
    if connection.has_schemas(recorded).await? {
        return Ok(());
    }
    Err(elsewhere)
}

impl Ledger<'_> {
    /// Records where migrations run, or makes sure that it is where those before ran.
    ///
    /// # Errors
    /// [`LedgerError::Elsewhere`] where they ran under other schemas, or a database error.
    pub async fn settle(connection: &mut dyn Connection) -> Result<(), LedgerError> {
        let Some(schemas) = connection.schemas().map(ToOwned::to_owned) else {
            return Ok(());
        };
        let mut ledger = Ledger::write(connection).await?;
        let rows = ledger
            .query("SELECT head FROM {meta} WHERE id = ?", &[ID.into()])
            .await?;
        let recorded = rows.first().map(|row| row.text(0)).transpose()?;
        let found = is_here(ledger.connection().await?, recorded).await;
        if recorded.is_none() {
            ledger
                .execute(
                    "INSERT INTO {meta} (id, format, events, head) VALUES (?, 0, 0, ?)",
                    &[ID.into(), schemas.into()],
                )
                .await?;
        }
        // Past the crash points, which count the steps of a command.
        match found {
            Ok(()) => ledger.connection().await?.commit().await?,
            Err(_) => ledger.rollback().await?,
        }
        found
    }
}
