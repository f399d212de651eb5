//! The planner against a search that knows nothing: every order of every step that the gate
//! allows, breadth first.

use std::collections::{BTreeMap, HashSet, VecDeque};

use proptest::prelude::*;

use super::plans::{problem, steps};
use crate::gate::{Action, Evidence, Verdict, decide};
use crate::model::testing::{live, snapshot};
use crate::model::{
    Declaration, Fill, Format, Live, MigrationState, Parts, Phase, Range, RowKind, RowKinds, Rows,
    Schema, Step, Sync, Touched, Usage,
};
use crate::planner::{Plan, PlanAction, Problem, plan};

#[derive(Clone)]
struct World {
    evidence: Evidence,
    live: Vec<Live>,
}

type Key = (Vec<Live>, Vec<(Phase, RowKinds)>);

impl World {
    fn new(problem: &Problem) -> Self {
        let mut live = problem.live.clone();
        live.sort();
        Self {
            evidence: Evidence {
                schema: problem.schema.clone(),
                snapshot: snapshot(&live),
                min_instances: live.iter().map(|who| (who.service.clone(), 0)).collect(),
                ..Evidence::default()
            },
            live,
        }
    }

    fn key(&self) -> Key {
        let states = self.evidence.schema.migrations().iter();
        let each = states.map(|state| (state.phase, state.kinds));
        (self.live.clone(), each.collect())
    }

    fn is_allowed(&self, action: Action) -> bool {
        decide(action, &self.evidence).in_a_plan().verdict == Verdict::Go
    }

    fn step(&self, step: Step, state: &MigrationState) -> Option<Self> {
        let action = Action::Step {
            step,
            migration: state.id().clone(),
        };
        if state.has_taken(step, &self.live) || !self.is_allowed(action) {
            return None;
        }
        let mut next = self.clone();
        *next.evidence.schema.get_mut(state.id()).unwrap() = state.after(step, &self.live);
        Some(next)
    }

    fn roll(&self, to: &Live) -> Option<Self> {
        let mut same = self.live.iter().filter(|who| who.service == to.service);
        if same.clone().count() == 1 && same.next() == Some(to) {
            return None;
        }
        if !self.is_allowed(Action::Deploy(vec![to.clone()])) {
            return None;
        }
        let mut live = self.live.clone();
        if !live.contains(to) {
            live.push(to.clone());
        }
        let states = self.evidence.schema.migrations().iter();
        let schema = Schema::new(states.map(|state| state.admitting(&live)).collect());
        live.retain(|who| who.service != to.service || who == to);
        live.sort();
        for state in schema.migrations() {
            assert_eq!(state.breaches(&live), vec![], "after rolling {to}");
        }
        Some(Self {
            evidence: Evidence {
                schema,
                snapshot: snapshot(&live),
                min_instances: live.iter().map(|who| (who.service.clone(), 0)).collect(),
                ..Evidence::default()
            },
            live,
        })
    }

    /// Whether nothing is left that the versions wanted allow.
    fn is_done(&self, problem: &Problem) -> bool {
        let arrived = problem.goal.iter().all(|(service, version)| {
            let mut of_service = self.live.iter().filter(|who| who.service == *service);
            of_service.clone().count() == 1 && of_service.all(|who| who.version == *version)
        });
        arrived
            && self.evidence.schema.migrations().iter().all(|state| {
                let parts = state.declaration.parts;
                let touched = self
                    .live
                    .iter()
                    .any(|who| state.is_touched_by(who, Format::Old));
                let filled = MigrationState {
                    phase: Phase::Backfilled,
                    kinds: RowKinds::EMPTY.with(RowKind::BOTH_FRESH),
                    declaration: state.declaration.clone(),
                };
                let stays_filled = filled.reachable(&self.live).all_new_fresh();
                let contract = parts.contract && !touched;
                let backfill = parts.backfill && (contract || stays_filled);
                (!parts.expand || state.expand_is_done())
                    && (!contract || state.has_taken(Step::Contract, &self.live))
                    && (!backfill || state.has_taken(Step::Backfill, &self.live))
            })
    }
}

