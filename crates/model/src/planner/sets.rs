//! The states that a migration may be in after some rollouts, one set for each history.

use std::collections::HashMap;

use super::roads::Roads;
use super::track::Track;

/// The states that one migration may be in by now, each with the steps that it took beyond the
/// fewest: which of them it is, is for later steps to choose.
type Set = Vec<(usize, u32)>;

/// The sets of one track, each known by its number.
#[derive(Debug, Default)]
pub(super) struct Sets {
    all: Vec<Set>,
    ids: HashMap<Set, usize>,
    pub at_least: Vec<u32>,
    rolls: HashMap<(usize, usize, usize), Option<(usize, u32)>>,
}

impl Sets {
    /// Adds every backfill that could be run, leaves dead ends out, and numbers the set. Answers
    /// the number and the steps that all of its states have taken.
    pub(super) fn close(
        &mut self,
        track: &mut Track,
        roads: Option<&Roads>,
        mut reached: Set,
    ) -> Option<(usize, u32)> {
        let mut at = 0;
        while let Some((node, cost)) = reached.get(at).copied() {
            if let Some(filled) = track.backfill(node) {
                reached.push((filled, cost + 1));
            }
            at += 1;
        }
        if let Some(roads) = roads {
            reached.retain(|(node, _)| roads.to_goal(*node).is_some());
        }
        reached.sort_unstable();
        reached.dedup_by_key(|(node, _)| *node);
        let base = reached.iter().map(|(_, cost)| *cost).min()?;
        for (_, cost) in &mut reached {
            *cost -= base;
        }
        let bound = |(node, cost): &(usize, u32)| {
            let walked = roads.and_then(|roads| roads.to_goal(*node));
            cost + walked.unwrap_or_else(|| track.at_least(*node))
        };
        let at_least = reached.iter().map(bound).min()?;
        let next = self.all.len();
        let id = *self.ids.entry(reached.clone()).or_insert(next);
        if id == next {
            self.all.push(reached);
            self.at_least.push(at_least);
        }
        Some((id, base))
    }

    pub(super) fn roll(
        &mut self,
        track: &mut Track,
        roads: Option<&Roads>,
        set: usize,
        lane: usize,
        class: usize,
    ) -> Option<(usize, u32)> {
        if let Some(known) = self.rolls.get(&(set, lane, class)) {
            return *known;
        }
        let before = self.all[set].clone();
        let mut reached = Set::new();
        for (node, cost) in before {
            if let Some(next) = track.roll(node, lane, class) {
                reached.push((next, cost));
            }
        }
        let answer = self.close(track, roads, reached);
        self.rolls.insert((set, lane, class), answer);
        answer
    }

    /// The steps that a migration still takes where every service has arrived.
    pub(super) fn finish(&self, track: &mut Track, set: usize) -> Option<u32> {
        let all = self.all[set].clone();
        let ends = all.into_iter().filter_map(|(node, cost)| {
            let left = track.finish(node)?;
            Some(cost + left)
        });
        ends.min()
    }
}
