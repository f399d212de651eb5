//! The heuristic of the search, by backward reachability in one migration's graph: from where its end can be
//! reached, in how many steps at least (an admissible lower bound), and which rollouts can be of use at all.

use std::collections::HashSet;

use super::graph::{START, StateGraph, VersionClass};

/// A rollout as one migration sees it: of which of its services, from where, to which class.
pub(super) type Edge = (usize, VersionClass, usize);

/// A graph that has been walked from end to end.
#[derive(Clone, Debug)]
pub(super) struct Heuristic {
    /// For each node, the fewest schema steps from there to the end; `None` if it is a dead end.
    to_goal: Vec<Option<u32>>,
    /// The rollouts that lie on some way from the start to the end.
    pub useful: HashSet<Edge>,
}

impl Heuristic {
    /// Walks the whole graph. Worth it only where [`StateGraph::size`] is small.
    pub fn of(graph: &mut StateGraph) -> Self {
        let mut fills: Vec<(usize, usize)> = Vec::new();
        let mut rolls: Vec<(usize, Edge, usize)> = Vec::new();
        let mut node = START;
        // Nodes are numbered as they are found.
        while node < graph.nodes.len() {
            if let Some(next) = graph.backfill(node) {
                fills.push((node, next));
            }
            for axis in 0..graph.axes.len() {
                if graph.axes[axis].goal.is_none() {
                    continue;
                }
                for class in 0..graph.axes[axis].classes.len() {
                    if let Some(next) = graph.roll(node, axis, class) {
                        let from = graph.nodes[node].places[axis];
                        rolls.push((node, (axis, from, class), next));
                    }
                }
            }
            node += 1;
        }
        let mut to_goal: Vec<Option<u32>> = (0..graph.nodes.len())
            .map(|node| graph.finish(node))
            .collect();
        let mut improves = true;
        while improves {
            improves = false;
            let steps = rolls.iter().rev().map(|(from, _, to)| (*from, *to, 0));
            for (from, to, cost) in steps.chain(fills.iter().rev().map(|(a, b)| (*a, *b, 1))) {
                let through = to_goal[to].map(|left| left + cost);
                if let Some(left) = through
                    && to_goal[from].is_none_or(|known| left < known)
                {
                    to_goal[from] = Some(left);
                    improves = true;
                }
            }
        }
        let useful = rolls
            .into_iter()
            .filter(|(from, _, to)| to_goal[*from].is_some() && to_goal[*to].is_some())
            .map(|(_, edge, _)| edge)
            .collect();
        Self { to_goal, useful }
    }

    pub fn to_goal(&self, node: usize) -> Option<u32> {
        self.to_goal.get(node).copied().flatten()
    }

    pub fn is_open(&self) -> bool {
        self.to_goal(START).is_some()
    }
}
