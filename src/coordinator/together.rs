//! Small expands that follow each other, in one transaction: a commit takes longer than what an empty table costs.
//!
//! Invariant: this ends as applying them one by one does. Each has its own records, and where one fails, those before it
//! are applied without it.

use std::time::Instant;

use super::change::{Becomes, PhaseTransition, record_moves};
use super::reading::refuse_misread;
use super::recent::{Observed, Recent};
use super::said::placed;
use super::script::{Run, count, progress, record_script};
use super::session::Session;
use super::situation::seen_elsewhere;
use super::{CoordinatorError, Done, Outcome};
use crate::database::{Ddl, ErrorKind, Heard};
use crate::gate::Verdict;
use crate::ledger::{Entry, Ledger, LedgerError, RunError};
use crate::model::{Live, MigrationId, MigrationState, Phase, Step};
use crate::project::ScriptFile;
use crate::sql::Mode;

/// How many statements share a transaction at most: each table takes a few places in PostgreSQL's table of locks, and
/// who asks to be admitted waits until the end.
const STATEMENTS: usize = 50;

/// A migration of which nothing is recorded yet, and its script.
type Small<'s> = (&'s MigrationId, &'s ScriptFile);

/// How an attempt at several ended.
enum Attempt {
    Done(Vec<Outcome>),
    /// Nothing was changed; so many of them may go together.
    Fewer(usize),
}

/// Expands the first of these migrations, and those after it that can share its transaction. One outcome for each.
pub(super) async fn expand_together(
    session: &mut Session<'_>,
    recent: &mut Recent,
    ids: &[MigrationId],
) -> Result<Vec<Outcome>, CoordinatorError> {
    let mut small = small_ones(session, ids);
    while small.len() > 1 {
        match attempt_together(session, recent, &small).await? {
            Attempt::Done(outcomes) => return Ok(outcomes),
            Attempt::Fewer(count) => small.truncate(count),
        }
    }
    match ids.first() {
        // Alone it also waits for locks, and says what is wrong with it.
        Some(id) => {
            if let Some(migration) = session.orders.project.as_read(id) {
                refuse_misread(migration, Step::Expand, session.connection.as_ref())?;
            }
            Ok(vec![super::expand::run(session, recent, id).await?])
        }
        None => Ok(Vec::new()),
    }
}

/// Those at the beginning whose scripts are over at once, as many as fit.
fn small_ones<'s>(session: &Session<'s>, ids: &'s [MigrationId]) -> Vec<Small<'s>> {
    let capabilities = session.connection.capabilities();
    // Alone, each says what of it the server would read otherwise.
    if capabilities.ddl != Ddl::Transactional || !session.connection.readings().is_empty() {
        return Vec::new();
    }
    let project = session.orders.project;
    let mut room = STATEMENTS;
    let scripts = ids.iter().map_while(|id| {
        let files = project.get(id)?.files(capabilities.dialect);
        let file = files.expand.as_ref()?;
        let is_small = file.script.mode == Mode::Transactional && file.script.is_all_instant();
        room = room.checked_sub(file.script.statements.len())?;
        is_small.then_some((id, file))
    });
    scripts.collect()
}

