//! Running a user's script: in one transaction with its record, or statement by statement with a
//! record before and after each.

use std::ops::Range;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::change::{Move, move_to, record_move};
use super::gap::{after_script, before_script};
use super::guard::Guard;
use super::lock::{Failed, LockWatch, Retry};
use super::said;
use super::session::Coordinator;
use super::sync::Owned;
use super::{Changed, CoordinatorError, Drift};
use crate::database::{ErrorKind, Heard, LockHolder, LockTimeout, Severity};
use crate::gate::Decision;
use crate::ledger::{
    CoordinatorRow, Entry, Ledger, LedgerError, RunError, StepRecord, StepState, seal_of_steps,
};
use crate::model::{MigrationId, Snapshot, Step};
use crate::project::ScriptFile;
use crate::sql::{Mode, Script, Statement};

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
    /// What the server says about a statement that did not fail.
    Said {
        path: String,
        line: usize,
        severity: Severity,
        text: String,
    },
    /// A lock was not granted; it will be tried again.
    LockRetry {
        attempt: u32,
        holders: Vec<LockHolder>,
    },
    /// A statement waits for others to end, as long as it takes.
    LockWait {
        waited: Duration,
        holders: Vec<LockHolder>,
    },
    /// An index whose concurrent build failed is being dropped, to be built again.
    InvalidIndex {
        name: String,
    },
    /// A statement of a coordinator that is gone still runs; it is waited for.
    StillRunning {
        path: String,
        sessions: Vec<i64>,
    },
    /// Another migration tool is at work, or its statement is.
    Runner(String),
    /// The database does not answer, and is asked again.
    Unreachable(String),
    /// The fence is up and something still blocks.
    Waiting(Decision),
    Backfill {
        migration: MigrationId,
        report: crate::backfill::Report,
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
        let mut retry = Retry::new(self.project(), self.options.interrupt);
        let owned = match run.file.script.may_take() {
            true => self.owned_by_others(run.change.state.id()).await?,
            false => Vec::new(),
        };
        loop {
            self.said.clear();
            let waiting = (self.options.report, self.options.target);
            let attempt = self.attempt(run, &owned, retry.watch());
            let attempt = retry.telling(waiting, attempt).await;
            // Whatever happened, the connection is put back as it was.
            self.connection.rollback().await?;
            self.connection.release_script().await?;
            match attempt {
                Ok(ran) => {
                    crate::crash::point(&format!("{}.committed", run.step.name()));
                    self.tell_said(run.file);
                    return Ok(ran);
                }
                Err(Failed::At(index, error)) => {
                    // What was said before it may tell why.
                    if !error.is_contention() {
                        self.tell_said(run.file);
                    }
                    retry
                        .after(self.options.report, run.file, index, error)
                        .await?
                }
                Err(Failed::Otherwise(error)) => return Err(error),
            }
        }
    }

    async fn attempt(
        &mut self,
        run: &Run<'_>,
        owned: &[Owned],
        watch: LockWatch,
    ) -> Result<Ran, Failed> {
        let project = self.project();
        let limit = LockTimeout(project.config.database.lock_timeout);
        let rules = self.lease_rules();
        let (connection, token, actor) = (self.connection.as_mut(), self.token, self.actor.clone());
        connection.before_script(&run.file.script).await?;
        let mut ledger = Ledger::write_soon(connection).await?;
        ledger.judge_by(&rules);
        ledger.unsent().limit_lock_waits(limit).await?;
        let mut watching = None;
        if watch.is_retry || run.recheck.is_some() {
            let session = ledger.connection().await?.session_id().await?;
            watching = Some(watch.start(session, self.options.target.clone()));
        }
        if let Some(recheck) = run.recheck {
            let decision = recheck
                .decide(&mut ledger)
                .await
                .map_err(|error| match error {
                    // Its queries meet the same locks as the statements, and are tried again like them.
                    CoordinatorError::Database(error) => Failed::At(0, error),
                    other => Failed::Otherwise(other),
                })?;
            if decision.verdict != crate::gate::Verdict::Go {
                return Ok(Ran::Blocked(decision));
            }
        }
        let script = &run.file.script;
        let statements = &script.statements;
        let missed = before_script(project, script, &mut ledger).await?;
        let guard = if script.may_take() {
            let connection = ledger.connection().await?;
            let at_first = |error| Failed::At(0, error);
            let looked = Guard::look(&mut *connection, run.file, owned).await;
            let mut guard = looked.map_err(at_first)?;
            guard.count_rows(connection).await.map_err(at_first)?;
            Some(guard)
        } else {
            None
        };
        // What is over at once may as well run under the lock that recording it needs.
        let locks_first =
            run.change.entry == Entry::New && !watch.is_retry && script.is_all_instant();
        let mut locked = None;
        // An instant script has one part.
        for part in parts(script) {
            // Only the last statements of a part can take time or wait for a lock, and all of them are of one kind.
            let is_instant = script.is_instant(part.end.saturating_sub(1));
            if watching.is_none() && !is_instant {
                let session = ledger.connection().await?.session_id().await?;
                watching = Some(watch.start(session, self.options.target.clone()));
            }
            let mut texts = Vec::new();
            for index in part.clone() {
                if let Some(statement) = statements.get(index) {
                    (self.options.report)(progress(run.file, index, statement));
                    crate::crash::point(&format!("{}.statement", run.step.name()));
                    texts.push(statement.text.as_str());
                }
            }
            let ran = if locks_first {
                let change = &run.change;
                let ran = ledger.lock_and_run(change.state.id(), change.others, token, &texts);
                ran.await.map(|seen| locked = Some(seen))
            } else {
                ledger.run(&texts).await
            };
            said::keep(&mut self.said, ledger.unsent().heard(), part.start);
            ran.map_err(|failed| match failed {
                RunError::Statement(index, error) => {
                    Failed::At(part.start.saturating_add(index), error)
                }
                RunError::Ledger(error) => error.into(),
            })?;
            for _ in part {
                crate::crash::point(&format!("{}.ran", run.step.name()));
            }
        }
        // Failing here is the script's doing, too; its last statement stands for it.
        ledger
            .connection()
            .await?
            .after_script(&run.file.script)
            .await
            .map_err(|error| Failed::At(statements.len().saturating_sub(1), error))?;
        if let Some(guard) = guard {
            let checked = guard.check(ledger.connection().await?).await?;
            if let Some((index, error)) = checked.loss {
                return Err(Failed::At(index, error));
            }
            said::keep(&mut self.said, checked.along, 0);
        }
        record_script(&mut ledger, run);
        crate::crash::point(&format!("{}.recording", run.step.name()));
        let change = run.change.clone_with(run.file, &self.said);
        match locked {
            Some(locked) => record_move(&mut ledger, locked, &actor, change).await?,
            None => move_to(&mut ledger, token, &actor, change).await?,
        };
        after_script(project, script, &missed, &mut ledger).await?;
        ledger.commit().await.map_err(of_commit)?;
        Ok(Ran::Done {
            statements: count(statements),
        })
    }
}

