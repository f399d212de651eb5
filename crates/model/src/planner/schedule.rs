//! From rollouts to the whole plan: where the schema steps go, each checked with the gate.

use std::collections::{BTreeMap, BTreeSet};

use super::graph::{START, StateGraph};
use super::search::Roll;
use super::space::SearchSpace;
use super::{Left, NoPlan, PlanAction, PlanStep, Problem, Wait, evidence};
use crate::gate::{Action, Evidence, InPlan, Verdict, decide};
use crate::model::{Live, MigrationId, Phase, RowKinds, Schema, Step, Version, beside};

/// The plan, walked step by step. The gate is asked at every one.
pub(super) struct ScheduledPlan {
    evidence: Evidence,
    live: Vec<Live>,
    pub steps: Vec<PlanStep>,
    /// Expands that cannot come first: one of these builds on what an earlier migration keeps until its contract, which
    /// versions at the start do not allow yet.
    later: Vec<MigrationId>,
}

impl ScheduledPlan {
    /// Begins with every expand, in order, as far as none has to wait for a contract.
    pub fn expand(problem: &Problem) -> Result<Self, Box<NoPlan>> {
        let mut live = problem.live.clone();
        live.sort();
        live.dedup();
        let mut scheduled = Self {
            evidence: evidence(problem.schema.clone(), &live),
            live,
            steps: Vec::new(),
            later: Vec::new(),
        };
        let waiting: Vec<MigrationId> = scheduled
            .schema()
            .migrations()
            .iter()
            .filter(|state| state.declaration.parts.expand && !state.expand_is_done())
            .map(|state| state.id().clone())
            .collect();
        scheduled.later = scheduled.expand_each(waiting)?;
        Ok(scheduled)
    }

    /// Expands these in their order, and contracts before one what it builds on. Answers those that have to wait.
    fn expand_each(&mut self, waiting: Vec<MigrationId>) -> Result<Vec<MigrationId>, Box<NoPlan>> {
        let mut waiting = waiting.into_iter();
        while let Some(id) = waiting.next() {
            let open = self.schema().open_bases(&id, Step::Expand);
            let open: Vec<MigrationId> = open.map(|basis| basis.migration.clone()).collect();
            if !open.iter().all(|earlier| self.bring_to_its_end(earlier)) {
                return Ok(std::iter::once(id).chain(waiting).collect());
            }
            self.take(Step::Expand, &id)?;
        }
        Ok(Vec::new())
    }

    /// Backfill and contract of one migration, if what is live allows both now.
    fn bring_to_its_end(&mut self, id: &MigrationId) -> bool {
        let before = (self.evidence.clone(), self.steps.len());
        let is_at_its_end = self.go_on_with(id);
        if !is_at_its_end {
            self.evidence = before.0;
            self.steps.truncate(before.1);
        }
        is_at_its_end
    }

    /// As far as what is live allows; whether that is its end.
    fn go_on_with(&mut self, id: &MigrationId) -> bool {
        [Step::Backfill, Step::Contract].into_iter().all(|step| {
            let is_due = self.schema().get(id).is_some_and(|state| {
                let parts = state.declaration.parts;
                let has_step = match step {
                    Step::Backfill => parts.backfill,
                    _ => parts.contract,
                };
                has_step && !state.has_taken(step, &self.live)
            });
            !is_due || self.take(step, id).is_ok()
        })
    }

    /// Why the first of the expands that wait may not be taken yet.
    pub fn held_up(&self) -> Option<Box<NoPlan>> {
        let action = Action::Step {
            step: Step::Expand,
            migration: self.later.first()?.clone(),
        };
        self.ask(action).err()
    }

    pub fn schema(&self) -> &Schema {
        &self.evidence.schema
    }

    pub fn live(&self) -> &[Live] {
        &self.live
    }

