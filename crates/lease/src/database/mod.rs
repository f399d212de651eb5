//! The databases: one file each. Everything above speaks to them through [`Connection`], and the
//! differences between them travel as data in [`Capabilities`].
//!
//! Adding a database is one file that implements [`Connection`] and one row in [`SCHEMES`].

mod along;
mod answers;
mod asked;
mod capabilities;
mod connecting;
mod error;
mod given;
mod heard;
mod holders;
mod hosts;
mod keys;
mod marks;
#[cfg(feature = "mysql")]
mod mysql;
mod own;
mod owners;
mod parameters;
mod password;
mod percent;
#[cfg(feature = "postgres")]
mod postgres;
mod schemes;
mod session;
mod size;
mod small;
#[cfg(feature = "sqlite")]
mod sqlite;
mod stop;
mod target;
mod tls;
mod url;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use along::{Along, KeyIndex, TableKind, UpdateTrigger};
pub use answers::{Answer, Call, Stopped};
pub use capabilities::{
    AddCheck, Apart, Capabilities, ManyLeases, SchemaNumbers, Senseless, Statistics, Versions,
    Writers,
};
pub use connecting::{Asks, ConnectOptions, Server, connect};
pub use error::{DatabaseError, ErrorKind, INTERRUPTED};
pub use given::Database;
pub use heard::{Heard, Severity};
pub use keys::{Key, KeyRange, Keys, RowComparison, Start};
use keys::{TEXT_OF_BYTES, Written};
pub use marks::{MarksSeen, MarksTell, TriggerMark, TriggerMarks};
pub use owners::Owners;
pub use password::PasswordSource;
pub use schemes::SCHEMES;
pub use schemes::holders_of_file;
pub use session::{Reach, Session, Whose, Wire};
pub use size::{OpenTransaction, Sizes, TableSize};
pub use small::{read_small, read_small_once};
pub use target::{Statements, Target, read_url};

use crate::interrupt::Interrupt;
pub use crate::sql::{Ddl, Dialect, Made};
use crate::sql::{Inventory, Object, Place, Script, ServerReading};

/// A value that goes into or comes out of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Null,
    Int(i64),
    Text(String),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// One row of a result, read by position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row(pub Vec<Value>);

impl Row {
    /// The integer at `index`.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`] where there is none: the table is not as this program left it.
    pub fn int(&self, index: usize) -> Result<i64, DatabaseError> {
        match self.0.get(index) {
            Some(Value::Int(value)) => Ok(*value),
            other => Err(DatabaseError::unexpected("an integer", other)),
        }
    }

    /// The text at `index`; errors as [`Row::int`].
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`] where there is none.
    pub fn text(&self, index: usize) -> Result<&str, DatabaseError> {
        match self.0.get(index) {
            Some(Value::Text(value)) => Ok(value),
            other => Err(DatabaseError::unexpected("a text", other)),
        }
    }

    /// The text at `index`, or `None` if it is NULL.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`] where there is neither.
    pub fn optional_text(&self, index: usize) -> Result<Option<&str>, DatabaseError> {
        match self.0.get(index) {
            Some(Value::Null) => Ok(None),
            _ => self.text(index).map(Some),
        }
    }

    /// The integer at `index`, or `None` if it is NULL.
    ///
    /// # Errors
    /// [`ErrorKind::Ledger`] where there is neither.
    pub fn optional_int(&self, index: usize) -> Result<Option<i64>, DatabaseError> {
        match self.0.get(index) {
            Some(Value::Null) => Ok(None),
            _ => self.int(index).map(Some),
        }
    }
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// One consistent view; nothing can be written.
    Read,
    Write,
}

/// How long a user's statement may wait for a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockTimeout(pub Duration);

/// How long a user's statement may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatementTimeout(pub Duration);

/// How long the server keeps a writing transaction of a client that says nothing, where it can be told to: the client's
/// machine may be gone, and everybody waits for what it has locked. Between two messages of a healthy one there are
/// milliseconds.
const IDLE_IN_TRANSACTION: Duration = Duration::from_secs(60);

/// What the catalogue says about an object that a statement creates or drops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    Absent,
    Present,
    /// It is there and cannot be used: an index whose concurrent build failed.
    Invalid,
    /// The catalogue does not tell.
    Unknown,
}

