//! What a migration's author claims, held against what is seen: ranges that a live version contradicts, and whether the
//! backfill does what these rows need.

use super::advice::Unrecorded;
use super::blocker::{Blocker, Seen};
use super::next::Objection;
use super::presence::is_at_work;
use super::reason::{FillNeed, Reason, Suspicion};
use super::touch::Touch;
use super::{Evidence, Facts};
use crate::model::{Clause, Fill, Format, Live, MigrationState, Phase, Step};

/// Live versions that are declared to use a format which is not there: what they do shows that the
/// declaration is wrong, or that they should not run.
///
/// One that only starts has not used it yet: it may well wait for this very expand.
pub(super) fn contradictions(
    state: &MigrationState,
    live: &[Live],
    evidence: &Evidence,
) -> Vec<Objection> {
    if state.expand_is_done() || !matches!(state.phase, Phase::Pending | Phase::Expanding) {
        return Vec::new();
    }
    let declaration = &state.declaration;
    let found = live.iter().filter(|who| contradicts(state, who, evidence));
    let found = found.map(|who| {
        let reason = Reason::Contradiction {
            who: who.clone(),
            touch: Touch::of(declaration, who, Format::New),
            migration: state.id().clone(),
            phase: state.phase,
            suspicion: if declaration.has_old() {
                Suspicion::Swapped
            } else {
                Suspicion::BeginsTooLow
            },
        };
        let seen = Seen::of(who, &evidence.snapshot);
        Objection::from(Blocker::from(reason).seen(seen))
    });
    found.collect()
}

fn contradicts(state: &MigrationState, who: &Live, evidence: &Evidence) -> bool {
    // A pre-release that may be the code of before contradicts nothing.
    let does = state.declaration.behaviours(&who.service, &who.version);
    does.iter().all(|behaviour| behaviour.touches(Format::New)) && is_at_work(who, evidence)
}

/// A statement that does something else than these rows need, as far as its author says.
pub(super) fn undeclared_fill(state: &MigrationState, live: &[Live]) -> Option<Reason> {
    match state.declaration.fill {
        Fill::Unsaid if state.backfill_must_overwrite(live) => {
            Some(Reason::UndeclaredFill(FillNeed::Overwrite))
        }
        Fill::Overwrites if state.backfill_must_only_fill(live) => {
            Some(Reason::UndeclaredFill(FillNeed::OnlyFill))
        }
        Fill::Unrecorded | Fill::Unsaid | Fill::Checked | Fill::Overwrites => None,
    }
}

/// What a backfill has to do that is not known to be declared, because its files are elsewhere.
pub(super) fn unrecorded_fill(step: Step, state: &MigrationState, live: &[Live]) -> Unrecorded {
    let is_unknown = step == Step::Backfill && state.declaration.fill == Fill::Unrecorded;
    if is_unknown && state.backfill_must_overwrite(live) {
        Unrecorded::Overwrites
    } else {
        Unrecorded::Nothing
    }
}

/// Triggers that do not do what `sync` promises: rows that were written without them may be stale, and nothing tells which.
pub(super) fn out_of_step(state: &MigrationState, facts: &Facts) -> Vec<Reason> {
    let found = facts
        .out_of_step
        .iter()
        .filter(|found| found.migration == *state.id());
    found
        .map(|found| Reason::OutOfStep {
            migration: found.migration.clone(),
            what: found.what.clone(),
        })
        .collect()
}

pub(super) fn advice(
    step: Step,
    state: &MigrationState,
    live: &[Live],
    evidence: &Evidence,
) -> Vec<String> {
    match step {
        Step::Expand => came_too_early(state, live, evidence),
        Step::Backfill => how_to_fill(state, live),
        Step::Contract | Step::Revert => Vec::new(),
    }
}

/// Versions that need the new format are starting already, whatever lets them.
fn came_too_early(state: &MigrationState, live: &[Live], evidence: &Evidence) -> Vec<String> {
    let after = state.after(Step::Expand, live);
    state
        .breaches(live)
        .into_iter()
        .filter(|breach| breach.clause == Clause::NewIsThere)
        .filter_map(|breach| breach.who)
        // Of the others the refusal speaks.
        .filter(|who| !contradicts(state, who, evidence))
        .map(|who| {
            let alone = std::slice::from_ref(&who);
            let does = state.declaration.behaviours(&who.service, &who.version);
            if does.iter().any(|one| !one.touches(Format::New)) {
                let again = if after.breaches(alone).is_empty() {
                    ""
                } else {
                    ": where it is started again before every row can be read in that format, it is refused"
                };
                return format!(
                    "{who} is live already and may hold code that needs the new format{again}; an alias under \
                     [services.{service}.aliases] says which release it is like",
                    service = who.service,
                );
            }
            let rest = if after.breaches(alone).is_empty() {
                ""
            } else if state.declaration.parts.backfill {
                "; it still cannot read existing rows until the backfill is done"
            } else {
                "; it still cannot read existing rows"
            };
            format!("{who} is live already and came before the new format that it needs{rest}")
        })
        .collect()
}

fn how_to_fill(state: &MigrationState, live: &[Live]) -> Vec<String> {
    let mut notes = Vec::new();
    let fill = state.declaration.fill;
    if state.backfill_must_overwrite(live) {
        // Where nothing is said, the refusal says it.
        if fill == Fill::Unsaid {
            return notes;
        }
        notes.push(
            "an old-only writer ran beside one that writes both: backfill.sql has to overwrite \
             stale values of the new format, not only fill missing ones"
                .to_owned(),
        );
    } else if state.backfill_must_only_fill(live) {
        notes.push(
            "rows may exist, or be written while it runs, whose old format is stale or missing: backfill.sql has to leave a new \
             format alone that is already there"
                .to_owned(),
        );
    }
    notes
}
