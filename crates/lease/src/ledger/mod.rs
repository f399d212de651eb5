//! The ledger: what is recorded, in the user's own database.
//!
//! It is backed up, restored and failed over together with the schema that it describes. Every
//! access happens inside a [`Ledger`] transaction, and each is the same SQL on every database but
//! for the few expressions in [`crate::database::Capabilities`].

mod accounts;
mod address;
mod apart;
mod arrivals;
mod audit;
mod backfills;
mod beside;
mod checks;
mod columns;
mod coordinator;
mod door;
mod enough;
mod error;
mod events;
mod failures;
mod forget;
mod groups;
mod in_step;
mod indexed;
mod indexes;
mod leases;
mod locks;
mod looks;
mod lost;
mod names;
mod orders;
mod place;
mod record;
mod rights;
mod rollouts;
mod rules;
mod shape;
mod sought;
mod tables;
mod uses;
mod view;

pub use accounts::{Accounts, Registered};
pub use arrivals::{Arrival, Arrivals, Named, Stray};
pub use audit::{seal_of_declaration, seal_of_steps};
pub use backfills::{BackfillRecord, Control, DesiredState, RangeRecord, Steering};
pub use beside::{Beside, FenceRecord};
pub use coordinator::{Acquired, CoordinatorRow};
pub use enough::{TELLS_OF_MS, Wanted};
pub use error::{LedgerError, RunError};
pub use events::{Event, EventKind, KnownHead, Verified};
pub use failures::FailureRecord;
pub use forget::{Ended, KnownLease, ProjectTerms, Standing};
pub use groups::{CountedLeases, LONGEST_LEASE_MS, NamedLease};
pub use in_step::{InStep, KnownMark, Standing as TriggerStanding, Touched};
pub use leases::{LeaseId, NewLease, Renewal};
pub use locks::Locked;
pub use looks::{AdmittedOnce, Asker, Looked, Memory, SeenVersion};
pub use place::SchemasRenamed;
pub use record::{AppliedFile, Entry, PhaseChange, StepRecord, StepState};
pub use rollouts::{BeganRollout, RolloutRecord, RolloutState, RolloutStep, RolloutStepState};
pub use rules::{LeaseRules, ServiceRules, default_min_ready};
pub use sought::Sought;
pub use uses::{CountedUse, UseRecord};
pub use view::{Applied, Contents, Counts, Sighting, View};

use arrivals::Kept;
use columns::Columns;

use std::sync::Arc;

use crate::database::{Access, Answer, Call, Capabilities, Connection, ErrorKind, Row, Value};

/// The version of the ledger's tables that this program writes, and the newest that it reads.
pub const FORMAT: i64 = 1;

/// How many statements are sent together at most: servers bound the size of a message.
const AT_ONCE: usize = 100;

/// One transaction on the ledger, in which the user's statements can run as well.
pub struct Ledger<'c> {
    connection: &'c mut dyn Connection,
    /// The moment by which leases are judged, by the database's clock: when this transaction began
    /// or, later, when it was granted the lock on admissions. Judging by an earlier moment than
    /// the present counts more instances as live, never fewer.
    /// None until it has been asked for.
    as_of: Option<i64>,
    /// Which of the columns that came later there are; none until it has been asked for.
    columns: Option<Columns>,
    /// Under which schemas its migrations ran, where that is recorded and has been asked for.
    schemas: Option<String>,
    /// How leases are read.
    rules: LeaseRules,
    /// What is still to be written, together with what is asked next: each round trip counts.
    later: Vec<Call>,
    /// Whether arrivals are written down in this ledger; none until it has been asked.
    kept: Option<Kept>,
    /// Where the log of events ends, where that was asked together with something else.
    head: Option<events::Head>,
    /// What the server calls this machine, where that is a name of this machine alone and has been looked up.
    own_name: Option<String>,
    /// Where it ended when this transaction began.
    began_at: Option<KnownHead>,
}

impl<'c> Ledger<'c> {
    /// Begins to read; `None` where the database has no ledger. Never writes.
    ///
    /// # Errors
    /// A database error, a ledger of a newer program, or one of other schemas.
    pub async fn read(connection: &'c mut dyn Connection) -> Result<Option<Self>, LedgerError> {
        let Some(meta) = begin(connection, Access::Read).await? else {
            return Ok(None);
        };
        let here = place::is_here(connection, meta.schemas.as_deref()).await;
        if let Err(error) = here {
            // Why it is not to be read matters, and not whether that could be given up in good order.
            let _ = connection.rollback().await;
            return Err(error);
        }
        Ok(Some(Self::at(connection, Some(meta))))
    }

