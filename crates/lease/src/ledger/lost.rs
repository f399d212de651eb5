//! A ledger that was lost: something that a migration makes is there, and no ledger tells of it.
//!
//! A dump without the schema of the ledger, or the URL of a sister database, shows itself by nothing else. Taken for a new database it
//! would let in whoever uses a format that was contracted.
//!
//! Invariant: it is said only where what is there cannot have been there before the migration ran. Where anything is recorded as
//! applied, nothing is asked.

use super::{Ledger, LedgerError, View, first};
use crate::database::{Access, Capabilities, Connection, ErrorKind, Made};
use crate::model::{LostLedger, MigrationId, Phase};

/// What a migration makes.
type MadeBy = (MigrationId, Made);

impl View {
    /// Whether it tells of nothing that is applied.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        let mut recorded = self.applied.iter().map(|applied| applied.recorded_phase);
        recorded.all(|phase| phase == Phase::Pending)
    }
}

impl<'c> Ledger<'c> {
    /// As [`Ledger::write`]; but no ledger is made where one was lost, as what these migrations make says.
    ///
    /// # Errors
    /// [`LedgerError::Missing`], and as of [`Ledger::write`].
    pub async fn write_unless_lost(
        connection: &'c mut dyn Connection,
        made: &(dyn Fn() -> Vec<MadeBy> + Sync),
    ) -> Result<Self, LedgerError> {
        if let Some(meta) = super::begin(connection, Access::Write).await? {
            return Ok(Self::at(connection, Some(meta)));
        }
        let made = made();
        connection.begin(Access::Read).await?;
        let there = there(connection, &made).await;
        connection.rollback().await?;
        let Some(lost) = there? else {
            return Self::write(connection).await;
        };
        // Somebody may have begun one meanwhile, and have made it.
        match super::begin(connection, Access::Write).await? {
            Some(meta) => Ok(Self::at(connection, Some(meta))),
            None => Err(LedgerError::Missing(lost)),
        }
    }

    /// Whether what was applied here was lost, in the transaction of this view.
    ///
    /// # Errors
    /// A database error.
    pub async fn lost(
        &mut self,
        view: &View,
        made: &[MadeBy],
    ) -> Result<Option<LostLedger>, LedgerError> {
        if !view.is_blank() {
            return Ok(None);
        }
        let found = there(self.connection().await?, made).await?;
        Ok(match found {
            Some(lost) if !self.tells_of_a_change().await? => Some(lost),
            _ => None,
        })
    }

    /// Whether anything was ever recorded as applied: what was reverted may have left something.
    async fn tells_of_a_change(&mut self) -> Result<bool, LedgerError> {
        let sql = "SELECT count(*) FROM {events} WHERE kind = 'phase' AND detail NOT LIKE '%\"to\":\"pending\"%' \
             AND detail NOT LIKE '%\"to\":\"expanding\"%'";
        match self.query(sql, &[]).await {
            Ok(rows) => Ok(first(&rows)?.int(0)? > 0),
            // An instance need not be able to read the log. Then nothing of it is believed.
            Err(LedgerError::Database(error)) if error.kind == ErrorKind::Permission => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// As [`Ledger::lost`], where the view was read before, if there was a ledger.
    ///
    /// # Errors
    /// A database error.
    pub async fn was_lost(
        connection: &'c mut dyn Connection,
        view: &View,
        made: &[MadeBy],
    ) -> Result<Option<LostLedger>, LedgerError> {
        if !view.is_blank() || made.is_empty() {
            return Ok(None);
        }
        connection.begin(Access::Read).await?;
        let found = there(connection, made).await;
        connection.rollback().await?;
        let Some(lost) = found? else {
            return Ok(None);
        };
        // Somebody may have made it meanwhile, and have recorded that.
        let Some(mut ledger) = Ledger::read(connection).await? else {
            return Ok(Some(lost));
        };
        let is_told = ledger.tells_of_a_change().await;
        ledger.rollback().await?;
        Ok((!is_told?).then_some(lost))
    }
}

/// The first of these that is there.
async fn there(
    connection: &mut dyn Connection,
    made: &[MadeBy],
) -> Result<Option<LostLedger>, LedgerError> {
    let each: Vec<Made> = made.iter().map(|(_, made)| made.clone()).collect();
    let found = connection.first_there(&each).await?;
    let found = found.and_then(|index| made.get(index));
    Ok(found.map(|(migration, made)| LostLedger {
        migration: migration.clone(),
        there: made.described(),
        ledger: place(&connection.capabilities()),
    }))
}

/// Where the ledger is, in words.
fn place(capabilities: &Capabilities) -> String {
    let prefix = capabilities.ledger_prefix.as_ref();
    match (&capabilities.apart, prefix.strip_suffix('.')) {
        (Some(apart), _) => format!("the database `{}`", apart.ledger),
        (None, Some(schema)) => format!("the schema `{schema}`"),
        (None, None) => format!("the tables `{prefix}…`"),
    }
}
