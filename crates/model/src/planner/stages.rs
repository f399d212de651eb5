//! Plans in stages: where an expand has to wait for a contract that is only allowed by a release on the way.

use super::{Failed, NoPlan, Plan, Planned, Problem, at_once};
use crate::model::Live;

/// How many releases on the way are tried at most: each takes a search of its own.
pub(super) const MOST_TRIES: usize = 32;

/// The plan, by way of releases where it has to be.
pub(super) fn plan(problem: &Problem, tries: &mut usize) -> Result<Plan, Box<NoPlan>> {
    match at_once(problem) {
        Ok(planned) => Ok(planned.plan),
        Err(Failed::None(none)) => Err(none),
        Err(Failed::HeldUp(none)) => by_way_of_a_release(problem, tries).ok_or(none),
    }
}

/// First to a release between, and from there on. The newest come first, so that there are few stages.
fn by_way_of_a_release(problem: &Problem, tries: &mut usize) -> Option<Plan> {
    let is_between = |release: &&Live| {
        let goal = problem.goal.get(&release.service);
        goal.is_some_and(|goal| release.version < *goal) && !problem.live.contains(release)
    };
    let mut releases: Vec<&Live> = problem.releases.iter().filter(is_between).collect();
    releases.sort_by(|a, b| {
        b.version
            .cmp(&a.version)
            .then_with(|| a.service.cmp(&b.service))
    });
    for release in releases {
        *tries = tries.checked_sub(1)?;
        let first = Problem {
            goal: [(release.service.clone(), release.version.clone())].into(),
            ..problem.clone()
        };
        let Ok(Planned {
            plan: mut found,
            schema,
            live,
        }) = at_once(&first)
        else {
            continue;
        };
        let rest = Problem {
            schema,
            live,
            ..problem.clone()
        };
        if let Ok(rest) = plan(&rest, tries) {
            found.steps.extend(rest.steps);
            return Some(Plan {
                steps: found.steps,
                goal: rest.goal,
                left: rest.left,
                // Another release on the way might take fewer steps.
                is_shortest: false,
            });
        }
    }
    None
}
