//! What a migration's author claims, held against what is seen: ranges that a live version contradicts, and whether the
//! backfill does what these rows need.

use super::blocker::{Blocker, BlockerKind, Verdict};
use super::next::Reason;
use super::presence::is_at_work;
use super::words::touch_words;
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
) -> Vec<Reason> {
    if state.expand_is_done() || !matches!(state.phase, Phase::Pending | Phase::Expanding) {
        return Vec::new();
    }
    let (id, declaration) = (state.id(), &state.declaration);
    let found = live.iter().filter(|who| contradicts(state, who, evidence));
    let found = found.map(|who| {
        let does = touch_words(declaration, who, Format::New).replace("reads", "read");
        let does = does.replace("writes", "write");
        let swapped = if declaration.has_old() {
            "are `old` and `new` swapped?"
        } else {
            "does `new` begin too low?"
        };
        let (is, ranges) = match state.phase {
            Phase::Expanding => (
                "is only being added",
                "take back what is done of it with `migrate revert`, and then correct them",
            ),
            _ => (
                "does not exist yet",
                "correct them, which is possible while nothing of the migration is applied",
            ),
        };
        let message = format!(
            "{who} is live, and is declared to {does} the new format of {id}, which {is}: {swapped}"
        );
        let help = format!(
            "if the ranges of [services.{service}] in its migration.toml are wrong, {ranges}; if {who} was started too early, \
                go back to a version that does without the new format, or stop it, and run this again",
            service = who.service,
        );
        let blocker = Blocker::new(BlockerKind::Contradiction, Verdict::Refuse, message, help);
        Reason::said(blocker.seen(who, &evidence.snapshot))
    });
    found.collect()
}

fn contradicts(state: &MigrationState, who: &Live, evidence: &Evidence) -> bool {
    // A pre-release that may be the code of before contradicts nothing.
    let does = state.declaration.behaviours(&who.service, &who.version);
    does.iter().all(|behaviour| behaviour.touches(Format::New)) && is_at_work(who, evidence)
}

/// A statement that does something else than these rows need, as far as its author says.
pub(super) fn undeclared_fill(state: &MigrationState, live: &[Live]) -> Option<Blocker> {
    let refuse = |message: &str, help: &str| {
        Some(Blocker::new(
            BlockerKind::UndeclaredFill,
            Verdict::Refuse,
            message,
            help,
        ))
    };
    match state.declaration.fill {
        Fill::Unsaid if state.backfill_must_overwrite(live) => refuse(
            "an old-only writer ran beside one that writes both: backfill.sql has to overwrite stale values of the new format, \
             not only fill missing ones, and nothing says that it does",
            "see that it does, and write `overwrites = true` under [backfill]; or write a `check` there, which finds rows whose \
             new format does not agree with the old one",
        ),
        Fill::Overwrites if state.backfill_must_only_fill(live) => refuse(
            "rows may exist, or be written while it runs, whose old format is stale or missing, and `overwrites = true` says \
             that backfill.sql would write it over the new one",
            "see that backfill.sql leaves a new format alone that is already there (`… AND first_name IS NULL`), and take \
             `overwrites = true` out of [backfill]",
        ),
        Fill::Unrecorded | Fill::Unsaid | Fill::Checked | Fill::Overwrites => None,
    }
}

/// What a backfill has to do that is not known to be declared, because its files are elsewhere; nothing where that is known.
pub(super) fn unrecorded_fill(step: Step, state: &MigrationState, live: &[Live]) -> &'static str {
    let is_unknown = step == Step::Backfill && state.declaration.fill == Fill::Unrecorded;
    if is_unknown && state.backfill_must_overwrite(live) {
        "; its backfill.sql has to overwrite stale values, and its migration.toml to say so (`overwrites = true`, or a `check`)"
    } else {
        ""
    }
}

/// Triggers that do not do what `sync` promises: rows that were written without them may be stale, and nothing tells which.
pub(super) fn out_of_step(state: &MigrationState, facts: &Facts) -> Vec<Blocker> {
    let id = state.id();
    let found = facts
        .out_of_step
        .iter()
        .filter(|found| found.migration == *id);
    found
        .map(|found| {
            Blocker::new(
                BlockerKind::OutOfStep,
                Verdict::Refuse,
                format!(
                    "{}, and {id} relies on it to keep both formats in step",
                    found.what
                ),
                format!(
                    "make it again as the expand.sql of {id} has it, and then compare both formats of rows that were written \
                     meanwhile: a `check` under [backfill] finds those that do not agree"
                ),
            )
            .of_migration(id)
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
