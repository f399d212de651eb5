//! The ledger: what is recorded, in the user's own database.
//!
//! It is backed up, restored and failed over together with the schema that it describes. Every
//! access happens inside a [`Ledger`] transaction, and each is the same SQL on every database but
//! for the few expressions in [`crate::database::Capabilities`].

mod coordinator;
mod error;
mod events;
mod leases;
mod record;
mod tables;
mod view;

pub use coordinator::{Acquired, CoordinatorRow};
pub use error::LedgerError;
pub use events::{Event, EventKind, Verified};
pub use leases::{LeaseId, NewLease, Renewal};
pub use record::{AppliedFile, Cursor, PhaseChange, StepRecord, StepState};
pub use view::{Applied, LEASES, Sighting, View};

use crate::database::{Access, Connection, Row, Value};

/// The version of the ledger's tables that this program writes, and the newest that it reads.
pub const FORMAT: i64 = 1;

/// One transaction on the ledger, in which the user's statements can run as well.
pub struct Ledger<'c> {
    connection: &'c mut dyn Connection,
}

impl<'c> Ledger<'c> {
    /// Begins to read; `None` where the database has no ledger. Never writes.
    ///
    /// # Errors
    /// A database error, or a ledger of a newer program.
    pub async fn read(connection: &'c mut dyn Connection) -> Result<Option<Self>, LedgerError> {
        connection.begin(Access::Read).await?;
        let mut ledger = Self { connection };
        if ledger.exists().await? {
            ledger.check_format().await?;
            Ok(Some(ledger))
        } else {
            ledger.connection.rollback().await?;
            Ok(None)
        }
    }

    /// Begins to write; creates the ledger where there is none.
    ///
    /// # Errors
    /// A database error, or a ledger of a newer program.
    pub async fn write(connection: &'c mut dyn Connection) -> Result<Self, LedgerError> {
        tables::ensure(connection).await?;
        connection.begin(Access::Write).await?;
        let mut ledger = Self { connection };
        ledger.check_format().await?;
        Ok(ledger)
    }

    /// Ends the transaction and keeps what it changed.
    ///
    /// # Errors
    /// A database error; then nothing is kept, unless the connection broke at this very moment.
    pub async fn commit(self) -> Result<(), LedgerError> {
        crate::crash::point("ledger.commit");
        self.connection.commit().await?;
        crate::crash::point("ledger.committed");
        Ok(())
    }

    /// Ends the transaction and gives up what it changed.
    ///
    /// # Errors
    /// A database error.
    pub async fn rollback(self) -> Result<(), LedgerError> {
        Ok(self.connection.rollback().await?)
    }

    /// The connection, for statements of the user's in the same transaction.
    pub fn connection(&mut self) -> &mut dyn Connection {
        self.connection
    }

    /// The present moment in milliseconds since the epoch, by the database's clock.
    ///
    /// # Errors
    /// A database error.
    pub async fn now(&mut self) -> Result<i64, LedgerError> {
        let rows = self.query("SELECT {now}", &[]).await?;
        Ok(first(&rows)?.int(0)?)
    }

    async fn exists(&mut self) -> Result<bool, LedgerError> {
        tables::exist(self.connection).await
    }

    async fn check_format(&mut self) -> Result<(), LedgerError> {
        let rows = self
            .query("SELECT format FROM {meta} WHERE id = 1", &[])
            .await?;
        let found = first(&rows)?.int(0)?;
        if found > FORMAT {
            return Err(LedgerError::Newer {
                found,
                supported: FORMAT,
            });
        }
        Ok(())
    }

    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, LedgerError> {
        let sql = self.render(sql);
        Ok(self.connection.query(&sql, parameters).await?)
    }

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, LedgerError> {
        let sql = self.render(sql);
        Ok(self.connection.execute(&sql, parameters).await?)
    }

    fn render(&self, sql: &str) -> String {
        tables::render(self.connection.capabilities(), sql)
    }
}

fn first(rows: &[Row]) -> Result<&Row, LedgerError> {
    rows.first()
        .ok_or_else(|| LedgerError::Damaged("a row that is always there is missing".into()))
}
