//! PostgreSQL.
//!
//! Nothing is prepared, because that would cost a round trip: values are written into the statement. Settings are
//! only ever made for one transaction. So a pooler in transaction mode can stand between.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::heard::{Ear, Heard, Kept};
use super::owners::FirstLook;
use super::session::Wire;
use super::stop::Stop;
use super::{
    Access, Along, Answer, Asks, Call, Capabilities, ConnectOptions, Connection, DatabaseError,
    ErrorKind, Key, KeyRange, Keys, LockHolder, LockTimeout, Owners, Presence, Row, Server,
    Session, Sizes, StatementTimeout, Stopped, Target, Value,
};
use crate::interrupt::Interrupt;
use crate::sql::{Object, Script, ServerReading};

mod along;
mod attached;
mod cancel;
mod capabilities;
mod changing;
mod error;
mod guards;
mod inventory;
mod keys;
mod ledger;
mod load;
mod login;
mod made;
mod marks;
mod message;
mod names;
mod own;
mod place;
mod presence;
mod quoted;
mod size;

pub(super) use login::server_of;

use cancel::Place;
use capabilities::CAPABILITIES;
use error::from_sqlx;
use message::{Part, written_out};
use names::Whose;

use own::{own_name, whose_is};
use quoted::{identifier, literal, table_name};

pub(super) struct Postgres {
    inner: PgConnection,
    capabilities: Arc<Capabilities>,
    in_transaction: bool,
    /// How the transaction begins that has been asked for: sent together with its first statement,
    /// which saves a round trip.
    beginning: Option<&'static str>,
    /// Settings of the transaction that are still to be made, before its next statement.
    settings: Vec<String>,
    /// What each transaction begins with.
    pin: Arc<str>,
    /// Whose statements the open transaction is ready for.
    whose: Whose,
    /// Whether statements of the user's have run in the open transaction.
    has_run_theirs: bool,
    /// Where another session is opened.
    target: Target,
    /// Whether this session was opened for statements outside of transactions, or that was tried.
    is_for_bare: bool,
    first_look: FirstLook,
    stop: Stop,
    place: Place,
    /// The schemas in which the names of scripts are looked for.
    schemas: String,
    readings: Vec<ServerReading>,
    /// The cluster and its timeline.
    server: Option<String>,
    /// Which servers will do.
    wanted: Server,
    asks: Asks,
    /// Made where statements of the user's are run.
    ear: Option<Ear>,
    heard: Kept,
}

/// How long opening another session may take.
const CONNECT_AGAIN: Duration = Duration::from_secs(10);

impl Postgres {
    pub(super) async fn connect(
        target: &Target,
        how: ConnectOptions,
    ) -> Result<Self, DatabaseError> {
        let inner = login::log_in(target, &[]).await?;
        let pin = names::pin(inner.server_version_num(), how.lock_limit);
        let mut connection = Self {
            inner,
            capabilities: Arc::new(CAPABILITIES),
            in_transaction: false,
            beginning: None,
            settings: Vec::new(),
            pin: pin.into(),
            whose: Whose::Ours,
            has_run_theirs: false,
            target: target.clone(),
            is_for_bare: false,
            first_look: FirstLook::by(how.owners),
            stop: Stop::new(how.interrupt),
            place: Place::new(),
            schemas: String::new(),
            readings: Vec::new(),
            server: None,
            wanted: how.server,
            asks: how.asks,
            ear: None,
            heard: Kept::default(),
        };
        connection.look_where(how.server).await?;
        Ok(connection)
    }

    /// Runs one statement of the user's, or one that names something of theirs.
    async fn plain(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        self.send(Part::Theirs(sql)).await
    }

    async fn send(&mut self, part: Part<'_>) -> Result<u64, DatabaseError> {
        let sent = self.exchange(&[part]).await;
        let answers = sent.map_err(|stopped| stopped.error)?;
        Ok(answers.last().map_or(0, |answer| answer.changed))
    }

    async fn rows(&mut self, sql: &str) -> Result<Vec<Row>, DatabaseError> {
        let answers = self.together(&[sql]).await?;
        Ok(answers.into_iter().next().unwrap_or_default().rows)
    }

    /// Makes a setting for the rest of the open transaction.
    fn set_local(&mut self, setting: String) {
        if self.in_transaction {
            self.settings.push(setting);
        }
    }
}

