//! A phase that another migration tool carries out: one revision after the other, each recorded before and after.
//!
//! Invariant: a revision is recorded as done only when the tool's own history shows it, whatever the tool has said; and the tool is
//! called only for one that its history does not show, with nothing else along.
//!
//! A tool that was killed is not a server that has ended: its statement may go on, and be committed. So before the history is believed of
//! a revision that was begun, nobody may be changing the schema any more. What was begun and is not in the history has left nothing where
//! the schema is as it was before; where it is not, only somebody who looks can say what it is.

mod foretold;
mod look;
mod undone;
mod words;
mod work;

use look::{applied, call, hash, schema_mark, standing, until_nobody_changes_the_schema};
pub(super) use undone::{record_undone, refuse_what_is_left, taken_back};
use words::{failed_before, failed_now, left_a_part, not_in_history, nothing_done, unreadable};
pub(super) use work::Work;

use super::change::{Becomes, PhaseTransition, move_to};
use super::in_ledger::End;
use super::recheck::{Ran, Recheck, ask_again};
use super::run::run_script;
use super::script::Run;
use super::session::Session;
use super::{Changed, CoordinatorError, Drift, Progress};
use crate::gate::Decision;
use crate::ledger::{Entry, EventKind, Ledger, LedgerError, StepRecord, StepState, seal_of_steps};
use crate::model::{MigrationId, MigrationState, Step};
use crate::project::Revisions;
use crate::runner::{Revision, Runner, RunnerFailure, Standing};
use crate::span;

/// A step that is carried out by revisions.
struct Revised<'r> {
    step: Step,
    revisions: &'r Revisions,
    runner: &'r Runner,
    known: Vec<Revision>,
    change: PhaseTransition<'r>,
}

/// One of its revisions, and how far it is.
struct One<'o, 'r> {
    of: &'o Revised<'r>,
    index: usize,
    name: &'o str,
    /// What is recorded of it.
    recorded: Option<&'o StepRecord>,
    recheck: Option<&'o (dyn Recheck + Sync)>,
}

/// How one revision went.
enum Went {
    Ran,
    /// It was applied already.
    Found,
    /// The recheck did not say go; it was not run.
    Blocked(Decision),
}

impl Revised<'_> {
    fn id(&self) -> &MigrationId {
        self.change.state.id()
    }
}

impl One<'_, '_> {
    /// As it is recorded: by the tool and the revision alone.
    fn record(&self, state: StepState, schema: Option<&str>) -> StepRecord {
        let text = format!("{} {}", self.of.revisions.kind, self.name);
        StepRecord {
            position: super::script::position(self.index),
            sha256: hash(&text),
            statement: match schema {
                Some(schema) => format!("{text}{SCHEMA}{schema}"),
                None => text,
            },
            state,
        }
    }

    fn detail(&self, state: &str) -> serde_json::Value {
        let record = self.record(StepState::Done, None);
        serde_json::json!({
            "step": self.of.step.name(), "position": record.position, "state": state, "sha256": record.sha256,
            "runner": self.of.revisions.kind, "revision": self.name,
        })
    }

    /// What the schema was when it was begun, if it was.
    fn schema_before(&self) -> Option<&str> {
        let record = self.recorded?;
        record
            .statement
            .split_once(SCHEMA)
            .map(|(_, schema)| schema)
    }

    fn is_started(&self) -> bool {
        self.recorded
            .is_some_and(|record| record.state == StepState::Started)
    }

    fn again(&self) -> String {
        format!("`migrate {} {}`", self.of.step.name(), self.of.id())
    }
}

/// Before what the schema was, in the record of a revision that was begun.
const SCHEMA: &str = " on the schema ";

/// Carries out a step, whoever does it.
pub(super) async fn carry_out(
    session: &mut Session<'_>,
    step: Step,
    work: Work<'_>,
    change: PhaseTransition<'_>,
    recheck: Option<&(dyn Recheck + Sync)>,
) -> Result<Ran, CoordinatorError> {
    match work {
        Work::Script(file) => {
            run_script(
                session,
                Run {
                    step,
                    file,
                    change,
                    recheck,
                },
            )
            .await
        }
        Work::Revisions(revisions) => {
            run_revisions(session, step, revisions, change, recheck).await
        }
    }
}

