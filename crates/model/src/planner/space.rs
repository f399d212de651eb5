//! The problem taken apart: what each service may pass through, and what can be of use there.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet, VecDeque};

use super::release::service_of;
use super::roads::{Edge, Roads};
use super::sets::Sets;
use super::track::{Finish, Journey, Lane, Place, Shape, Track};
use super::{Problem, services};
use crate::model::{Live, MigrationId, Schema};

/// A track with more places than this is not walked as a whole, but by pairs of its services.
const MOST_WALKED: usize = 256;

/// Where a service is: at its start, where that is none or several versions, or at a release.
pub(super) type Stop = Option<usize>;

/// The problem, taken apart.
#[derive(Debug)]
pub(super) struct Space {
    pub journeys: Vec<Journey>,
    pub tracks: Vec<Track>,
    pub(super) roads: Vec<Option<Roads>>,
    /// For each service and stop, the releases that can be of use next.
    pub(super) next: Vec<HashMap<Stop, Vec<usize>>>,
    /// For each service and stop, at least how many rollouts are left.
    pub(super) left: Vec<HashMap<Stop, u32>>,
    pub(super) sets: Vec<Sets>,
}

/// What makes a plan impossible from the outset.
#[derive(Debug)]
pub(super) enum Blocked {
    /// One migration alone.
    Migration {
        id: MigrationId,
        services: Vec<usize>,
    },
    /// Each migration leaves the service a way, and no way suits all of them.
    Service(String),
}

/// What is planned at once: services that share migrations, and those migrations.
#[derive(Debug, Default)]
pub(super) struct Component {
    pub services: Vec<usize>,
    pub tracks: Vec<usize>,
}

impl Space {
    /// `schema` is the state after every expand.
    pub fn new(problem: &Problem, schema: &Schema) -> Self {
        let journeys: Vec<Journey> = services(problem)
            .into_iter()
            .map(|service| journey(problem, service))
            .collect();
        let end = problem.live_at_the_end();
        let tracks: Vec<Track> = schema
            .migrations()
            .iter()
            .map(|state| {
                let lanes = journeys.iter().enumerate().filter_map(|(at, journey)| {
                    let named = state.declaration.services.contains_key(&journey.service);
                    named.then(|| Lane::new(at, journey, &state.declaration))
                });
                let finish = Finish::new(&state.declaration, &end);
                Track::new(state, lanes.collect(), finish)
            })
            .collect();
        Self {
            roads: vec![None; tracks.len()],
            next: Vec::new(),
            left: Vec::new(),
            sets: tracks.iter().map(|_| Sets::default()).collect(),
            journeys,
            tracks,
        }
    }

    /// Walks the tracks and finds what can be of use. Answers what makes a plan impossible.
    pub fn find_roads(&mut self) -> Vec<Blocked> {
        let mut blocked = Vec::new();
        // For each service, what each migration that names it can make use of.
        let mut useful: Vec<Vec<(usize, usize, HashSet<Edge>)>> =
            self.journeys.iter().map(|_| Vec::new()).collect();
        for (at, track) in self.tracks.iter_mut().enumerate() {
            let all: Vec<usize> = (0..track.lanes.len()).collect();
            let views = if track.size() <= MOST_WALKED {
                vec![all]
            } else {
                pairs(&all)
            };
            // Services that do the same by a migration are common, and so are pairs of them.
            let mut walked: HashMap<Vec<Shape>, Roads> = HashMap::new();
            for view in views {
                let services = view.iter().map(|lane| track.lanes[*lane].service);
                let services: Vec<usize> = services.collect();
                let roads = if view.len() == track.lanes.len() {
                    Roads::walk(track)
                } else {
                    let shapes = view.iter().map(|lane| track.lanes[*lane].shape());
                    let walk = || Roads::walk(&mut track.with_lanes(&view));
                    walked.entry(shapes.collect()).or_insert_with(walk).clone()
                };
                if !roads.is_open() {
                    let id = track.declaration().id.clone();
                    blocked.push(Blocked::Migration { id, services });
                    break;
                }
                for (lane, service) in services.iter().enumerate() {
                    let of_lane = roads.useful.iter().filter(|edge| edge.0 == lane);
                    useful[*service].push((at, view[lane], of_lane.copied().collect()));
                }
                if view.len() == track.lanes.len() {
                    self.roads[at] = Some(roads);
                }
            }
        }
        if !blocked.is_empty() {
            return blocked;
        }
        for (at, journey) in self.journeys.iter().enumerate() {
            let stops = std::iter::once(None).chain((0..journey.releases.len()).map(Some));
            let mut next: HashMap<Stop, Vec<usize>> = HashMap::new();
            if journey.goal.is_some() {
                let distinct = distinct(&self.tracks, at, journey);
                for stop in stops {
                    let mut targets = distinct.clone();
                    targets.retain(|target| {
                        stop != Some(*target)
                            && useful[at].iter().all(|(track, lane, edges)| {
                                let lane_at = &self.tracks[*track].lanes[*lane];
                                let from = place(lane_at, stop);
                                let to = lane_at.class_of[*target];
                                edges.iter().any(|edge| (edge.1, edge.2) == (from, to))
                            })
                    });
                    next.insert(stop, targets);
                }
            }
            let left = distances(journey, &next);
            if journey.goal.is_some() && !left.contains_key(&journey.at_start()) {
                blocked.push(Blocked::Service(journey.service.clone()));
            }
            self.next.push(next);
            self.left.push(left);
        }
        blocked
    }

