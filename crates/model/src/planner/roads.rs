//! What is known of one migration's track before the search: from where its end can be reached,
//! in how many steps, and which rollouts can be of use at all.

use std::collections::HashSet;

use super::track::{Place, START, Track};

/// A rollout as one migration sees it: of which of its services, from where, to which class.
pub(super) type Edge = (usize, Place, usize);

/// A track that has been walked from end to end.
#[derive(Clone, Debug)]
pub(super) struct Roads {
    /// For each node, the fewest schema steps from there to the end; none where it is a dead end.
    to_goal: Vec<Option<u32>>,
    /// The rollouts that lie on some way from the start to the end.
    pub useful: HashSet<Edge>,
}

impl Roads {
    /// Walks the whole track. Worth it only where [`Track::size`] is small.
    pub fn walk(track: &mut Track) -> Self {
        let mut fills: Vec<(usize, usize)> = Vec::new();
        let mut rolls: Vec<(usize, Edge, usize)> = Vec::new();
        let mut node = START;
        // Nodes are numbered as they are found.
        while node < track.nodes.len() {
            if let Some(next) = track.backfill(node) {
                fills.push((node, next));
            }
            for lane in 0..track.lanes.len() {
                if track.lanes[lane].goal.is_none() {
                    continue;
                }
                for class in 0..track.lanes[lane].classes.len() {
                    if let Some(next) = track.roll(node, lane, class) {
                        let from = track.nodes[node].places[lane];
                        rolls.push((node, (lane, from, class), next));
                    }
                }
            }
            node += 1;
        }
        let mut to_goal: Vec<Option<u32>> = (0..track.nodes.len())
            .map(|node| track.finish(node))
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
