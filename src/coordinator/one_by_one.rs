//! Running a script statement by statement, for what the database refuses inside a transaction.

use std::time::{Duration, Instant};

use super::autocommit_failure::{autocommit_failure, never_made, there_already, unresolved};
use super::catalogue::{self, Found};
use super::change::move_to;
use super::gap::{after_script, before_script};
use super::grouped::run_group;
use super::guard::foresee;
use super::in_ledger::End;
use super::invalid_index::{clear_invalid, give_up_build, left_invalid};
use super::lock::{Failed, Retry};
use super::one::{Expanded, StatementRun};
use super::one_recorded::{record_autocommit, write_autocommit};
use super::recheck::{Ran, Recheck, ask_again, of_recheck};
use super::said::{self, hear_alone, placed};
use super::script::{Run, check_unchanged, count, progress};
use super::session::Session;
use super::sync::owned_by_others;
use super::{CoordinatorError, Progress};
use crate::database::{DatabaseError, ErrorKind};
use crate::gate::Decision;
use crate::ledger::{Entry, Ledger, LedgerError, StepState};
use crate::model::{MigrationId, Step};

/// Statement by statement, for what the database refuses inside a transaction or commits by itself.
///
/// Invariant: a statement that needs no transaction is recorded as begun before it runs and as
/// done after it; every other one is recorded in the transaction in which it runs, so it is done or not.
///
/// Invariant: the recheck is asked in the transaction that comes directly before the first statement of this
/// run that live versions could notice, or where none is left, in the one that records the phase.
pub(super) async fn run_one_by_one(
    session: &mut Session<'_>,
    run: &Run<'_>,
) -> Result<Ran, CoordinatorError> {
    let id = run.change.state.id().clone();
    let (project, token) = (session.orders.project, session.token);
    let looked = session.in_ledger(async |ledger| {
        let recorded = ledger.steps(&id, run.step).await?;
        let missed = before_script(project, &run.file.script, ledger).await?;
        let expanded = match run.step {
            Step::Revert => expanded(ledger, &id).await?,
            Step::Expand | Step::Backfill | Step::Contract => Expanded::Whole,
        };
        ledger.fence(token).await?;
        Ok(End::Commit((recorded, missed, expanded)))
    });
    let (recorded, missed, expanded) = looked.await?;
    let statements = &run.file.script.statements;
    check_unchanged(run.file, &recorded, &id, run.step)?;
    let owned = match run.file.script.may_take() {
        true => owned_by_others(session, &id).await?,
        false => Vec::new(),
    };
    let guard = foresee(session, run, &owned, &recorded).await?;
    let mut recheck = run.recheck;
    session.said.clear();
    let mut passed = 0;
    for (index, statement) in statements.iter().enumerate() {
        let state = recorded.get(index).map(|step| step.state);
        if state == Some(StepState::Done) || index < passed {
            continue;
        }
        if !statement.needs_no_transaction {
            let group = run_group(session, run, index, recheck).await?;
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
            .before_statement(session.connection.as_mut(), index)
            .await?;
        (session.orders.report)(progress(run.file, index, statement));
        crate::crash::point(&format!("{}.statement", run.step.name()));
        let one = StatementRun {
            run,
            index,
            statement,
            state,
            expanded,
            recheck: recheck.filter(|_| statement.is_noticed()),
        };
        match run_autocommit(session, &one).await? {
            StatementOutcome::Blocked(decision) => return Ok(Ran::Blocked(decision)),
            StatementOutcome::Ran if one.recheck.is_some() => recheck = None,
            StatementOutcome::Ran | StatementOutcome::FoundDone => {}
        }
    }
    let along = guard.check_alone(session.connection.as_mut()).await?;
    for one in &along {
        session.orders.report(placed(run.file, one));
    }
    said::keep(&mut session.said, along, 0);
    finish_one_by_one(session, run, recheck, &missed).await
}

/// How far the expand came that a revert undoes: its file is recorded with its last statement.
async fn expanded(ledger: &mut Ledger<'_>, id: &MigrationId) -> Result<Expanded, LedgerError> {
    let files = ledger.files().await?;
    let is_whole = files
        .iter()
        .any(|file| file.number == id.number() && file.step() == Some(Step::Expand));
    Ok(match is_whole {
        true => Expanded::Whole,
        false => Expanded::InPart,
    })
}

async fn finish_one_by_one(
    session: &mut Session<'_>,
    run: &Run<'_>,
    recheck: Option<&(dyn Recheck + Sync)>,
    missed: &[MigrationId],
) -> Result<Ran, CoordinatorError> {
    let id = run.change.state.id().clone();
    let (project, token, actor) = (session.orders.project, session.token, session.actor.clone());
    let said = session.said.clone();
    let recorded = session.in_ledger(async |ledger| {
        if let Some(decision) = ask_again(ledger, recheck).await? {
            return Ok(End::GiveUp(Some(decision)));
        }
        let path = run.file.path.display().to_string();
        ledger.record_file(Entry::Known, &id, run.step, &path, &run.file.sha256);
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

async fn run_autocommit(
    session: &mut Session<'_>,
    one: &StatementRun<'_, '_>,
) -> Result<StatementOutcome, CoordinatorError> {
    if prepare_autocommit(session, one).await? {
        record_autocommit(session, one, StepState::Done).await?;
        return Ok(StatementOutcome::FoundDone);
    }
    if let Some(decision) = begin_autocommit(session, one).await? {
        return Ok(StatementOutcome::Blocked(decision));
    }
    crate::crash::point(&format!("{}.started", one.run.step.name()));
    run_until_unlocked(session, one).await?;
    crate::crash::point(&format!("{}.ran", one.run.step.name()));
    if let Some(object) = left_invalid(session, one).await? {
        let error = DatabaseError::new(
            ErrorKind::Statement,
            format!("the index `{}` was built and is invalid", object.name),
        );
        return Err(autocommit_failure(session, one, error).await?);
    }
    record_autocommit(session, one, StepState::Done).await?;
    Ok(StatementOutcome::Ran)
}

/// Runs the statement, and tries again where the database gave up waiting for a lock.
async fn run_until_unlocked(
    session: &mut Session<'_>,
    one: &StatementRun<'_, '_>,
) -> Result<(), CoordinatorError> {
    let limit = session.orders.lock_limit();
    let mut retry = Retry::new(session.orders);
    session.connection.prepare_bare().await?;
    loop {
        if session.orders.interrupt.is_due() {
            // It was not sent, or an attempt before was not granted its locks.
            give_up_build(session, one).await?;
            return Err(DatabaseError::interrupted().into());
        }
        let session_id = session.connection.session_id().await?;
        let watching = retry
            .watch()
            .start(session_id, session.orders.target.clone());
        let running = session.connection.run_alone(&one.statement.text, limit);
        let ran = retry.telling(running).await;
        drop(watching);
        hear_alone(session, one.run.file, one.index);
        match ran {
            Ok(_) => return Ok(()),
            Err(error) if error.is_contention() => {
                let again = retry.after(one.run.file, one.index, error).await;
                if let Err(error) = again {
                    if let Err(second) = give_up_build(session, one).await {
                        tracing::debug!("the statement is still recorded as begun: {second}");
                    }
                    return Err(error);
                }
                // What the attempt has left behind would be in the way of the next one.
                if !session.orders.interrupt.is_due() {
                    clear_invalid(session, one).await?;
                }
            }
            Err(error) => return Err(autocommit_failure(session, one, error).await?),
        }
    }
}

/// Finds out from the catalogue whether the statement has to run, and clears what a failed
/// build of an index left behind. Returns whether it has taken effect already.
async fn prepare_autocommit(
    session: &mut Session<'_>,
    one: &StatementRun<'_, '_>,
) -> Result<bool, CoordinatorError> {
    let is_started = one.state == Some(StepState::Started);
    if is_started {
        wait_for_orphan(session, one).await?;
    }
    if clear_invalid(session, one).await? {
        return Ok(false);
    }
    match catalogue::look_up(session.connection.as_mut(), one.statement).await? {
        Found::Applied(_) if is_started => Ok(true),
        // What expand has not come to is not there to be taken away.
        Found::Applied(_) if one.expanded == Expanded::InPart => Ok(true),
        Found::Between(seen) if !is_started && one.expanded == Expanded::InPart => {
            Err(never_made(one, &seen))
        }
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

/// The statement of a coordinator that was killed may still be running: the server does not
/// always notice that nobody waits for it. Only when it has ended does the catalogue tell.
async fn wait_for_orphan(
    session: &mut Session<'_>,
    one: &StatementRun<'_, '_>,
) -> Result<(), CoordinatorError> {
    let began = Instant::now();
    let mut is_reported = false;
    loop {
        let sessions = session.connection.running(&one.statement.text).await?;
        if sessions.is_empty() {
            return Ok(());
        }
        let path = one.run.file.path.display().to_string();
        if began.elapsed() >= session.orders.project.config.database.lock_retry_for {
            return Err(CoordinatorError::StillRunning {
                path,
                line: one.statement.line,
                waited_s: began.elapsed().as_secs(),
                sessions,
            });
        }
        if !std::mem::replace(&mut is_reported, true) {
            session
                .orders
                .report(Progress::StillRunning { path, sessions });
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Records that the statement is about to run, unless the recheck is against it. StatementRun that an earlier run
/// began and that did not take effect is asked about again, and is recorded already.
async fn begin_autocommit(
    session: &mut Session<'_>,
    one: &StatementRun<'_, '_>,
) -> Result<Option<Decision>, CoordinatorError> {
    let limit = session.orders.lock_limit();
    let mut retry = Retry::new(session.orders);
    loop {
        let watch = retry.watch();
        let target = session.orders.target.clone();
        let attempt = async {
            let rules = session.orders.lease_rules();
            let mut ledger = Ledger::write(session.connection.as_mut()).await?;
            ledger.judge_by(&rules);
            let connection = ledger.connection().await?;
            connection.limit_lock_waits(limit).await?;
            let session_id = connection.session_id().await?;
            let _watching = watch.start(session_id, target);
            let blocked = ask_again(&mut ledger, one.recheck).await;
            if let Some(decision) = blocked.map_err(|error| of_recheck(error, one.index))? {
                return Ok(Some(decision));
            }
            if one.state != Some(StepState::Started) {
                write_autocommit(&mut ledger, one, &session.actor, StepState::Started).await?;
            }
            ledger.fence(session.token).await?;
            ledger.commit().await?;
            Ok::<Option<Decision>, Failed>(None)
        };
        let attempt = retry.telling(attempt).await;
        session.connection.rollback().await?;
        match attempt {
            Ok(blocked) => return Ok(blocked),
            Err(Failed::At(index, error)) => {
                retry.after(one.run.file, index, error).await?;
            }
            Err(Failed::Otherwise(error)) => return Err(error),
        }
    }
}

/// How one statement went.
enum StatementOutcome {
    Ran,
    /// An earlier run had run it, or there was nothing to do; nothing was asked.
    FoundDone,
    /// The recheck did not say go; it was not run.
    Blocked(Decision),
}
