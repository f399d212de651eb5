//! Statements that need no transaction of their own, between those that the database commits by itself: several share one.
//!
//! Each commit waits for the disk, so that a script of fifty thousand INSERTs took longer than they did.
//!
//! Invariant: a statement is recorded in the transaction in which it runs. Where one fails, those before it are committed
//! without it, as if each had run alone.

use std::time::{Duration, Instant};

use super::CoordinatorError;
use super::lock::{Failed, LockWatch, Retry};
use super::recheck::{Recheck, ask_again, of_recheck};
use super::said::{keep, placed, tell_said};
use super::script::{Run, progress, record};
use super::session::Session;
use crate::gate::Decision;
use crate::ledger::{Ledger, RunError, StepRecord, StepState};
use crate::sql::Statement;

/// How many statements share a transaction at most.
const MOST: usize = 500;
/// What holds locks for longer than this is committed before the next statement.
const LONGEST: Duration = Duration::from_millis(200);

/// How a group ended.
#[derive(Default)]
pub(super) struct Group {
    /// The statement after the last one that is done.
    pub end: usize,
    pub blocked: Option<Decision>,
    /// Whether the recheck was asked.
    pub has_asked: bool,
}

/// Runs the statement at `first`, and as many after it as share its transaction.
pub(super) async fn run_group(
    session: &mut Session<'_>,
    run: &Run<'_>,
    first: usize,
    recheck: Option<&(dyn Recheck + Sync)>,
) -> Result<Group, CoordinatorError> {
    let statements = &run.file.script.statements;
    let after = statements.get(first..).unwrap_or_default();
    let shares = |statement: &&Statement| !statement.needs_no_transaction;
    let mut length = after.iter().take_while(shares).take(MOST).count();
    let mut retry = Retry::new(session.orders);
    loop {
        let group = after.get(..length).unwrap_or_default();
        let is_noticed = group.iter().any(|one| one.is_noticed());
        let recheck = recheck.filter(|_| is_noticed);
        let before = session.said.len();
        let watch = retry.watch();
        let attempt = attempt_group(session, run, (first, group), recheck, watch);
        let attempt = retry.telling(attempt).await;
        session.connection.rollback().await?;
        let failed = match attempt {
            Ok(group) => {
                for one in session.said.iter().skip(before) {
                    session.orders.report(placed(run.file, one));
                }
                return Ok(group);
            }
            Err(failed) => failed,
        };
        match failed {
            // Those before it are committed first.
            Failed::At(index, _) if index > first => {
                session.said.truncate(before);
                length = index - first;
            }
            Failed::At(index, error) => {
                if !error.is_contention() {
                    tell_said(session, run.file);
                }
                session.said.truncate(before);
                retry.after(run.file, index, error).await?;
            }
            Failed::Otherwise(error) => return Err(error),
        }
    }
}

async fn attempt_group(
    session: &mut Session<'_>,
    run: &Run<'_>,
    (first, group): (usize, &[Statement]),
    recheck: Option<&(dyn Recheck + Sync)>,
    watch: LockWatch,
) -> Result<Group, Failed> {
    let (id, step) = (run.change.state.id(), run.step.name());
    let limit = session.orders.lock_limit();
    let (rules, target) = (session.orders.lease_rules(), session.orders.target.clone());
    let mut ledger = Ledger::write(session.connection.as_mut()).await?;
    ledger.judge_by(&rules);
    ledger.connection().await?.limit_lock_waits(limit).await?;
    let session_id = ledger.connection().await?.session_id().await?;
    let _watching = watch.start(session_id, target);
    let blocked = ask_again(&mut ledger, recheck).await;
    if let Some(decision) = blocked.map_err(|error| of_recheck(error, first))? {
        return Ok(Group {
            end: first,
            blocked: Some(decision),
            has_asked: true,
        });
    }
    let began = Instant::now();
    let mut done: Vec<StepRecord> = Vec::new();
    let mut is_noticed = false;
    // As many in one message as the time that the last ones took allows.
    let mut most = 1;
    while let Some(statement) = group.get(done.len()) {
        let index = first.saturating_add(done.len());
        if index > first && began.elapsed() >= LONGEST {
            break;
        }
        let together = run.file.script.inserts_from(index).min(most);
        let sent = group.get(done.len()..).unwrap_or_default();
        let sent = sent
            .get(..together)
            .unwrap_or(std::slice::from_ref(statement));
        for (index, statement) in (index..).zip(sent) {
            (session.orders.report)(progress(run.file, index, statement));
            crate::crash::point(&format!("{step}.statement"));
        }
        let texts: Vec<&str> = sent
            .iter()
            .map(|statement| statement.text.as_str())
            .collect();
        let sent_at = Instant::now();
        let ran = ledger.run(&texts).await;
        keep(&mut session.said, ledger.connection().await?.heard(), index);
        ran.map_err(|failed| match failed {
            RunError::Statement(at, error) => Failed::At(index.saturating_add(at), error),
            RunError::Ledger(error) => error.into(),
        })?;
        for (index, statement) in (index..).zip(sent) {
            crate::crash::point(&format!("{step}.ran"));
            is_noticed |= statement.is_noticed();
            done.push(record(index, statement, StepState::Done));
        }
        most = match sent_at.elapsed() {
            took if took < LONGEST / 10 => most.saturating_mul(2),
            _ => (most / 2).max(1),
        };
    }
    ledger.record_done(id, run.step, &done);
    ledger.fence(session.token).await?;
    ledger.commit().await?;
    Ok(Group {
        end: first.saturating_add(done.len()),
        blocked: None,
        has_asked: recheck.is_some() && is_noticed,
    })
}
