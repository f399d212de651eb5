//! What `status` says of steps that failed, and of those that nobody is at work on any more.

use serde_json::json;

use super::json::time;
use super::paint::{Line, Tone};
use crate::coordinator::Situation;
use crate::ledger::{Applied, BackfillRecord, FailureRecord};
use crate::model::{MigrationState, Phase, Step};

/// What was recorded that may have gone wrong.
#[derive(Clone, Copy)]
pub(super) struct Trouble<'t> {
    pub(super) failures: &'t [FailureRecord],
}

impl<'t> Trouble<'t> {
    /// Why a migration failed the last time; none where something was recorded of it since.
    pub(super) fn of(
        self,
        state: &MigrationState,
        applied: Option<&Applied>,
    ) -> Option<&'t FailureRecord> {
        let number = state.id().number();
        let mut failures = self.failures.iter();
        failures.find(|failure| {
            let since = applied.map_or(i64::MIN, |applied| applied.changed_at);
            failure.number == number
                && failure.id == state.id().as_str()
                && failure.at >= since
                && !is_past(state, &failure.step)
        })
    }
}

/// Whether a step that failed is done by now: a contract that is given up keeps the time at which the phase changed.
fn is_past(state: &MigrationState, step: &str) -> bool {
    let is = |name: Step| name.name() == step;
    match state.phase {
        Phase::Contracted => true,
        Phase::Backfilled => is(Step::Expand) || is(Step::Backfill),
        Phase::Expanded => is(Step::Expand),
        _ => false,
    }
}

/// The step that a migration is in the middle of.
fn under_way(state: &MigrationState) -> Option<Step> {
    match state.phase {
        Phase::Expanding => Some(Step::Expand),
        Phase::Backfilling => Some(Step::Backfill),
        Phase::Contracting => Some(Step::Contract),
        Phase::Reverting => Some(Step::Revert),
        _ => None,
    }
}

/// Since when nobody is at work on the step that a migration is in the middle of, in milliseconds since the epoch; none where
/// somebody is.
pub(super) fn idle_since(
    state: &MigrationState,
    situation: &Situation,
    applied: Option<&Applied>,
    backfill: Option<&BackfillRecord>,
    failure: Option<&FailureRecord>,
) -> Option<i64> {
    under_way(state)?;
    let coordinator = &situation.view.coordinator;
    if coordinator.is_held() {
        return None;
    }
    // The lease of one that was killed has run out; one that gave it back has left other traces.
    let ran_out = (!coordinator.holder.is_empty()).then_some(coordinator.expires_at);
    let heard = [
        applied.map(|applied| applied.changed_at),
        backfill.map(|record| record.beat_at),
        failure.map(|failure| failure.at),
        ran_out,
    ];
    heard.into_iter().flatten().max()
}

/// The lines below the table.
pub(super) fn lines(
    state: &MigrationState,
    failure: Option<&FailureRecord>,
    idle_since: Option<i64>,
) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(failure) = failure {
        let failed = format!("{}:", state.id());
        let failed = Line::default().toned(Tone::Refuse, &failed);
        lines.push(failed.and(&format!(
            " the {} failed at {} ({}): {}",
            failure.step,
            time(failure.at),
            failure.actor,
            failure.message
        )));
        let next = format!(
            "mend what it says, then run `migrate {} {}` again, which goes on from what is recorded",
            failure.step,
            state.id()
        );
        lines.push(Line::named("  ", "next:", &next));
    }
    if let (Some(since), Some(step)) = (idle_since, under_way(state)) {
        let mut line = format!(
            "{}: nobody is at work on its {} since {}",
            state.id(),
            step.name(),
            time(since)
        );
        if failure.is_none() {
            line.push_str(&format!(
                "; `migrate {} {}` goes on from what is recorded",
                step.name(),
                state.id()
            ));
        }
        lines.push(Line::from(line));
    }
    lines
}

/// What failed, as `--output json` shows it.
pub(super) fn as_json(failure: &FailureRecord) -> serde_json::Value {
    json!({
        "step": failure.step,
        "at": time(failure.at),
        "by": failure.actor,
        "message": failure.message,
    })
}
