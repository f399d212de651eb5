//! Planning: from the fleet as it is seen, or on paper.

use std::collections::BTreeMap;

use super::asker::Asker;
use super::looked::Width;
use super::planned::{Goal, Planned, Start, Until};
use super::{AskError, Record, Wanted, candidate};
use crate::coordinator::{CoordinatorError, flaws_on_paper, weighed};
use crate::gate::{
    Advice, Blocker, BlockerKind, Flaw, Flawed, Seen, Subject, against_start, against_step,
    missing_evidence, unread,
};
use crate::interrupt::Interrupt;
use crate::model::{Live, MigrationId, MigrationState, Schema, Snapshot, Step, Version};
use crate::planner::{NoPlan, Plan, PlanAction, PlanStep, Problem, plan};
use crate::project::Project;

impl Planned {
    fn new(
        problem: Problem,
        answer: Result<Plan, Box<NoPlan>>,
        project: &Project,
        start: Start,
    ) -> Self {
        let steps = answer.as_ref().map_or(&[][..], |plan| &plan.steps);
        Self {
            waits: steps.iter().map(|step| waits(step, project)).collect(),
            problem,
            answer,
            start,
            absent: Vec::new(),
            nothing_yet: None,
        }
    }
}

/// Plans from these versions, with every migration pending. No database is touched.
///
/// # Errors
/// A version that cannot be placed.
pub fn plan_on_paper(
    project: &Project,
    from: &[Wanted],
    goal: &Goal,
    interrupt: Interrupt,
) -> Result<Planned, AskError> {
    let live = placed(from, project)?;
    let pending = project
        .declarations()
        .map(|declaration| MigrationState::pending(declaration.clone()));
    let schema = Schema::new(pending.collect()).building_on(project.bases.on_any());
    let problem = problem(goal, project, schema, live)?;
    let hidden = unread(&flaws_on_paper(project));
    let answer = if hidden.is_empty() {
        search(&problem, interrupt)
    } else {
        Err(none_because_of(hidden))
    };
    let absent = absent(&problem);
    let planned = Planned::new(problem, answer, project, Start::OnPaper);
    Ok(Planned { absent, ..planned })
}

impl Asker {
    /// Plans from what is live now, and the migrations as they are recorded.
    pub(super) async fn plan(
        &mut self,
        project: &Project,
        goal: &Goal,
        record: Record,
    ) -> Result<Planned, AskError> {
        // What is asked for has to be readable before anything is waited for.
        problem(goal, project, Schema::default(), Vec::new())?;
        let looked = self.look(project, (record, Width::Phases)).await?;
        let situation = looked.situation;
        if !situation.drift.is_empty() {
            return Err(CoordinatorError::Drift(situation.drift).into());
        }
        let evidence = situation.evidence;
        let live = evidence.snapshot.live();
        let missing = missing_evidence(&evidence);
        let problem = problem(goal, project, evidence.schema, live)?;
        let mut answer = if missing.is_empty() {
            search(&problem, self.interrupt).map_err(|mut none| {
                let blockers = std::mem::take(&mut none.blockers).into_iter();
                let seen = blockers.map(|blocker| with_sightings(blocker, &evidence.snapshot));
                none.blockers = seen.collect();
                none
            })
        } else {
            Err(none_because_of(
                missing.into_iter().map(on_paper_instead).collect(),
            ))
        };
        if let Ok(plan) = &mut answer {
            say_what_cannot_run(plan, &problem.schema, &evidence.flaws);
            self.weigh_steps(project, plan).await;
        }
        let start = Start::Seen {
            at: evidence.snapshot.taken_at,
        };
        let planned = Planned::new(problem, answer, project, start);
        Ok(Planned {
            nothing_yet: looked.nothing_yet,
            ..planned
        })
    }

    /// Says at each step of a plan what it costs, where that is known.
    async fn weigh_steps(&mut self, project: &Project, plan: &mut Plan) {
        let dialect = self.target.dialect();
        let is_priced = |planned: &PlanStep| match &planned.action {
            PlanAction::Schema { step, migration } => {
                let migration = project.as_read(migration);
                migration.is_some_and(|one| !project.priced(one, *step, dialect).is_empty())
            }
            PlanAction::Roll { .. } => false,
        };
        let mut priced: Vec<&mut PlanStep> = plan
            .steps
            .iter_mut()
            .filter(|planned| is_priced(planned))
            .collect();
        if priced.is_empty() {
            return;
        }
        let Ok(mut kept) = self.take(project).await else {
            return;
        };
        for planned in &mut priced {
            if let PlanAction::Schema { step, migration } = &planned.action {
                let connection = kept.connection.as_mut();
                let weighed = weighed(project, migration, *step, connection).await;
                planned.notes.extend(weighed.costs);
            }
        }
        self.give_back(kept).await;
    }
}

/// It computes, maybe for long, and nothing is left of it.
fn search(problem: &Problem, interrupt: Interrupt) -> Result<Plan, Box<NoPlan>> {
    let _kept = interrupt.at_once();
    plan(problem)
}