#[async_trait]
impl Connection for Postgres {
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
        self.settings.clear();
        self.beginning = Some(match access {
            Access::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Access::Write => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        });
        self.in_transaction = true;
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), DatabaseError> {
        self.settings.clear();
        if self.beginning.take().is_some() {
            self.in_transaction = false;
            return Ok(());
        }
        let committed = self.send(Part::Commit).await;
        self.in_transaction = false;
        committed.map(drop)
    }

    async fn commit_with(&mut self, calls: &[Call]) -> Result<(), DatabaseError> {
        if calls.is_empty() {
            return self.commit().await;
        }
        // What follows a statement that fails is not run.
        let ours: Vec<String> = calls.iter().map(written_out).collect::<Result<_, _>>()?;
        let ours = ours.iter().map(|sql| Part::Ours(sql));
        let parts: Vec<Part<'_>> = ours.chain([Part::Commit]).collect();
        let sent = self.exchange(&parts).await;
        sent.map_err(|stopped| stopped.error)?;
        self.in_transaction = false;
        Ok(())
    }

    async fn rollback(&mut self) -> Result<(), DatabaseError> {
        let is_open = std::mem::take(&mut self.in_transaction);
        self.settings.clear();
        if self.beginning.take().is_some() || !is_open || self.stop.is_lost {
            return Ok(());
        }
        self.send(Part::Rollback).await.map(drop)
    }

    async fn call(&mut self, calls: &[Call]) -> Result<Vec<Answer>, DatabaseError> {
        let statements: Vec<String> = calls.iter().map(written_out).collect::<Result<_, _>>()?;
        let statements: Vec<&str> = statements.iter().map(String::as_str).collect();
        self.together(&statements).await
    }

    async fn query_last(&mut self, queries: &[String]) -> Result<Vec<Vec<Row>>, DatabaseError> {
        let ending = "ROLLBACK".to_owned();
        let queries: Vec<String> = queries.iter().cloned().chain([ending]).collect();
        let mut results = self.query_all(&queries).await?;
        results.truncate(queries.len() - 1);
        self.in_transaction = false;
        Ok(results)
    }

    async fn run(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        self.plain(sql).await
    }

    fn heard(&mut self) -> Vec<Heard> {
        self.heard.take()
    }

    async fn call_and_run(
        &mut self,
        calls: &[Call],
        statements: &[&str],
    ) -> Result<Vec<Answer>, Stopped> {
        let ours: Vec<String> = calls.iter().map(written_out).collect::<Result<_, _>>()?;
        let ours = ours.iter().map(|sql| Part::Ours(sql));
        let theirs = statements.iter().copied().map(Part::Theirs);
        let parts: Vec<Part<'_>> = ours.chain(theirs).collect();
        let mut answers = self.exchange(&parts).await?;
        answers.truncate(calls.len());
        Ok(answers)
    }

    async fn count(&mut self, sql: &str) -> Result<i64, DatabaseError> {
        let sql = sql.trim().trim_end_matches(';');
        // The newline keeps a comment at the end of the query from swallowing the parenthesis.
        // A cast to bigint alone would round 0.4 to the 0 that is asked for.
        let rows = self
            .their_rows(&format!(
                "SELECT CASE WHEN n OPERATOR(pg_catalog.=) pg_catalog.trunc(n) THEN n::pg_catalog.int8 END \
                 FROM (SELECT ({sql}\n)::pg_catalog.numeric AS n) AS counted"
            ))
            .await?;
        match rows.first().and_then(|row| row.0.first()) {
            Some(Value::Int(count)) => Ok(*count),
            _ => Err(DatabaseError::new(
                ErrorKind::Statement,
                "the query returns no whole number",
            )),
        }
    }

    async fn prepare_bare(&mut self) -> Result<(), DatabaseError> {
        if std::mem::replace(&mut self.is_for_bare, true) {
            return Ok(());
        }
        let opened = async {
            let target = self.target.current().await?;
            login::log_in(&target, &names::LIMITLESS).await
        };
        let opened = tokio::time::timeout(CONNECT_AGAIN, opened).await;
        match opened {
            Ok(Ok(opened)) => {
                let before = std::mem::replace(&mut self.inner, opened);
                // Nothing depends on the farewell.
                let _ = before.close().await;
            }
            // A pooler refuses what it cannot promise. Then what the role is limited to stays, and messages say so.
            Ok(Err(error)) => tracing::debug!("no session without the role's limits: {error}"),
            Err(_) => tracing::debug!("no session without the role's limits in time"),
        }
        Ok(())
    }

    async fn limit_lock_waits(&mut self, limit: LockTimeout) -> Result<(), DatabaseError> {
        let milliseconds = limit.0.as_millis().max(1);
        self.set_local(format!("SET LOCAL lock_timeout = '{milliseconds}ms'"));
        Ok(())
    }

    fn schemas(&self) -> Option<&str> {
        Some(&self.schemas)
    }

    fn server(&self) -> Option<&str> {
        self.server.as_deref()
    }

    async fn has_schemas(&mut self, named: &str) -> Result<bool, DatabaseError> {
        self.are_its_schemas(named).await
    }

    async fn schemas_there(&mut self, named: &str) -> Result<Vec<String>, DatabaseError> {
        self.there_of(named).await
    }

    fn readings(&self) -> &[ServerReading] {
        &self.readings
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

    async fn first_there(&mut self, made: &[super::Made]) -> Result<Option<usize>, DatabaseError> {
        self.look_for(made).await
    }

    async fn inventory(&mut self) -> Result<crate::sql::Inventory, DatabaseError> {
        self.take_stock().await
    }

    async fn trigger_marks(&mut self) -> Result<super::TriggerMarks, DatabaseError> {
        self.marks().await
    }

    async fn session_id(&mut self) -> Result<Option<i64>, DatabaseError> {
        let rows = self.rows("SELECT pg_backend_pid()").await?;
        let id = rows.first().map(|row| row.int(0)).transpose()?;
        self.place.session = id;
        Ok(id)
    }

    async fn lock_holders(&mut self, id: i64) -> Result<Vec<LockHolder>, DatabaseError> {
        self.holders(&format!("SELECT unnest(pg_blocking_pids({id}))"))
            .await
    }

    async fn running(&mut self, sql: &str) -> Result<Vec<i64>, DatabaseError> {
        // The server keeps the beginning of a statement only.
        let sql = literal(sql);
        let query = format!(
            "SELECT pid::bigint FROM pg_stat_activity WHERE pid <> pg_backend_pid() \
             AND datname = current_database() AND state = 'active' \
             AND length(query) >= least(length({sql}), 90) AND starts_with({sql}, query)"
        );
        let rows = self.rows(&query).await?;
        rows.iter().map(|row| row.int(0)).collect()
    }

    async fn changing_schema(&mut self, named: &str) -> Result<Vec<i64>, DatabaseError> {
        self.changing(named).await
    }

    async fn sessions(&mut self) -> Result<Vec<Session>, DatabaseError> {
        // Without the right to see other users' sessions, backend_type is NULL there and the
        // application's name is not: such a session counts.
        let rows = self
            .rows(
                "SELECT pid, coalesce(application_name, ''), coalesce(usename::text, ''), \
                 CASE WHEN backend_start IS NOT NULL THEN coalesce(host(client_addr), '') END, \
                 (extract(epoch FROM backend_start) * 1000)::bigint, client_port FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL \
                 AND (backend_type IS NULL OR backend_type = 'client backend') ORDER BY pid",
            )
            .await?;
        rows.iter()
            .map(|row| {
                let application = row.text(1)?;
                let port = row.optional_int(5)?;
                Ok(Session {
                    id: row.int(0)?,
                    application: application.to_owned(),
                    user: row.text(2)?.to_owned(),
                    address: row.optional_text(3)?.map(ToOwned::to_owned),
                    // A local socket has none.
                    port: port.and_then(|port| u16::try_from(port).ok()),
                    since: row.optional_int(4)?,
                    whose: whose_is(application),
                    ..Session::default()
                })
            })
            .collect()
    }

    async fn wire(&mut self) -> Result<Option<Wire>, DatabaseError> {
        let sql = "SELECT host(inet_client_addr()), inet_client_port(), inet_server_port()";
        let rows = self.rows(sql).await?;
        rows.first()
            .map(|row| {
                let (client, server) = (row.optional_int(1)?, row.optional_int(2)?);
                Ok(Wire::read(row.optional_text(0)?, client, server))
            })
            .transpose()
    }

    async fn limit_statements(&mut self, limit: StatementTimeout) -> Result<(), DatabaseError> {
        let milliseconds = limit.0.as_millis().max(1);
        self.set_local(format!("SET LOCAL statement_timeout = '{milliseconds}ms'"));
        Ok(())
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

    async fn refresh_statistics(&mut self, keys: Keys<'_>) -> Result<(), DatabaseError> {
        self.analyze_where_needed(keys).await
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
