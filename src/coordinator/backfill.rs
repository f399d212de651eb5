//! Backfill: decided on, begun and recorded here; the batches are those of [`crate::backfill`].

use std::sync::atomic::Ordering;
use std::time::Instant;

use super::by_runner::apply_all;
use super::change::{Becomes, PhaseTransition, move_to};
use super::fence::FromInside;
use super::filling::{Filling, left_by, refuse_applied_before};
use super::in_ledger::End;
use super::lock::Retry;
use super::orders::Orders;
use super::recheck::Recheck as _;
use super::session::Session;
use super::situation::seen_elsewhere;
use super::tally::{Filled, Tally};
use super::way_in::{Asked, Ready, already, asked};
use super::{CoordinatorError, Done, Outcome, Progress, Situation};
use crate::backfill::{BackfillError, Engine, Finding, Limits, Report, Run, Totals};
use crate::database::ConnectOptions;
use crate::gate::{CheckFinding, Decision, Verdict};
use crate::ledger::{Applied, BackfillRecord, Entry, Ledger, Steering};
use crate::model::{MigrationId, MigrationState, Phase, Step};
use crate::project::Migration;
use crate::sql::{Dialect, ObjectKind, Statement, Verb};

/// Brings every existing row into the new format.
///
/// Its phase is recorded before the last key is fixed, so that whoever comes from then on is noticed: a version that writes the old format
/// alone would leave rows behind the place that the batches have passed. Every batch looks again in its own transaction. That it is over
/// is recorded under the lock on admissions, after `remaining` and `check` were asked, and only if nobody has come who would undo it.
pub(super) async fn run(
    session: &mut Session<'_>,
    filled: &mut Filled,
    id: &MigrationId,
) -> Result<Outcome, CoordinatorError> {
    let began = Instant::now();
    let situation = session.situation().await?;
    let Ready {
        situation,
        state,
        decision,
    } = match asked(session, Step::Backfill, id, situation).await? {
        Asked::Ready(ready) => *ready,
        Asked::Ended(outcome) => return Ok(outcome),
    };
    let migration = session.orders.migration(id)?;
    let dialect = session.connection.capabilities().dialect;
    let filling = Filling::of(migration.files(dialect));
    let (Some(rules), Some(filling)) = (&migration.backfill, filling) else {
        return Err(CoordinatorError::NoFiles(id.clone()));
    };
    let engine = engine(session, id, rules, &filling.file);
    // A query that counts missing values does not see the stale ones that the kinds tell of.
    let is_over = state.has_taken(Step::Backfill, &situation.evidence.snapshot.live())
        && (state.phase != Phase::Backfilled
            || engine.remaining(session.connection.as_mut()).await? == 0);
    if is_over {
        return Ok(already(Step::Backfill, id, &decision));
    }
    match filling.revisions {
        Some(revisions) => refuse_applied_before(session, revisions, &state, &situation).await?,
        None => look_at_key(session, &engine, &own_triggers(migration, dialect)).await?,
    }
    let mut notes = decision.notes;
    let mut recorded = None;
    if state.phase == Phase::Backfilling {
        recorded = resumed(session, &engine, &situation).await?;
    } else {
        let inside = begin_backfill(session, &engine, &state, &situation).await?;
        if inside.verdict != Verdict::Go {
            return Ok(Outcome::Blocked(inside));
        }
        // What the statement has to do depends on who has come until now.
        notes = inside.notes;
    }
    crate::crash::point("backfill.begun");
    let totals = match filling.revisions {
        Some(revisions) => Totals {
            batches: apply_all(session, Step::Backfill, revisions, &state).await?,
            ..Totals::default()
        },
        None => run_batches(session, filled, &engine, recorded).await?,
    };
    let remaining = engine.remaining(session.connection.as_mut()).await?;
    if remaining != 0 {
        let by = filling.revisions.map(left_by);
        let left = Left::Remaining(remaining, by);
        return give_up_backfill(session, &engine, &state, left).await;
    }
    if let Some(found) = check(session, &engine).await? {
        let left = Left::Check(found);
        return give_up_backfill(session, &engine, &state, left).await;
    }
    if let Some(decision) = finish_backfill(session, &engine, &state).await? {
        return Ok(Outcome::Blocked(decision));
    }
    Ok(Outcome::Done(Done {
        migration: id.clone(),
        step: Step::Backfill,
        statements: totals.batches,
        rows: totals.changed,
        keys: totals.seen,
        took: began.elapsed(),
        notes,
    }))
}

