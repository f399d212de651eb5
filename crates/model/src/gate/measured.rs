//! What was counted before a step, and has to be 0; and how long no old version was seen.

use super::Facts;
use super::blocker::{Blocker, BlockerKind, Verdict};
use crate::model::{MigrationState, Step};

pub(super) fn measured(step: Step, state: &MigrationState, facts: &Facts) -> Vec<Blocker> {
    let id = state.id();
    let mut blockers = Vec::new();
    if let Some(count) = facts.remaining.filter(|count| *count != 0) {
        let why = match step {
            Step::Backfill => {
                "the backfill went over every key that there was when it began, and left these as they are"
            }
            _ => "rows were written past the backfill",
        };
        let next = if facts.passed_by.is_empty() {
            format!(
                "{why}: look at them with that query, repair what writes them, and run \
                 `migrate backfill {id}`, which begins at the first key again"
            )
        } else {
            facts.passed_by.join("; ")
        };
        blockers.push(Blocker::new(
            BlockerKind::Requirement,
            Verdict::Refuse,
            format!(
                "`remaining` of the backfill returns {count}, and has to be 0{}",
                examples(
                    "; some of these rows have the keys",
                    &facts.remaining_examples
                )
            ),
            next,
        ));
    }
    if let Some(found) = &facts.check {
        blockers.push(Blocker::new(
            BlockerKind::Requirement,
            Verdict::Refuse,
            format!(
                "`check` of the backfill finds rows {}, and may find none{}",
                found.place,
                examples("; the first are", &found.examples)
            ),
            format!(
                "look at them with that query, repair what writes them, and run `migrate backfill {id}`, \
                 which begins at the first key again"
            ),
        ));
    }
    if matches!(step, Step::Backfill | Step::Contract) {
        blockers.extend(super::claims::out_of_step(state, facts));
    }
    if step != Step::Contract {
        return blockers;
    }
    for (query, result) in facts.require.iter().filter(|(_, result)| *result != 0) {
        blockers.push(Blocker::new(
            BlockerKind::Requirement,
            Verdict::Refuse,
            format!("a query under `require` returns {result}, and has to be 0: {query}"),
            "look at the rows that it counts, and repair them",
        ));
    }
    if let Some(soak) = facts.soak.filter(|soak| soak.quiet_ms < soak.required_ms) {
        let left = (soak.required_ms.saturating_sub(soak.quiet_ms)).saturating_add(999) / 1000;
        blockers.push(Blocker::new(
            BlockerKind::Soak,
            Verdict::Hold,
            format!(
                "no old version has been seen for {} s, and `soak` asks for {} s",
                soak.quiet_ms.max(0) / 1000,
                soak.required_ms / 1000
            ),
            format!("wait {left} s more: `migrate contract {id} --wait {left}s`"),
        ));
    }
    blockers
}

fn examples(what: &str, examples: &[String]) -> String {
    if examples.is_empty() {
        return String::new();
    }
    format!("{what} {}", examples.join(" and "))
}