    /// Makes sure that names are looked for where the migrations of this ledger ran. Reading does so by itself, and whoever
    /// writes does it where they begin: what holds already is not asked again.
    ///
    /// # Errors
    /// [`LedgerError::Elsewhere`], or a database error; the caller has to roll back.
    pub async fn stay_here(&mut self) -> Result<(), LedgerError> {
        self.as_of().await?;
        let recorded = self.schemas.clone();
        place::is_here(self.connection().await?, recorded.as_deref()).await
    }

    fn at(connection: &'c mut dyn Connection, meta: Option<Meta>) -> Self {
        Self {
            connection,
            as_of: meta.as_ref().map(|meta| meta.as_of),
            columns: meta.as_ref().map(|meta| meta.columns),
            schemas: meta.as_ref().and_then(|meta| meta.schemas.clone()),
            rules: LeaseRules::default(),
            later: Vec::new(),
            kept: None,
            head: None,
            own_name: None,
            began_at: meta.map(|meta| meta.head),
        }
    }

    /// Where the log ended when this transaction began, where that was asked.
    #[must_use]
    pub fn head_at_begin(&self) -> Option<&KnownHead> {
        self.began_at.as_ref()
    }

    /// Begins to write; creates the ledger where there is none.
    ///
    /// # Errors
    /// A database error, or a ledger of a newer program.
    pub async fn write(connection: &'c mut dyn Connection) -> Result<Self, LedgerError> {
        let mut meta = begin(connection, Access::Write).await?;
        if meta.is_none() {
            tables::ensure(connection).await?;
            apart::finish(connection).await?;
            meta = begin(connection, Access::Write).await?;
        }
        match meta {
            Some(meta) => Ok(Self::at(connection, Some(meta))),
            None => Err(LedgerError::Damaged("its tables are gone again".into())),
        }
    }

    /// As [`Ledger::write`], for whoever knows that there is a ledger: nothing is sent before it is needed, and only then
    /// it shows whether a newer program has changed the ledger meanwhile.
    ///
    /// # Errors
    /// A database error.
    pub async fn write_soon(connection: &'c mut dyn Connection) -> Result<Self, LedgerError> {
        connection.begin(Access::Write).await?;
        Ok(Self::at(connection, None))
    }

    /// Makes the tables and columns that came later, where an earlier version of this program has made the ledger.
    ///
    /// # Errors
    /// A database error.
    pub async fn complete(connection: &mut dyn Connection) -> Result<(), LedgerError> {
        connection.begin(Access::Read).await?;
        let capabilities = connection.capabilities();
        let look = [
            format!("SELECT {}, {}", columns::LEVEL, checks::LEVEL),
            "SELECT 1 FROM {backfills}, {backfill_ranges}, {failures}, {looks}, {seen}, {arrivals}, {rollouts}, {rollout_steps} WHERE 1 = 0"
                .to_owned(),
        ];
        let mut look: Vec<String> = look
            .iter()
            .map(|sql| tables::render(&capabilities, sql))
            .collect();
        look.push(indexes::count(&capabilities));
        look.extend(rights::beyond(&capabilities, tables::names()));
        let found = connection.query_all(&look).await;
        connection.rollback().await?;
        let (columns, checks, indexes) = match found {
            Ok(rows) => {
                let beyond = rows.iter().skip(3).flatten();
                let beyond = beyond.map(|row| Ok(row.text(0)?.to_owned()));
                rights::warn(&beyond.collect::<Result<Vec<String>, LedgerError>>()?);
                let row = first(rows.first().map_or(&[], Vec::as_slice))?;
                let indexes = first(rows.get(2).map_or(&[], Vec::as_slice))?;
                (row.int(0)?, row.int(1)?, indexes.int(0)?)
            }
            Err(error) if error.kind == ErrorKind::NoTable => {
                tables::create_missing(connection).await?;
                (0, 0, 0)
            }
            Err(error) => return Err(error.into()),
        };
        columns::add(connection, columns).await?;
        checks::add(connection, checks).await?;
        Ok(indexed::add(connection, indexes).await?)
    }

