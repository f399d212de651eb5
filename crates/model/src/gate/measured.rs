//! What was counted before a step, and has to be 0; how long no old version was seen, and how long nobody has used what goes;
//! whether it was rehearsed.

use super::reason::{Reason, Requirement};
use super::{Evidence, Facts};
use crate::model::{MigrationState, Step};

pub(super) fn measured(step: Step, state: &MigrationState, facts: &Facts) -> Vec<Reason> {
    let migration = || state.id().clone();
    let mut reasons = Vec::new();
    if let Some(rows) = facts.remaining.filter(|count| *count != 0) {
        reasons.push(Reason::Requirement(Requirement::Remaining {
            migration: migration(),
            step,
            rows,
            examples: facts.remaining_examples.clone(),
            passed_by: facts.passed_by.clone(),
        }));
    }
    if let Some(found) = &facts.check {
        reasons.push(Reason::Requirement(Requirement::Check {
            migration: migration(),
            found: found.clone(),
        }));
    }
    if step != Step::Contract {
        return reasons;
    }
    for (query, result) in facts.require.iter().filter(|(_, result)| *result != 0) {
        reasons.push(Reason::Requirement(Requirement::Require {
            query: query.clone(),
            result: *result,
        }));
    }
    if !facts.needed.is_empty() {
        reasons.push(Reason::Needed {
            migration: migration(),
            by: facts.needed.clone(),
        });
    }
    if let Some(soak) = facts.soak.filter(|soak| soak.quiet_ms < soak.required_ms) {
        reasons.push(Reason::Soak {
            migration: migration(),
            soak,
        });
    }
    if let Some(unused) = &facts.unused
        && let Some(found) = unused.found()
    {
        reasons.push(Reason::InUse {
            migration: state.id().clone(),
            required_ms: unused.required_ms,
            found,
        });
    }
    if let Some(found) = facts.unrehearsed {
        reasons.push(Reason::Rehearsal {
            migration: migration(),
            found,
        });
    }
    reasons
}

/// What stands against its contract, whichever step was measured.
pub(super) fn foreseen(state: &MigrationState, evidence: &Evidence) -> Vec<Reason> {
    let Some(foreseen) = evidence.contracts.get(state.id()).cloned() else {
        return Vec::new();
    };
    let facts = Facts {
        soak: foreseen.soak,
        needed: foreseen.needed,
        unrehearsed: foreseen.unrehearsed,
        ..Facts::default()
    };
    measured(Step::Contract, state, &facts)
}
