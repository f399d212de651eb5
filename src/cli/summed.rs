//! Long runs of what is alike, in one line: a project may have a thousand migrations to expand.

use super::paint::Line;
use crate::gate::{Advice, Blocker, Reason, Unplaced};
use crate::model::{MigrationId, Step};
use crate::planner::{PlanAction, PlanStep};

/// As many are listed; more of them are a line.
const MOST: usize = 10;

/// The reasons of a decision, each as `told` tells it, with what to do next.
pub(super) fn blockers(blockers: &[Blocker], told: impl Fn(&Blocker) -> Vec<Line>) -> Vec<Line> {
    let alike = |one: &Blocker, next: &Blocker| {
        let expands = expand_first(one).zip(expand_first(next));
        let labels = unplaced(one).zip(unplaced(next));
        expands.is_some_and(|(one, next)| one.0 == next.0)
            || labels.is_some_and(|(one, next)| one == next)
    };
    let mut lines = Vec::new();
    for run in blockers.chunk_by(alike) {
        match run {
            [first, .., last] if run.len() > MOST => match unplaced(first) {
                None => lines.extend(of_expands(first, last, run.len())),
                Some(service) => {
                    lines.extend(run.iter().take(MOST).flat_map(&told));
                    lines.push(Line::from(format!(
                        "  and {} more labels of {service} that cannot be placed: `migrate fleet` lists them",
                        run.len() - MOST
                    )));
                }
            },
            _ => lines.extend(run.iter().flat_map(&told)),
        }
    }
    lines
}

/// What each of them says, where one line has to do for all.
pub(super) fn messages(blockers: &[Blocker], told: impl Fn(&Blocker) -> String) -> Vec<String> {
    let mut messages: Vec<String> = blockers.iter().take(MOST).map(told).collect();
    if blockers.len() > MOST {
        let more = blockers.len() - MOST;
        messages.push(format!("and {more} more reasons"));
    }
    messages
}

/// The service of a label that is no version and has no alias.
fn unplaced(blocker: &Blocker) -> Option<&str> {
    match &blocker.reason {
        Reason::UnplacedVersion(Unplaced::Label { service, .. }) => Some(service),
        _ => None,
    }
}

/// Who asks for an expand that may be taken next, and the migration.
fn expand_first(blocker: &Blocker) -> Option<(String, &MigrationId)> {
    match (&blocker.reason, &blocker.advice) {
        (
            Reason::ExpandFirst {
                migration,
                needed_by: Some(need),
                taken_by: None,
                ..
            },
            Advice::Take {
                step: Step::Expand, ..
            },
        ) => Some((need.who.to_string(), migration)),
        _ => None,
    }
}

/// What is next for the last one takes those before it along: expands run in their order.
fn of_expands(first: &Blocker, last: &Blocker, many: usize) -> Vec<Line> {
    let named = expand_first(first).zip(expand_first(last));
    let Some(((who, first), (_, to))) = named else {
        return Vec::new();
    };
    vec![
        Line::from(format!(
            "  {who} uses the new formats of {many} migrations that are not expanded yet, {first} to {to}"
        )),
        Line::named("    ", "next:", &last.help()),
    ]
}

/// The steps of a plan that make one row, with the numbers of the first and the last of them.
pub(super) fn steps(steps: &[PlanStep]) -> Vec<&[PlanStep]> {
    let alike = |one: &PlanStep, next: &PlanStep| {
        let expands = [one, next].map(|step| expanded(step).is_some());
        expands == [true, true] && one.live == next.live
    };
    let runs = steps.chunk_by(alike);
    runs.flat_map(|run| {
        if run.len() > MOST {
            vec![run]
        } else {
            run.chunks(1).collect()
        }
    })
    .collect()
}

/// What such a row does.
pub(super) fn action(steps: &[PlanStep]) -> String {
    let (first, last) = (steps.first(), steps.last());
    match (first, last) {
        (Some(first), Some(last)) if steps.len() > 1 => {
            let to = expanded(last).map_or_else(String::new, ToString::to_string);
            format!("{} to {to}", first.action)
        }
        (Some(first), _) => first.action.to_string(),
        (None, _) => String::new(),
    }
}

/// The migration of an expand about which there is nothing more to say.
fn expanded(step: &PlanStep) -> Option<&MigrationId> {
    match &step.action {
        PlanAction::Schema {
            step: Step::Expand,
            migration,
        } if step.refused.is_empty() && step.notes.is_empty() && step.waits.is_empty() => {
            Some(migration)
        }
        _ => None,
    }
}
