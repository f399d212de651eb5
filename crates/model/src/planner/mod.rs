//! The planner: which schema steps and rollouts lead from here to the versions wanted.
//!
//! A plan has the fewest rollouts, and among those the fewest steps; each schema step comes as
//! early as it is safe and each contract last, so that the way back stays open for longest.
//!
//! The search rests on what the rule makes of plans:
//! - expands are always safe and never in the way, so all of them come first; where one has to wait for the contract of
//!   another, the plan is made in stages, by way of a release that allows that contract;
//! - a contract lets nothing start that could not have started before, so all of them come last;
//! - in between only backfills and rollouts matter, and given who is live one migration knows
//!   nothing of another: each has a graph of its own, and the search is over rollouts alone;
//! - services that share no migration are planned one by one.
//!
//! Invariant: this module decides nothing about safety. It asks [`crate::model`] for every step
//! that it considers, and [`crate::gate`] about every step that it answers.

mod explain;
mod graph;
mod heuristic;
mod release;
mod schedule;
mod search;
mod sets;
mod space;
mod stages;
#[cfg(test)]
mod tests;
mod trial;
mod ways;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::gate::{Blocker, Evidence, Verdict};
use crate::model::{
    Live, MigrationId, Schema, Snapshot, SourceReport, SourceStatus, Step, Version,
};

use schedule::ScheduledPlan;
use search::{Found, Roll, search};
use space::{Blocked, SearchSpace};
pub use ways::{MissingRelease, Way, WayOut};

/// From where to where, and what there is on the way.
#[derive(Clone, Debug, Default)]
pub struct Problem {
    /// Every migration, as far as it is.
    pub schema: Schema,
    /// What is live at the start.
    pub live: Vec<Live>,
    /// The releases that may be rolled out on the way.
    pub releases: Vec<Live>,
    /// The version that each service ends at. A service that is not named stays as it is.
    pub goal: BTreeMap<String, Version>,
}

impl Problem {
    /// What is live at the end.
    #[must_use]
    pub fn live_at_the_end(&self) -> Vec<Live> {
        let mut live: Vec<Live> = self
            .live
            .iter()
            .filter(|who| !self.goal.contains_key(&who.service))
            .cloned()
            .chain(self.goal.iter().map(|(service, version)| Live {
                service: service.clone(),
                version: version.clone(),
            }))
            .collect();
        live.sort();
        live.dedup();
        live
    }
}

/// What one step of a plan does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanAction {
    Schema {
        step: Step,
        migration: MigrationId,
    },
    /// Every other version of the service is replaced; none where it did not run before.
    Roll {
        service: String,
        from: Vec<Version>,
        to: Version,
    },
}

/// Versions that are live at once, in words. There are two or three; more are a mistake, or somebody's attack, and not a line of a
/// hundred kilobytes.
#[must_use]
pub fn beside_each_other(versions: &[Version]) -> String {
    const MOST: usize = 8;
    let shown: Vec<String> = versions.iter().take(MOST).map(Version::to_string).collect();
    let shown = shown.join(" + ");
    match versions.len().saturating_sub(MOST) {
        0 => shown,
        more => format!("{shown} + {more} more"),
    }
}

impl fmt::Display for PlanAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Schema { step, migration } => write!(f, "{} {migration}", step.name()),
            Self::Roll { service, from, to } if from.is_empty() => write!(f, "roll {service} {to}"),
            Self::Roll { service, from, to } => {
                write!(f, "roll {service} {} → {to}", beside_each_other(from))
            }
        }
    }
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanStep {
    pub action: PlanAction,
    /// What is live while it is taken, of the services that it concerns.
    pub live: Vec<Live>,
    /// What has to come about before the next step may be taken, beside its own success.
    pub waits: Vec<Wait>,
    /// Why the gate will refuse it as things stand, though it is where it belongs: what somebody has to put right before.
    pub refused: Vec<Blocker>,
    /// What whoever takes it should know.
    pub notes: Vec<String>,
}

impl PlanStep {
    /// Why it will be refused, and what else is to be known.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let refused = self.refused.iter().map(|blocker| {
            let said = ["the gate will refuse this step: ", &blocker.message()].concat();
            match blocker.help() {
                help if help.is_empty() => said,
                help => format!("{said}; {help}"),
            }
        });
        refused.chain(self.notes.iter().cloned()).collect()
    }
}

/// What a step is not over without. A contract waits before it acts, for what its own file asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wait {
    /// The sources see this version run.
    Seen(Live),
    /// The sources see no instance of this version any more, not even a draining one.
    Gone(Live),
    /// The backfill's `remaining` query returns 0.
    Filled,
}

/// A step that the versions wanted do not allow yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    pub step: Step,
    pub migration: MigrationId,
    /// Why not yet.
    pub blockers: Vec<Blocker>,
}

/// The way from the start to the goal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    pub steps: Vec<PlanStep>,
    pub goal: BTreeMap<String, Version>,
    /// What has to wait for later versions than those wanted.
    pub left: Vec<Left>,
    /// Whether it is certain that no plan has fewer rollouts, or as many and fewer steps.
    pub is_shortest: bool,
}

