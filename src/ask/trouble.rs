//! Steps that failed, and those that nobody is at work on any more.

use serde_json::{Value, json};

use super::moment::time;
use crate::coordinator::{ASKS_SOMEBODY, Situation};
use crate::ledger::{Applied, BackfillRecord, FailureRecord};
use crate::model::{MigrationState, Phase, Step};

/// What may have gone wrong with a migration.
#[derive(Clone, Debug)]
pub struct Trouble<'t> {
    /// What each of its steps failed on the last time, the latest first.
    pub failures: Vec<&'t FailureRecord>,
    /// Since when nobody is at work on the step that it is in the middle of, in milliseconds since the epoch.
    pub idle_since: Option<i64>,
}

impl<'t> Trouble<'t> {
    /// The latest failure.
    #[must_use]
    pub fn failure(&self) -> Option<&'t FailureRecord> {
        self.failures.first().copied()
    }

    /// Whether this step failed the last time that it was tried.
    #[must_use]
    pub fn is_of(&self, step: Step) -> bool {
        let mut all = self.failures.iter();
        all.any(|failure| failure.step == step.name())
    }
}

/// Why the steps of a migration failed the last time, the latest first; without those that something was recorded after.
pub(super) fn failures_of<'t>(
    failures: &'t [FailureRecord],
    state: &MigrationState,
    applied: Option<&Applied>,
) -> Vec<&'t FailureRecord> {
    let since = applied.map_or(i64::MIN, |applied| applied.changed_at);
    let is_of_now = |failure: &&FailureRecord| {
        failure.id == state.id().as_str() && failure.at >= since && !is_past(state, &failure.step)
    };
    // The one that was recorded last comes last, also of two in one millisecond.
    let mut found: Vec<_> = failures.iter().rev().filter(is_of_now).collect();
    found.sort_by_key(|failure| std::cmp::Reverse(failure.at));
    found
}

/// Whether a step that failed is done by now, or undone: one that is given up keeps the time at which the phase changed.
fn is_past(state: &MigrationState, step: &str) -> bool {
    let is = |name: Step| name.name() == step;
    match state.phase {
        Phase::Contracted => true,
        Phase::Backfilled => is(Step::Expand) || is(Step::Backfill),
        Phase::Expanded => is(Step::Expand),
        // Of an expand that was given up, nothing else is recorded.
        Phase::Pending => !is(Step::Expand),
        _ => false,
    }
}

/// The step that a migration is in the middle of.
#[must_use]
pub const fn under_way(state: &MigrationState) -> Option<Step> {
    match state.phase {
        Phase::Expanding => Some(Step::Expand),
        Phase::Backfilling => Some(Step::Backfill),
        Phase::Contracting => Some(Step::Contract),
        Phase::Reverting => Some(Step::Revert),
        _ => None,
    }
}

/// Since when nobody is at work on the step that a migration is in the middle of, in milliseconds since the epoch; `None` if
/// somebody is.
pub(super) fn idle_since(
    state: &MigrationState,
    situation: &Situation,
    applied: Option<&Applied>,
    backfill: Option<&BackfillRecord>,
    failure: Option<&FailureRecord>,
) -> Option<i64> {
    // What was done past the gate counts as a step that has begun, and nobody was ever at work on it.
    under_way(applied.map_or(state, |applied| &applied.state))?;
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

/// What happened, and what to do about it.
#[must_use]
pub fn way_out(failure: &FailureRecord) -> (&str, String) {
    let begins = format!("; {ASKS_SOMEBODY}");
    if let Some(at) = failure.message.find(&begins)
        && let Some((what, help)) = failure.message.split_at_checked(at)
    {
        let help = format!(
            "{}; then run `migrate {} {}` again, which goes on from there",
            help.trim_start_matches("; "),
            failure.step,
            failure.id
        );
        return (what, help);
    }
    let help = format!(
        "mend what it says, then run `migrate {} {}` again, which goes on from what is recorded",
        failure.step, failure.id
    );
    (&failure.message, help)
}

/// What failed, as `--output json` shows it.
pub(super) fn as_json(failure: &FailureRecord) -> Value {
    let (message, help) = way_out(failure);
    json!({
        "step": failure.step,
        "at": time(failure.at),
        "by": failure.actor,
        "message": message,
        "help": help,
    })
}
