//! The search over rollouts: A* by (rollouts, steps), with what the graphs know as its bound.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use super::graph::START;
use super::space::{Component, SearchSpace, Stop};

/// One rollout: the service, and the position of the release among its releases.
pub(super) type Roll = (usize, usize);

/// The states that are tried before the search gives the proof up, and then the plan itself.
pub(super) const MOST_STATES: usize = 60_000;

/// A state of the search.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    stops: Vec<Stop>,
    sets: Vec<usize>,
}

pub(super) enum Found {
    Path { path: Vec<Roll>, is_proven: bool },
    Nothing { tried_all: bool },
}

/// How a state was reached at the least cost so far: rollouts, then steps.
struct Reached {
    state: State,
    cost: (u32, u32),
    from: Option<(usize, Roll)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// By the least that a plan through here can cost.
    Shortest,
    /// By the least that is left from here.
    Nearest,
}

/// Searches one component for its shortest plan, and failing that in time, for any.
pub(super) fn search(space: &mut SearchSpace, component: &Component) -> Found {
    match attempt(space, component, Order::Shortest) {
        Found::Nothing { tried_all: false } => match attempt(space, component, Order::Nearest) {
            Found::Path { path, .. } => Found::Path {
                path,
                is_proven: false,
            },
            nothing @ Found::Nothing { .. } => nothing,
        },
        found => found,
    }
}

/// What is left at least, or nothing where the goal is out of reach.
fn bound(space: &SearchSpace, component: &Component, state: &State) -> Option<(u32, u32)> {
    let mut rolls = 0;
    for (service, stop) in component.services.iter().zip(&state.stops) {
        rolls += space.min_rollouts_left[*service].get(stop)?;
    }
    let sets = component.graphs.iter().zip(&state.sets);
    let steps = sets
        .map(|(graph, set)| space.sets[*graph].lower_bound[*set] * space.graphs[*graph].count());
    Some((rolls, steps.sum()))
}

fn attempt(space: &mut SearchSpace, component: &Component, order: Order) -> Found {
    // (the key, then the deepest first, then the first found), the state, whether it is the end
    let mut queue = BinaryHeap::new();
    let mut reached: Vec<Reached> = Vec::new();
    let mut known: HashMap<State, usize> = HashMap::new();
    let Some(root) = root(space, component) else {
        return Found::Nothing { tried_all: true };
    };
    let Some(left) = bound(space, component, &root) else {
        return Found::Nothing { tried_all: true };
    };
    known.insert(root.clone(), 0);
    reached.push(Reached {
        state: root,
        cost: (0, 0),
        from: None,
    });
    queue.push((Reverse(left), 0, Reverse(0), 0, (0, 0), false));
    let mut serial = 0;
    while let Some((_, _, _, at, cost, is_end)) = queue.pop() {
        if reached[at].cost < cost {
            continue;
        }
        if is_end {
            return Found::Path {
                path: path(&reached, at),
                is_proven: order == Order::Shortest,
            };
        }
        let key = |total: (u32, u32), left: (u32, u32)| match order {
            Order::Shortest => total,
            Order::Nearest => left,
        };
        let state = reached[at].state.clone();
        if let Some(end) = finish(space, component, &state) {
            serial += 1;
            let total = (cost.0, cost.1 + end);
            queue.push((
                Reverse(key(total, (0, end))),
                cost.0,
                Reverse(serial),
                at,
                cost,
                true,
            ));
        }
        for (roll, next, steps) in successors(space, component, &state) {
            let Some(left) = bound(space, component, &next) else {
                continue;
            };
            let cost = (cost.0 + 1, cost.1 + steps);
            let id = match known.get(&next) {
                Some(id) if reached[*id].cost <= cost => continue,
                Some(id) => *id,
                None if reached.len() >= MOST_STATES => {
                    return Found::Nothing { tried_all: false };
                }
                None => reached.len(),
            };
            let entry = Reached {
                state: next.clone(),
                cost,
                from: Some((at, roll)),
            };
            if id == reached.len() {
                known.insert(next, id);
                reached.push(entry);
            } else {
                reached[id] = entry;
            }
            serial += 1;
            let total = (cost.0 + left.0, cost.1 + left.1);
            queue.push((
                Reverse(key(total, left)),
                cost.0,
                Reverse(serial),
                id,
                cost,
                false,
            ));
        }
    }
    Found::Nothing { tried_all: true }
}

fn root(space: &mut SearchSpace, component: &Component) -> Option<State> {
    let sets = component
        .graphs
        .iter()
        .map(|graph| {
            let heuristics = space.heuristics[*graph].as_ref();
            let begun =
                space.sets[*graph].close(&mut space.graphs[*graph], heuristics, vec![(START, 0)]);
            begun.map(|(id, _)| id)
        })
        .collect::<Option<Vec<_>>>()?;
    let stops = component.services.iter();
    Some(State {
        stops: stops.map(|at| space.paths[*at].at_start()).collect(),
        sets,
    })
}

/// The steps that are left where this is the goal.
fn finish(space: &mut SearchSpace, component: &Component, state: &State) -> Option<u32> {
    for (service, stop) in component.services.iter().zip(&state.stops) {
        let path = &space.paths[*service];
        if path.goal.is_some() && *stop != path.goal {
            return None;
        }
    }
    let sets = component.graphs.iter().zip(&state.sets);
    sets.map(|(graph, set)| {
        let left = space.sets[*graph].finish(&mut space.graphs[*graph], *set)?;
        Some(left * space.graphs[*graph].count())
    })
    .sum()
}

fn successors(
    space: &mut SearchSpace,
    component: &Component,
    state: &State,
) -> Vec<(Roll, State, u32)> {
    let mut found = Vec::new();
    for (at, service) in component.services.iter().enumerate() {
        let targets = space.next[*service].get(&state.stops[at]).cloned();
        for target in targets.unwrap_or_default() {
            if let Some((next, steps)) = roll(space, component, state, at, target) {
                found.push(((*service, target), next, steps));
            }
        }
    }
    found
}

/// Rolls a service out, if every migration lets it.
fn roll(
    space: &mut SearchSpace,
    component: &Component,
    state: &State,
    at: usize,
    target: usize,
) -> Option<(State, u32)> {
    let service = component.services[at];
    let mut sets = state.sets.clone();
    let mut steps = 0;
    for (graph, set) in component.graphs.iter().zip(&mut sets) {
        let axes = &space.graphs[*graph].axes;
        let Some(axis) = axes.iter().position(|axis| axis.service == service) else {
            continue;
        };
        let class = axes[axis].class_of[target];
        let (graph, heuristics) = (*graph, space.heuristics[*graph].as_ref());
        let sets = &mut space.sets[graph];
        let (next, cost) = sets.roll(&mut space.graphs[graph], heuristics, *set, axis, class)?;
        *set = next;
        steps += cost * space.graphs[graph].count();
    }
    let mut stops = state.stops.clone();
    stops[at] = Some(target);
    Some((State { stops, sets }, steps))
}

fn path(reached: &[Reached], end: usize) -> Vec<Roll> {
    let mut path = Vec::new();
    let mut at = end;
    while let Some((from, roll)) = reached[at].from {
        path.push(roll);
        at = from;
    }
    path.reverse();
    path
}
