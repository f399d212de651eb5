//! Running a script statement by statement, for what the database refuses inside a transaction.

use std::time::{Duration, Instant};

use super::bare_failure::{there_already, unresolved};
use super::catalogue::{self, Found};
use super::change::move_to;
use super::gap::{after_script, before_script};
use super::in_ledger::End;
use super::lock::{Failed, Retry};
use super::one::{One, builds_index};
use super::said::{self, placed};
use super::script::{Ran, Recheck, Run, check_unchanged, count, progress, record};
use super::session::Coordinator;
use super::{CoordinatorError, Progress};
use crate::database::{DatabaseError, ErrorKind, LockTimeout, Presence};
use crate::gate::{Decision, Verdict};
use crate::ledger::{Entry, EventKind, Ledger, LedgerError, StepRecord, StepState};
use crate::model::MigrationId;
use crate::sql::Effect;

impl Coordinator<'_> {
    /// Statement by statement, for what the database refuses inside a transaction or commits by itself.
    ///
    /// Invariant: a statement that needs no transaction is recorded as begun before it runs and as
    /// done after it; every other one is recorded in the transaction in which it runs, so it is done or not.
    ///
    /// Invariant: the recheck is asked in the transaction that comes directly before the first statement of this
    /// run that live versions could notice, or where none is left, in the one that records the phase.
    pub(super) async fn run_one_by_one(&mut self, run: &Run<'_>) -> Result<Ran, CoordinatorError> {
        let id = run.change.state.id().clone();
        let (project, token) = (self.project(), self.token);
        let looked = self.in_ledger(async |ledger| {
            let recorded = ledger.steps(&id, run.step.name()).await?;
            let missed = before_script(project, &run.file.script, ledger).await?;
            ledger.fence(token).await?;
            Ok(End::Commit((recorded, missed)))
        });
        let (recorded, missed) = looked.await?;
        let statements = &run.file.script.statements;
        check_unchanged(run.file, &recorded, &id, run.step)?;
        let owned = match run.file.script.may_take() {
            true => self.owned_by_others(&id).await?,
            false => Vec::new(),
        };
        let guard = self.foresee(run, &owned, &recorded).await?;
        let mut recheck = run.recheck;
        self.said.clear();
        let mut passed = 0;
        for (index, statement) in statements.iter().enumerate() {
            let state = recorded.get(index).map(|step| step.state);
            if state == Some(StepState::Done) || index < passed {
                continue;
            }
            if !statement.needs_no_transaction {
                let group = self.run_group(run, index, recheck).await?;
                if let Some(decision) = group.blocked {
                    return Ok(Ran::Blocked(decision));
                }
                if group.has_asked {
                    recheck = None;
                }
                passed = group.end;
                continue;
            }
            guard
                .before_statement(self.connection.as_mut(), index)
                .await?;
            (self.options.report)(progress(run.file, index, statement));
            crate::crash::point(&format!("{}.statement", run.step.name()));
            let one = One {
                run,
                index,
                statement,
                state,
                recheck: recheck.filter(|_| statement.effect != Effect::Additive),
            };
            match self.run_bare(&one).await? {
                Went::Blocked(decision) => return Ok(Ran::Blocked(decision)),
                Went::Ran if one.recheck.is_some() => recheck = None,
                Went::Ran | Went::FoundDone => {}
            }
        }
        let along = guard.check_alone(self.connection.as_mut()).await?;
        for one in &along {
            self.report(placed(run.file, one));
        }
        said::keep(&mut self.said, along, 0);
        self.finish_one_by_one(run, recheck, &missed).await
    }

    async fn finish_one_by_one(
        &mut self,
        run: &Run<'_>,
        recheck: Option<&(dyn Recheck + Sync)>,
        missed: &[MigrationId],
    ) -> Result<Ran, CoordinatorError> {
        let id = run.change.state.id().clone();
        let (project, token, actor) = (self.project(), self.token, self.actor.clone());
        let said = self.said.clone();
        let recorded = self.in_ledger(async |ledger| {
            if let Some(decision) = ask_again(ledger, recheck).await? {
                return Ok(End::GiveUp(Some(decision)));
            }
            let path = run.file.path.display().to_string();
            ledger.record_file(Entry::Known, &id, run.step.name(), &path, &run.file.sha256);
            move_to(
                ledger,
                token,
                &actor,
                run.change.clone_with(run.file, &said),
            )
            .await?;
            after_script(project, &run.file.script, missed, ledger).await?;
            crate::crash::point(&format!("{}.recording", run.step.name()));
            Ok(End::Commit(None))
        });
        if let Some(decision) = recorded.await? {
            return Ok(Ran::Blocked(decision));
        }
        crate::crash::point(&format!("{}.committed", run.step.name()));
        Ok(Ran::Done {
            statements: count(&run.file.script.statements),
        })
    }

    async fn run_bare(&mut self, one: &One<'_, '_>) -> Result<Went, CoordinatorError> {
        if self.prepare_bare(one).await? {
            self.record_bare(one, StepState::Done).await?;
            return Ok(Went::FoundDone);
        }
        if let Some(decision) = self.begin_bare(one).await? {
            return Ok(Went::Blocked(decision));
        }
        crate::crash::point(&format!("{}.started", one.run.step.name()));
        self.run_until_unlocked(one).await?;
        crate::crash::point(&format!("{}.ran", one.run.step.name()));
        if let Some(object) = builds_index(one.statement)
            && self.connection.presence(object).await? == Presence::Invalid
        {
            let error = DatabaseError::new(
                ErrorKind::Statement,
                format!("the index `{}` was built and is invalid", object.name),
            );
            return Err(self.bare_failure(one, error).await?);
        }
        self.record_bare(one, StepState::Done).await?;
        Ok(Went::Ran)
    }

    /// Runs the statement, and tries again where the database gave up waiting for a lock.
    async fn run_until_unlocked(&mut self, one: &One<'_, '_>) -> Result<(), CoordinatorError> {
        let limit = LockTimeout(self.project().config.database.lock_timeout);
        let mut retry = Retry::new(self.project(), self.options.interrupt);
        self.connection.prepare_bare().await?;
        loop {
            if self.options.interrupt.is_due() {
                // It was not sent, whatever the catalogue shows.
                self.forget_bare(one).await?;
                return Err(DatabaseError::interrupted().into());
            }
            let session = self.connection.session_id().await?;
            let watching = retry.watch().start(session, self.options.target.clone());
            let waiting = (self.options.report, self.options.target);
            let running = self.connection.run_alone(&one.statement.text, limit);
            let ran = retry.telling(waiting, running).await;
            drop(watching);
            self.hear_alone(one.run.file, one.index);
            match ran {
                Ok(_) => return Ok(()),
                Err(error) if error.is_contention() => {
                    let again = retry
                        .after(self.options.report, one.run.file, one.index, error)
                        .await;
                    if let Err(error) = again {
                        if let Err(second) = self.forget_bare(one).await {
                            tracing::debug!("the statement is still recorded as begun: {second}");
                        }
                        return Err(error);
                    }
                    // What the attempt has left behind would be in the way of the next one.
                    self.clear_invalid(one).await?;
                }
                Err(error) => return Err(self.bare_failure(one, error).await?),
            }
        }
    }

    /// Finds out from the catalogue whether the statement has to run, and clears what a failed
    /// build of an index left behind. Returns whether it has taken effect already.
    async fn prepare_bare(&mut self, one: &One<'_, '_>) -> Result<bool, CoordinatorError> {
        let is_started = one.state == Some(StepState::Started);
        if is_started {
            self.wait_for_orphan(one).await?;
        }
        if self.clear_invalid(one).await? {
            return Ok(false);
        }
        match catalogue::look_up(self.connection.as_mut(), one.statement).await? {
            Found::Applied(_) if is_started => Ok(true),
            // Invariant: a statement is begun only where its result is not there, so that a result
            // which is there later is its own.
            Found::Applied(seen) | Found::Between(seen) if !is_started => {
                Err(there_already(one, &seen))
            }
            Found::Between(seen) => Err(unresolved(one, &format!(" ({})", seen.join(", ")))),
            Found::Unknown if is_started => Err(unresolved(one, "")),
            Found::Applied(_) | Found::NotApplied | Found::Unknown => Ok(false),
        }
    }

    /// Drops an index whose build has failed; whether there was one.
    async fn clear_invalid(&mut self, one: &One<'_, '_>) -> Result<bool, CoordinatorError> {
        let Some(object) = builds_index(one.statement) else {
            return Ok(false);
        };
        if self.connection.presence(object).await? != Presence::Invalid {
            return Ok(false);
        }
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
        self.connection.prepare_bare().await?;
        self.connection.run(&drop).await?;
        crate::crash::point(&format!("{}.cleared", one.run.step.name()));
        Ok(true)
    }

    /// The statement of a coordinator that was killed may still be running: the server does not
    /// always notice that nobody waits for it. Only when it has ended does the catalogue tell.
    async fn wait_for_orphan(&mut self, one: &One<'_, '_>) -> Result<(), CoordinatorError> {
        let began = Instant::now();
        let mut is_reported = false;
        loop {
            let sessions = self.connection.running(&one.statement.text).await?;
            if sessions.is_empty() {
                return Ok(());
            }
            let path = one.run.file.path.display().to_string();
            if began.elapsed() >= self.project().config.database.lock_retry_for {
                return Err(CoordinatorError::StillRunning {
                    path,
                    line: one.statement.line,
                    waited_s: began.elapsed().as_secs(),
                    sessions,
                });
            }
            if !std::mem::replace(&mut is_reported, true) {
                self.report(Progress::StillRunning { path, sessions });
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// Records that the statement is about to run, unless the recheck is against it. One that an earlier run
    /// began and that did not take effect is asked about again, and is recorded already.
    async fn begin_bare(
        &mut self,
        one: &One<'_, '_>,
    ) -> Result<Option<Decision>, CoordinatorError> {
        let limit = LockTimeout(self.project().config.database.lock_timeout);
        let mut retry = Retry::new(self.project(), self.options.interrupt);
        loop {
            let watch = retry.watch();
            let target = self.options.target.clone();
            let waiting = (self.options.report, self.options.target);
            let attempt = async {
                let rules = self.lease_rules();
                let mut ledger = Ledger::write(self.connection.as_mut()).await?;
                ledger.judge_by(&rules);
                let connection = ledger.connection().await?;
                connection.limit_lock_waits(limit).await?;
                let session = connection.session_id().await?;
                let _watching = watch.start(session, target);
                let blocked = ask_again(&mut ledger, one.recheck).await;
                if let Some(decision) = blocked.map_err(|error| of_recheck(error, one.index))? {
                    return Ok(Some(decision));
                }
                if one.state != Some(StepState::Started) {
                    write_bare(&mut ledger, one, &self.actor, StepState::Started).await?;
                }
                ledger.fence(self.token).await?;
                ledger.commit().await?;
                Ok::<Option<Decision>, Failed>(None)
            };
            let attempt = retry.telling(waiting, attempt).await;
            self.connection.rollback().await?;
            match attempt {
                Ok(blocked) => return Ok(blocked),
                Err(Failed::At(index, error)) => {
                    retry
                        .after(self.options.report, one.run.file, index, error)
                        .await?;
                }
                Err(Failed::Otherwise(error)) => return Err(error),
            }
        }
    }

    async fn record_bare(
        &mut self,
        one: &One<'_, '_>,
        state: StepState,
    ) -> Result<(), CoordinatorError> {
        // What has happened is recorded, whoever does not want to wait for it.
        let _kept = self.options.interrupt.hold_off();
        let (token, actor) = (self.token, self.actor.clone());
        self.in_ledger(async |ledger| {
            write_bare(ledger, one, &actor, state).await?;
            ledger.fence(token).await?;
            Ok(End::Commit(()))
        })
        .await
    }

    /// The statement has failed and nothing of it has happened: it was never begun.
    pub(super) async fn forget_bare(&mut self, one: &One<'_, '_>) -> Result<(), CoordinatorError> {
        let _kept = self.options.interrupt.hold_off();
        let id = one.run.change.state.id();
        let step = record(one.index, one.statement, StepState::Started);
        let detail = detail(one, &step, "failed");
        let (token, actor) = (self.token, self.actor.clone());
        self.in_ledger(async |ledger| {
            ledger.forget_step(id, one.run.step.name(), &step).await?;
            ledger
                .append(EventKind::Statement, &actor, Some(id), &detail)
                .await?;
            ledger.fence(token).await?;
            Ok(End::Commit(()))
        })
        .await
    }
}

/// How one statement went.
enum Went {
    Ran,
    /// An earlier run had run it; nothing was asked.
    FoundDone,
    /// The recheck did not say go; it was not run.
    Blocked(Decision),
}

/// The answer that stands against going on; none where there is none.
pub(super) async fn ask_again(
    ledger: &mut Ledger<'_>,
    recheck: Option<&(dyn Recheck + Sync)>,
) -> Result<Option<Decision>, CoordinatorError> {
    let Some(recheck) = recheck else {
        return Ok(None);
    };
    let decision = recheck.decide(ledger).await?;
    Ok((decision.verdict != Verdict::Go).then_some(decision))
}

/// Its queries meet the same locks as the statements, and are tried again like them.
pub(super) fn of_recheck(error: CoordinatorError, index: usize) -> Failed {
    match error {
        CoordinatorError::Database(error) => Failed::At(index, error),
        other => Failed::Otherwise(other),
    }
}

fn detail(one: &One<'_, '_>, step: &StepRecord, state: &str) -> serde_json::Value {
    serde_json::json!({ "step": one.run.step.name(), "position": step.position, "state": state, "sha256": step.sha256 })
}

async fn write_bare(
    ledger: &mut Ledger<'_>,
    one: &One<'_, '_>,
    actor: &str,
    state: StepState,
) -> Result<(), LedgerError> {
    let id = one.run.change.state.id();
    let step = record(one.index, one.statement, state);
    let what = match state {
        StepState::Started => "started",
        StepState::Done => "done",
    };
    ledger.record_step(id, one.run.step.name(), &step);
    ledger
        .append(
            EventKind::Statement,
            actor,
            Some(id),
            &detail(one, &step, what),
        )
        .await
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