    /// Puts the rollouts, and the backfills and contracts between and after them, behind the
    /// expands.
    pub fn fill_in(&mut self, space: &mut SearchSpace, rolls: &[Roll]) -> Result<(), Box<NoPlan>> {
        // After how many rollouts each migration is backfilled.
        let mut backfills: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let mut contracts = BTreeSet::<usize>::new();
        for graph in &mut space.graphs {
            let Some(turns) = turns(graph, rolls) else {
                continue;
            };
            for turn in turns.backfills {
                backfills.entry(turn).or_default().extend(&graph.of);
            }
            if turns.contract {
                contracts.extend(&graph.of);
            }
        }
        let alike: Vec<Vec<MigrationId>> = {
            let graphs = space.graphs.iter();
            let named = |place: &usize| space.ids[*place].clone();
            graphs
                .map(|graph| graph.of.iter().map(named).collect())
                .collect()
        };
        for turn in 0..=rolls.len() {
            for place in backfills.remove(&turn).unwrap_or_default() {
                self.take(Step::Backfill, &space.ids[place])?;
            }
            if let Some((service, release)) = rolls.get(turn) {
                let to = space.paths[*service].releases[*release].clone();
                self.roll(&to, &alike)?;
            }
        }
        for id in contracts.into_iter().map(|place| &space.ids[place]) {
            // What it has to wait for is left, and so is this.
            let waits = self
                .schema()
                .open_bases(id, Step::Contract)
                .next()
                .is_some();
            if !waits {
                self.take(Step::Contract, id)?;
            }
        }
        let later = std::mem::take(&mut self.later);
        self.later = self.expand_each(later.clone())?;
        let expanded = later.len() - self.later.len();
        for id in later.iter().take(expanded) {
            self.go_on_with(id);
        }
        Ok(())
    }

    /// What the versions wanted do not allow yet.
    pub fn left(&self) -> Vec<Left> {
        let unfinished = self.schema().migrations().iter();
        unfinished
            .filter(|state| !state.is_complete())
            .map(|state| {
                let needs_fill = state.declaration.parts.backfill
                    && !state.has_taken(Step::Backfill, &self.live);
                let step = if !state.expand_is_done() {
                    Step::Expand
                } else if needs_fill {
                    Step::Backfill
                } else {
                    Step::Contract
                };
                let migration = state.id().clone();
                let action = Action::Step {
                    step,
                    migration: migration.clone(),
                };
                Left {
                    step,
                    migration,
                    blockers: decide(action, &self.evidence).blockers,
                }
            })
            .collect()
    }

    fn take(&mut self, step: Step, id: &MigrationId) -> Result<(), Box<NoPlan>> {
        let action = Action::Step {
            step,
            migration: id.clone(),
        };
        let InPlan {
            refused, mut notes, ..
        } = self.ask(action)?;
        let is_first = !self.steps.iter().any(
            |taken| matches!(&taken.action, PlanAction::Schema { migration, .. } if migration == id),
        );
        if let Some(state) = self.schema().get(id).filter(|_| is_first) {
            let gaps = state.declaration.gaps().into_iter();
            notes.extend(gaps.map(|gap| {
                format!("{gap} would use neither format of {id}, although versions below and above use one: is that so?")
            }));
        }
        let mut concerned = self.live.clone();
        if let Some(state) = self.evidence.schema.get_mut(id) {
            let services = &state.declaration.services;
            concerned.retain(|who| services.contains_key(&who.service));
            *state = state.after(step, &self.live);
        }
        self.steps.push(PlanStep {
            action: PlanAction::Schema {
                step,
                migration: id.clone(),
            },
            live: concerned,
            waits: match step {
                Step::Backfill => vec![Wait::Filled],
                Step::Expand | Step::Contract | Step::Revert => Vec::new(),
            },
            refused,
            notes,
        });
        Ok(())
    }

