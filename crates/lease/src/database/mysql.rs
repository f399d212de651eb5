//! MySQL and MariaDB.
//!
//! A change of the schema commits the transaction around it, so nothing here runs one in a transaction of ours.
//! Lock limits are session variables: they are set for one transaction or statement and put back with its end.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::mysql::{MySqlConnection, MySqlQueryResult, MySqlRow};
use sqlx::{AssertSqlSafe, Connection as _, Executor};

use super::answers::collect;
use super::heard::{Heard, Kept};
use super::holders::Seen;
use super::own::OwnSession;
use super::owners::FirstLook;
use super::stop::{BOUND, Stop};
use super::{
    Access, Along, Answer, Asks, Call, Capabilities, ConnectOptions, Connection, DatabaseError,
    Key, KeyRange, Keys, LockHolder, LockTimeout, Owners, Presence, Row, Server, Session, Sizes,
    StatementTimeout, Stopped, Target, Wire,
};
use crate::interrupt::Interrupt;
use crate::sql::{Object, Script, ServerReading};

mod along;
mod cancel;
mod capabilities;
mod catalogue;
mod depends;
mod error;
mod follows;
mod greeting;
mod holders;
mod inventory;
mod keys;
mod ledger;
mod limits;
mod load;
mod login;
mod marks;
mod own;
mod prepared;
mod quoted;
mod rights;
mod sessions;
mod size;
mod stored;
mod values;
mod warnings;

pub(super) use login::server_of;

use cancel::{Place, end_statement};
use error::from_sqlx;
use limits::{IDLE_LIMIT, NO_IDLE_LIMIT};
use own::Marked;
use prepared::Modes;
use quoted::literal;
use values::{bound, decode, single};

const READ_COMMITTED: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED";
/// How many of the ledger's own statements stay prepared: more than there are.
const STATEMENTS: usize = 200;

/// Which of the two it is; they have parted where locks are looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flavour {
    MariaDb,
    MySql,
}

pub(super) struct Mysql {
    inner: MySqlConnection,
    flavour: Flavour,
    capabilities: Arc<Capabilities>,
    /// What the open transaction is for.
    open: Option<Access>,
    /// How the transaction begins that has been asked for: sent together with its first query.
    beginning: Option<&'static [&'static str]>,
    /// The statement that puts the session's lock limits back.
    restore: Option<String>,
    /// How long a statement of the user's may take in the open transaction, where the server does not see to it.
    limit: Option<Duration>,
    /// The id of this session, and how another one is opened to end what takes too long.
    id: i64,
    target: Target,
    /// The number of the server.
    server: Option<String>,
    /// Both, where this session has another sql_mode than the server gives it.
    modes: Option<Modes>,
    readings: Vec<ServerReading>,
    first_look: FirstLook,
    /// The tables that know no transactions, once somebody asked.
    untransactional: Option<Vec<String>>,
    stop: Stop,
    /// That this session is ours.
    own: Option<OwnSession>,
    marked: Marked,
    heard: Kept,
    /// Which of the user's statements that belong together is run.
    at: usize,
    asks: Asks,
}

impl Mysql {
    pub(super) async fn connect(
        target: &Target,
        how: ConnectOptions,
    ) -> Result<Self, DatabaseError> {
        let options = login::options(target)?;
        let inner = login::log_in(target, &options).await?;
        let mut connection = Self {
            inner,
            flavour: Flavour::MySql,
            capabilities: Arc::new(capabilities::of(Flavour::MySql, None)),
            open: None,
            beginning: None,
            restore: None,
            limit: None,
            id: 0,
            target: target.clone(),
            modes: None,
            readings: Vec::new(),
            server: None,
            first_look: FirstLook::by(how.owners),
            untransactional: None,
            stop: Stop::new(how.interrupt),
            own: None,
            marked: Marked::No,
            heard: Kept::default(),
            at: 0,
            asks: how.asks,
        };
        connection.prepare_session(how.lock_limit).await?;
        connection.refuse_replica(how.server).await?;
        Ok(connection)
    }

    /// Begins the transaction that was asked for, where the next statement cannot carry it.
    async fn begin_now(&mut self) -> Result<(), DatabaseError> {
        if let Some(begin) = self.beginning.take() {
            self.together(begin).await?;
        }
        Ok(())
    }

    const fn place(&self) -> Place {
        Place {
            id: self.id,
            flavour: self.flavour,
            marked: self.marked,
        }
    }