fn engine<'e>(
    session: &Session<'_>,
    id: &'e MigrationId,
    rules: &'e crate::project::BackfillRules,
    file: &'e crate::project::BackfillFile,
) -> Engine<'e> {
    let config = &session.orders.project.config.database;
    Engine {
        id,
        rules,
        file,
        token: session.token,
        limits: Limits {
            lock_timeout: config.lock_timeout,
            lock_retry_for: config.lock_retry_for,
        },
    }
}

/// The triggers that expand.sql makes: what they do is a part of the migration.
fn own_triggers(migration: &Migration, dialect: Dialect) -> Vec<&str> {
    let expand = migration.files(dialect).expand.iter();
    let statements = expand.flat_map(|file| &file.script.statements);
    let made = statements
        .flat_map(Statement::objects)
        .filter(|object| object.kind == ObjectKind::Trigger && object.verb == Verb::Create);
    made.map(|trigger| trigger.name.as_str()).collect()
}

/// Makes sure that the backfill can go along its key, before anything is recorded.
async fn look_at_key(
    session: &mut Session<'_>,
    engine: &Engine<'_>,
    own: &[&str],
) -> Result<(), CoordinatorError> {
    let mut retry = Retry::new(session.orders);
    let warnings = loop {
        let looked = engine.look_at_key(session.connection.as_mut(), own).await;
        match looked {
            Err(BackfillError::Database(error)) if error.is_contention() => {
                if retry.pause().await.is_err() {
                    return Err(error.into());
                }
            }
            Err(error) => return Err(of_engine(error, engine.id)),
            Ok(warnings) => break warnings,
        }
    };
    for warning in warnings {
        session.orders.report(Progress::Backfill {
            migration: engine.id.clone(),
            report: Report::Warning(warning),
        });
    }
    Ok(())
}

/// Where an earlier run stopped; `None` if it was killed before it had fixed its ranges.
async fn resumed(
    session: &mut Session<'_>,
    engine: &Engine<'_>,
    situation: &Situation,
) -> Result<Option<BackfillRecord>, CoordinatorError> {
    let recorded = engine.recorded(session.connection.as_mut()).await;
    let recorded = recorded.map_err(|error| of_engine(error, engine.id))?;
    let run = applied(situation, engine.id).map(|applied| applied.changed_at);
    // A statement that was mended goes over all rows: nobody can tell what the one before did to those it passed.
    Ok(recorded.filter(|record| Some(record.run) == run && record.sha256 == engine.file.sha256))
}

/// Records that the backfill runs, unless a version that would undo it has come meanwhile. From
/// here on one that comes is noticed; so the last key is fixed only afterwards.
async fn begin_backfill(
    session: &mut Session<'_>,
    engine: &Engine<'_>,
    state: &MigrationState,
    situation: &Situation,
) -> Result<Decision, CoordinatorError> {
    let others = seen_elsewhere(&situation.evidence.snapshot);
    let path = engine.file.path.display().to_string();
    let detail = serde_json::json!({ "file": path, "sha256": engine.file.sha256 });
    let recheck = recheck_of(session.orders, engine.id, situation);
    let (token, actor) = (session.token, session.actor.clone());
    session
        .in_ledger(async |ledger| {
            ledger.lock_admissions().await?;
            let decision = recheck.decide(ledger).await?;
            if decision.verdict != Verdict::Go {
                return Ok(End::GiveUp(decision));
            }
            let change = PhaseTransition {
                others: &others,
                detail: detail.clone(),
                ..PhaseTransition::new(state, Becomes::Begun(Step::Backfill))
            };
            move_to(ledger, token, &actor, change).await?;
            ledger.record_file(
                Entry::Known,
                engine.id,
                Step::Backfill,
                &path,
                &engine.file.sha256,
            );
            ledger.forget_backfill(engine.id);
            Ok(End::Commit(decision))
        })
        .await
}

