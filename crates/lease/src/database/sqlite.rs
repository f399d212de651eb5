//! SQLite, the embedded default.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteQueryResult, SqliteRow,
};
use sqlx::{
    AssertSqlSafe, Column, ConnectOptions as _, Connection as _, Executor, Row as _, TypeInfo,
    ValueRef,
};

use super::answers::collect;
use super::owners::FirstLook;
use super::stop::Stop;
use super::{
    Access, Along, Answer, Asks, Call, Capabilities, ConnectOptions, Connection, DatabaseError,
    ErrorKind, Key, KeyRange, Keys, LockHolder, LockTimeout, Owners, Presence, Row, Session, Sizes,
    Stopped, Target, Value,
};
use crate::interrupt::Interrupt;
use crate::sql::{Object, ObjectKind, Script};

mod along;
mod capabilities;
mod error;
mod holders;
mod inventory;
mod keys;
mod ledger;
mod looking_up;
mod made;
mod marks;
mod names;
mod rebuild;
mod size;
#[cfg(test)]
mod tests;

use capabilities::{CAPABILITIES, LEDGER_PREFIX};
use error::from_sqlx;
pub use holders::holders_of_file;
use holders::named;
use looking_up::{LOCKED_OUT, by_itself};
use rebuild::Before;

/// Whether the connection enforces them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ForeignKeys {
    On,
    Off,
}

pub(super) struct Sqlite {
    inner: SqliteConnection,
    capabilities: Arc<Capabilities>,
    in_transaction: bool,
    /// How the transaction begins that has been asked for: sent together with its first statement, because each
    /// message to the thread that works on the file takes as long as a small statement.
    beginning: Option<&'static str>,
    foreign_keys: ForeignKeys,
    /// What stood in the schema before the script that is running.
    before: Option<Before>,
    first_look: FirstLook,
    stop: Stop,
    target: Target,
    asks: Asks,
    /// Whether what runs has to come to its end; for the thread that works on the file.
    is_ending: Arc<AtomicBool>,
}

impl Sqlite {
    pub(super) async fn connect(
        target: &Target,
        options: ConnectOptions,
    ) -> Result<Self, DatabaseError> {
        let path = target.path().unwrap_or_else(|| std::path::Path::new(""));
        if !options.create && !path.exists() {
            return Err(DatabaseError::new(
                ErrorKind::NoDatabase,
                "there is no such file",
            ));
        }
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(options.create)
            .busy_timeout(options.busy_timeout)
            .foreign_keys(true)
            // Whoever reads a long ledger is not woken for every fifty rows of it.
            .row_buffer_size(1000)
            .disable_statement_logging();
        let mut inner = SqliteConnection::connect_with(&connect)
            .await
            .map_err(|error| from_sqlx(&error))?;
        names::read(&mut inner, names::Unfound::Refused).await?;
        // The file is only looked at when something is read from it.
        inner
            .execute("SELECT count(*) FROM sqlite_master")
            .await
            .map_err(|error| named(from_sqlx(&error), target, options.asks))?;
        let mut connection = Self {
            inner,
            capabilities: Arc::new(CAPABILITIES),
            in_transaction: false,
            beginning: None,
            foreign_keys: ForeignKeys::On,
            before: None,
            first_look: FirstLook::by(options.owners),
            stop: Stop::new(options.interrupt),
            target: target.clone(),
            asks: options.asks,
            is_ending: Arc::default(),
        };
        if options.interrupt.is_listening() {
            connection.look_up_at_work().await?;
        }
        Ok(connection)
    }

    /// Begins the transaction that was asked for, where the next statement cannot carry it.
    async fn begin_now(&mut self) -> Result<(), DatabaseError> {
        match self.beginning.take() {
            Some(begin) => self.plain_now(begin).await.map(drop),
            None => Ok(()),
        }
    }

    async fn plain(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        self.begin_now().await?;
        self.plain_now(sql).await
    }