    async fn plain(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        self.begin_now().await?;
        let (session, target) = (self.place(), &self.target);
        let (seen, watched) = (Seen::default(), self.watched());
        let executing = self.inner.execute(sqlx::raw_sql(AssertSqlSafe(sql)));
        let waiting = seen.beside(executing, target, watched);
        let cancel = || end_statement(target, session);
        let result = self.stop.watch(BOUND, waiting, cancel).await?;
        match result {
            Ok(result) => Ok(result.rows_affected()),
            Err(error) => Err(self.judged(from_sqlx(&error), seen).await),
        }
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, DatabaseError> {
        self.begin_now().await?;
        let rows = self.fetch(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
        rows.iter().map(decode).collect()
    }

    /// The rows of one query as they come.
    async fn fetch<'q>(
        &mut self,
        query: impl sqlx::Execute<'q, sqlx::MySql> + 'q,
    ) -> Result<Vec<MySqlRow>, DatabaseError> {
        let (session, target) = (self.place(), &self.target);
        let (seen, watched) = (Seen::default(), self.watched());
        let fetching = self.inner.fetch_all(query);
        let waiting = seen.beside(fetching, target, watched);
        let cancel = || end_statement(target, session);
        let rows = self.stop.watch(BOUND, waiting, cancel).await?;
        match rows {
            Ok(rows) => Ok(rows),
            Err(error) => Err(self.judged(from_sqlx(&error), seen).await),
        }
    }

    /// What each of these statements has brought, sent together.
    async fn together(&mut self, statements: &[&str]) -> Result<Vec<Answer>, DatabaseError> {
        let sql = statements.join(";\n");
        self.answers(sqlx::raw_sql(AssertSqlSafe(sql))).await
    }

    async fn answers<'q>(
        &mut self,
        query: impl sqlx::Execute<'q, sqlx::MySql> + 'q,
    ) -> Result<Vec<Answer>, DatabaseError> {
        let (answers, failed) = self.answers_of(query, |_| true).await?;
        failed.map_or(Ok(answers), Err)
    }

    /// What the statements of a message have brought up to the one that failed. Rows are read where `is_read` says so.
    async fn answers_of<'q>(
        &mut self,
        query: impl sqlx::Execute<'q, sqlx::MySql> + 'q,
        is_read: impl Fn(usize) -> bool,
    ) -> Result<(Vec<Answer>, Option<DatabaseError>), DatabaseError> {
        let (session, target) = (self.place(), &self.target);
        let (seen, watched) = (Seen::default(), self.watched());
        let items = self.inner.fetch_many(query);
        let changed = MySqlQueryResult::rows_affected;
        let collecting = collect(items, is_read, changed, decode, from_sqlx);
        let waiting = seen.beside(collecting, target, watched);
        let cancel = || end_statement(target, session);
        let (answers, failed) = self.stop.watch(BOUND, waiting, cancel).await?;
        let failed = match failed {
            None => None,
            Some(error) => Some(self.judged(error, seen).await),
        };
        Ok((answers, failed))
    }

    /// Ends the transaction, and puts the session's limits back in the same round trip.
    async fn end(&mut self, how: &str) -> Result<(), DatabaseError> {
        let open = self.open.take();
        let restore = self.restore.take();
        self.limit = None;
        if self.beginning.take().is_some() || open.is_none() || self.stop.is_lost {
            return Ok(());
        }
        let has_idle_limit = self.flavour == Flavour::MariaDb && open == Some(Access::Write);
        let no_idle_limit = has_idle_limit.then_some(NO_IDLE_LIMIT);
        let after: Vec<&str> = restore
            .as_deref()
            .into_iter()
            .chain(no_idle_limit)
            .collect();
        let statements = [&[how], after.as_slice()].concat();
        self.stop.ending();
        let ended = self.together(&statements).await;
        if ended.is_err() && !after.is_empty() {
            // A commit that was refused took along what was sent after it. If the connection broke, so did the session.
            let _ = self.together(&after).await;
        }
        self.stop.ended();
        ended.map(drop)
    }
}

#[async_trait]
impl Connection for Mysql {
    fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    async fn look_again(&mut self, server: Server) -> Result<(), DatabaseError> {
        self.refuse_replica(server).await
    }

    fn capabilities(&self) -> Arc<Capabilities> {
        Arc::clone(&self.capabilities)
    }

    fn readings(&self) -> &[ServerReading] {
        &self.readings
    }

    fn interrupt(&self) -> Interrupt {
        self.stop.interrupt
    }

    fn is_lost(&self) -> bool {
        self.stop.is_lost
    }

    async fn begin(&mut self, access: Access) -> Result<(), DatabaseError> {
        // START TRANSACTION would commit what a failed attempt has left open.
        self.rollback().await?;
        self.beginning = Some(match (access, self.flavour) {
            (Access::Read, _) => &[
                "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ",
                "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
            ],
            (Access::Write, Flavour::MySql) => &[READ_COMMITTED, "START TRANSACTION READ WRITE"],
            (Access::Write, Flavour::MariaDb) => {
                &[IDLE_LIMIT, READ_COMMITTED, "START TRANSACTION READ WRITE"]
            }
        });
        self.open = Some(access);
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), DatabaseError> {
        self.end("COMMIT").await
    }

    async fn rollback(&mut self) -> Result<(), DatabaseError> {
        self.end("ROLLBACK").await
    }