/// Has the tool apply what is not applied yet, and records no phase. How many revisions there are.
pub(super) async fn apply_all(
    session: &mut Session<'_>,
    step: Step,
    revisions: &Revisions,
    state: &MigrationState,
) -> Result<u64, CoordinatorError> {
    let change = PhaseTransition::new(state, Becomes::After(step));
    let run = revised(session, step, revisions, change)?;
    // Nothing is asked again here, so that nothing is in the way.
    apply_each(session, &run, None).await?;
    Ok(u64::try_from(revisions.names.len()).unwrap_or(u64::MAX))
}

/// Whether the tool's history shows each of them.
pub(super) async fn are_all_applied(
    session: &mut Session<'_>,
    revisions: &Revisions,
    state: &MigrationState,
) -> Result<bool, CoordinatorError> {
    let change = PhaseTransition::new(state, Becomes::After(Step::Backfill));
    let run = revised(session, Step::Backfill, revisions, change)?;
    let applied = applied(session, &run).await?;
    let is_done = |name: &String| standing(&applied, name) == Some(Standing::Done);
    Ok(revisions.names.iter().all(is_done))
}

fn revised<'r>(
    session: &Session<'r>,
    step: Step,
    revisions: &'r Revisions,
    change: PhaseTransition<'r>,
) -> Result<Revised<'r>, CoordinatorError> {
    let project = session.orders.project;
    let Some(runner) = &project.config.runner else {
        return Err(CoordinatorError::NoFiles(change.state.id().clone()));
    };
    let known = runner.revisions(&project.root).map_err(unreadable)?;
    Ok(Revised {
        step,
        revisions,
        runner,
        known,
        change,
    })
}

/// How the revisions of a step went.
enum Each<'c> {
    Blocked(Decision),
    Applied {
        /// What has not been asked yet.
        recheck: Option<&'c (dyn Recheck + Sync)>,
        /// Those that nobody has begun here.
        found: Vec<String>,
    },
}

/// Revision by revision.
///
/// Invariant: the recheck is asked in the transaction that comes directly before the first revision that this run applies, or
/// where none is left to apply, in the one that records the phase.
async fn run_revisions(
    session: &mut Session<'_>,
    step: Step,
    revisions: &Revisions,
    change: PhaseTransition<'_>,
    recheck: Option<&(dyn Recheck + Sync)>,
) -> Result<Ran, CoordinatorError> {
    let run = revised(session, step, revisions, change)?;
    match apply_each(session, &run, recheck).await? {
        Each::Blocked(decision) => Ok(Ran::Blocked(decision)),
        Each::Applied { recheck, found } => finish_revisions(session, &run, recheck, &found).await,
    }
}

async fn apply_each<'c>(
    session: &mut Session<'_>,
    run: &Revised<'_>,
    recheck: Option<&'c (dyn Recheck + Sync)>,
) -> Result<Each<'c>, CoordinatorError> {
    let (id, step, revisions) = (run.id().clone(), run.step, run.revisions);
    let token = session.token;
    let recorded = session
        .in_ledger(async |ledger| {
            let recorded = ledger.steps(&id, step).await?;
            ledger.fence(token).await?;
            Ok(End::Commit(recorded))
        })
        .await?;
    check_unchanged(run, &recorded)?;
    let mut recheck = recheck;
    let mut found = Vec::new();
    for (index, name) in revisions.names.iter().enumerate() {
        let one = One {
            of: run,
            index,
            name,
            recorded: recorded.get(index),
            recheck,
        };
        if one
            .recorded
            .is_some_and(|step| step.state == StepState::Done)
        {
            continue;
        }
        match one_revision(session, &one).await? {
            Went::Blocked(decision) => return Ok(Each::Blocked(decision)),
            Went::Ran => recheck = None,
            // What an earlier run has begun is its own doing.
            Went::Found if one.is_started() => {}
            Went::Found => found.push(name.clone()),
        }
    }
    // Whatever is recorded of them, and whoever said so.
    let applied = applied(session, run).await?;
    let is_missing = |name: &&String| standing(&applied, name) != Some(Standing::Done);
    if let Some(missing) = revisions.names.iter().find(is_missing) {
        return Err(not_in_history(run, missing));
    }
    Ok(Each::Applied { recheck, found })
}