fn none_because_of(blockers: Vec<Blocker>) -> Box<NoPlan> {
    Box::new(NoPlan {
        blockers,
        ways_out: Vec::new(),
    })
}

/// The steps that cannot be taken with these files say so where they stand. What keeps one only as things stand now may be changed by
/// those before it.
fn say_what_cannot_run(plan: &mut Plan, schema: &Schema, flaws: &[Flaw]) {
    let lasting = |flaw: &&Flaw| !matches!(flaw.of, Flawed::Now(..));
    let flaws: Vec<Flaw> = flaws.iter().filter(lasting).cloned().collect();
    let mut contracted: Vec<MigrationId> = Vec::new();
    for planned in &mut plan.steps {
        match &planned.action {
            PlanAction::Schema { step, migration } => {
                let against = against_step(*step, migration, &flaws);
                planned.refused.extend(against);
                if *step == Step::Contract {
                    contracted.push(migration.clone());
                }
            }
            PlanAction::Roll { service, to, .. } => {
                let who = Live {
                    service: service.clone(),
                    version: to.clone(),
                };
                let states = schema.migrations().iter();
                let open = states.filter(|state| !contracted.contains(state.id()));
                let against = open
                    .filter_map(|state| against_start(std::slice::from_ref(&who), state, &flaws));
                planned.refused.extend(against);
            }
        }
    }
}

fn on_paper_instead(mut blocker: Blocker) -> Blocker {
    // Neither does a plan on paper without what cannot be read.
    if blocker.kind() == BlockerKind::Files {
        return blocker;
    }
    blocker.advice = Advice::OrOnPaper(Box::new(blocker.advice));
    blocker
}

/// Where the version in the way runs now, if it does.
fn with_sightings(mut blocker: Blocker, snapshot: &Snapshot) -> Blocker {
    if let Subject::Version(who) = blocker.reason.subject()
        && snapshot.groups_of(who).next().is_some()
    {
        blocker.seen = Seen::of(who, snapshot);
    }
    blocker
}

/// A service that a migration names and nobody says a version of is planned as one that does not run.
fn absent(problem: &Problem) -> Vec<String> {
    let declarations = problem.schema.migrations().iter();
    let named = declarations.flat_map(|state| state.declaration.services.keys());
    let mut absent: Vec<String> = named
        .filter(|service| !problem.live.iter().any(|who| who.service == **service))
        .cloned()
        .collect();
    absent.sort();
    absent.dedup();
    absent
}

fn placed(wanted: &[Wanted], project: &Project) -> Result<Vec<Live>, AskError> {
    let wanted = wanted.iter();
    wanted.map(|who| candidate(who, &project.config)).collect()
}

fn problem(
    wanted: &Goal,
    project: &Project,
    schema: Schema,
    live: Vec<Live>,
) -> Result<Problem, AskError> {
    let mut goal: BTreeMap<String, Version> = BTreeMap::new();
    for who in placed(&wanted.to, project)? {
        if let Some(other) = goal.insert(who.service.clone(), who.version.clone()) {
            return Err(AskError::TwoGoals {
                service: who.service,
                versions: Box::new([other, who.version]),
            });
        }
    }
    let mut releases: Vec<Live> = project
        .config
        .services
        .iter()
        .flat_map(|(service, settings)| {
            settings.releases.iter().map(|version| Live {
                service: service.clone(),
                version: version.clone(),
            })
        })
        .collect();
    releases.extend(placed(&wanted.releases, project)?);
    // Whoever lists every release does not mean to go beyond the one wanted and back.
    releases.retain(|release| is_on_the_way(release, &live, &goal));
    releases.extend(placed(&wanted.via, project)?);
    Ok(Problem {
        schema,
        live,
        releases,
        goal,
    })
}

fn is_on_the_way(release: &Live, live: &[Live], goal: &BTreeMap<String, Version>) -> bool {
    let Some(wanted) = goal.get(&release.service) else {
        return true;
    };
    let of_service = live.iter().filter(|who| who.service == release.service);
    let ends: Vec<&Version> = of_service.map(|who| &who.version).chain([wanted]).collect();
    ends.iter().any(|end| **end <= release.version)
        && ends.iter().any(|end| **end >= release.version)
}

fn waits(step: &PlanStep, project: &Project) -> Vec<Until> {
    let mut waits: Vec<Until> = step.waits.iter().cloned().map(Until::Step).collect();
    let PlanAction::Schema {
        step: Step::Contract,
        migration,
    } = &step.action
    else {
        return waits;
    };
    let Some(found) = project.as_read(migration) else {
        return waits;
    };
    let rules = &found.contract_rules;
    waits.extend(rules.soak.map(|soak| Until::Soaked {
        ms: u64::try_from(soak.as_millis()).unwrap_or(u64::MAX),
    }));
    waits.extend(rules.unused.as_ref().map(|unused| Until::Unused {
        ms: u64::try_from(unused.lasts.as_millis()).unwrap_or(u64::MAX),
    }));
    if !rules.require.is_empty() {
        waits.push(Until::Required);
    }
    if project.config.rehearsal.required {
        waits.push(Until::Rehearsed);
    }
    waits
}
