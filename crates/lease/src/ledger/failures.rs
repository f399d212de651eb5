//! Why a step of a migration failed the last time, for whoever looks later.
//!
//! This table came later than the others, and a ledger without it is no older for it. What an earlier version of this program
//! did since shows in what else is recorded: a failure says nothing any more once the phase has changed after it.

use super::events::EventKind;
use super::{Ledger, LedgerError};
use crate::database::{Connection, ErrorKind, Row};
use crate::model::{MigrationId, Step};

/// The last failure of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailureRecord {
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

/// Where the last failure of a step is kept once another step of its migration has failed after it. The last one of all has the
/// migration's own number: an earlier version of this program looks there, and makes nothing of the others.
fn aside(number: i64, step: Step) -> i64 {
    let place = match step {
        Step::Expand => 1,
        Step::Backfill => 2,
        Step::Contract => 3,
        Step::Revert => 4,
    };
    -number.saturating_mul(8).saturating_add(place)
}

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
        let aside = aside(number, step);
        let sql =
            format!("SELECT step, message FROM {{failures}} WHERE number IN ({number}, {aside})");
        let before = self.query(&sql, &[]).await?;
        let mut is_known = false;
        let mut other = None;
        for row in &before {
            let name = row.text(0)?;
            is_known |= name == step.name() && row.text(1)? == message;
            other = other.or(Step::ALL
                .into_iter()
                .find(|other| other.name() == name && *other != step));
        }
        let mut forgotten = vec![aside];
        if let Some(other) = other {
            let kept = self::aside(number, other);
            self.execute_later("DELETE FROM {failures} WHERE number = ?", &[kept.into()]);
            let places = [kept.into(), number.into()];
            self.execute_later("UPDATE {failures} SET number = ? WHERE number = ?", &places);
        } else {
            forgotten.push(number);
        }
        for place in forgotten {
            self.execute_later("DELETE FROM {failures} WHERE number = ?", &[place.into()]);
        }
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

    /// The last failure of each step, in a transaction of its own; none in a ledger without this table.
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
            id: row.text(1)?.to_owned(),
            step: row.text(2)?.to_owned(),
            message: row.text(3)?.to_owned(),
            actor: row.text(4)?.to_owned(),
            at: row.int(5)?,
        })
    });
    records.collect()
}
