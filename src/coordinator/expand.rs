//! Expand: the new format is added beside the old one.

use std::time::Instant;

use super::by_runner::{Work, carry_out};
use super::change::{Becomes, PhaseTransition, move_to};
use super::column_rights::not_carried_over;
use super::in_ledger::End;
use super::recent::{Observed, Recent};
use super::recheck::Ran;
use super::session::Session;
use super::situation::seen_elsewhere;
use super::unreached::refuse_unreached;
use super::unworkable::refuse_unworkable;
use super::way_in::{Asked, Ready, asked};
use super::weighed::weighed;
use super::{CoordinatorError, Done, Outcome, Progress, Situation};
use crate::ledger::Entry;
use crate::model::{MigrationId, MigrationState, Phase, Step};
use crate::sql::Mode;

/// For the event of a migration that comes later here than its number says.
fn late(situation: &Situation, id: &MigrationId) -> serde_json::Value {
    match situation.evidence.schema.applied_before_its_turn(id) {
        Some(later) => serde_json::json!({ "out_of_order_after": later.id() }),
        None => serde_json::json!({}),
    }
}

/// Adds the new format.
///
/// No version that runs is hurt by it, so there is no fence and nothing to wait for: what could have changed since the look is read in the
/// transaction of the script. Only a script that cannot share one transaction is recorded as begun before it runs.
pub(super) async fn run(
    session: &mut Session<'_>,
    recent: &mut Recent,
    id: &MigrationId,
) -> Result<Outcome, CoordinatorError> {
    let began = Instant::now();
    let Observed { until, situation } = recent.situation(session).await?;
    let Ready {
        situation,
        state,
        decision,
    } = match asked(session, Step::Expand, id, situation).await? {
        Asked::Ready(ready) => *ready,
        Asked::Ended(outcome) => return Ok(outcome),
    };
    let project = session.orders.project;
    let costs = weighed(project, id, Step::Expand, session.connection.as_mut()).await;
    session.orders.report(Progress::Weighed(costs));
    let migration = session.orders.migration(id)?;
    let dialect = session.connection.capabilities().dialect;
    let others = seen_elsewhere(&situation.evidence.snapshot);
    let files = migration.files(dialect);
    let (script, revisions) = (&files.expand, files.revisions.get(&Step::Expand));
    let begins_first = revisions.is_some()
        || script
            .as_ref()
            .is_some_and(|file| file.script.mode == Mode::NoTransaction);
    let entry = if state.phase == Phase::Pending && !begins_first {
        Entry::New
    } else {
        Entry::Known
    };
    let change = |detail| PhaseTransition {
        entry,
        others: &others,
        detail,
        ..PhaseTransition::new(&state, Becomes::After(Step::Expand))
    };
    if state.phase == Phase::Pending {
        refuse_unreached(migration, session.connection.as_mut()).await?;
        refuse_unworkable(migration, session.connection.as_mut()).await?;
    }
    let mut statements = 0;
    let work = Work::of(script.as_ref(), revisions);
    match work {
        Some(work) => {
            if begins_first && state.phase == Phase::Pending {
                begin_expanding(session, &state).await?;
            }
            let change = change(late(&situation, id));
            match carry_out(session, Step::Expand, work, change, None).await {
                Ok(Ran::Done { statements: count }) => statements = count,
                Ok(Ran::Blocked(_)) => {}
                Err(error) => {
                    let error = beside_what_is_there(error);
                    return Err(step_back_to_pending(session, error, id).await);
                }
            }
        }
        // The new format needs no statement; that it may be used now is still recorded.
        None => {
            let mut detail = late(&situation, id);
            if let Some(object) = detail.as_object_mut() {
                object.insert("statements".into(), "none needed".into());
            }
            session.change_phase(change(detail)).await?;
        }
    }
    let mut notes = decision.notes;
    if let Some(file) = script {
        notes.extend(not_carried_over(file, session.connection.as_mut()).await);
    }
    let expanded = state.after(Step::Expand, &situation.evidence.snapshot.live());
    recent.keep(Observed { until, situation }, expanded);
    Ok(Outcome::Done(Done {
        migration: id.clone(),
        step: Step::Expand,
        statements,
        rows: 0,
        keys: 0,
        took: began.elapsed(),
        notes,
    }))
}

/// What an expand makes is not there before it, unless it has run and nothing tells of that.
fn beside_what_is_there(mut error: CoordinatorError) -> CoordinatorError {
    if let CoordinatorError::Script(failure) = &mut error
        && failure.cause.is_there_already()
    {
        failure.help.push_str(
            ". What it makes is there already: where it was this migration that made it, the ledger that told so was lost, left out of a \
             restore, or is that of another database (docs/stuck.md)",
        );
    }
    error
}

/// After an error: where no statement was begun, nothing has been expanded. Returns the error, which
/// is what matters even where going back fails as well.
async fn step_back_to_pending(
    session: &mut Session<'_>,
    error: CoordinatorError,
    id: &MigrationId,
) -> CoordinatorError {
    let is_superseded = matches!(
        error,
        CoordinatorError::Ledger(crate::ledger::LedgerError::Superseded { .. })
    );
    if !is_superseded && let Err(second) = forget_expanding(session, id).await {
        tracing::debug!("{id} is still recorded as expanding: {second}");
    }
    error
}

async fn forget_expanding(
    session: &mut Session<'_>,
    id: &MigrationId,
) -> Result<(), CoordinatorError> {
    let _kept = session.orders.interrupt.hold_off();
    let (token, actor) = (session.token, session.actor.clone());
    session
        .in_ledger(async |ledger| {
            let view = ledger.view().await?;
            let expanding = view.applied.iter().find(|applied| {
                applied.state.id() == id && applied.state.phase == Phase::Expanding
            });
            let begun = ledger.steps(id, Step::Expand).await?;
            let Some(applied) = expanding.filter(|_| begun.is_empty()) else {
                return Ok(End::GiveUp(()));
            };
            let change = PhaseTransition {
                detail: serde_json::json!({ "stepped_back": true }),
                ..PhaseTransition::new(&applied.state, Becomes::GivenUp(Phase::Pending))
            };
            move_to(ledger, token, &actor, change).await?;
            Ok(End::Commit(()))
        })
        .await
}

/// Records that statements which cannot share a transaction are about to run.
async fn begin_expanding(
    session: &mut Session<'_>,
    state: &MigrationState,
) -> Result<(), CoordinatorError> {
    session
        .change_phase(PhaseTransition {
            entry: Entry::New,
            ..PhaseTransition::new(state, Becomes::Begun(Step::Expand))
        })
        .await?;
    crate::crash::point("expand.begun");
    Ok(())
}
