//! Where going back from a rollout that is given up begins.

use super::action;
use crate::ledger::{RolloutRecord, RolloutState, RolloutStepState};
use crate::model::Version;
use crate::planner::PlanAction;

/// How far the way back is already: the percent of the service that the version to go back to has kept.
///
/// Invariant: no step of the way back gives more of the service to the version that is given up than it has.
#[must_use]
pub(super) fn kept(given_up: &RolloutRecord, way_back: &PlanAction) -> u8 {
    let PlanAction::Roll {
        service,
        to: goes_back_to,
        ..
    } = way_back
    else {
        return 0;
    };
    let begun = given_up
        .steps
        .iter()
        .filter(|step| step.state != RolloutStepState::Waiting)
        .rev();
    for step in begun {
        match action::read(&step.action) {
            Ok(PlanAction::Roll {
                service: rolled,
                from,
                ..
            }) if rolled == *service => {
                let is_all_that_it_replaces =
                    matches!(from.as_slice(), [only] if only == goes_back_to);
                // Of several versions that are replaced nobody knows which has what.
                return match is_all_that_it_replaces {
                    // What was begun and not finished may have had its effect: there is a last call in any case.
                    true => 100_u8.saturating_sub(step.reached).min(99),
                    false => 0,
                };
            }
            _ => {}
        }
    }
    0
}

/// The versions of a service for which its driver was called in a rollout that is given up. Whatever it has ordered may still be
/// tried, long after the last look at the fleet has shown nothing of it.
#[must_use]
pub fn ordered(given_up: &RolloutRecord, service: &str) -> Vec<Version> {
    let begun = given_up
        .steps
        .iter()
        .filter(|step| step.state != RolloutStepState::Waiting);
    let versions = begun.filter_map(|step| match action::read(&step.action) {
        Ok(PlanAction::Roll {
            service: of, to, ..
        }) if of == service => Some(to),
        _ => None,
    });
    versions.collect()
}

/// What the driver of a service was told last, by a rollout that was given up: the version of its last call, or what a call that never came
/// was to replace. None of any other rollout, at whose end the fleet has shown what was asked for.
#[must_use]
pub fn told_last(last: &RolloutRecord, service: &str) -> Vec<Version> {
    if last.state != RolloutState::Aborted {
        return Vec::new();
    }
    if let Some(version) = ordered(last, service).pop() {
        return vec![version];
    }
    let rolls = last
        .steps
        .iter()
        .find_map(|step| match action::read(&step.action) {
            Ok(PlanAction::Roll {
                service: of, from, ..
            }) if of == service => Some(from),
            _ => None,
        });
    rolls.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::RolloutStep;
    use crate::model::Version;

    fn roll(from: &[&str], to: &str) -> PlanAction {
        let version = |text: &&str| -> Version { text.parse().unwrap() };
        PlanAction::Roll {
            service: "web".to_owned(),
            from: from.iter().map(version).collect(),
            to: version(&to),
        }
    }

    fn record(steps: &[(PlanAction, RolloutStepState, u8)], state: RolloutState) -> RolloutRecord {
        let steps = steps.iter().map(|(does, state, reached)| RolloutStep {
            action: action::as_json(does).to_string(),
            state: *state,
            reached: *reached,
            started_at: None,
            done_at: None,
        });
        RolloutRecord {
            id: 1,
            goal: "{}".to_owned(),
            state,
            began_by: String::new(),
            began_at: 0,
            ended_at: None,
            stopped: String::new(),
            steps: steps.collect(),
        }
    }

    fn kept_after(steps: &[(PlanAction, RolloutStepState, u8)], goes_back: &PlanAction) -> u8 {
        kept(&record(steps, RolloutState::Open), goes_back)
    }

    #[test]
    fn what_the_driver_was_told_last() {
        use RolloutStepState::{Begun, Done, Waiting};
        let (there, on) = (roll(&["1.0.0"], "1.1.0"), roll(&["1.1.0"], "1.2.0"));
        let told = |steps: &[(PlanAction, RolloutStepState, u8)], state| {
            let told = told_last(&record(steps, state), "web");
            told.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let aborted = RolloutState::Aborted;
        let both = [(there.clone(), Done, 100), (on.clone(), Begun, 0)];
        assert_eq!(told(&both, aborted), ["1.2.0"]);
        assert_eq!(
            told(&[(there.clone(), Done, 100), (on, Waiting, 0)], aborted),
            ["1.1.0"]
        );
        assert_eq!(told(&[(there.clone(), Waiting, 0)], aborted), ["1.0.0"]);
        // At the end of one that was done the fleet has shown it.
        assert!(told(&[(there, Done, 100)], RolloutState::Done).is_empty());
    }

    #[test]
    fn the_version_that_comes_back_begins_with_what_it_has_kept() {
        use RolloutStepState::{Begun, Done, Waiting};
        let there = roll(&["1.0.0"], "1.1.0");
        let back = roll(&["1.1.0"], "1.0.0");
        for (state, reached, has) in [
            (Begun, 10, 90),
            (Begun, 75, 25),
            // The first call was begun, and nobody knows how far it came.
            (Begun, 0, 99),
            (Begun, 100, 0),
            (Done, 100, 0),
            (Waiting, 0, 0),
        ] {
            assert_eq!(kept_after(&[(there.clone(), state, reached)], &back), has);
        }
        // What the last one that was begun replaces is what counts.
        let on = roll(&["1.1.0"], "1.2.0");
        let steps = [(there.clone(), Done, 100), (on, Begun, 10)];
        assert_eq!(kept_after(&steps, &back), 0);
        assert_eq!(kept_after(&steps, &roll(&["1.2.0"], "1.1.0")), 90);
        let of_several = roll(&["0.9.0", "1.0.0"], "1.1.0");
        assert_eq!(kept_after(&[(of_several, Begun, 10)], &back), 0);
    }
}
