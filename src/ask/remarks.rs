//! What is to be known beside the gate's answer, which it does not change.

use super::moment::time;
use super::trouble::failures_of;
use crate::coordinator::Situation;
use crate::gate::{Action, Decision, Verdict};
use crate::ledger::FailureRecord;
use crate::model::Step;
use crate::project::{Project, Recheck};

/// Everything that is to be said beside `decision`.
pub(super) fn remarks(
    project: &Project,
    situation: &Situation,
    failures: &[FailureRecord],
    decision: &Decision,
) -> Vec<String> {
    let past_gate = situation.past_gate.iter();
    let mut found: Vec<String> = past_gate
        .map(|past| format!("{}. {}", past.message(), past.help()))
        .collect();
    found.extend(not_asked(project, decision));
    found.extend(failed_before(failures, situation, decision));
    found
}

/// What a contract looks at that would take too long for a question: whoever is told *go* has to know of it.
fn not_asked(project: &Project, decision: &Decision) -> Option<String> {
    let Action::Step {
        step: Step::Contract,
        migration: id,
    } = &decision.action
    else {
        return None;
    };
    let migration = project.as_read(id)?;
    let is_asked_later =
        decision.verdict == Verdict::Go && migration.contract_rules.check == Recheck::Yes;
    is_asked_later.then(|| {
        format!(
            "`check` of the backfill goes over all keys, and was not asked for this: `migrate contract {id}` asks it before anything \
             else (`require_check`)"
        )
    })
}

/// That the step failed the last time: whether it is safe does not tell whether it works.
fn failed_before(
    failures: &[FailureRecord],
    situation: &Situation,
    decision: &Decision,
) -> Option<String> {
    let Action::Step { step, migration } = &decision.action else {
        return None;
    };
    let state = situation.evidence.schema.get(migration)?;
    let mut applied = situation.view.applied.iter();
    let applied = applied.find(|applied| applied.state.id() == migration);
    let failures = failures_of(failures, state, applied);
    let mut failures = failures.iter();
    let failure = failures.find(|failure| failure.step == step.name())?;
    Some(format!(
        "it failed at {} ({}): {}. Mend what it says before it is run again",
        time(failure.at),
        failure.actor,
        failure.message.trim_end_matches('.')
    ))
}
