//! What is tried on the model before it is named as a way out.

use std::collections::BTreeSet;

use super::schedule::ScheduledPlan;
use super::space::SearchSpace;
use super::{Answer, Problem, search_all};
use crate::model::{Behaviour, Declaration, Live, Version};

/// The releases that are rolled out where there is a plan.
fn path(problem: &Problem) -> Option<Vec<Live>> {
    let scheduled = ScheduledPlan::expand(problem).ok()?;
    let mut space = SearchSpace::new(problem, scheduled.schema());
    match search_all(&mut space) {
        Answer::Path { rolls, .. } => Some(
            rolls
                .into_iter()
                .map(|(service, release)| space.paths[service].releases[release].clone())
                .collect(),
        ),
        Answer::Blocked(_) | Answer::DeadEnd { .. } => None,
    }
}

/// Whether there is a plan, and which of `spare` it takes where there is none without.
pub(super) fn opens(problem: &Problem, spare: &[Live]) -> Option<Vec<Live>> {
    match path(problem) {
        Some(_) => Some(Vec::new()),
        None => opened_by(problem, spare),
    }
}

/// Which of `spare` open a way, where there is none without.
pub(super) fn opened_by(problem: &Problem, spare: &[Live]) -> Option<Vec<Live>> {
    if spare.is_empty() {
        return None;
    }
    let mut more = problem.clone();
    more.releases.extend_from_slice(spare);
    let mut used = path(&more)?;
    used.retain(|release| spare.contains(release));
    used.sort();
    used.dedup();
    Some(used)
}

/// Releases that lie on the way, one of each behaviour, and of none that a named one has already.
pub(super) fn unnamed(problem: &Problem) -> Vec<Live> {
    let of_each = problem.goal.keys().flat_map(|service| {
        let versions = unnamed_of(problem, service).into_iter();
        versions.map(move |version| Live {
            service: service.clone(),
            version,
        })
    });
    of_each.collect()
}

fn unnamed_of(problem: &Problem, service: &str) -> Vec<Version> {
    let declarations: Vec<&Declaration> = declarations(problem).collect();
    let does = |version: &Version| -> Vec<Vec<Behaviour>> {
        let each = declarations.iter();
        each.map(|declaration| declaration.behaviours(service, version))
            .collect()
    };
    let Some((low, high)) = way(problem, service) else {
        return Vec::new();
    };
    let known = problem.live.iter().chain(&problem.releases);
    let mut seen: Vec<_> = known
        .filter(|who| who.service == service)
        .map(|who| does(&who.version))
        .collect();
    seen.extend(problem.goal.get(service).map(does));
    let mut versions = Declaration::representatives(service, declarations.iter().copied());
    versions.retain(|version| {
        let is_new = low < *version && *version < high && !seen.contains(&does(version));
        if is_new {
            seen.push(does(version));
        }
        is_new
    });
    versions
}

/// The first and the last version between which a service goes.
pub(super) fn way(problem: &Problem, service: &str) -> Option<(Version, Version)> {
    let goal = problem.goal.get(service)?;
    let live = problem.live.iter().filter(|who| who.service == service);
    let ends: BTreeSet<&Version> = live.map(|who| &who.version).chain([goal]).collect();
    Some(((*ends.first()?).clone(), (*ends.last()?).clone()))
}

pub(super) fn declarations(problem: &Problem) -> impl Iterator<Item = &Declaration> {
    problem
        .schema
        .migrations()
        .iter()
        .map(|state| &state.declaration)
}

/// The versions around `release` that every migration takes for the same, as far as they lie on
/// the way.
pub(super) fn stretch(problem: &Problem, release: &Live) -> String {
    let service = &release.service;
    let same = |version: &Version| {
        declarations(problem).all(|declaration| {
            declaration.behaviours(service, version)
                == declaration.behaviours(service, &release.version)
        })
    };
    let versions = Declaration::representatives(service, declarations(problem));
    let before = versions.iter().rev().filter(|v| **v <= release.version);
    let first = before.take_while(|v| same(v)).last();
    let end = versions
        .iter()
        .find(|version| **version > release.version && !same(version));
    let first = first.unwrap_or(&release.version);
    match end {
        Some(end) => format!(">={first}, <{end}"),
        None => format!(">={first}"),
    }
}
