//! Why there is no plan: what the gate says where it goes no further.

use super::roads::Roads;
use super::schedule::Walk;
use super::search::MOST_STATES;
use super::space::{Blocked, Space};
use super::track::{Lane, Place, Track};
use super::{NoPlan, Problem, Way, evidence, ways};
use crate::gate::{Action, Blocker, BlockerKind, Incompatible, Reason, decide};
use crate::model::{Live, Schema, Step};

/// One migration, or the migrations of one service, leave no way.
pub(super) fn blocked(
    problem: &Problem,
    walk: &Walk,
    space: &mut Space,
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
                let found = space
                    .tracks
                    .iter()
                    .find(|track| track.declaration().id == id);
                let Some(track) = found else { continue };
                let lanes: Vec<usize> = (0..track.lanes.len())
                    .filter(|lane| services.contains(&track.lanes[*lane].service))
                    .collect();
                let blockers = stuck(space, track.with_lanes(&lanes));
                answer.blockers.extend(
                    blockers
                        .into_iter()
                        .map(|blocker| blocker.of_migration(&id)),
                );
                let names = services
                    .iter()
                    .map(|at| space.journeys[*at].service.as_str());
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
        answer = *dead_end(problem, walk, true);
    }
    Box::new(answer)
}

/// Everything was tried, or as much as is tried.
pub(super) fn dead_end(problem: &Problem, walk: &Walk, tried_all: bool) -> Box<NoPlan> {
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
    let evidence = evidence(walk.schema().clone(), walk.live());
    for (service, version) in &problem.goal {
        let who = Live {
            service: service.clone(),
            version: version.clone(),
        };
        if !walk.live().contains(&who) {
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
fn stuck(space: &Space, mut track: Track) -> Vec<Blocker> {
    Roads::walk(&mut track);
    let furthest = (0..track.nodes.len()).min_by_key(|node| {
        let at = &track.nodes[*node];
        let places = track.lanes.iter().zip(&at.places);
        let left: usize = places.map(|(lane, place)| to_go(space, lane, *place)).sum();
        (left, std::cmp::Reverse(at.phase))
    });
    let Some(node) = furthest else {
        return Vec::new();
    };
    let state = track.state_at(node);
    let id = state.id().clone();
    let has_backfill = state.declaration.parts.backfill;
    let evidence = evidence(Schema::new(vec![state]), &track.live(node));
    let step = |step| {
        let action = Action::Step {
            step,
            migration: id.clone(),
        };
        decide(action, &evidence).blockers
    };
    let mut blockers = Vec::new();
    let mut has_arrived = true;
    for (lane, place) in track.lanes.iter().zip(&track.nodes[node].places) {
        let targets = targets(space, lane, *place);
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
fn ahead(space: &Space, lane: &Lane, place: Place) -> Vec<usize> {
    let journey = &space.journeys[lane.service];
    let Some(goal) = journey.goal else {
        return Vec::new();
    };
    let wanted = &journey.releases[goal].version;
    let here = (0..journey.releases.len()).filter(|release| match place {
        Place::Start => journey.start.contains(&journey.releases[*release]),
        Place::Class(class) => lane.class_of[*release] == class,
    });
    let ways = here.map(|from| {
        let from = &journey.releases[from].version;
        let mut between: Vec<usize> = (0..journey.releases.len())
            .filter(|release| {
                let version = &journey.releases[*release].version;
                let on_the_way = if from < wanted {
                    from < version && version <= wanted
                } else {
                    wanted <= version && version < from
                };
                on_the_way && version != from
            })
            .collect();
        between.sort_by_key(|release| &journey.releases[*release].version);
        if wanted < from {
            between.reverse();
        }
        between
    });
    let nearest = ways.min_by_key(Vec::len);
    // A service that does not run yet goes straight to its end.
    nearest.unwrap_or_else(|| vec![goal])
}

fn to_go(space: &Space, lane: &Lane, place: Place) -> usize {
    ahead(space, lane, place).len()
}

/// The next release, and the last: what lies between is rarely said better.
fn targets(space: &Space, lane: &Lane, place: Place) -> Vec<Live> {
    let ahead = ahead(space, lane, place);
    let releases = &space.journeys[lane.service].releases;
    let mut targets: Vec<Live> = ahead
        .first()
        .into_iter()
        .chain(ahead.last())
        .map(|release| releases[*release].clone())
        .collect();
    targets.dedup();
    targets
}