impl Plan {
    /// How many rollouts it has.
    #[must_use]
    pub fn rollouts(&self) -> usize {
        let rolls = self.steps.iter();
        rolls
            .filter(|step| matches!(step.action, PlanAction::Roll { .. }))
            .count()
    }
}

/// Why there is no plan, and what would open a way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoPlan {
    pub blockers: Vec<Blocker>,
    pub ways_out: Vec<WayOut>,
}

impl NoPlan {
    /// Refuse where there is none, unknown where that is not certain.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let verdicts = self.blockers.iter().map(Blocker::verdict);
        verdicts.fold(Verdict::Unknown, Verdict::max)
    }
}

/// Searches for the plan with the fewest rollouts, and among those the fewest steps.
///
/// # Errors
/// There is none, or none was found in the states that are tried at most.
pub fn plan(problem: &Problem) -> Result<Plan, Box<NoPlan>> {
    let mut tries = stages::MOST_TRIES;
    stages::plan(problem, &mut tries)
}

/// A plan, and what is there at its end.
struct Planned {
    plan: Plan,
    schema: Schema,
    live: Vec<Live>,
}

/// Why there is no plan.
enum Failed {
    /// A version wanted may need what cannot be expanded yet: a contract that the versions at the start do not allow has to
    /// come about first.
    HeldUp(Box<NoPlan>),
    None(Box<NoPlan>),
}

/// The plan in one go: every expand that need not wait first, then the rollouts, then the contracts.
fn at_once(problem: &Problem) -> Result<Planned, Failed> {
    let mut scheduled = ScheduledPlan::expand(problem).map_err(Failed::None)?;
    let mut space = SearchSpace::new(problem, scheduled.schema());
    let answer = search_all(&mut space);
    if !matches!(answer, Answer::Path { .. })
        && let Some(none) = scheduled.held_up()
    {
        return Err(Failed::HeldUp(none));
    }
    match answer {
        Answer::Path { rolls, is_shortest } => {
            scheduled
                .fill_in(&mut space, &rolls)
                .map_err(Failed::None)?;
            Ok(Planned {
                plan: Plan {
                    left: scheduled.left(),
                    goal: problem.goal.clone(),
                    is_shortest,
                    steps: std::mem::take(&mut scheduled.steps),
                },
                schema: scheduled.schema().clone(),
                live: scheduled.live().to_vec(),
            })
        }
        Answer::Blocked(blocked) => {
            let none = explain::blocked(problem, &scheduled, &mut space, blocked);
            Err(Failed::None(none))
        }
        Answer::DeadEnd { tried_all } => {
            let none = explain::dead_end(problem, &scheduled, tried_all);
            Err(Failed::None(none))
        }
    }
}

/// What the search comes to.
enum Answer {
    Path { rolls: Vec<Roll>, is_shortest: bool },
    Blocked(Vec<Blocked>),
    DeadEnd { tried_all: bool },
}

fn search_all(space: &mut SearchSpace) -> Answer {
    let blocked = space.find_roads();
    if !blocked.is_empty() {
        return Answer::Blocked(blocked);
    }
    let mut all = Vec::new();
    let mut is_shortest = true;
    for component in space.components() {
        match search(space, &component) {
            Found::Path { path, is_proven } => {
                all.extend(path);
                is_shortest &= is_proven;
            }
            Found::Nothing { tried_all } => return Answer::DeadEnd { tried_all },
        }
    }
    Answer::Path {
        rolls: all,
        is_shortest,
    }
}

/// What the gate is shown of a fleet that is only planned: everything is seen, and seen well. Whether each service is one
/// that the project knows is for whoever takes the step, not for the plan.
fn evidence(schema: Schema, live: &[Live]) -> Evidence {
    let groups = live
        .iter()
        .map(|who| crate::model::LiveGroup {
            service: who.service.clone(),
            label: crate::model::Label {
                text: who.version.to_string(),
                version: Some(who.version.clone()),
            },
            state: crate::model::InstanceState::Serving,
            source: String::new(),
            instances: 0,
            examples: Vec::new(),
            seen_at: 0,
        })
        .collect();
    Evidence {
        schema,
        snapshot: Snapshot {
            taken_at: 0,
            sources: vec![SourceReport {
                name: "plan".to_owned(),
                status: SourceStatus::Fresh,
                instances: Some(0),
                age_ms: 0,
                notes: Vec::new(),
            }],
            groups,
            ..Snapshot::default()
        },
        min_instances: live.iter().map(|who| (who.service.clone(), 0)).collect(),
        ..Evidence::default()
    }
}

/// The services that a problem is about, in order.
fn services(problem: &Problem) -> Vec<String> {
    let live = problem.live.iter().map(|who| &who.service);
    let all: BTreeSet<&String> = live.chain(problem.goal.keys()).collect();
    all.into_iter().cloned().collect()
}