async fn attempt_together(
    session: &mut Session<'_>,
    recent: &mut Recent,
    small: &[Small<'_>],
) -> Result<Attempt, CoordinatorError> {
    let began = Instant::now();
    let Observed {
        until,
        mut situation,
    } = recent.situation(session).await?;
    let live = situation.evidence.snapshot.live();
    let mut states = Vec::new();
    for (id, _) in small {
        let decision = session.orders.ask(Step::Expand, id, &situation);
        // Alone it says that it comes late, and has it in its event.
        if situation
            .evidence
            .schema
            .applied_before_its_turn(id)
            .is_some()
        {
            break;
        }
        let known = situation.evidence.schema.get_mut(id);
        let Some(state) = known.filter(|state| state.phase == Phase::Pending) else {
            break;
        };
        if decision.verdict != Verdict::Go {
            break;
        }
        // The next one is asked about as if this one were done.
        let expanded = state.after(Step::Expand, &live);
        states.push(std::mem::replace(state, expanded));
    }
    if states.is_empty() {
        recent.keep_as_it_is(Observed { until, situation });
        return Ok(Attempt::Fewer(1));
    }
    if states.len() < 2 {
        return Ok(Attempt::Fewer(1));
    }
    let others = seen_elsewhere(&situation.evidence.snapshot);
    let ran = run_together(session, small, &states, &others).await;
    // Whatever happened, the connection is put back as it was.
    session.connection.rollback().await?;
    match ran {
        Ok(()) => {
            crate::crash::point("expand.committed");
            for one in std::mem::take(&mut session.said) {
                if let Some((file, one)) = of_script(small, one) {
                    session.orders.report(placed(file, &one));
                }
            }
        }
        Err(RunError::Statement(_, error) | RunError::Ledger(LedgerError::Database(error)))
            if error.kind == ErrorKind::Interrupted =>
        {
            return Err(error.into());
        }
        Err(RunError::Statement(index, error)) => {
            tracing::debug!("statement {index} of several migrations: {error}");
            return Ok(Attempt::Fewer(script_of(small, index)));
        }
        Err(RunError::Ledger(error)) => {
            tracing::debug!("several migrations in one transaction: {error}");
            return Ok(Attempt::Fewer(1));
        }
    }
    recent.keep_as_it_is(Observed { until, situation });
    let each = u32::try_from(states.len()).unwrap_or(u32::MAX);
    let took = began.elapsed() / each.max(1);
    let done = small.iter().zip(&states).map(|((id, file), _)| {
        Outcome::Done(Done {
            migration: (*id).clone(),
            step: Step::Expand,
            statements: count(&file.script.statements),
            rows: 0,
            keys: 0,
            took,
            notes: Vec::new(),
        })
    });
    Ok(Attempt::Done(done.collect()))
}

/// Runs the scripts of those whose states are given, and records each as if it had run alone.
async fn run_together(
    session: &mut Session<'_>,
    small: &[Small<'_>],
    states: &[MigrationState],
    others: &[Live],
) -> Result<(), RunError> {
    let runs = small.iter().zip(states).map(|((_, file), state)| Run {
        step: Step::Expand,
        file,
        change: PhaseTransition {
            entry: Entry::New,
            others,
            ..PhaseTransition::new(state, Becomes::After(Step::Expand))
        },
        recheck: None,
    });
    let runs: Vec<Run<'_>> = runs.collect();
    let Some(first) = states.first() else {
        return Ok(());
    };
    let scripts = runs.iter().map(|run| &run.file.script);
    let statements = scripts.flat_map(|script| &script.statements);
    let texts: Vec<&str> = statements.map(|one| one.text.as_str()).collect();
    crate::crash::point("expand.statement");
    let limit = session.orders.lock_limit();
    let rules = session.orders.lease_rules();
    let mut ledger = Ledger::write_soon(session.connection.as_mut()).await?;
    ledger.judge_by(&rules);
    let limited = ledger.unsent().limit_lock_waits(limit).await;
    limited.map_err(LedgerError::from)?;
    let seen = ledger
        .lock_and_run(first.id(), others, session.token, &texts)
        .await?;
    session.said = ledger.unsent().heard();
    crate::crash::point("expand.ran");
    for run in &runs {
        // Told when they have run: before, nobody knows which of them will.
        for (index, statement) in run.file.script.statements.iter().enumerate() {
            (session.orders.report)(progress(run.file, index, statement));
        }
        record_script(&mut ledger, run);
        crate::crash::point("expand.recording");
    }
    let changes = runs.iter().map(|run| {
        let said = session.said.iter().cloned();
        let said = said.filter_map(|one| of_script(small, one));
        let own = said.filter(|(file, _)| file.path == run.file.path);
        let said: Vec<Heard> = own.map(|(_, one)| one).collect();
        run.change.clone_with(run.file, &said)
    });
    record_moves(&mut ledger, seen, &session.actor, others, changes).await?;
    ledger.commit().await?;
    Ok(())
}

/// What was said about one of all the statements that were sent, by its script.
fn of_script<'s>(small: &[Small<'s>], mut said: Heard) -> Option<(&'s ScriptFile, Heard)> {
    for (_, file) in small {
        let length = file.script.statements.len();
        if said.at < length {
            return Some((file, said));
        }
        said.at -= length;
    }
    None
}

/// Whose statement this is, of all that were sent.
fn script_of(small: &[Small<'_>], mut index: usize) -> usize {
    let lengths = small.iter().map(|(_, file)| file.script.statements.len());
    for (script, length) in lengths.enumerate() {
        match index.checked_sub(length) {
            Some(rest) => index = rest,
            None => return script,
        }
    }
    0
}
