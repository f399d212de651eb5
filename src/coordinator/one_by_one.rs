//! Running a script statement by statement, for what the database refuses inside a transaction.

use super::lock::{Failed, Retry};
use super::script::{Ran, Run, count, failure, identity, one_line, position, progress, record};
use super::session::{Coordinator, move_to};
use super::{CoordinatorError, Progress};
use crate::database::{DatabaseError, ErrorKind, LockTimeout, Presence};
use crate::ledger::{EventKind, Ledger, StepRecord, StepState};
use crate::model::MigrationId;
use crate::project::ScriptFile;
use crate::sql::{ObjectKind, Statement, Verb};

impl Coordinator<'_> {
    /// Statement by statement, for what the database refuses inside a transaction.
    ///
    /// Invariant: a statement that needs no transaction is recorded as begun before it runs and as
    /// done after it; every other one is recorded in its own transaction, so it is done or not.
    pub(super) async fn run_one_by_one(&mut self, run: &Run<'_>) -> Result<Ran, CoordinatorError> {
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
        crate::crash::point(&format!("{}.recording", run.step.name()));
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
                crate::crash::point(&format!("{}.ran", run.step.name()));
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
                    crate::crash::point(&format!("{}.cleared", run.step.name()));
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

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