    /// Rolls one service out, over these groups of migrations that are alike but for their names.
    fn roll(&mut self, to: &Live, alike: &[Vec<MigrationId>]) -> Result<(), Box<NoPlan>> {
        let InPlan { refused, notes, .. } = self.ask(Action::Deploy(vec![to.clone()]))?;
        let together = beside(&self.live, std::slice::from_ref(to));
        for group in alike {
            // Those that have come equally far go on alike.
            let mut known: Vec<((Phase, RowKinds), (Phase, RowKinds))> = Vec::new();
            for id in group {
                let Some(state) = self.evidence.schema.get_mut(id) else {
                    continue;
                };
                let before = (state.phase, state.kinds);
                let after = known.iter().find(|(from, _)| *from == before);
                let after = after.map(|(_, to)| *to).unwrap_or_else(|| {
                    let admitted = state.admitting(&together);
                    let to = (admitted.phase, admitted.kinds);
                    known.push((before, to));
                    to
                });
                (state.phase, state.kinds) = after;
            }
        }
        let mut during: Vec<Live> = together
            .into_iter()
            .filter(|who| who.service == to.service)
            .collect();
        during.sort();
        let from: Vec<Version> = during
            .iter()
            .filter(|who| *who != to)
            .map(|who| who.version.clone())
            .collect();
        self.live.retain(|who| who.service != to.service);
        self.live.push(to.clone());
        self.live.sort();
        let schema = std::mem::take(&mut self.evidence.schema);
        self.evidence = evidence(schema, &self.live);
        let mut waits = vec![Wait::Seen(to.clone())];
        waits.extend(
            during
                .iter()
                .filter(|who| *who != to)
                .cloned()
                .map(Wait::Gone),
        );
        self.steps.push(PlanStep {
            action: PlanAction::Roll {
                service: to.service.clone(),
                from,
                to: to.version.clone(),
            },
            live: during,
            waits,
            refused,
            notes,
        });
        Ok(())
    }

    /// Invariant: a plan has no step that the gate does not allow at its turn, but for what has to be put right
    /// before; the step says so.
    fn ask(&self, action: Action) -> Result<InPlan, Box<NoPlan>> {
        let decision = decide(action, &self.evidence).in_a_plan();
        if decision.verdict == Verdict::Go {
            return Ok(decision);
        }
        Err(Box::new(NoPlan {
            blockers: decision.blockers,
            ways_out: Vec::new(),
        }))
    }
}

/// When one migration takes its steps.
struct Turns {
    /// After how many rollouts it is backfilled, each time.
    backfills: Vec<usize>,
    contract: bool,
}

/// The fewest steps that take a migration through these rollouts, each as early as it can be.
fn turns(graph: &mut StateGraph, rolls: &[Roll]) -> Option<Turns> {
    type Reached = BTreeMap<usize, Vec<usize>>;
    fn keep(reached: &mut Reached, node: usize, backfills: Vec<usize>) {
        let better = |known: &Vec<usize>| (backfills.len(), &backfills) < (known.len(), known);
        if reached.get(&node).is_none_or(better) {
            reached.insert(node, backfills);
        }
    }
    let fill = |graph: &mut StateGraph, reached: &mut Reached, turn: usize| {
        let mut open: Vec<usize> = reached.keys().copied().collect();
        while let Some(node) = open.pop() {
            if let Some(filled) = graph.backfill(node) {
                let mut backfills = reached[&node].clone();
                backfills.push(turn);
                if !reached.contains_key(&filled) {
                    open.push(filled);
                }
                keep(reached, filled, backfills);
            }
        }
    };
    let mut reached = Reached::from([(START, Vec::new())]);
    fill(graph, &mut reached, 0);
    for (turn, (service, release)) in rolls.iter().enumerate() {
        let axis = graph.axes.iter().position(|axis| axis.service == *service);
        let Some(axis) = axis else { continue };
        let class = graph.axes[axis].class_of[*release];
        let mut next = Reached::new();
        for (node, backfills) in reached {
            if let Some(rolled) = graph.roll(node, axis, class) {
                keep(&mut next, rolled, backfills);
            }
        }
        reached = next;
        fill(graph, &mut reached, turn + 1);
    }
    let ends = reached.into_iter().filter_map(|(node, backfills)| {
        let left = graph.finish(node)?;
        Some((backfills.len() + left as usize, backfills, left > 0))
    });
    let (_, backfills, contract) = ends.min()?;
    Some(Turns {
        backfills,
        contract,
    })
}