async fn finish_revisions(
    session: &mut Session<'_>,
    run: &Revised<'_>,
    recheck: Option<&(dyn Recheck + Sync)>,
    found: &[String],
) -> Result<Ran, CoordinatorError> {
    let (id, step) = (run.id().clone(), run.step);
    let (token, actor) = (session.token, session.actor.clone());
    let path = run.revisions.path.display().to_string();
    let mut detail = run.change.detail.clone();
    if let Some(object) = detail.as_object_mut() {
        let steps: Vec<StepRecord> = records(run);
        let each = steps.iter().map(|one| (one.position, one.sha256.as_str()));
        object.insert("file".into(), path.clone().into());
        object.insert("sha256".into(), run.revisions.sha256.clone().into());
        object.insert("steps".into(), seal_of_steps(each).into());
        object.insert("runner".into(), run.revisions.kind.into());
        object.insert("revisions".into(), run.revisions.names.clone().into());
        if !found.is_empty() {
            object.insert("applied_already".into(), found.to_vec().into());
        }
    }
    let change = PhaseTransition {
        detail,
        ..run.change.clone()
    };
    let sha256 = &run.revisions.sha256;
    let recorded = session.in_ledger(async |ledger| {
        if let Some(decision) = ask_again(ledger, recheck).await? {
            return Ok(End::GiveUp(Some(decision)));
        }
        ledger.record_file(Entry::Known, &id, step, &path, sha256);
        move_to(ledger, token, &actor, change.clone()).await?;
        crate::crash::point(&format!("{}.recording", step.name()));
        Ok(End::Commit(None))
    });
    if let Some(decision) = recorded.await? {
        return Ok(Ran::Blocked(decision));
    }
    crate::crash::point(&format!("{}.committed", step.name()));
    let statements = run.revisions.names.len();
    Ok(Ran::Done {
        statements: u64::try_from(statements).unwrap_or(u64::MAX),
    })
}

fn records(run: &Revised<'_>) -> Vec<StepRecord> {
    let names = run.revisions.names.iter().enumerate();
    names
        .map(|(index, name)| {
            let one = One {
                of: run,
                index,
                name,
                recorded: None,
                recheck: None,
            };
            one.record(StepState::Done, None)
        })
        .collect()
}

async fn one_revision(
    session: &mut Session<'_>,
    one: &One<'_, '_>,
) -> Result<Went, CoordinatorError> {
    if one.is_started() {
        until_nobody_changes_the_schema(session, one).await?;
    }
    let applied = applied(session, one.of).await?;
    match standing(&applied, one.name) {
        Some(Standing::Done) => {
            record_revision(session, one, StepState::Done, None).await?;
            return Ok(Went::Found);
        }
        Some(Standing::Failed) => return Err(failed_before(one)),
        None => {}
    }
    let schema = schema_mark(session, one.of.runner).await?;
    if one.is_started() && one.schema_before().is_some_and(|before| before != schema) {
        return Err(left_a_part(one, None));
    }
    foretold::refuse_more(session, one, &applied).await?;
    if let Some(decision) = begin_revision(session, one, &schema).await? {
        return Ok(Went::Blocked(decision));
    }
    crate::crash::point(&format!("{}.started", one.of.step.name()));
    let span = span::revision(one.of.revisions.kind, one.name);
    let ran = span::within(span, call(session, one)).await;
    crate::crash::point(&format!("{}.ran", one.of.step.name()));
    after_the_call(session, one, ran, &schema).await?;
    Ok(Went::Ran)
}

