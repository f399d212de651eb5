//! `migrate prepare`: every schema step that comes before a rollout, and whether the rollout may begin then.

use std::time::{Duration, Instant};

use clap::Args;
use serde_json::json;

use super::args::{Global, GoalArgs, ServiceVersion};
use super::context::{Context, say_unreleased};
use super::duration::duration;
use super::failure::Failure;
use super::gate::candidate;
use super::out::{Out, note};
use super::outcome::{Sums, as_json};
use super::plan::{self, plan_from_the_fleet};
use super::progress::Reporter;
use super::recording::Recording;
use super::{json, text};
use crate::coordinator::{Coordinator, Options, Outcome, Progress, Purpose, Situation};
use crate::gate::{Action, Decision, Verdict, decide};
use crate::model::{Live, MigrationId, Step};
use crate::planner::{Plan, PlanAction};

pub(super) const PREPARE_HELP: &str = "\
For a pipeline, before whatever rolls the service out: the steps of `migrate plan --to` up to its
first rollout (expands, and backfills where they come before it), and then the answer of
`migrate gate deploy`. To run it again does what is left. Nothing is contracted unless the plan
needs that before the rollout.

  migrate prepare --for web=1.2.0              and exit 0 if it may be rolled out now
  migrate prepare --for web=1.2.0 --wait 10m   wait for what passes by itself

Where another release has to be rolled out first, the answer (11) says which.";

#[derive(Args)]
pub(super) struct PrepareArgs {
    /// The version that is to be rolled out: web=1.2.0; repeat for others
    #[arg(long = "for", value_name = "SERVICE=VERSION", required = true)]
    pub wanted: Vec<ServiceVersion>,
    /// A release that may be rolled out on the way, beside `releases` in migrate.toml
    #[arg(long, value_name = "SERVICE=VERSION")]
    pub via: Vec<ServiceVersion>,
    /// Wait this long for another coordinator, and for each step that is held up by what passes: 30s, 10m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,
}

/// How long it is before what holds a step is looked at again.
const PAUSE: Duration = Duration::from_millis(500);

pub(super) async fn run(args: &PrepareArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = Context::load_to_act(global, out)?;
    let goal = GoalArgs {
        to: args.wanted.clone(),
        via: args.via.clone(),
        releases: None,
    };
    let wanted: Result<Vec<Live>, Failure> = args
        .wanted
        .iter()
        .map(|wanted| candidate(wanted, &context.project.config))
        .collect();
    let wanted = wanted?;
    let planned = plan_from_the_fleet(&goal, &Recording { record: false }, &context).await?;
    let steps = match &planned.answer {
        Ok(plan) => {
            if let Some(failure) = plan::cannot_run(&planned) {
                return Err(failure);
            }
            before_the_first_rollout(plan)
        }
        // What runs is not known, as before the first installation: what is always safe is done, and the gate answers.
        Err(none) if none.verdict() == Verdict::Unknown => pending(&context).await?,
        Err(_) => return Ok(plan::show(&planned, out)),
    };
    let reporter = Reporter::new(global);
    let report = |progress: Progress| reporter.show(&progress);
    let names: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let options = Options {
        project: &context.project,
        target: &context.target,
        purpose: Purpose::Begin,
        doing: format!("prepare for {}", names.join(", ")),
        accept_unknown: None,
        wait: args.wait,
        pace: None,
        report: &report,
        lists: context.lists(),
        interrupt: context.interrupt,
    };
    let mut coordinator = Coordinator::start(options).await?;
    let mut sums = Sums::new(steps.len(), global);
    let mut outcomes = Vec::new();
    let mut failed = None;
    for (step, id) in &steps {
        let began = Instant::now();
        let outcome = match take(&mut coordinator, (*step, id), args.wait, &context).await {
            Ok(outcome) => outcome,
            Err(error) => {
                failed = Some(error);
                break;
            }
        };
        if !out.is_json() {
            let lines = sums.add(std::slice::from_ref(&outcome), began.elapsed());
            if !lines.is_empty() {
                reporter.finish();
            }
            out.lines(lines);
        }
        let is_blocked = matches!(outcome, Outcome::Blocked(_));
        outcomes.push(outcome);
        if is_blocked {
            break;
        }
    }
    if !out.is_json() {
        out.lines(sums.end());
    }
    let looked = match &failed {
        None => Some(look(&mut coordinator, &wanted, args.wait, &context).await),
        Some(_) => None,
    };
    reporter.finish();
    let head = say_unreleased(coordinator.finish().await, &context);
    if outcomes.iter().any(|one| matches!(one, Outcome::Done(_))) {
        out.log_ends(head.as_ref(), global.quiet);
    }
    let results: Vec<_> = outcomes.iter().map(as_json).collect();
    if let Some(error) = failed {
        return Err(error.after(results));
    }
    let Some((situation, decision)) = looked.transpose()? else {
        return Ok(0);
    };
    show(&decision, &situation, results, out);
    if let Ok(plan) = &planned.answer {
        say_first(plan, &wanted, out);
    }
    // A step that was not taken is one that is missing, whatever the gate says.
    let blocked = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Blocked(decision) => Some(decision.verdict),
        Outcome::Done(_) | Outcome::Already { .. } => None,
    });
    let verdict = text::heaviest(blocked.chain([decision.verdict]));
    Ok(verdict.exit_code())
}