    /// Groups of services that share migrations; migrations without any are on their own.
    pub fn components(&self) -> Vec<Component> {
        let mut group: Vec<usize> = (0..self.journeys.len()).collect();
        for track in &self.tracks {
            let movable = track.lanes.iter().filter(|lane| lane.goal.is_some());
            let mut groups = movable.map(|lane| group[lane.service]).collect::<Vec<_>>();
            groups.sort_unstable();
            if let Some(first) = groups.first().copied() {
                for of in &mut group {
                    if groups.contains(of) {
                        *of = first;
                    }
                }
            }
        }
        let mut components: Vec<Component> = Vec::new();
        for service in 0..self.journeys.len() {
            let services = (0..group.len()).filter(|other| group[*other] == service);
            let services: Vec<usize> = services.collect();
            if !services.is_empty() {
                components.push(Component {
                    services,
                    tracks: Vec::new(),
                });
            }
        }
        for (at, track) in self.tracks.iter().enumerate() {
            let movable = track.lanes.iter().find(|lane| lane.goal.is_some());
            let owner = movable.and_then(|lane| {
                components
                    .iter_mut()
                    .find(|component| component.services.contains(&lane.service))
            });
            match owner {
                Some(component) => component.tracks.push(at),
                None => components.push(Component {
                    services: Vec::new(),
                    tracks: vec![at],
                }),
            }
        }
        components
    }
}

fn journey(problem: &Problem, service: String) -> Journey {
    let of_service = |who: &&Live| who.service == service;
    let mut start: Vec<Live> = problem.live.iter().filter(of_service).cloned().collect();
    start.sort();
    start.dedup();
    let goal = problem.goal.get(&service);
    let mut releases = start.clone();
    if let Some(version) = goal {
        let wanted = Live {
            service: service.clone(),
            version: version.clone(),
        };
        let of_service = |who: &&Live| service_of(who) == service;
        let others = problem.releases.iter().filter(of_service).cloned();
        for release in std::iter::once(wanted).chain(others) {
            if !releases.contains(&release) {
                releases.push(release);
            }
        }
    }
    Journey {
        goal: goal.and_then(|goal| releases.iter().position(|who| who.version == *goal)),
        service,
        start,
        releases,
    }
}

/// Of the releases that every migration takes for the same, the goal or else the newest: the one
/// with fewer old faults.
fn distinct(tracks: &[Track], service: usize, journey: &Journey) -> Vec<usize> {
    let lanes = tracks.iter().flat_map(|track| &track.lanes);
    let lanes: Vec<&Lane> = lanes.filter(|lane| lane.service == service).collect();
    let mut releases: Vec<usize> = (0..journey.releases.len()).collect();
    releases.sort_by_key(|release| {
        let is_goal = journey.goal == Some(*release);
        Reverse((is_goal, &journey.releases[*release].version))
    });
    let mut seen = HashSet::new();
    releases.retain(|release| {
        let classes: Vec<usize> = lanes.iter().map(|lane| lane.class_of[*release]).collect();
        seen.insert(classes)
    });
    releases
}

fn pairs(lanes: &[usize]) -> Vec<Vec<usize>> {
    let mut pairs = Vec::new();
    for (at, one) in lanes.iter().enumerate() {
        for other in &lanes[at + 1..] {
            pairs.push(vec![*one, *other]);
        }
    }
    pairs
}

fn place(lane: &Lane, stop: Stop) -> Place {
    match stop {
        None => lane.at_start,
        Some(release) => Place::Class(lane.class_of[release]),
    }
}

/// At least how many rollouts are left from each stop.
fn distances(journey: &Journey, next: &HashMap<Stop, Vec<usize>>) -> HashMap<Stop, u32> {
    let mut left = HashMap::new();
    let Some(goal) = journey.goal else {
        left.insert(journey.at_start(), 0);
        return left;
    };
    left.insert(Some(goal), 0);
    let mut queue = VecDeque::from([goal]);
    while let Some(reached) = queue.pop_front() {
        let distance = left[&Some(reached)] + 1;
        for (from, targets) in next {
            if targets.contains(&reached) && !left.contains_key(from) {
                left.insert(*from, distance);
                queue.extend(*from);
            }
        }
    }
    left
}
