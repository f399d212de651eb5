//! Saying that the schemas which a ledger is for have other names now.

use super::session::actor;
use crate::database::Connection;
use crate::ledger::{Ledger, LedgerError, SchemasRenamed};

/// As [`Ledger::schemas_renamed`], by whoever runs this.
///
/// # Errors
/// A database or ledger error.
pub async fn schemas_renamed(
    connection: &mut dyn Connection,
    reason: &str,
) -> Result<SchemasRenamed, LedgerError> {
    Ledger::schemas_renamed(connection, &actor(), reason).await
}
