//! An expand that the tool has taken back: what is left to do is to say so in the ledger.
//!
//! Invariant: nothing is run, and nothing is recorded while the tool's history has anything of the migration. Whoever takes it back does
//! so in the tool, which alone knows how, and alone keeps its history true.

use super::super::change::{Becomes, PhaseTransition, move_to};
use super::super::in_ledger::End;
use super::super::recheck::{Ran, Recheck, ask_again};
use super::super::session::Session;
use super::super::{CoordinatorError, Situation, past_gate};
use super::look::{applied, schema_mark, until_nobody_changes_the_schema};
use super::words::left_a_part;
use super::{One, Revised, revised};
use crate::gate::Decision;
use crate::ledger::{StepRecord, StepState};
use crate::model::{MigrationId, MigrationState, Step};
use crate::project::Files;

/// Records that an expand is undone, which the tool has taken back.
pub(in crate::coordinator) async fn record_undone(
    session: &mut Session<'_>,
    files: &Files,
    change: PhaseTransition<'_>,
    recheck: &(dyn Recheck + Sync),
) -> Result<Ran, CoordinatorError> {
    refuse_what_is_left(session, files, change.state).await?;
    let (token, actor) = (session.token, session.actor.clone());
    let mut detail = change.detail.clone();
    if let Some(object) = detail.as_object_mut() {
        let revisions = files.revisions.values();
        let kind = revisions.clone().next().map_or("", |one| one.kind);
        let names: Vec<&str> = revisions
            .flat_map(|one| &one.names)
            .map(String::as_str)
            .collect();
        object.insert("runner".into(), kind.into());
        object.insert("taken_back".into(), names.into());
    }
    let change = PhaseTransition { detail, ..change };
    let recorded = session.in_ledger(async |ledger| {
        if let Some(decision) = ask_again(ledger, Some(recheck)).await? {
            return Ok(End::GiveUp(Some(decision)));
        }
        move_to(ledger, token, &actor, change.clone()).await?;
        crate::crash::point("revert.recording");
        Ok(End::Commit(None))
    });
    if let Some(decision) = recorded.await? {
        return Ok(Ran::Blocked(decision));
    }
    crate::crash::point("revert.committed");
    Ok(Ran::Done { statements: 0 })
}

/// Fails while something of it is there: by the history, or, of a revision that was begun, by the schema.
pub(in crate::coordinator) async fn refuse_what_is_left(
    session: &mut Session<'_>,
    files: &Files,
    state: &MigrationState,
) -> Result<(), CoordinatorError> {
    let Some(revisions) = files.revisions.get(&Step::Expand) else {
        return Ok(());
    };
    let change = PhaseTransition::new(state, Becomes::After(Step::Revert));
    let run = revised(session, Step::Expand, revisions, change)?;
    let (id, token) = (run.id().clone(), session.token);
    let recorded = session
        .in_ledger(async |ledger| {
            let recorded = ledger.steps(&id, Step::Expand).await?;
            ledger.fence(token).await?;
            Ok(End::Commit(recorded))
        })
        .await?;
    let begun = begun(&run, &recorded);
    if let Some(one) = &begun {
        until_nobody_changes_the_schema(session, one).await?;
    }
    let applied = applied(session, &run).await?;
    if let Some((message, help)) = past_gate::still_there(run.runner, run.id(), files, &applied) {
        return Err(CoordinatorError::Runner { message, help });
    }
    if let Some(one) = &begun {
        let schema = schema_mark(session, run.runner).await?;
        if one.schema_before().is_some_and(|before| before != schema) {
            return Err(left_a_part(one, None));
        }
    }
    Ok(())
}

/// The revision that was begun, and of which nobody knows how far it came.
fn begun<'o, 'r>(of: &'o Revised<'r>, recorded: &'o [StepRecord]) -> Option<One<'o, 'r>> {
    let is_begun = |step: &StepRecord| step.state == StepState::Started;
    let index = recorded.iter().position(is_begun)?;
    Some(One {
        of,
        index,
        name: of.revisions.names.get(index)?,
        recorded: recorded.get(index),
        recheck: None,
    })
}

/// What the gate says of an expand that is recorded as done, and that the tool has taken back since; `None` where it is there.
pub(in crate::coordinator) async fn taken_back(
    session: &mut Session<'_>,
    id: &MigrationId,
    situation: &Situation,
) -> Result<Option<Decision>, CoordinatorError> {
    let project = session.orders.project;
    let dialect = session.connection.capabilities().dialect;
    let migration = project.as_read(id);
    if !migration.is_some_and(|one| one.files(dialect).revisions.contains_key(&Step::Expand)) {
        return Ok(None);
    }
    let mut seen = situation.clone();
    past_gate::look(project, &mut seen, session.connection.as_mut()).await?;
    let mut past = seen.past_gate.iter();
    let Some(past) = past.find(|past| past.is_undone_expand(id)) else {
        return Ok(None);
    };
    let mut decision = session.orders.ask(Step::Expand, id, &seen);
    decision
        .notes
        .push(format!("{}. {}", past.message(), past.help()));
    Ok(Some(decision))
}
