//! Saying that the schemas which a ledger is for have other names now.

use super::session::actor;
use crate::database::Connection;
use crate::ledger::{Ledger, LedgerError, SchemasRenamed};
use crate::project::Project;

/// As [`Ledger::schemas_renamed`], by whoever runs this.
///
/// # Errors
/// A database or ledger error.
pub async fn schemas_renamed(
    project: &Project,
    connection: &mut dyn Connection,
    reason: &str,
) -> Result<SchemasRenamed, LedgerError> {
    let made = project.made(connection.capabilities().dialect);
    Ledger::schemas_renamed(connection, &actor(), reason, &made).await
}
