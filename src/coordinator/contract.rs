//! Contract: the old format is removed, once nothing depends on it and nothing can come back.
//!
//! `docs/protocol.md` has the four steps of it; [`run`] takes them from top to bottom.

use std::time::{Duration, Instant};

use super::backfill::check_of;
use super::by_runner::{Work, carry_out};
use super::change::{Becomes, PhaseTransition};
use super::facts::facts;
use super::fence::{FromInside, leave_fence, raise_fence};
use super::in_ledger::End;
use super::past_return::past_return;
use super::recheck::Ran;
use super::session::Session;
use super::situation::seen_elsewhere;
use super::way_in::{Asked, asked};
use super::weighed::weighed;
use super::{CoordinatorError, Done, Outcome, Progress, Situation};
use crate::gate::{Decision, Verdict};
use crate::model::{MigrationId, MigrationState, Phase, Step};
use crate::project::Recheck;

/// How long nothing is asked while something is waited for.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// Takes the old format away.
///
/// There is no way back from it, so it is decided three times, each time knowing more. Without a fence, because a contract that is
/// blocked from the start must change nothing, and one that waits for hours must not keep old versions from coming back meanwhile.
/// Behind the fence, because before it one more could have come between the look and the removal; from here the live versions of the
/// old format can only become fewer. And in the transaction of the removal itself, where the leases are locked.
pub(super) async fn run(
    session: &mut Session<'_>,
    id: &MigrationId,
) -> Result<Outcome, CoordinatorError> {
    let began = Instant::now();
    let ready = match until_clear(session, id, began).await? {
        Asked::Ready(ready) => ready,
        Asked::Ended(outcome) => return Ok(outcome),
    };
    let raised = match session.close_lists(Step::Contract, &ready).await {
        Ok(()) => raise_fence(session, &ready.state, &ready.situation, Step::Contract).await,
        Err(error) => Err(error),
    };
    // An error may come after all was committed, so whatever happened goes out the same way.
    let ended = match raised {
        Ok(()) => remove_fenced(session, id, began).await,
        Err(error) => Err(error),
    };
    leave_fence(session, Step::Contract, id, ended).await
}

/// Looks until nothing stands in the way, as long as the user waits. Without a fence: whatever is live may come back
/// meanwhile.
async fn until_clear(
    session: &mut Session<'_>,
    id: &MigrationId,
    began: Instant,
) -> Result<Asked, CoordinatorError> {
    loop {
        let decision = match look(session, id).await {
            Ok(Asked::Ended(Outcome::Blocked(decision))) => decision,
            Ok(Asked::Ready(ready)) => {
                if has_waited_for_quiet(session, id, began).await {
                    // What has happened meanwhile is looked at anew.
                    continue;
                }
                return Ok(Asked::Ready(ready));
            }
            Ok(asked) => return Ok(asked),
            Err(error) => {
                bridge(session, error, began).await?;
                continue;
            }
        };
        // An earlier run may have left its fence up.
        let blocked = Ok(Outcome::Blocked(decision.clone()));
        let blocked = leave_fence(session, Step::Contract, id, blocked).await?;
        if !decision.waits_for_live_versions() || !has_time_left(session, began) {
            return Ok(Asked::Ended(blocked));
        }
        session.orders.report(Progress::Waiting(decision));
        session.orders.interrupt.pause(BETWEEN_LOOKS).await;
    }
}

/// Waits while somebody has been at work for so long that everybody would wait behind a lock of the contract, as long as the user
/// waits; without that it is only said. Whether it has waited.
async fn has_waited_for_quiet(session: &mut Session<'_>, id: &MigrationId, began: Instant) -> bool {
    let project = session.orders.project;
    let mut has_waited = false;
    loop {
        let weighed = weighed(project, id, Step::Contract, session.connection.as_mut()).await;
        let busy = weighed.busy.clone();
        let Some(busy) = busy.filter(|_| has_time_left(session, began)) else {
            if !has_waited {
                session.orders.report(Progress::Weighed(weighed));
            }
            return has_waited;
        };
        has_waited = true;
        session.orders.report(Progress::Busy(busy));
        session.orders.interrupt.pause(BETWEEN_LOOKS).await;
    }
}

/// Everything, with the user's queries once nothing else stands in the way: they may be costly.
async fn look(session: &mut Session<'_>, id: &MigrationId) -> Result<Asked, CoordinatorError> {
    let mut situation = session.situation_before(Step::Contract, id).await?;
    let decision = session.orders.ask(Step::Contract, id, &situation);
    if decision.verdict == Verdict::Go
        && let Some(facts) = facts(session, id, &situation).await?
    {
        situation.evidence.facts = facts;
    }
    asked(session, Step::Contract, id, situation).await
}