    /// Reads leases as a project wants them read, from here on.
    pub fn judge_by(&mut self, rules: &LeaseRules) {
        self.rules = rules.clone();
    }

    /// Ends the transaction and keeps what it changed.
    ///
    /// # Errors
    /// A database error; then nothing is kept, unless the connection broke at this very moment.
    pub async fn commit(mut self) -> Result<(), LedgerError> {
        crate::crash::point("ledger.commit");
        // Nothing is written for a ledger that a newer program has changed.
        self.as_of().await?;
        self.record_head();
        let last = self.later.len().saturating_sub(AT_ONCE);
        let last = self.later.split_off(last);
        self.write_now().await?;
        self.connection.commit_with(&last).await?;
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

    /// The connection, for statements of the user's in the same transaction, after everything recorded so far.
    ///
    /// Invariant: whoever appends to the log commits through [`Ledger::commit`], which writes where the log ends.
    ///
    /// # Errors
    /// A database error.
    pub async fn connection(&mut self) -> Result<&mut dyn Connection, LedgerError> {
        self.write_now().await?;
        Ok(self.connection)
    }

    /// What the database can do.
    #[must_use]
    pub fn capabilities(&self) -> Arc<Capabilities> {
        self.connection.capabilities()
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
        let [answer] = self.call([(sql, parameters)]).await?;
        Ok(answer.rows)
    }

    /// The results of several queries in one round trip.
    async fn query_all<const N: usize>(
        &mut self,
        queries: [impl AsRef<str>; N],
    ) -> Result<[Vec<Row>; N], LedgerError> {
        let answers = self
            .call(queries.each_ref().map(|sql| (sql.as_ref(), &[][..])))
            .await?;
        Ok(answers.map(|answer| answer.rows))
    }

    async fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, LedgerError> {
        let [answer] = self.call([(sql, parameters)]).await?;
        Ok(answer.changed)
    }

    /// Writes what nobody needs an answer to: it is sent with what is asked next, and at the latest before the
    /// transaction is committed. An error shows there.
    fn execute_later(&mut self, sql: &str, parameters: &[Value]) {
        let sql = self.render(sql);
        self.later.push(Call::new(sql, parameters));
    }

    async fn write_now(&mut self) -> Result<(), LedgerError> {
        if self.later.is_empty() {
            return Ok(());
        }
        let [] = self.call([]).await?;
        Ok(())
    }

    async fn call<const N: usize>(
        &mut self,
        calls: [(&str, &[Value]); N],
    ) -> Result<[Answer; N], LedgerError> {
        let mut all = std::mem::take(&mut self.later);
        let before = all.len();
        all.extend(calls.map(|(sql, parameters)| Call::new(self.render(sql), parameters)));
        let mut answers = Vec::with_capacity(all.len());
        for calls in all.chunks(AT_ONCE) {
            answers.extend(self.connection.call(calls).await?);
        }
        answers.drain(..before.min(answers.len()));
        self::all(answers)
    }

    /// Runs statements of the user's in this transaction, after everything recorded so far and together with it.
    ///
    /// # Errors
    /// The first statement that failed, or what was to be recorded before them.
    pub async fn run(&mut self, statements: &[&str]) -> Result<(), RunError> {
        let [] = self.ask_and_run([], statements).await?;
        Ok(())
    }

    /// The results of several queries, and then statements of the user's, in one round trip.
    async fn ask_and_run<const N: usize>(
        &mut self,
        queries: [&str; N],
        statements: &[&str],
    ) -> Result<[Vec<Row>; N], RunError> {
        let mut calls = std::mem::take(&mut self.later);
        let before = calls.len();
        calls.extend(queries.map(|sql| Call::new(self.render(sql), &[])));
        let ran = self.connection.call_and_run(&calls, statements).await;
        let answers = ran.map_err(|stopped| match stopped.at {
            Some(index) => RunError::Statement(index, stopped.error),
            None => RunError::Ledger(stopped.error.into()),
        })?;
        let answers = answers.into_iter().skip(before);
        let answers = all(answers.map(|answer| answer.rows).collect())?;
        Ok(answers)
    }

    /// Whether arrivals are written down: not in a ledger of an earlier version that no command has acted on since.
    async fn keeps_arrivals(&mut self) -> Result<Kept, LedgerError> {
        if let Some(kept) = self.kept {
            return Ok(kept);
        }
        let is_there = tables::exists(self.connection().await?, "arrivals").await?;
        let kept = if is_there { Kept::Yes } else { Kept::No };
        self.kept = Some(kept);
        Ok(kept)
    }

    /// The moment by which leases are judged.
    async fn as_of(&mut self) -> Result<i64, LedgerError> {
        if let Some(as_of) = self.as_of {
            return Ok(as_of);
        }
        let meta = meta(&self.query(&select_meta(), &[]).await?)?;
        self.as_of = Some(meta.as_of);
        self.columns = Some(meta.columns);
        self.schemas.clone_from(&meta.schemas);
        Ok(meta.as_of)
    }

    /// The connection as it is, for what has to come before anything else in this transaction.
    pub fn unsent(&mut self) -> &mut dyn Connection {
        self.connection
    }

    fn render(&self, sql: &str) -> String {
        tables::render(&self.connection.capabilities(), sql)
    }
}

/// Begins a transaction and returns what its first look says; `None`, and no transaction, where there is no
/// ledger. That its first table is missing says so: asking beforehand would cost every
/// transaction one more query.
async fn begin(
    connection: &mut dyn Connection,
    access: Access,
) -> Result<Option<Meta>, LedgerError> {
    connection.begin(access).await?;
    let first = connection.looks_first(access);
    tables::look(connection, first).await?;
    let capabilities = connection.capabilities();
    let sql = tables::render(&capabilities, &select_meta());
    let rows = match connection.query(&sql, &[]).await {
        Ok(rows) => rows,
        Err(error) if error.kind == ErrorKind::NoTable => {
            let may_be = match &capabilities.apart {
                Some(apart) => apart::may_be_missing(connection, apart).await,
                None => Ok(()),
            };
            connection.rollback().await?;
            return may_be.map(|()| None);
        }
        Err(error) => return Err(apart::explained(&capabilities, error)),
    };
    let begun = match (meta(&rows), &capabilities.apart) {
        (Ok(meta), Some(apart)) => {
            let recorded = meta.schemas.as_deref();
            let found = if access == Access::Read || first.is_some() {
                apart::is_of_here(connection, apart, recorded).await
            } else {
                // The mark was looked at when this connection wrote first.
                apart::tells_of(apart, recorded)
            };
            found.map(|()| meta)
        }
        (meta, _) => meta,
    };
    match begun {
        Ok(meta) => Ok(Some(meta)),
        Err(error) => {
            let _ = connection.rollback().await;
            Err(error)
        }
    }
}

/// What the first look of a transaction says.
struct Meta {
    as_of: i64,
    columns: Columns,
    schemas: Option<String>,
    head: KnownHead,
}

fn select_meta() -> String {
    format!(
        "SELECT format, {{now}}, {}, {}, events, head FROM {{meta}} WHERE id = 1",
        columns::LEVEL,
        place::RECORDED
    )
}

/// What the answer to [`select_meta`] says, if this program understands the ledger.
fn meta(rows: &[Row]) -> Result<Meta, LedgerError> {
    let missing =
        "the first row of its table `meta`, with its format and the head of the log, is missing";
    let row = rows.first();
    let row = row.ok_or_else(|| LedgerError::Damaged(missing.into()))?;
    apart::unless_mark(row.int(0)?, row.text(5)?)?;
    understood(row.int(0)?)?;
    Ok(Meta {
        as_of: row.int(1)?,
        columns: Columns::new(row.int(2)?),
        schemas: row.optional_text(3)?.map(ToOwned::to_owned),
        head: KnownHead {
            seq: Some(row.int(4)?),
            hash: row.text(5)?.to_owned(),
        },
    })
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
fn all<T, const N: usize>(answers: Vec<T>) -> Result<[T; N], LedgerError> {
    answers
        .try_into()
        .map_err(|_| LedgerError::Damaged("a query was not answered".into()))
}

fn first(rows: &[Row]) -> Result<&Row, LedgerError> {
    rows.first()
        .ok_or_else(|| LedgerError::Damaged("a row that is always there is missing".into()))
}
