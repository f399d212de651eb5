//! Running a user's script: in one transaction with its record, or statement by statement with a
//! record before and after each.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::session::{Coordinator, Move, move_to};
use super::{CoordinatorError, ScriptFailure};
use crate::database::{
    ConnectOptions, DatabaseError, ErrorKind, LockHolder, LockTimeout, Presence,
};
use crate::gate::Decision;
use crate::ledger::{CoordinatorRow, EventKind, Ledger, LedgerError, StepRecord, StepState};
use crate::model::{MigrationId, Snapshot, Step};
use crate::project::ScriptFile;
use crate::sql::{Mode, ObjectKind, Statement, Verb};

/// What happens while a step is carried out.
#[derive(Clone, Debug)]
pub enum Progress {
    WaitingForCoordinator(CoordinatorRow),
    /// A statement begins; positions count from 1.
    Statement {
        path: String,
        position: usize,
        of: usize,
        text: String,
    },
    /// A lock was not granted; it will be tried again.
    LockRetry {
        attempt: u32,
        holders: Vec<LockHolder>,
    },
    /// An index whose concurrent build failed is being dropped, to be built again.
    InvalidIndex {
        name: String,
    },
    /// The fence is up and something still blocks.
    Waiting(Decision),
    Batch {
        migration: MigrationId,
        rows: u64,
    },
}

/// A script to run, as a part of one step.
pub(super) struct Run<'r> {
    pub step: Step,
    pub file: &'r ScriptFile,
    pub change: Move<'r>,
    /// Asked inside the transaction, before the first statement.
    pub recheck: Option<&'r (dyn Recheck + Sync)>,
}

/// What is asked again inside the transaction that makes the change.
#[async_trait::async_trait]
pub(super) trait Recheck {
    /// The gate's answer from inside the transaction; anything but go gives it up.
    async fn decide(&self, ledger: &mut Ledger<'_>) -> Result<Decision, CoordinatorError>;
}

/// How running a script ended.
pub(super) enum Ran {
    Done {
        statements: u64,
    },
    /// The recheck did not say go; nothing was changed.
    Blocked(Decision),
}

impl Coordinator<'_> {
    pub(super) async fn run_script(&mut self, run: Run<'_>) -> Result<Ran, CoordinatorError> {
        match run.file.script.mode {
            Mode::Transactional => self.run_in_one_transaction(&run).await,
            Mode::NoTransaction => self.run_one_by_one(&run).await,
        }
    }

    async fn run_in_one_transaction(&mut self, run: &Run<'_>) -> Result<Ran, CoordinatorError> {
        let mut retry = Retry::new(self);
        loop {
            let attempt = self.attempt(run, retry.watch()).await;
            // Whatever happened, the connection is put back as it was.
            self.connection.rollback().await?;
            self.connection.release_script().await?;
            match attempt {
                Ok(ran) => {
                    crate::crash::point(&format!("{}.committed", run.step.name()));
                    return Ok(ran);
                }
                Err(Failed::At(index, error)) => retry.after(self, run.file, index, error).await?,
                Err(Failed::Otherwise(error)) => return Err(error),
            }
        }
    }