async fn run_batches(
    session: &mut Session<'_>,
    filled: &mut Filled,
    engine: &Engine<'_>,
    recorded: Option<BackfillRecord>,
) -> Result<Totals, CoordinatorError> {
    let of = |error| of_engine(error, engine.id);
    let (orders, id, passed) = (session.orders, engine.id, &filled.passed);
    let report = |report: Report| {
        if matches!(report, Report::Passed(_)) {
            passed.fetch_add(1, Ordering::Relaxed);
        }
        orders.report(Progress::Backfill {
            migration: id.clone(),
            report,
        });
    };
    let record = match recorded {
        Some(record) => record,
        None => {
            let prepared = engine.prepare(session.connection.as_mut(), &report).await;
            prepared.map_err(of)?
        }
    };
    // What is asked for with this run wins over what was asked for during an earlier one.
    if let Some(pace) = orders.pace {
        let mut ledger = Ledger::write(session.connection.as_mut()).await?;
        ledger.steer(id, Steering::Pace(pace.thousandths())).await?;
        ledger.fence(session.token).await?;
        ledger.commit().await?;
    }
    crate::crash::point("backfill.prepared");
    let before = filled.before.get_or_insert_with(|| Tally::of(&record));
    let earlier = Tally::of(&record).since(*before);
    let run = run_of(orders, *engine, &report);
    let gone = run.go(session.connection.as_mut(), &record).await;
    let totals = gone.map_err(of)?;
    Ok(Totals {
        seen: earlier.seen.saturating_add(totals.seen),
        changed: earlier.changed.saturating_add(totals.changed),
        batches: earlier.batches.saturating_add(totals.batches),
        ..totals
    })
}

/// Rows that `check` finds; `None` if it is not asked for.
pub(super) async fn check(
    session: &mut Session<'_>,
    engine: &Engine<'_>,
) -> Result<Option<Finding>, CoordinatorError> {
    let (orders, id) = (session.orders, engine.id);
    let report = |report: Report| {
        orders.report(Progress::Backfill {
            migration: id.clone(),
            report,
        });
    };
    let run = run_of(orders, *engine, &report);
    let found = run.check(session.connection.as_mut()).await;
    found.map_err(|error| of_engine(error, engine.id))
}

/// As [`check`], for a contract, whatever has been written since the backfill.
pub(super) async fn check_of(
    session: &mut Session<'_>,
    migration: &Migration,
) -> Result<Option<CheckFinding>, CoordinatorError> {
    let dialect = session.connection.capabilities().dialect;
    let filling = Filling::of(migration.files(dialect));
    let (Some(rules), Some(filling)) = (&migration.backfill, filling) else {
        return Ok(None);
    };
    let engine = engine(session, migration.id(), rules, &filling.file);
    Ok(check(session, &engine).await?.map(finding))
}

/// Something is left after the last key: the next run starts again at the first one.
async fn give_up_backfill(
    session: &mut Session<'_>,
    engine: &Engine<'_>,
    state: &MigrationState,
    left: Left,
) -> Result<Outcome, CoordinatorError> {
    let mut situation = session.situation().await?;
    let facts = &mut situation.evidence.facts;
    let detail = match left {
        Left::Remaining(remaining, by) => {
            facts.remaining = Some(remaining);
            facts.remaining_examples = engine.examples(session.connection.as_mut()).await;
            facts.passed_by = match by {
                Some(by) => vec![by],
                None => engine.passed_by(session.connection.as_mut()).await,
            };
            serde_json::json!({ "remaining": remaining })
        }
        Left::Check(found) => {
            let detail = serde_json::json!({ "check": found.place });
            facts.check = Some(finding(found));
            detail
        }
    };
    let decision = session.orders.ask(Step::Backfill, engine.id, &situation);
    let others = seen_elsewhere(&situation.evidence.snapshot);
    session
        .change_phase(PhaseTransition {
            others: &others,
            detail,
            ..PhaseTransition::new(state, Becomes::GivenUp(Phase::Expanded))
        })
        .await?;
    Ok(Outcome::Blocked(decision))
}

