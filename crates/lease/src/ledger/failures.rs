//! Why a step of a migration failed the last time, for whoever looks later.
//!
//! This table came later than the others, and a ledger without it is no older for it. What an earlier version of this program
//! did since shows in what else is recorded: a failure says nothing any more once the phase has changed after it.

use super::events::EventKind;
use super::{Ledger, LedgerError};
use crate::database::{Connection, ErrorKind, Row};
use crate::model::{MigrationId, Step};

/// The last failure of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRecord {
    pub number: u64,
    pub id: String,
    /// The name of the step.
    pub step: String,
    pub message: String,
    pub actor: String,
    /// Milliseconds since the epoch, by the database's clock.
    pub at: i64,
}

/// How much of a message is kept.
const MOST: usize = 2000;

pub(super) const FAILURES: &str =
    "SELECT number, id, step, message, actor, at FROM {failures} ORDER BY number";

impl Ledger<'_> {
    /// Records that a step failed. In the log it stands once, however often it fails like this.
    ///
    /// # Errors
    /// A database error.
    pub async fn record_failure(
        &mut self,
        id: &MigrationId,
        step: Step,
        message: &str,
        actor: &str,
    ) -> Result<(), LedgerError> {
        let number = i64::try_from(id.number()).unwrap_or(i64::MAX);
        let message: String = message.replace('\0', "\\0").chars().take(MOST).collect();
        let sql = format!("SELECT step, message FROM {{failures}} WHERE number = {number}");
        let before = self.query(&sql, &[]).await?;
        let is_known = match before.first() {
            Some(row) => row.text(0)? == step.name() && row.text(1)? == message,
            None => false,
        };
        self.execute_later("DELETE FROM {failures} WHERE number = ?", &[number.into()]);
        self.execute_later(
            "INSERT INTO {failures} (number, id, step, message, actor, at) VALUES (?, ?, ?, ?, ?, {now})",
            &[
                number.into(),
                id.as_str().into(),
                step.name().into(),
                message.as_str().into(),
                actor.into(),
            ],
        );
        if is_known {
            return Ok(());
        }
        let detail = serde_json::json!({ "step": step.name(), "error": message });
        self.append(EventKind::Failed, actor, Some(id), &detail)
            .await
    }

    /// The last failure of each migration, in a transaction of its own; none in a ledger without this table.
    ///
    /// # Errors
    /// A database error, or contents that this program did not write.
    pub async fn failures(
        connection: &mut dyn Connection,
    ) -> Result<Vec<FailureRecord>, LedgerError> {
        let Some(mut ledger) = Ledger::read(connection).await? else {
            return Ok(Vec::new());
        };
        let read = ledger.query(FAILURES, &[]).await;
        ledger.rollback().await?;
        let rows = match read {
            Ok(rows) => rows,
            // Or this user may not look: that is no reason to refuse the rest.
            Err(LedgerError::Database(error))
                if matches!(error.kind, ErrorKind::NoTable | ErrorKind::Permission) =>
            {
                return Ok(Vec::new());
            }
            Err(error) => return Err(error),
        };
        read_failures(&rows)
    }
}

pub(super) fn read_failures(rows: &[Row]) -> Result<Vec<FailureRecord>, LedgerError> {
    let records = rows.iter().map(|row| {
        Ok(FailureRecord {
            number: u64::try_from(row.int(0)?).unwrap_or_default(),
            id: row.text(1)?.to_owned(),
            step: row.text(2)?.to_owned(),
            message: row.text(3)?.to_owned(),
            actor: row.text(4)?.to_owned(),
            at: row.int(5)?,
        })
    });
    records.collect()
}