    async fn attempt(&mut self, run: &Run<'_>, watch: LockWatch) -> Result<Ran, Failed> {
        let limit = LockTimeout(self.project().config.database.lock_timeout);
        let (connection, token, actor) = (self.connection.as_mut(), self.token, self.actor.clone());
        connection.before_script(&run.file.script).await?;
        let mut ledger = Ledger::write(connection).await?;
        ledger.connection().limit_lock_waits(limit).await?;
        if let Some(recheck) = run.recheck {
            let decision = recheck.decide(&mut ledger).await?;
            if decision.verdict != crate::gate::Verdict::Go {
                return Ok(Ran::Blocked(decision));
            }
        }
        let session = ledger.connection().session_id().await?;
        let _watching = watch.start(session, self.options.target.clone());
        let statements = &run.file.script.statements;
        for (index, statement) in statements.iter().enumerate() {
            (self.options.report)(progress(run.file, index, statement));
            crate::crash::point(&format!("{}.statement", run.step.name()));
            ledger
                .connection()
                .run(&statement.text)
                .await
                .map_err(|error| Failed::At(index, error))?;
        }
        // Failing here is the script's doing, too; its last statement stands for it.
        ledger
            .connection()
            .after_script(&run.file.script)
            .await
            .map_err(|error| Failed::At(statements.len().saturating_sub(1), error))?;
        let id = run.change.state.id().clone();
        let path = run.file.path.display().to_string();
        for (index, statement) in statements.iter().enumerate() {
            ledger
                .record_step(
                    &id,
                    run.step.name(),
                    &record(index, statement, StepState::Done),
                )
                .await?;
        }
        ledger
            .record_file(&id, run.step.name(), &path, &run.file.sha256)
            .await?;
        crate::crash::point(&format!("{}.recording", run.step.name()));
        move_to(&mut ledger, token, &actor, run.change.clone_with(run.file)).await?;
        crate::crash::point(&format!("{}.recorded", run.step.name()));
        ledger.commit().await?;
        Ok(Ran::Done {
            statements: count(statements),
        })
    }

    /// Statement by statement, for what the database refuses inside a transaction.
    ///
    /// Invariant: a statement that needs no transaction is recorded as begun before it runs and as
    /// done after it; every other one is recorded in its own transaction, so it is done or not.
    async fn run_one_by_one(&mut self, run: &Run<'_>) -> Result<Ran, CoordinatorError> {
        let id = run.change.state.id().clone();
        let recorded = {
            let mut ledger = Ledger::write(self.connection.as_mut()).await?;
            if let Some(recheck) = run.recheck {
                let decision = recheck.decide(&mut ledger).await?;
                if decision.verdict != crate::gate::Verdict::Go {
                    ledger.rollback().await?;
                    return Ok(Ran::Blocked(decision));
                }
            }
            let recorded = ledger.steps(&id, run.step.name()).await?;
            ledger.fence(self.token).await?;
            ledger.commit().await?;
            recorded
        };
        let statements = &run.file.script.statements;
        check_unchanged(run.file, &recorded, &id)?;
        for (index, statement) in statements.iter().enumerate() {
            let state = recorded.get(index).map(|step| step.state);
            if state == Some(StepState::Done) {
                continue;
            }
            (self.options.report)(progress(run.file, index, statement));
            crate::crash::point(&format!("{}.statement", run.step.name()));
            if statement.needs_no_transaction {
                self.run_bare(run, index, statement, state).await?;
            } else {
                self.run_in_its_own_transaction(run, index, statement)
                    .await?;
            }
        }
        let mut ledger = Ledger::write(self.connection.as_mut()).await?;
        let path = run.file.path.display().to_string();
        ledger
            .record_file(&id, run.step.name(), &path, &run.file.sha256)
            .await?;
        move_to(
            &mut ledger,
            self.token,
            &self.actor,
            run.change.clone_with(run.file),
        )
        .await?;
        crate::crash::point(&format!("{}.recorded", run.step.name()));
        ledger.commit().await?;
        crate::crash::point(&format!("{}.committed", run.step.name()));
        Ok(Ran::Done {
            statements: count(statements),
        })
    }

    async fn run_in_its_own_transaction(
        &mut self,
        run: &Run<'_>,
        index: usize,
        statement: &Statement,
    ) -> Result<(), CoordinatorError> {
        let id = run.change.state.id().clone();
        let limit = LockTimeout(self.project().config.database.lock_timeout);
        let mut retry = Retry::new(self);
        loop {
            let watch = retry.watch();
            let target = self.options.target.clone();
            let attempt: Result<(), Failed> = async {
                let mut ledger = Ledger::write(self.connection.as_mut()).await?;
                ledger.connection().limit_lock_waits(limit).await?;
                let session = ledger.connection().session_id().await?;
                let _watching = watch.start(session, target);
                ledger
                    .connection()
                    .run(&statement.text)
                    .await
                    .map_err(|error| Failed::At(index, error))?;
                ledger
                    .record_step(
                        &id,
                        run.step.name(),
                        &record(index, statement, StepState::Done),
                    )
                    .await?;
                ledger.fence(self.token).await?;
                ledger.commit().await?;
                Ok(())
            }
            .await;
            self.connection.rollback().await?;
            match attempt {
                Ok(()) => return Ok(()),
                Err(Failed::At(index, error)) => retry.after(self, run.file, index, error).await?,
                Err(Failed::Otherwise(error)) => return Err(error),
            }
        }
    }

