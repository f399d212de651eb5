//! The problem taken apart: what each service may pass through, and what can be of use there.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet, VecDeque};

use super::graph::{Finish, ServiceAxis, ServicePath, Shape, StateGraph, VersionClass};
use super::heuristic::{Edge, Heuristic};
use super::release::service_of;
use super::sets::Sets;
use super::{Problem, services};
use crate::model::{Live, MigrationId, Schema};

/// A graph with more nodes than this is not walked as a whole, but by pairs of its services.
const MOST_WALKED: usize = 256;

/// Where a service is: at its start, where that is none or several versions, or at a release.
pub(super) type Stop = Option<usize>;

/// The problem, taken apart.
#[derive(Debug)]
pub(super) struct SearchSpace {
    pub paths: Vec<ServicePath>,
    pub graphs: Vec<StateGraph>,
    pub(super) heuristics: Vec<Option<Heuristic>>,
    /// For each service and stop, the releases that can be of use next.
    pub(super) next: Vec<HashMap<Stop, Vec<usize>>>,
    /// For each service and stop, at least how many rollouts are left.
    pub(super) min_rollouts_left: Vec<HashMap<Stop, u32>>,
    pub(super) sets: Vec<Sets>,
    /// The migrations, in the order of the schema.
    pub ids: Vec<MigrationId>,
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
    pub graphs: Vec<usize>,
}

impl SearchSpace {
    /// `schema` is the state after every expand that can come first.
    pub fn new(problem: &Problem, schema: &Schema) -> Self {
        let paths: Vec<ServicePath> = services(problem)
            .into_iter()
            .map(|service| path(problem, service))
            .collect();
        let end = problem.live_at_the_end();
        let mut graphs: Vec<StateGraph> = Vec::new();
        for (place, state) in schema.migrations().iter().enumerate() {
            if let Some(same) = graphs.iter_mut().find(|graph| graph.is_of(state)) {
                same.of.push(place);
                continue;
            }
            let axes = paths.iter().enumerate().filter_map(|(at, path)| {
                let named = state.declaration.services.contains_key(&path.service);
                named.then(|| ServiceAxis::new(at, path, &state.declaration))
            });
            let finish = if state.expand_is_done() {
                Finish::new(&state.declaration, &end)
            } else {
                // Its expand waits for the contract of another.
                Finish::NOTHING
            };
            let mut graph = StateGraph::new(state, axes.collect(), finish);
            graph.of.push(place);
            graphs.push(graph);
        }
        let ids = schema.migrations().iter().map(|state| state.id().clone());
        Self {
            heuristics: vec![None; graphs.len()],
            next: Vec::new(),
            min_rollouts_left: Vec::new(),
            sets: graphs.iter().map(|_| Sets::default()).collect(),
            paths,
            graphs,
            ids: ids.collect(),
        }
    }

    /// Walks the graphs and finds what can be of use. Answers what makes a plan impossible.
    pub fn find_roads(&mut self) -> Vec<Blocked> {
        // Each with its place.
        let mut blocked: Vec<(usize, Blocked)> = Vec::new();
        // For each service, what each migration that names it can make use of.
        let mut useful: Vec<Vec<(usize, usize, HashSet<Edge>)>> =
            self.paths.iter().map(|_| Vec::new()).collect();
        for (at, graph) in self.graphs.iter_mut().enumerate() {
            let all: Vec<usize> = (0..graph.axes.len()).collect();
            let views = if graph.size() <= MOST_WALKED {
                vec![all]
            } else {
                pairs(&all)
            };
            // Services that do the same by a migration are common, and so are pairs of them.
            let mut walked: HashMap<Vec<Shape>, Heuristic> = HashMap::new();
            for view in views {
                let services = view.iter().map(|axis| graph.axes[*axis].service);
                let services: Vec<usize> = services.collect();
                let heuristics = if view.len() == graph.axes.len() {
                    Heuristic::of(graph)
                } else {
                    let shapes = view.iter().map(|axis| graph.axes[*axis].shape());
                    let walk = || Heuristic::of(&mut graph.with_axes(&view));
                    walked.entry(shapes.collect()).or_insert_with(walk).clone()
                };
                if !heuristics.is_open() {
                    blocked.extend(graph.of.iter().map(|place| {
                        let (id, services) = (self.ids[*place].clone(), services.clone());
                        (*place, Blocked::Migration { id, services })
                    }));
                    break;
                }
                for (axis, service) in services.iter().enumerate() {
                    let of_lane = heuristics.useful.iter().filter(|edge| edge.0 == axis);
                    useful[*service].push((at, view[axis], of_lane.copied().collect()));
                }
                if view.len() == graph.axes.len() {
                    self.heuristics[at] = Some(heuristics);
                }
            }
        }
        if !blocked.is_empty() {
            blocked.sort_by_key(|(place, _)| *place);
            return blocked.into_iter().map(|(_, blocked)| blocked).collect();
        }
        let mut blocked = Vec::new();
        for (at, path) in self.paths.iter().enumerate() {
            let stops = std::iter::once(None).chain((0..path.releases.len()).map(Some));
            let mut next: HashMap<Stop, Vec<usize>> = HashMap::new();
            if path.goal.is_some() {
                let distinct = distinct(&self.graphs, at, path);
                for stop in stops {
                    let mut targets = distinct.clone();
                    targets.retain(|target| {
                        stop != Some(*target)
                            && useful[at].iter().all(|(graph, axis, edges)| {
                                let lane_at = &self.graphs[*graph].axes[*axis];
                                let from = place(lane_at, stop);
                                let to = lane_at.class_of[*target];
                                edges.iter().any(|edge| (edge.1, edge.2) == (from, to))
                            })
                    });
                    next.insert(stop, targets);
                }
            }
            let left = distances(path, &next);
            if path.goal.is_some() && !left.contains_key(&path.at_start()) {
                blocked.push(Blocked::Service(path.service.clone()));
            }
            self.next.push(next);
            self.min_rollouts_left.push(left);
        }
        blocked
    }