/// A session that holds a lock which a statement waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockHolder {
    pub id: i64,
    pub description: String,
    /// The statement that ends it; `None` if it is only a guess that it holds the lock.
    pub end: Option<String>,
}

/// One connection to a database. No method leaves session state behind: through a pooler the next
/// transaction may run in another session.
#[async_trait]
pub trait Connection: Send {
    fn capabilities(&self) -> Arc<Capabilities>;

    /// What stops this connection's statements. Once it is due none is begun, but for what ends a transaction, and the one
    /// at work is cancelled at the server: both fail as [`ErrorKind::Interrupted`].
    fn interrupt(&self) -> Interrupt;
    /// Whether a statement was left at work here: nothing can be sent any more, and the server gives up the transaction.
    fn is_lost(&self) -> bool;

    /// Begins a transaction.
    async fn begin(&mut self, access: Access) -> Result<(), DatabaseError>;
    /// Commits the open transaction.
    async fn commit(&mut self) -> Result<(), DatabaseError>;
    /// Runs statements of our own as [`Connection::call`] does and, where none fails, commits the open transaction.
    async fn commit_with(&mut self, calls: &[Call]) -> Result<(), DatabaseError> {
        if !calls.is_empty() {
            self.call(calls).await?;
        }
        self.commit().await
    }
    /// Gives up the open transaction; without one, does nothing.
    async fn rollback(&mut self) -> Result<(), DatabaseError>;