    async fn plain_now(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        let executing = self.inner.execute(sqlx::raw_sql(AssertSqlSafe(sql)));
        let result = self.stop.watch(LOCKED_OUT, executing, by_itself).await?;
        let result = result.map_err(|error| self.named(from_sqlx(&error)))?;
        Ok(result.rows_affected())
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, DatabaseError> {
        self.query(sql, &[]).await
    }

    fn named(&self, error: DatabaseError) -> DatabaseError {
        named(error, &self.target, self.asks)
    }
}

impl Sqlite {
    /// What each of these calls has brought, sent together with what has to come before them, and then runs statements
    /// of the user's, whose rows nobody reads.
    async fn send(&mut self, calls: &[Call], theirs: &[&str]) -> Result<Vec<Answer>, Stopped> {
        let begin = self.beginning.take();
        let added = usize::from(begin.is_some());
        let ours = calls.iter().map(|call| call.sql.as_str());
        let all = begin.into_iter().chain(ours).chain(theirs.iter().copied());
        // The newline ends a comment.
        let sql = all.collect::<Vec<_>>().join("\n;\n");
        let read = added + calls.len();
        let items = if theirs.is_empty() {
            self.inner.fetch_many(bound(sql, calls))
        } else {
            self.inner.fetch_many(sqlx::raw_sql(AssertSqlSafe(sql)))
        };
        let changed = SqliteQueryResult::rows_affected;
        let collecting = collect(items, |place| place < read, changed, decode, from_sqlx);
        let sent = self.stop.watch(LOCKED_OUT, collecting, by_itself);
        let (mut answers, failed) = sent.await?;
        if let Some(error) = failed {
            let at = answers.len().checked_sub(read);
            let error = self.named(error);
            return Err(Stopped { at, error });
        }
        answers.truncate(read);
        answers.drain(..added.min(answers.len()));
        Ok(answers)
    }
}

fn decode(row: &SqliteRow) -> Result<Row, DatabaseError> {
    let mut values = Vec::with_capacity(row.len());
    for (index, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(index).map_err(|error| from_sqlx(&error))?;
        let value = if raw.is_null() {
            Value::Null
        } else {
            // The type of the value itself: a column's declared type binds nothing in SQLite.
            match raw.type_info().name() {
                "INTEGER" | "BOOLEAN" => Value::Int(
                    row.try_get_unchecked(index)
                        .map_err(|error| from_sqlx(&error))?,
                ),
                "TEXT" => Value::Text(
                    row.try_get_unchecked(index)
                        .map_err(|error| from_sqlx(&error))?,
                ),
                other => {
                    return Err(DatabaseError::new(
                        ErrorKind::Statement,
                        format!(
                            "the column `{}` holds a value of type {other}, and a number or a text is needed",
                            column.name()
                        ),
                    ));
                }
            }
        };
        values.push(value);
    }
    Ok(Row(values))
}

fn bound<'q>(sql: String, calls: &[Call]) -> sqlx::query::Query<'q, sqlx::Sqlite, SqliteArguments> {
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for parameter in calls.iter().flat_map(|call| &call.parameters) {
        query = match parameter {
            Value::Null => query.bind(None::<String>),
            Value::Int(value) => query.bind(*value),
            Value::Text(value) => query.bind(value.clone()),
        };
    }
    query
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[async_trait]
impl Connection for Sqlite {
    fn capabilities(&self) -> Arc<Capabilities> {
        Arc::clone(&self.capabilities)
    }

    fn interrupt(&self) -> Interrupt {
        self.stop.interrupt
    }

    fn is_lost(&self) -> bool {
        self.stop.is_lost
    }

    async fn begin(&mut self, access: Access) -> Result<(), DatabaseError> {
        self.beginning = Some(match access {
            Access::Read => "BEGIN DEFERRED",
            // Taking the lock at the start avoids a deadlock between two readers that both go on to write.
            Access::Write => "BEGIN IMMEDIATE",
        });
        self.in_transaction = true;
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), DatabaseError> {
        if self.beginning.take().is_none() {
            self.ending();
            let committed = self.plain("COMMIT").await;
            self.ended();
            committed?;
        }
        self.in_transaction = false;
        Ok(())
    }

    async fn commit_with(&mut self, calls: &[Call]) -> Result<(), DatabaseError> {
        if calls.is_empty() {
            return self.commit().await;
        }
        // What follows a statement that fails is not run.
        let commit = Call::new("COMMIT", &[]);
        let calls: Vec<Call> = calls.iter().cloned().chain([commit]).collect();
        self.ending();
        let committed = self.call(&calls).await;
        self.ended();
        committed?;
        self.in_transaction = false;
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), DatabaseError> {
        let is_open = std::mem::take(&mut self.in_transaction);
        if self.beginning.take().is_some() || !is_open || self.stop.is_lost {
            return Ok(());
        }
        // Some errors end the transaction by themselves; then there is nothing to give up.
        self.ending();
        let ended = self.plain("ROLLBACK").await;
        self.ended();
        match ended {
            Err(error) if error.message.contains("no transaction is active") => Ok(()),
            other => other.map(drop),
        }
    }

    async fn call(&mut self, calls: &[Call]) -> Result<Vec<Answer>, DatabaseError> {
        let sent = self.send(calls, &[]).await;
        sent.map_err(|stopped| stopped.error)
    }

    async fn call_and_run(
        &mut self,
        calls: &[Call],
        statements: &[&str],
    ) -> Result<Vec<Answer>, Stopped> {
        // A statement of the user's that holds a question mark must not get one of our values.
        let is_apart = calls.iter().any(|call| !call.parameters.is_empty())
            || statements.iter().any(|statement| names::alters(statement));
        if is_apart {
            let answers = self.call(calls).await?;
            self.send_theirs(statements).await?;
            return Ok(answers);
        }
        self.send(calls, statements).await
    }

    async fn run(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        self.plain_read(sql).await
    }

    async fn count(&mut self, sql: &str) -> Result<i64, DatabaseError> {
        // No cast: SQLite would make 0 of any text, and 0 is what lets a contract pass.
        let rows = self.rows(sql).await?;
        match rows.as_slice() {
            [Row(values)] => match values.as_slice() {
                [Value::Int(count)] => Ok(*count),
                _ => Err(DatabaseError::new(
                    ErrorKind::Statement,
                    "the query does not return one integer",
                )),
            },
            _ => Err(DatabaseError::new(
                ErrorKind::Statement,
                format!(
                    "the query returns {} rows, and has to return one",
                    rows.len()
                ),
            )),
        }
    }

    async fn limit_lock_waits(&mut self, _limit: LockTimeout) -> Result<(), DatabaseError> {
        // The only lock is that of the whole database, and `begin` has waited for it.
        Ok(())
    }

    fn looks_first(&mut self, access: Access) -> Option<Owners> {
        self.first_look.due(access)
    }

    async fn against_ledger(
        &mut self,
        tables: &[&str],
        _owners: Owners,
    ) -> Result<Vec<String>, DatabaseError> {
        self.against_ledger(tables).await
    }

    async fn before_script(&mut self, script: &Script) -> Result<(), DatabaseError> {
        self.look_before(script).await
    }

    async fn after_script(
        &mut self,
        script: &Script,
        vouched: &BTreeSet<usize>,
    ) -> Result<(), DatabaseError> {
        self.check_after(script, vouched).await
    }

    async fn release_script(&mut self) -> Result<(), DatabaseError> {
        self.before = None;
        if self.stop.is_lost {
            return Ok(());
        }
        if self.foreign_keys == ForeignKeys::Off {
            self.ending();
            let restored = self.plain("PRAGMA foreign_keys = ON").await;
            self.ended();
            restored?;
            self.foreign_keys = ForeignKeys::On;
        }
        Ok(())
    }

    async fn presence(&mut self, object: &Object) -> Result<Presence, DatabaseError> {
        let kind = match object.kind {
            ObjectKind::Table => "table",
            ObjectKind::Index => "index",
            ObjectKind::View => "view",
            ObjectKind::Trigger => "trigger",
            _ => return Ok(Presence::Unknown),
        };
        let rows = self
            .query(
                "SELECT 1 FROM sqlite_master WHERE type = ? AND name = ? COLLATE NOCASE",
                &[kind.into(), object.name.as_str().into()],
            )
            .await?;
        Ok(if rows.is_empty() {
            Presence::Absent
        } else {
            Presence::Present
        })
    }

    async fn first_there(&mut self, made: &[super::Made]) -> Result<Option<usize>, DatabaseError> {
        self.look_for(made).await
    }

    async fn inventory(&mut self) -> Result<crate::sql::Inventory, DatabaseError> {
        self.take_stock().await
    }

    async fn trigger_marks(&mut self) -> Result<super::TriggerMarks, DatabaseError> {
        self.marks().await
    }

    async fn seal_triggers(&mut self) -> Result<(), DatabaseError> {
        self.seal().await
    }

    async fn session_id(&mut self) -> Result<Option<i64>, DatabaseError> {
        Ok(None)
    }

    async fn lock_holders(&mut self, _id: i64) -> Result<Vec<LockHolder>, DatabaseError> {
        Ok(Vec::new())
    }

    async fn sessions(&mut self) -> Result<Vec<Session>, DatabaseError> {
        Err(DatabaseError::new(
            ErrorKind::Statement,
            "SQLite has no sessions that could be listed",
        ))
    }

    async fn along(&mut self, keys: Keys<'_>) -> Result<Along, DatabaseError> {
        self.look_along(keys).await
    }

    async fn has_key(&mut self, keys: Keys<'_>, key: &Key) -> Result<bool, DatabaseError> {
        self.finds(keys, key).await
    }

    async fn count_keyless(&mut self, keys: Keys<'_>) -> Result<u64, DatabaseError> {
        self.without_key(keys).await
    }

    async fn key_range(&mut self, keys: Keys<'_>) -> Result<Option<KeyRange>, DatabaseError> {
        self.ends_of_keys(keys).await
    }

    async fn key_ahead(
        &mut self,
        keys: Keys<'_>,
        range: &KeyRange,
        ahead: u64,
    ) -> Result<Option<Key>, DatabaseError> {
        self.look_ahead(keys, range, ahead).await
    }

    async fn count_keys(&mut self, keys: Keys<'_>, range: &KeyRange) -> Result<u64, DatabaseError> {
        self.count_in(keys, range).await
    }

    async fn sizes(&mut self, tables: &[crate::sql::Place]) -> Result<Sizes, DatabaseError> {
        self.measure(tables).await
    }

    async fn estimate_rows(&mut self, table: &str) -> Result<u64, DatabaseError> {
        self.rows_of(table).await
    }

    async fn sample(&mut self, sql: &str, limit: u64) -> Result<Vec<Vec<String>>, DatabaseError> {
        self.first_rows(sql, limit).await
    }

    async fn close(self: Box<Self>) {
        // Nothing depends on the farewell: the file is in order after every commit.
        if self.stop.is_lost {
            return;
        }
        let _ = tokio::time::timeout(Duration::from_secs(5), self.inner.close()).await;
    }
}
