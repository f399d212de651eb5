//! Revisions of another migration tool that somebody has applied, or taken back, without asking here.
//!
//! The ledger cannot know of it, and the tool's own history does: so whoever asks is told, and the gate counts what is gone. A
//! coordinator at work goes by what is recorded, because what it records has to follow from that.

use super::Situation;
use super::done_past::{PastDone, PastGate};
use crate::database::{Connection, DatabaseError, ErrorKind};
use crate::gate::{Flaw, Flawed};
use crate::ledger::LedgerError;
use crate::model::{Live, MigrationId, MigrationState, Phase, Shown, Step};
use crate::project::{Files, Migration, Project, Revisions};
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
    let by_runner = project.by_revisions(dialect);
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
    let flaws = not_taken_back(runner, &by_runner, &applied, situation, dialect);
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
    // Expands come one after the other; what is contracted by then nobody knows.
    let mut expanded = applied.to_vec();
    for migration in by_runner {
        let id = migration.id();
        let Some(state) = situation.evidence.schema.get(id) else {
            continue;
        };
        let (mut in_turn, mut now) = (expanded.clone(), applied.to_vec());
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
                let lasting = more_than(runner, known, &in_turn, name)
                    .map(|why| (Flawed::Step(id.clone(), *step), why));
                // No other migration has to be expanded before them.
                let passing = || match step {
                    Step::Expand => None,
                    _ => more_than(runner, known, &now, name)
                        .map(|why| (Flawed::Now(id.clone(), *step), why)),
                };
                let why = lasting.or_else(passing);
                found.extend(why.map(|(of, (error, help))| Flaw { of, error, help }));
                in_turn.push(Applied::done(name));
                now.push(Applied::done(name));
            }
            if *step == Step::Expand {
                expanded.clone_from(&in_turn);
            }
        }
    }
    found
}

/// The expands that the tool has not taken back: nothing else undoes them.
fn not_taken_back(
    runner: &Runner,
    by_runner: &[&Migration],
    applied: &[Applied],
    situation: &Situation,
    dialect: Dialect,
) -> Vec<Flaw> {
    let expanded = by_runner.iter().filter(|migration| {
        let state = situation.evidence.schema.get(migration.id());
        state
            .is_some_and(|state| state.phase != Phase::Pending && !state.phase.contract_has_begun())
    });
    expanded
        .filter_map(|migration| {
            let (error, help) =
                still_there(runner, migration.id(), migration.files(dialect), applied)?;
            let of = Flawed::Now(migration.id().clone(), Step::Revert);
            Some(Flaw { of, error, help })
        })
        .collect()
}

/// What of a migration the tool has to take back before it is undone, and how; `None` where nothing is left.
pub(super) fn still_there(
    runner: &Runner,
    id: &MigrationId,
    files: &Files,
    applied: &[Applied],
) -> Option<(String, String)> {
    if !files.revisions.contains_key(&Step::Expand) {
        return None;
    }
    let names = files.revisions.values().flat_map(|one| &one.names);
    let left: Vec<&str> = names
        .filter(|name| applied.iter().any(|one| one.revision == **name))
        .map(String::as_str)
        .collect();
    let (kind, names) = (runner.kind(), left.join("`, `"));
    (!left.is_empty()).then(|| {
        (
            format!("the history of {kind} has `{names}`, and only {kind} can take that back"),
            format!(
                "once no live version needs the new format, take `{names}` back with {kind}; then `migrate revert {id}` records that {id} is \
                 undone, and runs nothing"
            ),
        )
    })
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
    let (there, gone): (Vec<String>, Vec<String>) = revisions
        .names
        .iter()
        .cloned()
        .partition(|name| of(name).is_some());
    let shown = Shown {
        migration: state.id().clone(),
        step,
        tool: revisions.kind,
        there,
        gone,
    };
    let done = shown.past(state.phase)?;
    let names = match done {
        PastDone::Applied => shown.there,
        PastDone::TakenBack => shown.gone,
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
        revisions: names,
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
        .filter_map(|past| Some((past.migration.clone(), past.done.is_as(past.step)?)))
        .collect();
    for (id, step) in taking {
        if let Some(state) = situation.evidence.schema.get_mut(&id) {
            *state = state.begun(step, &[]);
        }
    }
}