    async fn run_bare(
        &mut self,
        run: &Run<'_>,
        index: usize,
        statement: &Statement,
        state: Option<StepState>,
    ) -> Result<(), CoordinatorError> {
        let is_applied = self.prepare_bare(run, index, statement, state).await?;
        if !is_applied {
            self.record_bare(run, index, statement, StepState::Started)
                .await?;
            crate::crash::point(&format!("{}.started", run.step.name()));
            if let Err(error) = self.connection.run(&statement.text).await {
                return Err(self.bare_failure(run, index, error).await);
            }
            crate::crash::point(&format!("{}.ran", run.step.name()));
            if let Some(object) = builds_index(statement)
                && self.connection.presence(object).await? == Presence::Invalid
            {
                let error = DatabaseError::new(
                    ErrorKind::Statement,
                    format!("the index `{}` was built and is invalid", object.name),
                );
                return Err(self.bare_failure(run, index, error).await);
            }
        }
        self.record_bare(run, index, statement, StepState::Done)
            .await
    }

    /// Finds out from the catalogue whether the statement has to run, and clears what a failed
    /// build of an index left behind. Returns whether it has taken effect already.
    async fn prepare_bare(
        &mut self,
        run: &Run<'_>,
        index: usize,
        statement: &Statement,
        state: Option<StepState>,
    ) -> Result<bool, CoordinatorError> {
        if let Some(object) = builds_index(statement) {
            match self.connection.presence(object).await? {
                Presence::Invalid => {
                    // `IF NOT EXISTS` would take it for the real one.
                    self.report(Progress::InvalidIndex {
                        name: object.name.clone(),
                    });
                    let schema = object
                        .schema
                        .as_ref()
                        .map_or_else(String::new, |name| format!("{}.", quoted(name)));
                    let drop = format!(
                        "DROP INDEX CONCURRENTLY IF EXISTS {schema}{}",
                        quoted(&object.name)
                    );
                    self.connection.run(&drop).await?;
                    return Ok(false);
                }
                Presence::Present if state == Some(StepState::Started) => return Ok(true),
                Presence::Absent | Presence::Present | Presence::Unknown => return Ok(false),
            }
        }
        if state != Some(StepState::Started) {
            return Ok(false);
        }
        let drops_index = statement
            .object
            .as_ref()
            .filter(|object| object.kind == ObjectKind::Index && object.verb == Verb::Drop);
        if let Some(object) = drops_index {
            return Ok(self.connection.presence(object).await? == Presence::Absent);
        }
        if is_repeatable(&statement.text) {
            return Ok(false);
        }
        Err(CoordinatorError::Unresolved {
            migration: run.change.state.id().clone(),
            path: run.file.path.display().to_string(),
            line: statement.line,
            position: position(index),
            statement: one_line(&statement.text),
        })
    }

    async fn record_bare(
        &mut self,
        run: &Run<'_>,
        index: usize,
        statement: &Statement,
        state: StepState,
    ) -> Result<(), CoordinatorError> {
        let id = run.change.state.id().clone();
        let step = record(index, statement, state);
        let what = match state {
            StepState::Started => "started",
            StepState::Done => "done",
        };
        let detail = serde_json::json!({ "step": run.step.name(), "position": step.position, "state": what, "sha256": step.sha256 });
        let mut ledger = Ledger::write(self.connection.as_mut()).await?;
        ledger.record_step(&id, run.step.name(), &step).await?;
        ledger
            .append(EventKind::Statement, &self.actor, Some(&id), &detail)
            .await?;
        ledger.fence(self.token).await?;
        ledger.commit().await?;
        Ok(())
    }