/// Records that every row is filled, unless a version that may undo it has come meanwhile.
async fn finish_backfill(
    session: &mut Session<'_>,
    engine: &Engine<'_>,
    state: &MigrationState,
) -> Result<Option<Decision>, CoordinatorError> {
    let situation = session.situation().await?;
    let decision = session.orders.ask(Step::Backfill, engine.id, &situation);
    if decision.verdict != Verdict::Go {
        return Ok(Some(decision));
    }
    let recheck = recheck_of(session.orders, engine.id, &situation);
    let others = seen_elsewhere(&situation.evidence.snapshot);
    let (token, actor) = (session.token, session.actor.clone());
    let recorded = session.in_ledger(async |ledger| {
        // From here to the commit nobody is admitted, so what is seen now is what is recorded.
        ledger.lock_admissions().await?;
        engine
            .check_phase(ledger)
            .await
            .map_err(|error| of_engine(error, engine.id))?;
        let decision = recheck.decide(ledger).await?;
        if decision.verdict != Verdict::Go {
            return Ok(End::GiveUp(Some(decision)));
        }
        let change = PhaseTransition {
            others: &others,
            ..PhaseTransition::new(state, Becomes::After(Step::Backfill))
        };
        crate::crash::point("backfill.recording");
        move_to(ledger, token, &actor, change).await?;
        Ok(End::Commit(None))
    });
    let decision = recorded.await?;
    if decision.is_none() {
        crate::crash::point("backfill.committed");
    }
    Ok(decision)
}

fn recheck_of<'s>(
    orders: Orders<'s>,
    id: &'s MigrationId,
    situation: &'s Situation,
) -> FromInside<'s> {
    FromInside {
        step: Step::Backfill,
        id,
        situation,
        orders,
    }
}

/// What is not as it should be after the last key.
enum Left {
    /// So many rows are counted by `remaining`; and what to do, where it is not the statement that is to be looked at.
    Remaining(i64, Option<String>),
    /// `check` finds rows.
    Check(Finding),
}

fn finding(found: Finding) -> CheckFinding {
    CheckFinding {
        place: found.place,
        examples: found.examples,
    }
}

fn run_of<'r>(
    orders: Orders<'r>,
    engine: Engine<'r>,
    report: &'r (dyn Fn(Report) + Send + Sync),
) -> Run<'r> {
    let project = orders.project;
    Run {
        engine,
        target: orders.target,
        options: ConnectOptions {
            busy_timeout: project.config.database.busy_timeout,
            interrupt: orders.interrupt,
            ..ConnectOptions::default()
        },
        replicas: (&project.config.database.replicas, &project.root),
        report,
    }
}

fn applied<'s>(situation: &'s Situation, id: &MigrationId) -> Option<&'s Applied> {
    let mut applied = situation.view.applied.iter();
    applied.find(|applied| applied.state.id() == id)
}

pub(super) fn of_engine(error: BackfillError, id: &MigrationId) -> CoordinatorError {
    match error {
        BackfillError::Database(error) => error.into(),
        BackfillError::Ledger(error) => error.into(),
        BackfillError::Failed(failed) => CoordinatorError::Batch(failed),
        BackfillError::Key(why) => CoordinatorError::Key {
            migration: id.clone(),
            why,
        },
        BackfillError::Moved(phase) => CoordinatorError::Moved {
            migration: id.clone(),
            phase,
        },
    }
}