/// The steps of a plan before its first rollout. Where it has none, what cannot be undone is left to whoever asks for it.
fn before_the_first_rollout(plan: &Plan) -> Vec<(Step, MigrationId)> {
    let moves = || plan.steps.iter().map(|step| &step.action);
    let has_rollout = moves().any(|action| matches!(action, PlanAction::Roll { .. }));
    let steps = moves().map_while(|action| match action {
        PlanAction::Schema { step, migration } => Some((*step, migration.clone())),
        PlanAction::Roll { .. } => None,
    });
    steps
        .take_while(|(step, _)| has_rollout || matches!(step, Step::Expand | Step::Backfill))
        .collect()
}

/// The expands that are left.
async fn pending(context: &Context) -> Result<Vec<(Step, MigrationId)>, Failure> {
    let situation = context.observe().await?;
    let states = situation.evidence.schema.migrations().iter();
    let left = states
        .filter(|state| state.declaration.parts.expand && !state.phase.expand_is_done())
        .map(|state| (Step::Expand, state.id().clone()));
    Ok(left.collect())
}

async fn take(
    coordinator: &mut Coordinator<'_>,
    (step, id): (Step, &MigrationId),
    wait: Option<Duration>,
    context: &Context,
) -> Result<Outcome, Failure> {
    let began = Instant::now();
    loop {
        let outcome = coordinator.take(step, id).await?;
        let passes = match &outcome {
            Outcome::Blocked(decision) => decision.waits_for_live_versions(),
            Outcome::Done(_) | Outcome::Already { .. } => false,
        };
        let has_time = wait.is_some_and(|wait| began.elapsed() < wait);
        if !passes || !has_time || context.interrupt.pause(PAUSE).await {
            return Ok(outcome);
        }
    }
}

/// What the gate says, once nothing that passes by itself holds it up, or the time for that is over.
async fn look(
    coordinator: &mut Coordinator<'_>,
    wanted: &[Live],
    wait: Option<Duration>,
    context: &Context,
) -> Result<(Situation, Decision), Failure> {
    let began = Instant::now();
    loop {
        let situation = coordinator.look_around().await?;
        let decision = decide(Action::Deploy(wanted.to_vec()), &situation.evidence);
        let has_time = wait.is_some_and(|wait| began.elapsed() < wait);
        let is_held = decision.verdict == Verdict::Hold;
        if !is_held || !has_time || context.interrupt.pause(PAUSE).await {
            return Ok((situation, decision));
        }
    }
}

fn show(decision: &Decision, situation: &Situation, results: Vec<serde_json::Value>, out: &Out) {
    let snapshot = &situation.evidence.snapshot;
    if out.is_json() {
        out.json(&json!({
            "verdict": decision.verdict.name(),
            "results": results,
            "deploy": json::decision(decision, snapshot),
        }));
    } else {
        out.lines(text::decision(decision, snapshot.taken_at));
    }
}

/// A release that the plan rolls out before the one that is wanted.
fn say_first(plan: &Plan, wanted: &[Live], out: &Out) {
    let rolls = plan.steps.iter().filter_map(|step| match &step.action {
        PlanAction::Roll { service, to, .. } => Some((service, to)),
        PlanAction::Schema { .. } => None,
    });
    let mut others = rolls.filter(|(service, to)| {
        let mut wanted = wanted.iter();
        wanted.any(|who| who.service == **service && who.version != **to)
    });
    if let Some((service, to)) = others.next()
        && !out.is_json()
    {
        note(&format!(
            "the plan rolls out {service} {to} first: `migrate prepare --for {service}={to}`, then roll that out, then ask again"
        ));
    }
}