    async fn bare_failure(
        &mut self,
        run: &Run<'_>,
        index: usize,
        error: DatabaseError,
    ) -> CoordinatorError {
        let invalid = match run.file.script.statements.get(index).and_then(builds_index) {
            Some(object) if self.connection.presence(object).await == Ok(Presence::Invalid) => {
                format!(
                    " The index `{}` is left invalid; the next run drops it and builds it again.",
                    object.name
                )
            }
            _ => String::new(),
        };
        let help = format!(
            "the statements before it are done and recorded, and this one is not.{invalid} Mend what it complains about, \
             then run the same command again"
        );
        failure(run.file, index, error, help)
    }
}

/// An attempt that did not succeed.
enum Failed {
    /// The statement at this index.
    At(usize, DatabaseError),
    Otherwise(CoordinatorError),
}

impl From<DatabaseError> for Failed {
    fn from(error: DatabaseError) -> Self {
        Self::Otherwise(error.into())
    }
}

impl From<LedgerError> for Failed {
    fn from(error: LedgerError) -> Self {
        Self::Otherwise(error.into())
    }
}

impl From<CoordinatorError> for Failed {
    fn from(error: CoordinatorError) -> Self {
        Self::Otherwise(error)
    }
}

/// Tries again after a lock was not granted, with a growing pause and a bound.
struct Retry {
    began: Instant,
    bound: Duration,
    attempt: u32,
    holders: Arc<Mutex<Vec<LockHolder>>>,
}

impl Retry {
    fn new(coordinator: &Coordinator<'_>) -> Self {
        Self {
            began: Instant::now(),
            bound: coordinator.project().config.database.lock_retry_for,
            attempt: 0,
            holders: Arc::default(),
        }
    }

    fn watch(&self) -> LockWatch {
        LockWatch {
            holders: Arc::clone(&self.holders),
        }
    }

    async fn after(
        &mut self,
        coordinator: &Coordinator<'_>,
        file: &ScriptFile,
        index: usize,
        error: DatabaseError,
    ) -> Result<(), CoordinatorError> {
        if !matches!(error.kind, ErrorKind::Locked | ErrorKind::Conflict) {
            let help = match file.script.mode {
                Mode::Transactional => {
                    "nothing was changed: the statements before it were undone together with it. Mend it and run the same command again"
                }
                Mode::NoTransaction => {
                    "the statements before it are done and recorded, and this one is not. Mend it and run the same command again"
                }
            };
            return Err(failure(file, index, error, help.to_owned()));
        }
        let holders = self
            .holders
            .lock()
            .map(|held| held.clone())
            .unwrap_or_default();
        self.attempt += 1;
        let waited = self.began.elapsed();
        if waited >= self.bound {
            let line = file
                .script
                .statements
                .get(index)
                .map_or(1, |statement| statement.line);
            return Err(CoordinatorError::Locked {
                path: file.path.display().to_string(),
                line,
                waited_s: waited.as_secs(),
                holders,
            });
        }
        coordinator.report(Progress::LockRetry {
            attempt: self.attempt,
            holders,
        });
        // Jitter keeps two waiters from meeting at each attempt; the pause lets the queue behind
        // the lock drain.
        let pause = 500 * u64::from(self.attempt.min(8)) + fastrand::u64(0..500);
        tokio::time::sleep(Duration::from_millis(pause)).await;
        Ok(())
    }
}

/// Looks from a second connection at who holds the lock that a statement waits for.
struct LockWatch {
    holders: Arc<Mutex<Vec<LockHolder>>>,
}

