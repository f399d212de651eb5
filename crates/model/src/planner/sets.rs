//! The states that a migration may be in after some rollouts, one set for each history.

use std::collections::HashMap;

use super::graph::StateGraph;
use super::heuristic::Heuristic;

/// The states that one migration may be in by now, each with the steps that it took beyond the
/// fewest: which of them it is, is for later steps to choose.
type Set = Vec<(usize, u32)>;

/// The sets of one graph, each known by its number.
#[derive(Debug, Default)]
pub(super) struct Sets {
    all: Vec<Set>,
    ids: HashMap<Set, usize>,
    pub lower_bound: Vec<u32>,
    rolls: HashMap<(usize, usize, usize), Option<(usize, u32)>>,
}

impl Sets {
    /// Adds every backfill that could be run, leaves dead ends out, and numbers the set. Answers
    /// the number and the steps that all of its states have taken.
    pub(super) fn close(
        &mut self,
        graph: &mut StateGraph,
        heuristics: Option<&Heuristic>,
        mut reached: Set,
    ) -> Option<(usize, u32)> {
        let mut at = 0;
        while let Some((node, cost)) = reached.get(at).copied() {
            if let Some(filled) = graph.backfill(node) {
                reached.push((filled, cost + 1));
            }
            at += 1;
        }
        if let Some(heuristics) = heuristics {
            reached.retain(|(node, _)| heuristics.to_goal(*node).is_some());
        }
        reached.sort_unstable();
        reached.dedup_by_key(|(node, _)| *node);
        let base = reached.iter().map(|(_, cost)| *cost).min()?;
        for (_, cost) in &mut reached {
            *cost -= base;
        }
        let bound = |(node, cost): &(usize, u32)| {
            let walked = heuristics.and_then(|heuristics| heuristics.to_goal(*node));
            cost + walked.unwrap_or_else(|| graph.lower_bound(*node))
        };
        let lower_bound = reached.iter().map(bound).min()?;
        let next = self.all.len();
        let id = *self.ids.entry(reached.clone()).or_insert(next);
        if id == next {
            self.all.push(reached);
            self.lower_bound.push(lower_bound);
        }
        Some((id, base))
    }

    pub(super) fn roll(
        &mut self,
        graph: &mut StateGraph,
        heuristics: Option<&Heuristic>,
        set: usize,
        axis: usize,
        class: usize,
    ) -> Option<(usize, u32)> {
        if let Some(known) = self.rolls.get(&(set, axis, class)) {
            return *known;
        }
        let before = self.all[set].clone();
        let mut reached = Set::new();
        for (node, cost) in before {
            if let Some(next) = graph.roll(node, axis, class) {
                reached.push((next, cost));
            }
        }
        let answer = self.close(graph, heuristics, reached);
        self.rolls.insert((set, axis, class), answer);
        answer
    }

    /// The steps that a migration still takes where every service has arrived.
    pub(super) fn finish(&self, graph: &mut StateGraph, set: usize) -> Option<u32> {
        let all = self.all[set].clone();
        let ends = all.into_iter().filter_map(|(node, cost)| {
            let left = graph.finish(node)?;
            Some(cost + left)
        });
        ends.min()
    }
}
