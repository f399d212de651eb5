//! The record of a statement that runs outside of a transaction: begun before it runs, done after it.

use super::CoordinatorError;
use super::in_ledger::End;
use super::one::StatementRun;
use super::script::record;
use super::session::Session;
use crate::ledger::{EventKind, Ledger, LedgerError, StepRecord, StepState};

pub(super) async fn record_autocommit(
    session: &mut Session<'_>,
    one: &StatementRun<'_, '_>,
    state: StepState,
) -> Result<(), CoordinatorError> {
    // What has happened is recorded, whoever does not want to wait for it.
    let _kept = session.orders.interrupt.hold_off();
    let (token, actor) = (session.token, session.actor.clone());
    session
        .in_ledger(async |ledger| {
            write_autocommit(ledger, one, &actor, state).await?;
            ledger.fence(token).await?;
            Ok(End::Commit(()))
        })
        .await
}

/// The statement has failed and nothing of it has happened: it was never begun.
pub(super) async fn forget_autocommit(
    session: &mut Session<'_>,
    one: &StatementRun<'_, '_>,
) -> Result<(), CoordinatorError> {
    let _kept = session.orders.interrupt.hold_off();
    let id = one.run.change.state.id();
    let step = record(one.index, one.statement, StepState::Started);
    let detail = detail(one, &step, "failed");
    let (token, actor) = (session.token, session.actor.clone());
    session
        .in_ledger(async |ledger| {
            ledger.forget_step(id, one.run.step, &step).await?;
            ledger
                .append(EventKind::Statement, &actor, Some(id), &detail)
                .await?;
            ledger.fence(token).await?;
            Ok(End::Commit(()))
        })
        .await
}

fn detail(one: &StatementRun<'_, '_>, step: &StepRecord, state: &str) -> serde_json::Value {
    serde_json::json!({ "step": one.run.step.name(), "position": step.position, "state": state, "sha256": step.sha256 })
}

pub(super) async fn write_autocommit(
    ledger: &mut Ledger<'_>,
    one: &StatementRun<'_, '_>,
    actor: &str,
    state: StepState,
) -> Result<(), LedgerError> {
    let id = one.run.change.state.id();
    let step = record(one.index, one.statement, state);
    let what = match state {
        StepState::Started => "started",
        StepState::Done => "done",
    };
    ledger.record_step(id, one.run.step, &step);
    ledger
        .append(
            EventKind::Statement,
            actor,
            Some(id),
            &detail(one, &step, what),
        )
        .await
}
