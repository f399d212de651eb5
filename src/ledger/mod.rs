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
    /// The moment by which leases are judged, by the database's clock: when this transaction began
    /// or, later, when it was granted the lock on admissions. Judging by an earlier moment than
    /// the present counts more instances as live, never fewer.
    as_of: i64,
}

impl<'c> Ledger<'c> {
    /// Begins to read; `None` where the database has no ledger. Never writes.
    ///
    /// # Errors
    /// A database error, or a ledger of a newer program.
    pub async fn read(connection: &'c mut dyn Connection) -> Result<Option<Self>, LedgerError> {
        connection.begin(Access::Read).await?;
        if tables::exist(connection).await? {
            return Ok(Some(Self::begun(connection).await?));
        }
        connection.rollback().await?;
        Ok(None)
    }

    /// Begins to write; creates the ledger where there is none.
    ///
    /// # Errors
    /// A database error, or a ledger of a newer program.
    pub async fn write(connection: &'c mut dyn Connection) -> Result<Self, LedgerError> {
        connection.begin(Access::Write).await?;
        if !tables::exist(connection).await? {
            connection.rollback().await?;
            tables::ensure(connection).await?;
            connection.begin(Access::Write).await?;
        }
        Self::begun(connection).await
    }

    async fn begun(connection: &'c mut dyn Connection) -> Result<Self, LedgerError> {
        let mut ledger = Self {
            connection,
            as_of: 0,
        };
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

    async fn check_format(&mut self) -> Result<(), LedgerError> {
        let rows = self
            .query("SELECT format, {now} FROM {meta} WHERE id = 1", &[])
            .await?;
        let found = first(&rows)?.int(0)?;
        self.as_of = first(&rows)?.int(1)?;
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

    /// The results of several queries in one round trip.
    async fn query_all<const N: usize>(
        &mut self,
        queries: [&str; N],
    ) -> Result<[Vec<Row>; N], LedgerError> {
        let queries = queries.map(|sql| self.render(sql));
        let results = self.connection.query_all(&queries).await?;
        results
            .try_into()
            .map_err(|_| LedgerError::Damaged("a query was not answered".into()))
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
