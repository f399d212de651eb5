//! Revisions of another migration tool that somebody has applied, or taken back, without asking here.
//!
//! The ledger cannot know of it, and the tool's own history does: so whoever asks is told, and the gate counts what is gone. A
//! coordinator at work goes by what is recorded, because what it records has to follow from that.

use super::Situation;
use super::done_past::{PastDone, PastGate};
use crate::database::{Connection, DatabaseError, ErrorKind};
use crate::gate::{Flaw, Flawed};
use crate::ledger::LedgerError;
use crate::model::{Live, MigrationId, MigrationState, Phase, Step};
use crate::project::{Migration, Project, Revisions};
use crate::runner::{Applied, History, Revision, Runner, Standing, more_than};
use crate::sql::Dialect;

/// Looks into the history of the project's other migration tool, and counts what was done past the gate.
pub(super) async fn look(
    project: &Project,
    situation: &mut Situation,
    connection: &mut dyn Connection,
) -> Result<(), LedgerError> {
    let Some(runner) = &project.config.runner else {
        return Ok(());
    };
    let dialect = connection.capabilities().dialect;
    let by_runner: Vec<&Migration> = project
        .migrations
        .iter()
        .filter(|migration| !migration.files(dialect).revisions.is_empty())
        .collect();
    if by_runner.is_empty() {
        return Ok(());
    }
    // What only a program tells is not asked by whoever only looks.
    if matches!(runner.history(), History::Command(_)) {
        return Ok(());
    }
    let (known, applied) = match read(project, runner, connection).await {
        Ok(read) => read,
        Err(error) if matches!(error.kind, ErrorKind::Permission | ErrorKind::Statement) => {
            situation.evidence.flaws.push(unread(runner, &error));
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let live = situation.evidence.snapshot.live();
    let flaws = beside(runner, &by_runner, (&known, &applied), situation, dialect);
    situation.evidence.flaws.extend(flaws);
    for migration in by_runner {
        let state = situation.evidence.schema.get(migration.id());
        let Some(state) = state else { continue };
        for (step, revisions) in &migration.files(dialect).revisions {
            let found = of_step(state, (*step, revisions), &applied, &live);
            situation.past_gate.extend(found);
        }
    }
    count(situation);
    Ok(())
}

async fn read(
    project: &Project,
    runner: &Runner,
    connection: &mut dyn Connection,
) -> Result<(Vec<Revision>, Vec<Applied>), DatabaseError> {
    let known = runner
        .revisions(&project.root)
        .map_err(|why| DatabaseError::new(ErrorKind::Statement, why))?;
    let applied = crate::runner::applied(runner, &known, &[], connection).await?;
    Ok((known, applied))
}

/// The steps for which the tool would apply more than is named there, by its files and its history: they would not be run. What it says
/// of itself is asked by the step alone.
fn beside(
    runner: &Runner,
    by_runner: &[&Migration],
    (known, applied): (&[Revision], &[Applied]),
    situation: &Situation,
    dialect: Dialect,
) -> Vec<Flaw> {
    let mut found = Vec::new();
    let mut counted = applied.to_vec();
    for migration in by_runner {
        let Some(state) = situation.evidence.schema.get(migration.id()) else {
            continue;
        };
        let mut here = counted.clone();
        for (step, revisions) in &migration.files(dialect).revisions {
            let is_over = match step {
                Step::Expand => state.phase.expand_is_done(),
                Step::Backfill => is_filled(state.phase),
                _ => state.phase == Phase::Contracted,
            };
            if is_over {
                continue;
            }
            for name in &revisions.names {
                let why = more_than(runner, known, &here, name);
                found.extend(why.map(|(error, help)| Flaw {
                    of: Flawed::Step(migration.id().clone(), *step),
                    error,
                    help,
                }));
                here.push(Applied::done(name));
            }
            // Expands come one after the other; what is contracted by then nobody knows.
            if *step == Step::Expand {
                counted.clone_from(&here);
            }
        }
    }
    found
}

fn is_filled(phase: Phase) -> bool {
    matches!(
        phase,
        Phase::Backfilled | Phase::Contracting | Phase::Contracted
    )
}

/// What is not known stands against every yes.
fn unread(runner: &Runner, error: &DatabaseError) -> Flaw {
    Flaw {
        of: Flawed::Settings,
        error: format!(
            "whether a revision of {} was applied past the gate is not known: {error}",
            runner.kind()
        ),
        help: error
            .help()
            .unwrap_or(
                "put `[runner]` in migrate.toml right, and let this user read the history table",
            )
            .to_owned(),
    }
}

fn of_step(
    state: &MigrationState,
    (step, revisions): (Step, &Revisions),
    applied: &[Applied],
    live: &[Live],
) -> Option<PastGate> {
    let of = |name: &String| {
        let is_it = |one: &&Applied| one.revision == *name && one.standing == Standing::Done;
        applied.iter().find(is_it)
    };
    let (there, gone): (Vec<&String>, Vec<&String>) =
        revisions.names.iter().partition(|name| of(name).is_some());
    let (done, names) = match (step, state.phase) {
        (Step::Expand, Phase::Pending) if !there.is_empty() => (PastDone::Applied, there),
        (Step::Contract, phase) if !phase.contract_has_begun() && !there.is_empty() => {
            (PastDone::Applied, there)
        }
        (Step::Expand, phase) if phase.expand_is_done() && !gone.is_empty() => {
            (PastDone::TakenBack, gone)
        }
        // That it is there before its turn says nothing: it stays in the history where the backfill has to begin again.
        (Step::Backfill, phase) if is_filled(phase) && !gone.is_empty() => {
            (PastDone::TakenBack, gone)
        }
        _ => return None,
    };
    let hurts = match (step, done) {
        (Step::Expand, PastDone::Applied) => Vec::new(),
        (step, _) => touching(state, step, live),
    };
    Some(PastGate {
        migration: state.id().clone(),
        step,
        done,
        runner: revisions.kind,
        at: names
            .iter()
            .find_map(|name| of(name).and_then(|one| one.at.clone())),
        revisions: names.into_iter().cloned().collect(),
        hurts,
    })
}

/// The live versions that use the format which `step` adds, or takes away.
fn touching(state: &MigrationState, step: Step, live: &[Live]) -> Vec<Live> {
    let uses = |live: &&Live| {
        let behaviours = state.declaration.behaviours(&live.service, &live.version);
        behaviours.into_iter().any(|behaviour| match step {
            Step::Expand | Step::Backfill => behaviour.reads.new || behaviour.writes.new,
            _ => behaviour.reads.old || behaviour.writes.old,
        })
    };
    live.iter().filter(uses).cloned().collect()
}

/// The gate goes by what is there: what is gone is as good as being taken away.
pub(super) fn count(situation: &mut Situation) {
    let taking: Vec<(MigrationId, Step)> = situation
        .past_gate
        .iter()
        .filter(|past| past.takes_away())
        .map(|past| {
            let step = match past.done {
                PastDone::Applied => Step::Contract,
                PastDone::TakenBack => Step::Revert,
            };
            (past.migration.clone(), step)
        })
        .collect();
    for (id, step) in taking {
        if let Some(state) = situation.evidence.schema.get_mut(&id) {
            *state = state.begun(step, &[]);
        }
    }
}