/// What the statements have put off until the end fails there, and is nobody's but the script's.
fn of_commit(error: LedgerError) -> Failed {
    match error {
        LedgerError::Database(mut error) if error.kind == ErrorKind::Statement => {
            error.message = format!(
                "at its COMMIT, where what the statements put off is checked: {}",
                error.message
            );
            error.position = None;
            // None of them in particular.
            Failed::At(usize::MAX, error)
        }
        error => error.into(),
    }
}

/// The statements that are sent together: each that may take time, with the instant ones before it, and several INSERTs.
fn parts(script: &Script) -> Vec<Range<usize>> {
    let mut parts = Vec::new();
    let (mut start, mut index) = (0, 0);
    while index < script.statements.len() {
        let is_instant = script.is_instant(index);
        index += match is_instant {
            true => 1,
            false => script.inserts_from(index),
        };
        if index == script.statements.len() || !is_instant {
            parts.push(start..index);
            start = index;
        }
    }
    parts
}

/// Records the statements and the file of a script that has run whole.
pub(super) fn record_script(ledger: &mut Ledger<'_>, run: &Run<'_>) {
    let (id, entry, step) = (run.change.state.id(), run.change.entry, run.step.name());
    let statements = run.file.script.statements.iter().enumerate();
    let done: Vec<StepRecord> = statements
        .map(|(index, statement)| record(index, statement, StepState::Done))
        .collect();
    ledger.record_steps(entry, id, step, &done);
    let path = run.file.path.display().to_string();
    ledger.record_file(entry, id, step, &path, &run.file.sha256);
}

impl Move<'_> {
    /// The same change, with the file in its event.
    pub(super) fn clone_with(&self, file: &ScriptFile, said: &[Heard]) -> Move<'_> {
        let mut detail = self.detail.clone();
        if let Some(object) = detail.as_object_mut() {
            object.insert("file".into(), file.path.display().to_string().into());
            object.insert("sha256".into(), file.sha256.clone().into());
            let statements = file.script.statements.iter().enumerate();
            let steps: Vec<StepRecord> = statements
                .map(|(index, statement)| record(index, statement, StepState::Done))
                .collect();
            let each = steps
                .iter()
                .map(|step| (step.position, step.sha256.as_str()));
            object.insert("steps".into(), seal_of_steps(each).into());
            if !said.is_empty() {
                object.insert("server_said".into(), said::in_event(file, said));
            }
        }
        Move {
            detail,
            ..self.clone()
        }
    }
}

pub(super) fn progress(file: &ScriptFile, index: usize, statement: &Statement) -> Progress {
    Progress::Statement {
        path: file.path.display().to_string(),
        position: index + 1,
        of: file.script.statements.len(),
        text: one_line(&statement.text),
    }
}

pub(super) fn record(index: usize, statement: &Statement, state: StepState) -> StepRecord {
    StepRecord {
        position: position(index),
        sha256: identity(statement),
        statement: statement.text.clone(),
        state,
    }
}

pub(super) fn position(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX).saturating_add(1)
}

pub(super) fn identity(statement: &Statement) -> String {
    let hash = Sha256::digest(statement.text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The statements that were begun must stand where they stood: only then is it known which are done.
pub(super) fn check_unchanged(
    file: &ScriptFile,
    recorded: &[StepRecord],
    id: &MigrationId,
    step: Step,
) -> Result<(), CoordinatorError> {
    let is_same = recorded.iter().enumerate().all(|(index, step)| {
        file.script.statements.get(index).is_some_and(|statement| {
            identity(statement) == step.sha256 && position(index) == step.position
        })
    });
    if is_same {
        return Ok(());
    }
    Err(CoordinatorError::Drift(vec![Drift {
        migration: id.clone(),
        path: file.path.display().to_string(),
        what: Changed::Script(step),
        why: format!(
            "its first {} statements are applied already and must stay as they were",
            recorded.len()
        ),
    }]))
}

pub(super) fn count(statements: &[Statement]) -> u64 {
    u64::try_from(statements.len()).unwrap_or(u64::MAX)
}

/// A statement's beginning, for messages.
pub(super) fn one_line(text: &str) -> String {
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