/// What became of a revision, by the history and not by how the tool has ended.
async fn after_the_call(
    session: &mut Session<'_>,
    one: &One<'_, '_>,
    ran: Result<(), RunnerFailure>,
    schema: &str,
) -> Result<(), CoordinatorError> {
    let _kept = session.orders.interrupt.hold_off();
    if ran.is_err() {
        until_nobody_changes_the_schema(session, one).await?;
    }
    let applied = applied(session, one.of).await?;
    match standing(&applied, one.name) {
        Some(Standing::Done) => {
            record_revision(session, one, StepState::Done, None).await?;
            if let Err(failure) = ran {
                // It has done this, and something else went wrong after it.
                session.orders.report(Progress::Runner(format!(
                    "{failure}; by its history the revision `{}` is applied all the same",
                    one.name
                )));
            }
            Ok(())
        }
        Some(Standing::Failed) => Err(failed_now(one, &ran)),
        None if schema_mark(session, one.of.runner).await? == schema => {
            forget_revision(session, one).await?;
            Err(nothing_done(one, ran))
        }
        None => Err(left_a_part(one, ran.err())),
    }
}

/// Records that the revision is about to be applied, unless the recheck is against it.
async fn begin_revision(
    session: &mut Session<'_>,
    one: &One<'_, '_>,
    schema: &str,
) -> Result<Option<Decision>, CoordinatorError> {
    let (token, actor) = (session.token, session.actor.clone());
    session
        .in_ledger(async |ledger| {
            if let Some(decision) = ask_again(ledger, one.recheck).await? {
                return Ok(End::GiveUp(Some(decision)));
            }
            if !one.is_started() {
                write(ledger, one, &actor, (StepState::Started, Some(schema))).await?;
            }
            ledger.fence(token).await?;
            Ok(End::Commit(None))
        })
        .await
}

async fn record_revision(
    session: &mut Session<'_>,
    one: &One<'_, '_>,
    state: StepState,
    schema: Option<&str>,
) -> Result<(), CoordinatorError> {
    // What has happened is recorded, whoever does not want to wait for it.
    let _kept = session.orders.interrupt.hold_off();
    let (token, actor) = (session.token, session.actor.clone());
    session
        .in_ledger(async |ledger| {
            write(ledger, one, &actor, (state, schema)).await?;
            ledger.fence(token).await?;
            Ok(End::Commit(()))
        })
        .await
}

/// Nothing of the revision has happened: it was never begun.
async fn forget_revision(
    session: &mut Session<'_>,
    one: &One<'_, '_>,
) -> Result<(), CoordinatorError> {
    let (token, actor) = (session.token, session.actor.clone());
    let record = one.record(StepState::Started, None);
    session
        .in_ledger(async |ledger| {
            let id = one.of.id();
            ledger.forget_step(id, one.of.step, &record).await?;
            ledger
                .append(
                    EventKind::Statement,
                    &actor,
                    Some(id),
                    &one.detail("failed"),
                )
                .await?;
            ledger.fence(token).await?;
            Ok(End::Commit(()))
        })
        .await
}

async fn write(
    ledger: &mut Ledger<'_>,
    one: &One<'_, '_>,
    actor: &str,
    (state, schema): (StepState, Option<&str>),
) -> Result<(), LedgerError> {
    let id = one.of.id();
    let what = match state {
        StepState::Started => "started",
        StepState::Done => "done",
    };
    ledger.record_step(id, one.of.step, &one.record(state, schema));
    ledger
        .append(EventKind::Statement, actor, Some(id), &one.detail(what))
        .await
}

/// The revisions that were begun must stand where they stood: only then is it known which are done.
fn check_unchanged(run: &Revised<'_>, recorded: &[StepRecord]) -> Result<(), CoordinatorError> {
    let text = |name: &String| hash(&format!("{} {name}", run.revisions.kind));
    let names = &run.revisions.names;
    let is_same = recorded.iter().enumerate().all(|(index, step)| {
        names.get(index).is_some_and(|name| {
            text(name) == step.sha256 && super::script::position(index) == step.position
        })
    });
    if is_same {
        return Ok(());
    }
    Err(CoordinatorError::Drift(vec![Drift {
        migration: run.id().clone(),
        path: run.revisions.path.display().to_string(),
        what: Changed::Script(run.step),
        why: format!(
            "its first {} revisions are applied already and must stay as they were",
            recorded.len()
        ),
    }]))
}
