//! `migrate plan`: which schema steps and rollouts lead to the versions wanted.

mod show;

use std::path::Path;

use clap::Args;

use super::args::{Global, GoalArgs, ServiceVersion};
use super::context::{Context, load_project};
use super::failure::Failure;
use super::gate::{candidate, wanted};
use super::out::{Out, note};
use super::recording::Recording;
use crate::ask::{Answer, Goal, Planned, Question, Record, RefusedStep, Wanted, plan_on_paper};
use crate::database::read_small_once;
use crate::project::{Config, Project};

pub(super) const PLAN_HELP: &str = "\
The plan has the fewest rollouts there can be, and among those the fewest steps. Expands come
first, each backfill as early as it is safe, and contracts last: until then everything can be
undone. A service that no --to names stays at what it runs.

Where there is no plan, the answer (exit code 11) says which version is in the way of which, and
what would open a way: a release in between, a sync, another declaration. A plan that has a step
which the gate refuses as things stand is shown, and ends with 11 too.

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
    let goal = goal(&args.goal, &project)?;
    let from: Vec<Wanted> = args.from.iter().map(wanted).collect();
    let planned = plan_on_paper(&project, &from, &goal, global.interrupt)?;
    for service in &planned.absent {
        note(&format!(
            "note: `--from` names no version of {service}: planned as if it did not run"
        ));
    }
    Ok(show(&planned, out))
}

/// From the fleet as it is seen, and the migrations as they are recorded.
async fn from_the_fleet(args: &PlanArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = Context::load(global, out)?;
    let planned = plan_from_the_fleet(&args.goal, &args.recording, &context).await?;
    Ok(show(&planned, out))
}

/// Plans from what is live now.
pub(super) async fn plan_from_the_fleet(
    args: &GoalArgs,
    recording: &Recording,
    context: &Context,
) -> Result<Box<Planned>, Failure> {
    let question = Question::Plan {
        goal: goal(args, &context.project)?,
        record: Record::from(recording),
    };
    match context.ask(&question).await? {
        Answer::Plan(planned) => Ok(planned),
        other => Err(Failure::unasked(&other)),
    }
}

/// The refusal where a step of the plan will be refused.
pub(super) fn cannot_run(planned: &Planned) -> Option<Failure> {
    let RefusedStep { action, why, .. } = planned.refused()?;
    let why_not = why.message();
    let failure = Failure::new(format!(
        "`{action}` of this plan cannot be taken: {why_not}"
    ));
    Some(failure.help(why.help()).refused())
}

/// Shows a plan, or why there is none; returns the exit code.
pub(super) fn show(planned: &Planned, out: &Out) -> u8 {
    show::show(planned, out);
    planned.verdict().exit_code()
}

fn goal(args: &GoalArgs, project: &Project) -> Result<Goal, Failure> {
    let releases = match &args.releases {
        Some(file) => read_releases(file, &project.config)?,
        None => Vec::new(),
    };
    Ok(Goal {
        to: args.to.iter().map(wanted).collect(),
        via: args.via.iter().map(wanted).collect(),
        releases,
    })
}

fn read_releases(file: &Path, config: &Config) -> Result<Vec<Wanted>, Failure> {
    let text = read_small_once(file).map_err(|error| {
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
        candidate(&release, config).map_err(|failure| failure.at(&place))?;
        releases.push(wanted(&release));
    }
    Ok(releases)
}
