//! `migrate plan`: which schema steps and rollouts lead to the versions wanted.

mod show;

use std::collections::BTreeMap;
use std::path::Path;

use clap::Args;

use super::args::{Global, GoalArgs, ServiceVersion};
use super::context::{Context, load_project, refuse_drift};
use super::failure::Failure;
use super::gate::candidate;
use super::out::{Out, note};
use super::recording::Recording;
use crate::coordinator::flaws_on_paper;
use crate::gate::{
    Advice, Blocker, BlockerKind, Flaw, Flawed, Seen, Subject, Verdict, missing_evidence, unread,
};
use crate::interrupt::Interrupt;
use crate::model::{Live, MigrationState, Schema, Snapshot, Version};
use crate::planner::{Move, NoPlan, Plan, Problem, plan};
use crate::project::{Config, Project};

pub(super) const PLAN_HELP: &str = "\
The plan has the fewest rollouts there can be, and among those the fewest steps. Expands come
first, each backfill as early as it is safe, and contracts last: until then everything can be
undone. A service that no --to names stays at what it runs.

Where there is no plan, the answer (exit code 11) says which version is in the way of which, and
what would open a way: a release in between, a sync, another declaration.

  migrate plan --to web=1.2.0                  from what is live now
  migrate plan --to web=1.2.0 --via web=1.1.0  with a release that may be used on the way
  migrate plan --from web=1.0.0 --to web=1.2.0 on paper, without a database: in a pull request
  migrate plan … --output mermaid              as a diagram, for a page or a review";

#[derive(Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub goal: GoalArgs,
    #[command(flatten)]
    pub recording: Recording,
    /// Plan on paper from these versions: nothing is applied, nothing else runs, no database
    /// is asked
    #[arg(long, value_name = "SERVICE=VERSION")]
    pub from: Vec<ServiceVersion>,
}

pub(super) async fn run(args: &PlanArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    if args.from.is_empty() {
        from_the_fleet(args, global, out).await
    } else {
        on_paper(args, global, out)
    }
}

/// From the versions given, with every migration pending. No database is touched.
fn on_paper(args: &PlanArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let project = load_project(global, out)?;
    let live = placed(&args.from, &project.config)?;
    let pending = project
        .declarations()
        .map(|declaration| MigrationState::pending(declaration.clone()));
    let problem = problem(&args.goal, &project, Schema::new(pending.collect()), live)?;
    warn_of_absent(&problem);
    let hidden = unread(&flaws_on_paper(&project));
    let answer = if hidden.is_empty() {
        search(&problem, global.interrupt)
    } else {
        Err(none_because_of(hidden))
    };
    let planned = Planned {
        problem,
        answer,
        now: 0,
        flaws: Vec::new(),
    };
    Ok(planned.show(&project, out))
}

/// From the fleet as it is seen, and the migrations as they are recorded.
async fn from_the_fleet(args: &PlanArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = Context::load(global, out)?;
    let planned = plan_from_the_fleet(&args.goal, &args.recording, &context).await?;
    Ok(planned.show(&context.project, out))
}

/// What planning came to, and what it started from.
pub(super) struct Planned {
    pub problem: Problem,
    pub answer: Result<Plan, Box<NoPlan>>,
    /// Milliseconds since the epoch; 0 on paper.
    now: i64,
    /// What of the files is not in order.
    flaws: Vec<Flaw>,
}

impl Planned {
    /// The refusal where a step of the plan cannot run from these files: nobody is sent half of a way.
    pub(super) fn cannot_run(&self) -> Option<Failure> {
        let plan = self.answer.as_ref().ok()?;
        let mut steps = plan.steps.iter();
        let (step, flaw) =
            steps.find_map(|step| against(&step.action, &self.flaws).map(|flaw| (step, flaw)))?;
        let failure = Failure::new(format!(
            "`{}` of this plan cannot be taken: {}",
            step.action, flaw.error
        ));
        Some(failure.help(&flaw.help).refused())
    }

    /// Shows it; returns the exit code.
    pub(super) fn show(&self, project: &Project, out: &Out) -> u8 {
        match &self.answer {
            Ok(plan) => {
                show::plan(plan, &self.problem, project, out);
                Verdict::Go.exit_code()
            }
            Err(none) => {
                show::none(none, &self.problem, self.now, out);
                none.verdict().exit_code()
            }
        }
    }
}