    async fn call(&mut self, calls: &[Call]) -> Result<Vec<Answer>, DatabaseError> {
        if calls.iter().all(|call| call.parameters.is_empty()) {
            let begin = self.beginning.take().unwrap_or_default();
            let statements = calls.iter().map(|call| call.sql.as_str());
            let statements: Vec<&str> = begin.iter().copied().chain(statements).collect();
            let mut answers = self.together(&statements).await?;
            answers.drain(..answers.len().saturating_sub(calls.len()));
            return Ok(answers);
        }
        self.begin_now().await?;
        let mut answers = Vec::with_capacity(calls.len());
        for call in calls {
            let found = match call.parameters.as_slice() {
                [] => self.together(&[&call.sql]).await?,
                parameters => self.answers(bound(&call.sql, parameters)).await?,
            };
            answers.push(found.into_iter().next().unwrap_or_default());
        }
        Ok(answers)
    }

    async fn run(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        if self.open.is_some() {
            self.refuse_untransactional(sql).await?;
        }
        let restore = self.take_scripts_mode().await?;
        let ran = match self.limit {
            Some(limit) => self.within(limit, sql).await,
            None => self.run_heard(sql).await,
        };
        let restored = self.put_back(restore).await;
        let rows = ran?;
        restored?;
        Ok(rows)
    }

    async fn call_and_run(
        &mut self,
        calls: &[Call],
        statements: &[&str],
    ) -> Result<Vec<Answer>, Stopped> {
        self.run_several(calls, statements).await
    }

    fn heard(&mut self) -> Vec<Heard> {
        self.heard.take()
    }

    async fn run_alone(&mut self, sql: &str, limit: LockTimeout) -> Result<u64, DatabaseError> {
        self.run_committing(sql, limit).await
    }

    async fn run_own(&mut self, sql: &str, limit: LockTimeout) -> Result<(), DatabaseError> {
        self.run_own_committing(sql, limit).await
    }

    async fn count(&mut self, sql: &str) -> Result<i64, DatabaseError> {
        // No cast: the server would make 0 of any text, and 0 is what lets a contract pass.
        let rows = self.rows(sql.trim().trim_end_matches(';')).await?;
        single(&rows)
    }

    async fn limit_lock_waits(&mut self, limit: LockTimeout) -> Result<(), DatabaseError> {
        self.set_limits(limit).await
    }

    fn looks_first(&mut self, access: Access) -> Option<Owners> {
        self.first_look.due(access)
    }

    async fn against_ledger(
        &mut self,
        tables: &[&str],
        owners: Owners,
    ) -> Result<Vec<String>, DatabaseError> {
        self.against_ledger(tables, owners).await
    }

    async fn before_script(&mut self, _script: &Script) -> Result<(), DatabaseError> {
        Ok(())
    }

    async fn release_script(&mut self) -> Result<(), DatabaseError> {
        Ok(())
    }

    async fn presence(&mut self, object: &Object) -> Result<Presence, DatabaseError> {
        self.look_up(object).await
    }

    async fn inventory(&mut self) -> Result<crate::sql::Inventory, DatabaseError> {
        self.take_stock().await
    }

    async fn trigger_marks(&mut self) -> Result<super::TriggerMarks, DatabaseError> {
        self.marks().await
    }

    async fn session_id(&mut self) -> Result<Option<i64>, DatabaseError> {
        let rows = self.rows("SELECT CONNECTION_ID()").await?;
        rows.first().map(|row| row.int(0)).transpose()
    }

    async fn lock_holders(&mut self, id: i64) -> Result<Vec<LockHolder>, DatabaseError> {
        self.holders_of_locks(id).await
    }

    async fn running(&mut self, sql: &str) -> Result<Vec<i64>, DatabaseError> {
        let rows = self
            .rows(&format!(
                "SELECT id FROM information_schema.processlist \
                 WHERE id <> CONNECTION_ID() AND command <> 'Sleep' AND BINARY info = BINARY {}",
                literal(sql)
            ))
            .await?;
        rows.iter().map(|row| row.int(0)).collect()
    }

    async fn changing_schema(&mut self, _named: &str) -> Result<Vec<i64>, DatabaseError> {
        self.changing().await
    }

    async fn sessions(&mut self) -> Result<Vec<Session>, DatabaseError> {
        self.list_sessions().await
    }

    async fn wire(&mut self) -> Result<Option<Wire>, DatabaseError> {
        self.own_wire().await.map(Some)
    }

    async fn limit_statements(&mut self, limit: StatementTimeout) -> Result<(), DatabaseError> {
        self.set_statement_limit(limit).await
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

    async fn replica_lag(&mut self) -> Result<Duration, DatabaseError> {
        self.lag().await
    }

    async fn active_sessions(&mut self) -> Result<i64, DatabaseError> {
        self.count_active().await
    }

    async fn close(self: Box<Self>) {
        // Nothing depends on the farewell: the server ends the session either way.
        if !self.stop.is_lost {
            let _ = self.inner.close().await;
        }
    }
}
