//! The ledger: what is recorded, in the user's own database.
//!
//! It is backed up, restored and failed over together with the schema that it describes. Every
//! access happens inside a [`Ledger`] transaction, and each is the same SQL on every database but
//! for the few expressions in [`crate::database::Capabilities`].

mod backfills;
mod coordinator;
mod error;
mod events;
mod leases;
mod record;
mod rollouts;
mod tables;
mod view;

pub use backfills::{BackfillRecord, Control, RangeRecord, Steering, Wish};
pub use coordinator::{Acquired, CoordinatorRow};
pub use error::LedgerError;
pub use events::{Event, EventKind, Verified};
pub use leases::{LeaseId, NewLease, Renewal};
pub use record::{AppliedFile, PhaseChange, StepRecord, StepState};
pub use rollouts::{BeganRollout, RolloutRecord, RolloutState, RolloutStep, RolloutStepState};
pub use view::{Applied, Contents, CountedLeases, LEASES, Sighting, View};

use crate::database::{Access, Connection, ErrorKind, Row, Value};

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
        let as_of = begin(connection, Access::Read).await?;
        Ok(as_of.map(|as_of| Self { connection, as_of }))
    }

    /// Begins to write; creates the ledger where there is none.
    ///
    /// # Errors
    /// A database error, or a ledger of a newer program.
    pub async fn write(connection: &'c mut dyn Connection) -> Result<Self, LedgerError> {
        let mut as_of = begin(connection, Access::Write).await?;
        if as_of.is_none() {
            tables::ensure(connection).await?;
            as_of = begin(connection, Access::Write).await?;
        }
        match as_of {
            Some(as_of) => Ok(Self { connection, as_of }),
            None => Err(LedgerError::Damaged("its tables are gone again".into())),
        }
    }

    /// Makes the tables that came later, where an earlier version of this program has made the ledger.
    ///
    /// # Errors
    /// A database error.
    pub async fn complete(connection: &mut dyn Connection) -> Result<(), LedgerError> {
        connection.begin(Access::Read).await?;
        let look = tables::render(
            connection.capabilities(),
            "SELECT 1 FROM {backfills}, {backfill_ranges}, {rollouts}, {rollout_steps} WHERE 1 = 0",
        );
        let found = connection.query(&look, &[]).await;
        connection.rollback().await?;
        match found {
            Ok(_) => Ok(()),
            Err(error) if error.kind == ErrorKind::NoTable => {
                Ok(tables::create_missing(connection).await?)
            }
            Err(error) => Err(error.into()),
        }
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

    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, LedgerError> {
        let sql = self.render(sql);
        Ok(self.connection.query(&sql, parameters).await?)
    }

    /// The results of several queries in one round trip.
    async fn query_all<const N: usize>(
        &mut self,
        queries: [impl AsRef<str>; N],
    ) -> Result<[Vec<Row>; N], LedgerError> {
        let queries = queries.map(|sql| self.render(sql.as_ref()));
        all(self.connection.query_all(&queries).await?)
    }

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, LedgerError> {
        let sql = self.render(sql);
        Ok(self.connection.execute(&sql, parameters).await?)
    }

    fn render(&self, sql: &str) -> String {
        tables::render(self.connection.capabilities(), sql)
    }
}

/// Begins a transaction and returns its moment; `None`, and no transaction, where there is no
/// ledger. That its first table is missing says so: asking beforehand would cost every
/// transaction one more query.
async fn begin(
    connection: &mut dyn Connection,
    access: Access,
) -> Result<Option<i64>, LedgerError> {
    connection.begin(access).await?;
    let sql = tables::render(connection.capabilities(), SELECT_META);
    let rows = match connection.query(&sql, &[]).await {
        Ok(rows) => rows,
        Err(error) if error.kind == ErrorKind::NoTable => {
            connection.rollback().await?;
            return Ok(None);
        }
        Err(error) => return Err(error.into()),
    };
    moment(&rows).map(Some)
}

const SELECT_META: &str = "SELECT format, {now} FROM {meta} WHERE id = 1";

/// The moment that the answer to [`SELECT_META`] names, if this program understands the ledger.
fn moment(meta: &[Row]) -> Result<i64, LedgerError> {
    let row = first(meta)?;
    understood(row.int(0)?)?;
    row.int(1).map_err(Into::into)
}

/// Refuses the format of a ledger that a newer program has written.
fn understood(format: i64) -> Result<(), LedgerError> {
    if format > FORMAT {
        return Err(LedgerError::Newer {
            found: format,
            supported: FORMAT,
        });
    }
    Ok(())
}

/// As many answers as there were questions.
fn all<const N: usize>(answers: Vec<Vec<Row>>) -> Result<[Vec<Row>; N], LedgerError> {
    answers
        .try_into()
        .map_err(|_| LedgerError::Damaged("a query was not answered".into()))
}

fn first(rows: &[Row]) -> Result<&Row, LedgerError> {
    rows.first()
        .ok_or_else(|| LedgerError::Damaged("a row that is always there is missing".into()))
}
