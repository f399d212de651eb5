//! Why there is no plan: what the gate says where it goes no further.

use super::graph::{ServiceAxis, StateGraph, VersionClass};
use super::heuristic::Heuristic;
use super::schedule::ScheduledPlan;
use super::search::MOST_STATES;
use super::space::{Blocked, SearchSpace};
use super::{NoPlan, Problem, Way, evidence, ways};
use crate::gate::{Action, Blocker, BlockerKind, Incompatible, Reason, decide};
use crate::model::{Live, Schema, Step};

/// One migration, or the migrations of one service, leave no way.
pub(super) fn blocked(
    problem: &Problem,
    scheduled: &ScheduledPlan,
    space: &mut SearchSpace,
    blocked: Vec<Blocked>,
) -> Box<NoPlan> {
    let mut answer = NoPlan::default();
    // Where several migrations are in the way, one answer for all of them is worth most.
    if blocked.len() > 1 {
        answer.ways_out.extend(ways::missing_releases(problem));
    }
    let needs_releases = answer.ways_out.is_empty();
    for reason in blocked {
        match reason {
            Blocked::Migration { id, services } => {
                let place = space.ids.iter().position(|other| *other == id);
                let found = place.and_then(|place| {
                    let mut graphs = space.graphs.iter();
                    graphs.find(|graph| graph.of.contains(&place))
                });
                let Some(graph) = found else { continue };
                let axes: Vec<usize> = (0..graph.axes.len())
                    .filter(|axis| services.contains(&graph.axes[*axis].service))
                    .collect();
                let blockers = stuck(space, graph.with_axes(&axes).named(&id));
                answer.blockers.extend(
                    blockers
                        .into_iter()
                        .map(|blocker| blocker.of_migration(&id)),
                );
                let names = services.iter().map(|at| space.paths[*at].service.as_str());
                let ways = ways::of_migration(problem, &id, &names.collect::<Vec<_>>());
                let ways = ways.into_iter();
                answer
                    .ways_out
                    .extend(ways.filter(|way| needs_releases || way.way != Way::Release));
            }
            Blocked::Service(service) => {
                let none = Reason::Incompatible(Incompatible::NoSequence { service });
                answer.blockers.push(none.into());
            }
        }
    }
    if answer.ways_out.is_empty() {
        answer.ways_out.extend(ways::missing_releases(problem));
    }
    if answer.blockers.is_empty() {
        answer = *dead_end(problem, scheduled, true);
    }
    Box::new(answer)
}

/// Everything was tried, or as much as is tried.
pub(super) fn dead_end(
    problem: &Problem,
    scheduled: &ScheduledPlan,
    tried_all: bool,
) -> Box<NoPlan> {
    if !tried_all {
        let some = Incompatible::NotAllTried {
            states: MOST_STATES,
        };
        return Box::new(NoPlan {
            blockers: vec![Reason::Incompatible(some).into()],
            ways_out: Vec::new(),
        });
    }
    let mut blockers = vec![Reason::Incompatible(Incompatible::NoOrder).into()];
    let evidence = evidence(scheduled.schema().clone(), scheduled.live());
    for (service, version) in &problem.goal {
        let who = Live {
            service: service.clone(),
            version: version.clone(),
        };
        if !scheduled.live().contains(&who) {
            add(
                &mut blockers,
                decide(Action::Deploy(vec![who]), &evidence).blockers,
            );
        }
    }
    Box::new(NoPlan {
        blockers,
        ways_out: ways::missing_releases(problem).into_iter().collect(),
    })
}

/// What the gate says where this migration comes furthest.
fn stuck(space: &SearchSpace, mut graph: StateGraph) -> Vec<Blocker> {
    Heuristic::of(&mut graph);
    let furthest = (0..graph.nodes.len()).min_by_key(|node| {
        let at = &graph.nodes[*node];
        let places = graph.axes.iter().zip(&at.places);
        let left: usize = places.map(|(axis, place)| to_go(space, axis, *place)).sum();
        (left, std::cmp::Reverse(at.phase))
    });
    let Some(node) = furthest else {
        return Vec::new();
    };
    let state = graph.state_at(node);
    let id = state.id().clone();
    let has_backfill = state.declaration.parts.backfill;
    let evidence = evidence(Schema::new(vec![state]), &graph.live(node));
    let step = |step| {
        let action = Action::Step {
            step,
            migration: id.clone(),
        };
        decide(action, &evidence).blockers
    };
    let mut blockers = Vec::new();
    let mut has_arrived = true;
    for (axis, place) in graph.axes.iter().zip(&graph.nodes[node].places) {
        let targets = targets(space, axis, *place);
        has_arrived &= targets.is_empty();
        for target in targets {
            add(
                &mut blockers,
                decide(Action::Deploy(vec![target]), &evidence).blockers,
            );
        }
    }
    let waits_for_fill = blockers
        .iter()
        .any(|blocker: &Blocker| blocker.kind() == BlockerKind::UnreadableRows);
    if has_backfill && (waits_for_fill || has_arrived) {
        add(&mut blockers, step(Step::Backfill));
    }
    if has_arrived {
        add(&mut blockers, step(Step::Contract));
    }
    blockers
}

fn add(blockers: &mut Vec<Blocker>, more: Vec<Blocker>) {
    for blocker in more {
        if !blockers.iter().any(|other| other.reason == blocker.reason) {
            blockers.push(blocker);
        }
    }
}

/// The positions of the releases from where a service is to where it ends, the end included.
fn ahead(space: &SearchSpace, axis: &ServiceAxis, place: VersionClass) -> Vec<usize> {
    let path = &space.paths[axis.service];
    let Some(goal) = path.goal else {
        return Vec::new();
    };
    let wanted = &path.releases[goal].version;
    let here = (0..path.releases.len()).filter(|release| match place {
        VersionClass::Start => path.start.contains(&path.releases[*release]),
        VersionClass::Class(class) => axis.class_of[*release] == class,
    });
    let ways = here.map(|from| {
        let from = &path.releases[from].version;
        let mut between: Vec<usize> = (0..path.releases.len())
            .filter(|release| {
                let version = &path.releases[*release].version;
                let on_the_way = if from < wanted {
                    from < version && version <= wanted
                } else {
                    wanted <= version && version < from
                };
                on_the_way && version != from
            })
            .collect();
        between.sort_by_key(|release| &path.releases[*release].version);
        if wanted < from {
            between.reverse();
        }
        between
    });
    let nearest = ways.min_by_key(Vec::len);
    // A service that does not run yet goes straight to its end.
    nearest.unwrap_or_else(|| vec![goal])
}

fn to_go(space: &SearchSpace, axis: &ServiceAxis, place: VersionClass) -> usize {
    ahead(space, axis, place).len()
}

/// The next release, and the last: what lies between is rarely said better.
fn targets(space: &SearchSpace, axis: &ServiceAxis, place: VersionClass) -> Vec<Live> {
    let ahead = ahead(space, axis, place);
    let releases = &space.paths[axis.service].releases;
    let mut targets: Vec<Live> = ahead
        .first()
        .into_iter()
        .chain(ahead.last())
        .map(|release| releases[*release].clone())
        .collect();
    targets.dedup();
    targets
}