    /// Groups of services that share migrations; migrations without any are on their own.
    pub fn components(&self) -> Vec<Component> {
        let mut group: Vec<usize> = (0..self.paths.len()).collect();
        for graph in &self.graphs {
            let movable = graph.axes.iter().filter(|axis| axis.goal.is_some());
            let mut groups = movable.map(|axis| group[axis.service]).collect::<Vec<_>>();
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
        for service in 0..self.paths.len() {
            let services = (0..group.len()).filter(|other| group[*other] == service);
            let services: Vec<usize> = services.collect();
            if !services.is_empty() {
                components.push(Component {
                    services,
                    graphs: Vec::new(),
                });
            }
        }
        for (at, graph) in self.graphs.iter().enumerate() {
            let movable = graph.axes.iter().find(|axis| axis.goal.is_some());
            let owner = movable.and_then(|axis| {
                components
                    .iter_mut()
                    .find(|component| component.services.contains(&axis.service))
            });
            match owner {
                Some(component) => component.graphs.push(at),
                None => components.push(Component {
                    services: Vec::new(),
                    graphs: vec![at],
                }),
            }
        }
        components
    }
}

fn path(problem: &Problem, service: String) -> ServicePath {
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
    ServicePath {
        goal: goal.and_then(|goal| releases.iter().position(|who| who.version == *goal)),
        service,
        start,
        releases,
    }
}

/// Of the releases that every migration takes for the same, the goal or else the newest: the one
/// with fewer old faults.
fn distinct(graphs: &[StateGraph], service: usize, path: &ServicePath) -> Vec<usize> {
    let axes = graphs.iter().flat_map(|graph| &graph.axes);
    let axes: Vec<&ServiceAxis> = axes.filter(|axis| axis.service == service).collect();
    let mut releases: Vec<usize> = (0..path.releases.len()).collect();
    releases.sort_by_key(|release| {
        let is_goal = path.goal == Some(*release);
        Reverse((is_goal, &path.releases[*release].version))
    });
    let mut seen = HashSet::new();
    releases.retain(|release| {
        let classes: Vec<usize> = axes.iter().map(|axis| axis.class_of[*release]).collect();
        seen.insert(classes)
    });
    releases
}

fn pairs(axes: &[usize]) -> Vec<Vec<usize>> {
    let mut pairs = Vec::new();
    for (at, one) in axes.iter().enumerate() {
        for other in &axes[at + 1..] {
            pairs.push(vec![*one, *other]);
        }
    }
    pairs
}

fn place(axis: &ServiceAxis, stop: Stop) -> VersionClass {
    match stop {
        None => axis.at_start,
        Some(release) => VersionClass::Class(axis.class_of[release]),
    }
}

/// At least how many rollouts are left from each stop.
fn distances(path: &ServicePath, next: &HashMap<Stop, Vec<usize>>) -> HashMap<Stop, u32> {
    let mut left = HashMap::new();
    let Some(goal) = path.goal else {
        left.insert(path.at_start(), 0);
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
