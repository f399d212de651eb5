//! A script in one transaction, together with its record.

use std::ops::Range;

use super::CoordinatorError;
use super::change::{move_to, record_move};
use super::gap::{after_script, before_script};
use super::guard::Guard;
use super::lock::{Failed, LockWatch, Retry};
use super::recheck::Ran;
use super::said::{self, tell_said};
use super::script::{Run, count, progress, record_script};
use super::session::Session;
use super::sync::{Owned, owned_by_others};
use crate::database::ErrorKind;
use crate::ledger::{Entry, Ledger, LedgerError, RunError};
use crate::sql::Script;

pub(super) async fn run_in_one_transaction(
    session: &mut Session<'_>,
    run: &Run<'_>,
) -> Result<Ran, CoordinatorError> {
    let mut retry = Retry::new(session.orders);
    let owned = match run.file.script.may_take() {
        true => owned_by_others(session, run.change.state.id()).await?,
        false => Vec::new(),
    };
    loop {
        session.said.clear();
        let attempt = attempt(session, run, &owned, retry.watch());
        let attempt = retry.telling(attempt).await;
        // Whatever happened, the connection is put back as it was.
        session.connection.rollback().await?;
        session.connection.release_script().await?;
        match attempt {
            Ok(ran) => {
                crate::crash::point(&format!("{}.committed", run.step.name()));
                tell_said(session, run.file);
                return Ok(ran);
            }
            Err(Failed::At(index, error)) => {
                // What was said before it may tell why.
                if !error.is_contention() {
                    tell_said(session, run.file);
                }
                retry.after(run.file, index, error).await?
            }
            Err(Failed::Otherwise(error)) => return Err(error),
        }
    }
}

async fn attempt(
    session: &mut Session<'_>,
    run: &Run<'_>,
    owned: &[Owned<'_>],
    watch: LockWatch,
) -> Result<Ran, Failed> {
    let project = session.orders.project;
    let limit = session.orders.lock_limit();
    let rules = session.orders.lease_rules();
    let (connection, token, actor) = (
        session.connection.as_mut(),
        session.token,
        session.actor.clone(),
    );
    connection.before_script(&run.file.script).await?;
    let mut ledger = Ledger::write_soon(connection).await?;
    ledger.judge_by(&rules);
    ledger.unsent().limit_lock_waits(limit).await?;
    let mut watching = None;
    if watch.is_retry || run.recheck.is_some() {
        let session_id = ledger.connection().await?.session_id().await?;
        watching = Some(watch.start(session_id, session.orders.target.clone()));
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
    let guard = if Guard::is_needed(script) {
        let connection = ledger.connection().await?;
        let at_first = |error| Failed::At(0, error);
        let looked = Guard::look(&mut *connection, run.file, owned).await;
        let mut guard = looked.map_err(at_first)?;
        guard.hold_and_count(connection).await.map_err(at_first)?;
        Some(guard)
    } else {
        None
    };
    // What is over at once may as well run under the lock that recording it needs.
    let locks_first = run.change.entry == Entry::New && !watch.is_retry && script.is_all_instant();
    let mut locked = None;
    // An instant script has one part.
    for part in parts(script) {
        // Only the last statements of a part can take time or wait for a lock, and all of them are of one kind.
        let is_instant = script.is_instant(part.end.saturating_sub(1));
        if watching.is_none() && !is_instant {
            let session_id = ledger.connection().await?.session_id().await?;
            watching = Some(watch.start(session_id, session.orders.target.clone()));
        }
        let mut texts = Vec::new();
        for index in part.clone() {
            if let Some(statement) = statements.get(index) {
                (session.orders.report)(progress(run.file, index, statement));
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
        said::keep(&mut session.said, ledger.unsent().heard(), part.start);
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
        .after_script(&run.file.script, &run.file.vouched)
        .await
        .map_err(|error| Failed::At(statements.len().saturating_sub(1), error))?;
    if let Some(guard) = guard {
        let checked = guard.check(ledger.connection().await?).await?;
        if let Some((index, error)) = checked.loss {
            return Err(Failed::At(index, error));
        }
        said::keep(&mut session.said, checked.along, 0);
    }
    record_script(&mut ledger, run);
    crate::crash::point(&format!("{}.recording", run.step.name()));
    let change = run.change.clone_with(run.file, &session.said);
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