/// The fewest rollouts, and the fewest steps with as many.
fn shortest(problem: &Problem) -> Option<(usize, usize)> {
    let mut open = VecDeque::from([(World::new(problem), 0, 0)]);
    let mut seen: HashSet<Key> = HashSet::new();
    // Level by level of rollouts, and within a level by steps.
    loop {
        let mut next: VecDeque<(World, usize, usize)> = VecDeque::new();
        let mut best: Option<(usize, usize)> = None;
        let mut by_steps: BTreeMap<usize, Vec<(World, usize)>> = BTreeMap::new();
        for (world, rolls, steps) in open.drain(..) {
            by_steps.entry(steps).or_default().push((world, rolls));
        }
        while let Some((steps, worlds)) = by_steps.pop_first() {
            for (world, rolls) in worlds {
                if !seen.insert(world.key()) {
                    continue;
                }
                if world.is_done(problem) && best.is_none_or(|(_, known)| steps < known) {
                    best = Some((rolls, steps));
                }
                for state in world.evidence.schema.migrations() {
                    for step in [Step::Expand, Step::Backfill, Step::Contract] {
                        if let Some(after) = world.step(step, state) {
                            by_steps.entry(steps + 1).or_default().push((after, rolls));
                        }
                    }
                }
                let goal = problem.goal.iter().map(|(service, version)| Live {
                    service: service.clone(),
                    version: version.clone(),
                });
                let all = problem.releases.iter().chain(&problem.live).cloned();
                for to in all.chain(goal) {
                    if problem.goal.contains_key(&to.service)
                        && let Some(after) = world.roll(&to)
                    {
                        next.push_back((after, rolls + 1, steps + 1));
                    }
                }
            }
        }
        if best.is_some() || next.is_empty() {
            return best;
        }
        open = next;
    }
}

fn replay(problem: &Problem, plan: &Plan) {
    let mut world = World::new(problem);
    for step in &plan.steps {
        let next = match &step.action {
            PlanAction::Schema { step, migration } => {
                let state = world.evidence.schema.get(migration).unwrap().clone();
                world.step(*step, &state)
            }
            PlanAction::Roll { service, from, to } => {
                let gone = from.iter().all(|version| {
                    world.live.contains(&Live {
                        service: service.clone(),
                        version: version.clone(),
                    })
                });
                assert!(gone, "{step:?}");
                world.roll(&Live {
                    service: service.clone(),
                    version: to.clone(),
                })
            }
        };
        world = next.unwrap_or_else(|| panic!("{step:?} is not allowed in {}", steps(plan)));
    }
    assert!(world.is_done(problem), "{}", steps(plan));
}

fn range(from: std::ops::Range<usize>) -> impl Strategy<Value = Option<Range>> {
    const RANGES: [&str; 9] = [
        "<1.1.0",
        "<1.2.0",
        "<1.3.0",
        ">=1.1.0",
        ">=1.2.0",
        ">=1.3.0",
        "*",
        "<1.1.0 || >=1.3.0",
        ">=1.1.0, <1.3.0",
    ];
    prop::option::weighted(0.85, from.prop_map(|index| RANGES[index].parse().unwrap()))
}

/// Mostly as people write them, old below and new above; anything at times.
fn usage() -> impl Strategy<Value = Usage> {
    let touched = prop_oneof![
        5 => (range(0..3), range(3..6)),
        1 => (range(0..9), range(0..9)),
    ]
    .prop_map(|(old, new)| Touched { old, new });
    (touched.clone(), touched, any::<bool>()).prop_map(|(reads, other, short)| Usage {
        writes: if short { reads.clone() } else { other },
        reads,
    })
}

fn any_declaration(id: &'static str) -> impl Strategy<Value = Declaration> {
    let sync = prop::sample::select(vec![
        Sync::None,
        Sync::None,
        Sync::Both,
        Sync::ToNew,
        Sync::ToOld,
    ]);
    let rows = prop::sample::select(vec![Rows::Mutable, Rows::AppendOnly]);
    let parts = (
        prop::bool::weighted(0.9),
        prop::bool::weighted(0.7),
        prop::bool::weighted(0.8),
    )
        .prop_map(|(expand, backfill, contract)| Parts {
            expand,
            backfill,
            contract,
            revert: false,
        });
    let services = (
        prop::option::weighted(0.9, usage()),
        prop::option::weighted(0.4, usage()),
    );
    (services, sync, rows, parts).prop_map(move |((web, worker), sync, rows, parts)| Declaration {
        id: id.parse().unwrap(),
        description: String::new(),
        services: web
            .map(|usage| ("web".to_owned(), usage))
            .into_iter()
            .chain(worker.map(|usage| ("worker".to_owned(), usage)))
            .collect(),
        sync,
        rows,
        parts,
        fill: Fill::Unsaid,
    })
}