/// Behind the fence: looks again, waits for who came just before it, and removes the old format.
///
/// Invariant: only what is seen from behind the fence counts. Before it, one more could have come.
async fn remove_fenced(
    session: &mut Session<'_>,
    id: &MigrationId,
    began: Instant,
) -> Result<Outcome, CoordinatorError> {
    crate::crash::point("contract.fenced");
    loop {
        let mut situation = match look_fenced(session, id).await {
            Ok(situation) => situation,
            Err(error) => {
                bridge(session, error, began).await?;
                continue;
            }
        };
        let Some(fenced) = situation.evidence.schema.get(id).cloned() else {
            return Err(CoordinatorError::NoFiles(id.clone()));
        };
        if fenced.phase != Phase::Contracting {
            return Err(CoordinatorError::Moved {
                migration: id.clone(),
                phase: fenced.phase,
            });
        }
        // What `remaining` and `require` count is asked inside the transaction.
        situation.evidence.facts.unused = session.unused(id).await?;
        let mut decision = session.orders.ask(Step::Contract, id, &situation);
        if decision.verdict == Verdict::Go {
            decision = checked(session, id, &mut situation, decision).await?;
        }
        if decision.verdict == Verdict::Go {
            match remove_old(session, id, &fenced, &situation).await? {
                Ran::Done { statements } => {
                    return Ok(Outcome::Done(Done {
                        migration: id.clone(),
                        step: Step::Contract,
                        statements,
                        rows: 0,
                        keys: 0,
                        took: began.elapsed(),
                        notes: Vec::new(),
                    }));
                }
                Ran::Blocked(found) => decision = found,
            }
        }
        if !decision.waits_for_live_versions() || !has_time_left(session, began) {
            return Ok(Outcome::Blocked(decision));
        }
        session.orders.report(Progress::Waiting(decision));
        session.orders.interrupt.pause(BETWEEN_LOOKS).await;
    }
}

/// The fleet and the ledger from behind the fence. Files that were changed do not stop it here: what was done behind the fence may
/// make them matter, and they were looked at before it.
async fn look_fenced(
    session: &mut Session<'_>,
    id: &MigrationId,
) -> Result<Situation, CoordinatorError> {
    let situation = session.observe().await?;
    let overridden = session.orders.overridden(Step::Contract, id, &situation);
    session.record_override(&overridden, id).await?;
    Ok(situation)
}

/// Goes over every row once more, where the migration demands it. From behind the fence, because nothing that
/// writes the old format starts there any more.
async fn checked(
    session: &mut Session<'_>,
    id: &MigrationId,
    situation: &mut Situation,
    decision: Decision,
) -> Result<Decision, CoordinatorError> {
    let migration = session.orders.migration(id)?;
    if migration.contract_rules.check == Recheck::No {
        return Ok(decision);
    }
    let is_past_return = session
        .in_ledger(async |ledger| {
            let found = past_return((id, Some(migration)), Step::Contract, ledger).await?;
            Ok(End::GiveUp(found))
        })
        .await?;
    // A part of the old format is gone already: there is nothing left to ask.
    if is_past_return {
        return Ok(decision);
    }
    situation.evidence.facts.check = check_of(session, migration).await?;
    Ok(session.orders.ask(Step::Contract, id, situation))
}

async fn remove_old(
    session: &mut Session<'_>,
    id: &MigrationId,
    state: &MigrationState,
    situation: &Situation,
) -> Result<Ran, CoordinatorError> {
    let dialect = session.connection.capabilities().dialect;
    let files = session.orders.migration(id)?.files(dialect);
    let revisions = files.revisions.get(&Step::Contract);
    let Some(work) = Work::of(files.contract.as_ref(), revisions) else {
        return Err(CoordinatorError::NoFiles(id.clone()));
    };
    let others = seen_elsewhere(&situation.evidence.snapshot);
    let change = PhaseTransition {
        others: &others,
        ..PhaseTransition::new(state, Becomes::After(Step::Contract))
    };
    let recheck = FromInside {
        step: Step::Contract,
        id,
        situation,
        orders: session.orders,
    };
    carry_out(session, Step::Contract, work, change, Some(&recheck)).await
}

/// A restart or a failover of the database is no reason to give up a long wait.
async fn bridge(
    session: &mut Session<'_>,
    error: CoordinatorError,
    began: Instant,
) -> Result<(), CoordinatorError> {
    if !error.is_passing() || !has_time_left(session, began) {
        return Err(error);
    }
    session
        .orders
        .report(Progress::Unreachable(error.to_string()));
    session.orders.interrupt.pause(BETWEEN_LOOKS).await;
    session.reconnect().await;
    Ok(())
}

fn has_time_left(session: &Session<'_>, began: Instant) -> bool {
    let wait = session.orders.wait;
    wait.is_some_and(|wait| began.elapsed() < wait)
}
