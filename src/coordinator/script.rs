//! Running a user's script: in one transaction with its record, or statement by statement with a
//! record before and after each.

use sha2::{Digest, Sha256};

use super::change::PhaseTransition;
use super::recheck::Recheck;
use super::{Changed, CoordinatorError, Drift, Progress, said};
use crate::database::Heard;
use crate::ledger::{Ledger, StepRecord, StepState, seal_of_steps};
use crate::model::{MigrationId, Step};
use crate::project::ScriptFile;
use crate::sql::Statement;

/// A script to run, as a part of one step.
pub(super) struct Run<'r> {
    pub step: Step,
    pub file: &'r ScriptFile,
    pub change: PhaseTransition<'r>,
    /// Asked inside the transaction, before the first statement.
    pub recheck: Option<&'r (dyn Recheck + Sync)>,
}

/// Records the statements and the file of a script that has run whole.
pub(super) fn record_script(ledger: &mut Ledger<'_>, run: &Run<'_>) {
    let (id, entry, step) = (run.change.state.id(), run.change.entry, run.step);
    let statements = run.file.script.statements.iter().enumerate();
    let done: Vec<StepRecord> = statements
        .map(|(index, statement)| record(index, statement, StepState::Done))
        .collect();
    ledger.record_steps(entry, id, step, &done);
    let path = run.file.path.display().to_string();
    ledger.record_file(entry, id, step, &path, &run.file.sha256);
}

impl PhaseTransition<'_> {
    /// The same change, with the file in its event.
    pub(super) fn clone_with(&self, file: &ScriptFile, said: &[Heard]) -> PhaseTransition<'_> {
        let mut detail = self.detail.clone();
        if let Some(object) = detail.as_object_mut() {
            object.insert("file".into(), file.path.display().to_string().into());
            object.insert("sha256".into(), file.sha256.clone().into());
            let statements = file.script.statements.iter().enumerate();
            let steps: Vec<StepRecord> = statements
                .map(|(index, statement)| record(index, statement, StepState::Done))
                .collect();
            let each = steps
                .iter()
                .map(|step| (step.position, step.sha256.as_str()));
            object.insert("steps".into(), seal_of_steps(each).into());
            if !said.is_empty() {
                object.insert("server_said".into(), said::in_event(file, said));
            }
        }
        PhaseTransition {
            detail,
            ..self.clone()
        }
    }
}

pub(super) fn progress(file: &ScriptFile, index: usize, statement: &Statement) -> Progress {
    Progress::Statement {
        path: file.path.display().to_string(),
        position: index + 1,
        of: file.script.statements.len(),
        text: one_line(&statement.text),
    }
}

pub(super) fn record(index: usize, statement: &Statement, state: StepState) -> StepRecord {
    StepRecord {
        position: position(index),
        sha256: identity(statement),
        statement: statement.text.clone(),
        state,
    }
}

pub(super) fn position(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX).saturating_add(1)
}

pub(super) fn identity(statement: &Statement) -> String {
    let hash = Sha256::digest(statement.text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The statements that were begun must stand where they stood: only then is it known which are done.
pub(super) fn check_unchanged(
    file: &ScriptFile,
    recorded: &[StepRecord],
    id: &MigrationId,
    step: Step,
) -> Result<(), CoordinatorError> {
    let is_same = recorded.iter().enumerate().all(|(index, step)| {
        file.script.statements.get(index).is_some_and(|statement| {
            identity(statement) == step.sha256 && position(index) == step.position
        })
    });
    if is_same {
        return Ok(());
    }
    Err(CoordinatorError::Drift(vec![Drift {
        migration: id.clone(),
        path: file.path.display().to_string(),
        what: Changed::Script(step),
        why: format!(
            "its first {} statements are applied already and must stay as they were",
            recorded.len()
        ),
    }]))
}

pub(super) fn count(statements: &[Statement]) -> u64 {
    u64::try_from(statements.len()).unwrap_or(u64::MAX)
}

/// A statement's beginning, for messages.
pub(super) fn one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > 80 {
        line = line.chars().take(79).collect();
        line.push('…');
    }
    line
}