fn any_problem() -> impl Strategy<Value = Problem> {
    const VERSIONS: [&str; 5] = ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.2.0-rc.1"];
    let states = (
        any_declaration("0001_a"),
        prop::option::of(any_declaration("0002_b")),
    )
        .prop_map(|(a, b)| {
            let all = std::iter::once(a).chain(b);
            Schema::new(all.map(MigrationState::pending).collect())
        });
    let version = || prop::sample::select(VERSIONS.to_vec());
    let fleet = |service: &'static str, running: f64| {
        // Where it starts, now and then mixed or not at all; where it goes; what there is between.
        let start = prop::collection::vec(prop_oneof![4 => Just("1.0.0"), 1 => version()], 1..=2);
        let start = prop_oneof![
            5 => start.clone().prop_map(|mut all| { all.truncate(1); all }),
            1 => start,
            1 => Just(Vec::new()),
        ];
        (
            prop::option::weighted(running, start),
            prop::option::weighted(0.9, version()),
            prop::collection::vec(version(), 0..4),
        )
            .prop_map(move |(start, goal, via)| {
                let who = |version: &&str| live(&format!("{service} {version}"));
                let Some(start) = start else {
                    return (Vec::new(), None, Vec::new());
                };
                (
                    start.iter().map(who).collect::<Vec<_>>(),
                    goal.as_ref().map(who),
                    via.iter().map(who).collect::<Vec<_>>(),
                )
            })
    };
    (states, fleet("web", 0.99), fleet("worker", 0.6)).prop_map(|(schema, web, worker)| {
        let mut live = [web.0, worker.0].concat();
        live.sort();
        live.dedup();
        Problem {
            schema,
            live,
            releases: [web.2, worker.2].concat(),
            goal: web
                .1
                .into_iter()
                .chain(worker.1)
                .map(|who| (who.service, who.version))
                .collect(),
        }
    })
}

fn agree(problem: &Problem) -> Result<(), TestCaseError> {
    // What already runs apart from the rule is not for a plan to mend.
    let states = problem.schema.migrations().iter();
    if states
        .clone()
        .any(|state| !state.breaches(&problem.live).is_empty())
    {
        return Ok(());
    }
    let expected = shortest(problem);
    match plan(problem) {
        Ok(plan) => {
            replay(problem, &plan);
            let found = (plan.rollouts(), plan.steps.len());
            prop_assert_eq!(Some(found), expected, "{}", steps(&plan));
            prop_assert!(plan.is_shortest);
        }
        Err(none) => {
            prop_assert_eq!(expected, None, "{:?}", none);
            prop_assert!(!none.blockers.is_empty());
            let refused = none.blockers.iter().any(|b| b.verdict() == Verdict::Refuse);
            // Nothing passes by itself where there is no plan at all.
            let holds = none.blockers.iter().any(|b| b.verdict() == Verdict::Hold);
            prop_assert!(!holds, "{:?}", none.blockers);
            prop_assert!(refused, "{:?}", none.blockers);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(
        std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(400)
    ))]

    #[test]
    fn as_many_rollouts_and_steps_as_every_order_tried(problem in any_problem()) {
        agree(&problem)?;
    }
}

#[test]
fn the_worked_plans() {
    for text in [
        "old <1.2.0 new >=1.1.0 backfill contract sync both",
        "old <1.2.0 new >=1.1.0 backfill contract append-only",
        "old <1.2.0 new >=1.1.0 backfill contract",
        "reads old <1.2.0 new >=1.2.0 writes old <1.3.0 new >=1.1.0 backfill contract",
    ] {
        let problem = problem(text, "1.0.0", "1.1.0, 1.2.0", "1.3.0");
        agree(&problem).unwrap();
    }
}