impl LockWatch {
    fn start(self, session: Option<i64>, target: crate::database::Target) -> Watching {
        let Some(session) = session else {
            return Watching(None);
        };
        Watching(Some(tokio::spawn(async move {
            // Most statements are done before anybody has to look.
            tokio::time::sleep(Duration::from_millis(200)).await;
            let Ok(mut connection) =
                crate::database::connect(&target, ConnectOptions::default()).await
            else {
                return;
            };
            while let Ok(found) = connection.lock_holders(session).await {
                if !found.is_empty()
                    && let Ok(mut holders) = self.holders.lock()
                {
                    *holders = found;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        })))
    }
}

/// Stops watching when it goes out of scope.
struct Watching(Option<tokio::task::JoinHandle<()>>);

impl Drop for Watching {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl Move<'_> {
    /// The same change, with the file in its event.
    fn clone_with(&self, file: &ScriptFile) -> Move<'_> {
        let mut detail = self.detail.clone();
        if let Some(object) = detail.as_object_mut() {
            object.insert("file".into(), file.path.display().to_string().into());
            object.insert("sha256".into(), file.sha256.clone().into());
        }
        Move {
            detail,
            state: self.state,
            others: self.others,
            becomes: self.becomes,
            step_back: self.step_back,
        }
    }
}

pub(super) fn failure(
    file: &ScriptFile,
    index: usize,
    cause: DatabaseError,
    help: String,
) -> CoordinatorError {
    let (mut span, line) = file
        .script
        .statements
        .get(index)
        .map_or((0..0, 1), |statement| {
            (statement.span.clone(), statement.line)
        });
    if let (Some(position), Some(statement)) = (cause.position, file.script.statements.get(index)) {
        // The database counts characters from 1; a span counts bytes.
        let offset = statement
            .text
            .char_indices()
            .nth(position.saturating_sub(1));
        if let Some((offset, _)) = offset {
            let word = statement.text.get(offset..).unwrap_or_default();
            let length = word
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(word.len())
                .max(1);
            let start = span.start.saturating_add(offset);
            span = start..start.saturating_add(length).min(file.text.len());
        }
    }
    CoordinatorError::Script(Box::new(ScriptFailure {
        path: file.path.clone(),
        text: Arc::clone(&file.text),
        span,
        line,
        cause,
        help,
    }))
}

/// The statements that were begun must stand where they stood: only then is it known which are done.
fn check_unchanged(
    file: &ScriptFile,
    recorded: &[StepRecord],
    id: &MigrationId,
) -> Result<(), CoordinatorError> {
    let is_same = recorded.iter().enumerate().all(|(index, step)| {
        file.script.statements.get(index).is_some_and(|statement| {
            identity(statement) == step.sha256 && position(index) == step.position
        })
    });
    if is_same {
        return Ok(());
    }
    Err(CoordinatorError::Drift(vec![super::Drift {
        migration: id.clone(),
        path: file.path.display().to_string(),
        why: format!(
            "its first {} statements are applied already and must stay as they were",
            recorded.len()
        ),
    }]))
}

fn builds_index(statement: &Statement) -> Option<&crate::sql::Object> {
    statement.object.as_ref().filter(|object| {
        object.kind == ObjectKind::Index && object.verb == Verb::Create && object.concurrently
    })
}

/// Statements that do the same however often they run.
fn is_repeatable(text: &str) -> bool {
    let first = text
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    ["VACUUM", "REINDEX", "PRAGMA", "ANALYZE", "CLUSTER"].contains(&first.as_str())
}

fn progress(file: &ScriptFile, index: usize, statement: &Statement) -> Progress {
    Progress::Statement {
        path: file.path.display().to_string(),
        position: index + 1,
        of: file.script.statements.len(),
        text: one_line(&statement.text),
    }
}

fn record(index: usize, statement: &Statement, state: StepState) -> StepRecord {
    StepRecord {
        position: position(index),
        sha256: identity(statement),
        statement: statement.text.clone(),
        state,
    }
}

fn position(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX).saturating_add(1)
}

fn identity(statement: &Statement) -> String {
    let hash = Sha256::digest(statement.text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn count(statements: &[Statement]) -> u64 {
    u64::try_from(statements.len()).unwrap_or(u64::MAX)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A statement's beginning, for messages.
fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > 80 {
        line = line.chars().take(79).collect();
        line.push('…');
    }
    line
}

/// The versions that sources other than the leases see.
pub(super) fn seen_elsewhere(snapshot: &Snapshot) -> Vec<crate::model::Live> {
    let mut others = snapshot.clone();
    others
        .groups
        .retain(|group| group.source != crate::ledger::LEASES);
    others.live()
}