/// Plans from what is live now.
pub(super) async fn plan_from_the_fleet(
    goal: &GoalArgs,
    recording: &Recording,
    context: &Context,
) -> Result<Planned, Failure> {
    // What is asked for has to be readable before anything is waited for.
    problem(goal, &context.project, Schema::default(), Vec::new())?;
    let situation = context.look(recording).await?;
    refuse_drift(&situation)?;
    let evidence = situation.evidence;
    let live = evidence.snapshot.live();
    let missing = missing_evidence(&evidence);
    let problem = problem(goal, &context.project, evidence.schema, live)?;
    let mut answer = if missing.is_empty() {
        search(&problem, context.interrupt).map_err(|mut none| {
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
        say_what_cannot_run(plan, &evidence.flaws);
    }
    Ok(Planned {
        problem,
        answer,
        now: evidence.snapshot.taken_at,
        flaws: evidence.flaws,
    })
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

/// The steps that cannot run from these files are told where they stand.
fn say_what_cannot_run(plan: &mut Plan, flaws: &[Flaw]) {
    for step in &mut plan.steps {
        if let Some(flaw) = against(&step.action, flaws) {
            let note = format!(
                "the gate will refuse this step: {}; {}",
                flaw.error, flaw.help
            );
            step.notes.push(note);
        }
    }
}

/// What is wrong with the files of a step.
fn against<'f>(action: &Move, flaws: &'f [Flaw]) -> Option<&'f Flaw> {
    let Move::Schema { step, migration } = action else {
        return None;
    };
    flaws
        .iter()
        .find(|flaw| matches!(&flaw.of, Flawed::Step(id, kept) if id == migration && kept == step))
}

fn on_paper_instead(blocker: Blocker) -> Blocker {
    // Neither does a plan on paper without what cannot be read.
    if blocker.kind() == BlockerKind::Files {
        return blocker;
    }
    Blocker {
        advice: Advice::OrOnPaper(Box::new(blocker.advice)),
        ..blocker
    }
}

/// Where the version in the way runs now, if it does.
fn with_sightings(blocker: Blocker, snapshot: &Snapshot) -> Blocker {
    match blocker.reason.subject() {
        Subject::Version(who) if snapshot.groups_of(who).next().is_some() => {
            let seen = Seen::of(who, snapshot);
            Blocker { seen, ..blocker }
        }
        _ => blocker,
    }
}

/// A service that a migration names and `--from` does not is planned as one that does not run.
fn warn_of_absent(problem: &Problem) {
    let declarations = problem.schema.migrations().iter();
    let named = declarations.flat_map(|state| state.declaration.services.keys());
    let mut absent: Vec<&String> = named
        .filter(|service| !problem.live.iter().any(|who| who.service == **service))
        .collect();
    absent.sort();
    absent.dedup();
    for service in absent {
        note(&format!(
            "note: `--from` names no version of {service}: planned as if it did not run"
        ));
    }
}

fn placed(wanted: &[ServiceVersion], config: &Config) -> Result<Vec<Live>, Failure> {
    wanted.iter().map(|who| candidate(who, config)).collect()
}

fn problem(
    args: &GoalArgs,
    project: &Project,
    schema: Schema,
    live: Vec<Live>,
) -> Result<Problem, Failure> {
    let config = &project.config;
    let mut goal: BTreeMap<String, Version> = BTreeMap::new();
    for who in placed(&args.to, config)? {
        if let Some(other) = goal.insert(who.service.clone(), who.version.clone()) {
            return Err(Failure::new(format!(
                "{} cannot end at both {other} and {}",
                who.service, who.version
            ))
            .help("give `--to` once for each service; releases on the way go into `--via`")
            .usage());
        }
    }
    let mut releases: Vec<Live> = config
        .services
        .iter()
        .flat_map(|(service, settings)| {
            settings.releases.iter().map(|version| Live {
                service: service.clone(),
                version: version.clone(),
            })
        })
        .collect();
    if let Some(file) = &args.releases {
        releases.extend(read_releases(file, config)?);
    }
    // Whoever lists every release does not mean to go beyond the one wanted and back.
    releases.retain(|release| is_on_the_way(release, &live, &goal));
    releases.extend(placed(&args.via, config)?);
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

fn read_releases(file: &Path, config: &Config) -> Result<Vec<Live>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| {
        Failure::new(format!("`{}` cannot be read: {error}", file.display()))
            .help("name a file with one SERVICE=VERSION a line")
    })?;
    let mut releases = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let place = format!("`{}` line {}", file.display(), at + 1);
        let release: ServiceVersion = line.parse().map_err(|error: String| {
            Failure::new(format!("{place}: `{line}` is not a release")).help(error)
        })?;
        releases.push(candidate(&release, config).map_err(|failure| failure.at(&place))?);
    }
    Ok(releases)
}