    /// Runs statements of our own inside the open transaction, one after the other until one fails: as many answers
    /// as calls. In one round trip, where the database can do that.
    async fn call(&mut self, calls: &[Call]) -> Result<Vec<Answer>, DatabaseError>;
    /// Runs one statement of our own inside the open transaction, with `?` for each parameter,
    /// and returns the number of rows that it changed.
    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, DatabaseError> {
        let answers = self.call(&[Call::new(sql, parameters)]).await?;
        Ok(answers.first().map_or(0, |answer| answer.changed))
    }
    /// Runs one query of our own inside the open transaction, with `?` for each parameter.
    async fn query(&mut self, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, DatabaseError> {
        let answers = self.call(&[Call::new(sql, parameters)]).await?;
        Ok(answers.into_iter().next().unwrap_or_default().rows)
    }
    /// Runs several queries of our own inside the open transaction, none with parameters.
    async fn query_all(&mut self, queries: &[String]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let calls: Vec<Call> = queries.iter().map(|sql| Call::new(sql, &[])).collect();
        let answers = self.call(&calls).await?;
        Ok(answers.into_iter().map(|answer| answer.rows).collect())
    }
    /// As [`Connection::query_all`], and ends the transaction, which only read.
    async fn query_last(&mut self, queries: &[String]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let results = self.query_all(queries).await?;
        self.rollback().await?;
        Ok(results)
    }

    /// Runs one statement of the user's, as it is written. Returns the number of rows changed.
    async fn run(&mut self, sql: &str) -> Result<u64, DatabaseError>;
    /// Runs statements of our own as [`Connection::call`] does, and then these of the user's inside the same
    /// transaction, as they are written. In one round trip, where the database can do that.
    async fn call_and_run(
        &mut self,
        calls: &[Call],
        statements: &[&str],
    ) -> Result<Vec<Answer>, Stopped> {
        let answers = if calls.is_empty() {
            Vec::new()
        } else {
            self.call(calls).await?
        };
        for (index, statement) in statements.iter().enumerate() {
            self.run(statement).await.map_err(|error| Stopped {
                at: Some(index),
                error,
            })?;
        }
        Ok(answers)
    }
    /// What the server has said about statements of the user's since this was asked last, beside errors.
    fn heard(&mut self) -> Vec<Heard> {
        Vec::new()
    }
    /// Runs one statement of the user's outside of any transaction. Where changes of the schema commit
    /// by themselves, it waits for locks no longer than `limit`.
    async fn run_alone(&mut self, sql: &str, limit: LockTimeout) -> Result<u64, DatabaseError> {
        let _ = limit;
        self.run(sql).await
    }
    /// As [`Self::run_alone`], of a statement of our own: it is read as it is written, however the server reads those of others.
    async fn run_own(&mut self, sql: &str, limit: LockTimeout) -> Result<(), DatabaseError> {
        self.run_alone(sql, limit).await.map(drop)
    }
    /// Opens the session anew, where statements outside of transactions would be cut short by what its role is limited
    /// to. Comes before [`Connection::session_id`].
    async fn prepare_bare(&mut self) -> Result<(), DatabaseError> {
        Ok(())
    }
    /// The single integer that a user's query returns.
    async fn count(&mut self, sql: &str) -> Result<i64, DatabaseError>;

    /// Bounds how long statements of the open transaction wait for a lock.
    async fn limit_lock_waits(&mut self, limit: LockTimeout) -> Result<(), DatabaseError>;
    /// How the server is set to read texts, where it reads them otherwise than they are read in files.
    fn readings(&self) -> &[ServerReading] {
        &[]
    }
    /// The schemas in which the names of scripts are looked for, in their order; `None` if a database has no such thing.
    fn schemas(&self) -> Option<&str> {
        None
    }

    /// Which server this is, and since which promotion: what is another one after a failover. `None` if there are no others,
    /// or where the server does not say it.
    fn server(&self) -> Option<&str> {
        None
    }

    /// Asks a server that was connected to before, outside of any transaction, whether it is still one of these: it may have been made
    /// to follow another. Where each transaction sees that for itself there is nothing to ask.
    ///
    /// # Errors
    /// It is not, or does not answer.
    async fn look_again(&mut self, server: Server) -> Result<(), DatabaseError> {
        let _ = server;
        Ok(())
    }

    /// Whether these schemas, named as [`Connection::schemas`] names its own, are the same ones: what is not there, or not to
    /// be looked into, makes no difference.
    ///
    /// # Errors
    /// A database error.
    async fn has_schemas(&mut self, named: &str) -> Result<bool, DatabaseError> {
        Ok(self.schemas().is_none_or(|schemas| schemas == named))
    }
    /// Those of these schemas that are there, named as [`Connection::schemas`] names its own.
    ///
    /// # Errors
    /// A database error.
    async fn schemas_there(&mut self, named: &str) -> Result<Vec<String>, DatabaseError> {
        let _ = named;
        Ok(Vec::new())
    }
    /// Whose the ledger may be, where nobody has looked through this connection yet for the sake of this. From now on somebody has.
    fn looks_first(&mut self, access: Access) -> Option<Owners> {
        let _ = access;
        None
    }
    /// What speaks against the ledger's tables of these names: that they are somebody else's, or that code of somebody's
    /// would run where they are written. In words; nothing where they are not there.
    async fn against_ledger(
        &mut self,
        tables: &[&str],
        owners: Owners,
    ) -> Result<Vec<String>, DatabaseError>;
    /// Prepares for a script, before its transaction begins.
    async fn before_script(&mut self, script: &Script) -> Result<(), DatabaseError>;
    /// Checks what a script left behind that nobody else would tell of, before its transaction is committed. Somebody vouches for the
    /// statements at `vouched`.
    async fn after_script(
        &mut self,
        _script: &Script,
        _vouched: &BTreeSet<usize>,
    ) -> Result<(), DatabaseError> {
        Ok(())
    }
    /// Puts back what [`Connection::before_script`] changed, after the transaction has ended.
    async fn release_script(&mut self) -> Result<(), DatabaseError>;

    /// Whether an object exists.
    async fn presence(&mut self, object: &Object) -> Result<Presence, DatabaseError>;
    /// Which of these is there, by its number: the first, if several are. In a transaction.
    async fn first_there(&mut self, made: &[Made]) -> Result<Option<usize>, DatabaseError> {
        for (index, made) in made.iter().enumerate() {
            if self.presence(&made.object()).await? == Presence::Present {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }
    /// The tables and views that are there, and the code about them. In a transaction.
    async fn inventory(&mut self) -> Result<Inventory, DatabaseError>;
    /// The triggers that are there, and what tells them from others of their names. In a transaction.
    async fn trigger_marks(&mut self) -> Result<TriggerMarks, DatabaseError>;
    /// Makes sure that from now on the mark of a trigger changes when it is made anew. In a transaction that writes.
    async fn seal_triggers(&mut self) -> Result<(), DatabaseError> {
        Ok(())
    }
    /// The id of this session, by which others see it wait; `None` if the database has no such thing.
    async fn session_id(&mut self) -> Result<Option<i64>, DatabaseError>;
    /// Which sessions hold the locks that the session `id` waits for.
    async fn lock_holders(&mut self, id: i64) -> Result<Vec<LockHolder>, DatabaseError>;
    /// Other sessions that are running this very statement: its client may have died and it has not.
    async fn running(&mut self, sql: &str) -> Result<Vec<i64>, DatabaseError> {
        let _ = sql;
        Ok(Vec::new())
    }
    /// Other sessions that are changing the schema at this moment, or are called `named` and are at work: their client may have
    /// died and they have not.
    async fn changing_schema(&mut self, named: &str) -> Result<Vec<i64>, DatabaseError> {
        let _ = named;
        Ok(Vec::new())
    }
    /// The sessions of other clients that are in this database, or may reach it from where they are.
    async fn sessions(&mut self) -> Result<Vec<Session>, DatabaseError>;

    /// How the server sees this session's own connection; `None` if there is no server.
    async fn wire(&mut self) -> Result<Option<Wire>, DatabaseError> {
        Ok(None)
    }

    /// Bounds how long each further statement of the open transaction may take, where the database can do that.
    async fn limit_statements(&mut self, limit: StatementTimeout) -> Result<(), DatabaseError> {
        let _ = limit;
        Ok(())
    }

    /// What the catalogue says about a table and its key.
    async fn along(&mut self, keys: Keys<'_>) -> Result<Along, DatabaseError>;
    /// Whether the table has a row with this very key.
    async fn has_key(&mut self, keys: Keys<'_>, key: &Key) -> Result<bool, DatabaseError>;
    /// How many rows have no key, because a column of it is NULL.
    async fn count_keyless(&mut self, keys: Keys<'_>) -> Result<u64, DatabaseError>;
    /// All keys of a table, from the first to the last; `None` if it is empty.
    async fn key_range(&mut self, keys: Keys<'_>) -> Result<Option<KeyRange>, DatabaseError>;
    /// The key that is `ahead` places into the range, found in an index; `None` if the range has fewer keys.
    async fn key_ahead(
        &mut self,
        keys: Keys<'_>,
        range: &KeyRange,
        ahead: u64,
    ) -> Result<Option<Key>, DatabaseError>;
    /// How many keys a range has. Reads each of them.
    async fn count_keys(&mut self, keys: Keys<'_>, range: &KeyRange) -> Result<u64, DatabaseError>;
    /// About how many rows a table has; 0 where that is not known.
    async fn estimate_rows(&mut self, table: &str) -> Result<u64, DatabaseError>;
    /// About how large these tables are, and who has been at work the longest. In a transaction.
    async fn sizes(&mut self, tables: &[Place]) -> Result<Sizes, DatabaseError>;
    /// Has the planner look at a table and its key anew, where it would choose a worse plan otherwise. In a transaction.
    async fn refresh_statistics(&mut self, keys: Keys<'_>) -> Result<(), DatabaseError> {
        let _ = keys;
        Ok(())
    }

    /// The first rows of a user's query, as texts, at most `limit` of them.
    async fn sample(&mut self, sql: &str, limit: u64) -> Result<Vec<Vec<String>>, DatabaseError>;
    /// How far this server is behind the one it follows, or the furthest of those that follow it.
    ///
    /// # Errors
    /// Where that cannot be told: then nobody may take it for small.
    async fn replica_lag(&mut self) -> Result<Duration, DatabaseError> {
        Err(DatabaseError::new(
            ErrorKind::Statement,
            "this database has no replicas",
        ))
    }
    /// How many sessions are at work, this one not counted.
    ///
    /// # Errors
    /// Where that cannot be told.
    async fn active_sessions(&mut self) -> Result<i64, DatabaseError> {
        Err(DatabaseError::new(
            ErrorKind::Statement,
            "this database has no sessions that could be counted",
        ))
    }

    /// Closes the connection in good order.
    async fn close(self: Box<Self>);
}
