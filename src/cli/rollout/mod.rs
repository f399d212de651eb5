//! `migrate rollout`: a plan carried out, and taken up again after it stopped.

mod show;
mod watched;

pub(super) use show::in_one_line;

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::args::{Global, GoalArgs, Patience, ServiceVersion};
use super::context::{Context, say_unreleased};
use super::failure::Failure;
use super::gate::candidate;
use super::out::Out;
use super::plan::{self, plan_from_the_fleet};
use super::progress::Reporter;
use super::recording::Recording;
use super::{json, text};
use crate::ask::{Answer, Question};
use crate::coordinator::{Coordinator, CoordinatorError, Options, Progress, Purpose};
use crate::gate::{Action, Verdict, decide};
use crate::ledger::{RolloutRecord, RolloutState};
use crate::model::{Live, Version};
use crate::planner::{Plan, PlanAction};
use crate::project::OnFailure;
use crate::rollout::{Ending, News, Rollout, RolloutError, Settings, ordered, told_last};

pub(super) const ROLLOUT_HELP: &str = "\
The steps are those that `migrate plan` shows for the same options; they are fixed and recorded
when the rollout begins. For each service that is rolled, its driver in migrate.toml is called, or
you are told what to do; then the fleet has to show the new version and none of the old. A contract
comes last, and waits for its soak and for whatever still runs an old version.

A rollout that stops, for whatever reason, leaves every live version able to live with the schema.
It stays open: `resume` goes on, `abort` gives it up.

  migrate rollout --to web=1.2.0                   as `migrate plan --to web=1.2.0` shows it
  migrate rollout --to web=1.2.0 --timeout 2h      wait that long for each step
  migrate rollout resume
  migrate rollout abort --roll-back web=1.1.0

[rollout]
driver = { kind = \"command\", run = [\"./deploy.sh\", \"{service}\", \"{to}\", \"{step}\"], steps = [10, 50, 100] }

Exit codes: 0 done, 1 error or a failed driver, 10 still waiting, 11 refused, 12 unknown.";

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct RolloutArgs {
    #[command(subcommand)]
    pub command: Option<RolloutCommand>,
    #[command(flatten)]
    pub goal: GoalArgs,
    #[command(flatten)]
    pub patience: Patience,
}

#[derive(Subcommand)]
pub(super) enum RolloutCommand {
    /// Show the last rollout: what is done, where it is, why it stopped. Changes nothing
    Status,
    /// Go on with the open rollout, at the step where it stopped, on any machine
    Resume {
        #[command(flatten)]
        patience: Patience,
    },
    /// Give the open rollout up: shows which versions may start now, and rolls back if asked
    Abort {
        /// Roll this service to this version through its driver: web=1.0.0; repeat for others
        #[arg(long, value_name = "SERVICE=VERSION")]
        roll_back: Vec<ServiceVersion>,
        #[command(flatten)]
        patience: Patience,
    },
}

pub(super) async fn run(args: &RolloutArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = match &args.command {
        // What was recorded is shown, and given up, whatever the files say.
        Some(RolloutCommand::Status) => Context::load(global, out)?,
        Some(RolloutCommand::Abort { roll_back, .. }) if roll_back.is_empty() => {
            Context::load(global, out)?
        }
        _ => Context::load_to_act(global, out)?,
    };
    let at = RolloutContext {
        context: &context,
        global,
        out,
    };
    match &args.command {
        None => at.begin(&args.goal, &args.patience).await,
        Some(RolloutCommand::Status) => at.status().await,
        Some(RolloutCommand::Resume { patience }) => at.resume(patience).await,
        Some(RolloutCommand::Abort {
            roll_back,
            patience,
        }) => at.abort(roll_back, patience).await,
    }
}

/// What every command of a rollout works with.
#[derive(Clone, Copy)]
struct RolloutContext<'a> {
    context: &'a Context,
    global: &'a Global,
    out: &'a Out,
}

impl RolloutContext<'_> {
    async fn begin(self, goal: &GoalArgs, patience: &Patience) -> Result<u8, Failure> {
        if goal.to.is_empty() {
            return Err(Failure::new("no version is named to roll out")
                .help("name it: `migrate rollout --to web=1.2.0`; `migrate plan` shows what can be done without a rollout")
                .usage());
        }
        let last = self.context.last_rollout().await?;
        if let Some(open) = last.clone().filter(is_open) {
            return Err(RolloutError::Open(Box::new(open)).into());
        }
        let planned = plan_from_the_fleet(goal, &Recording { record: false }, self.context).await?;
        let again = match &planned.answer {
            Ok(plan) => told_otherwise(plan, last.as_ref()),
            Err(_) => Vec::new(),
        };
        let plan = match &planned.answer {
            Ok(plan) if plan.steps.is_empty() && !again.is_empty() => plan,
            Ok(plan) if !plan.steps.is_empty() && (self.out.is_json() || self.global.quiet) => plan,
            Ok(plan) if !plan.steps.is_empty() => {
                plan::show(&planned, self.out);
                self.out.line("");
                plan
            }
            _ => return Ok(plan::show(&planned, self.out)),
        };
        if let Some(failure) = plan::cannot_run(&planned) {
            return Err(failure);
        }
        let planned = plan.steps.iter().map(|step| step.action.clone());
        for again in &again {
            if !self.out.is_json() {
                self.out.well(show::told_again(again));
            }
        }
        let moves: Vec<PlanAction> = planned.chain(again).collect();
        let reporter = Reporter::new(self.global);
        let progress = |progress: Progress| reporter.show(&progress);
        let news = |news: News<'_>| show::news(news, &reporter, self.out);
        let doing = format!("rollout to {}", show::goal(&plan.goal));
        let coordinator = self.start(doing, &progress).await?;
        let rollout = Rollout::begin(
            coordinator,
            self.settings(patience, &news),
            &plan.goal,
            moves,
        )
        .await?;
        self.carry_on(rollout, &reporter, (patience, None)).await
    }

    async fn resume(self, patience: &Patience) -> Result<u8, Failure> {
        let last = self.context.last_rollout().await?;
        if let Some(code) = self.finished_by_somebody(last.as_ref()) {
            return Ok(code);
        }
        let open = last.filter(is_open).ok_or(RolloutError::NoneOpen)?;
        let reporter = Reporter::new(self.global);
        let progress = |progress: Progress| reporter.show(&progress);
        let news = |news: News<'_>| show::news(news, &reporter, self.out);
        let doing = format!("rollout to {}", show::recorded_goal(&open.goal));
        let coordinator = self.start(doing, &progress).await?;
        let rollout = match Rollout::resume(coordinator, self.settings(patience, &news)).await {
            // Whoever was waited for was at work on it.
            Err(RolloutError::NoneOpen) => {
                reporter.finish();
                let last = self.context.last_rollout().await?;
                let finished = self.finished_by_somebody(last.as_ref());
                return finished.ok_or_else(|| RolloutError::NoneOpen.into());
            }
            resumed => resumed?,
        };
        self.carry_on(rollout, &reporter, (patience, None)).await
    }

    /// There is nothing to go on with where the last rollout is done: that it is, was what was asked for.
    fn finished_by_somebody(self, last: Option<&RolloutRecord>) -> Option<u8> {
        let done = last.filter(|last| last.state == RolloutState::Done)?;
        show::done_already(done, self.out);
        Some(Verdict::Go.exit_code())
    }

    async fn abort(self, roll_back: &[ServiceVersion], patience: &Patience) -> Result<u8, Failure> {
        let mut goal = BTreeMap::new();
        for wanted in roll_back {
            let who = candidate(wanted, &self.context.project.config)?;
            goal.insert(who.service, who.version);
        }
        self.go_back(goal, patience, None).await
    }

    /// Gives up the open rollout and rolls back to `goal`; `stopped` is what has stopped it, where nobody had to ask for this.
    async fn go_back(
        self,
        goal: BTreeMap<String, Version>,
        patience: &Patience,
        stopped: Option<Value>,
    ) -> Result<u8, Failure> {
        let open = self.context.last_rollout().await?.filter(is_open);
        let Some(given_up) = open else {
            return Err(RolloutError::NoneOpen.into());
        };
        let reporter = Reporter::new(self.global);
        let progress = |progress: Progress| reporter.show(&progress);
        let news = |news: News<'_>| show::news(news, &reporter, self.out);
        let mut coordinator = self.start("rollout abort".to_owned(), &progress).await?;
        let moves = match self.way_back(&mut coordinator, &given_up, &goal).await? {
            Ok(moves) => moves,
            Err(code) => {
                coordinator.finish().await?;
                return Ok(code);
            }
        };
        let instead = (!moves.is_empty()).then_some((&goal, moves.as_slice()));
        let given_up = Rollout::abort(&mut coordinator, instead).await;
        let given_up = match given_up {
            Ok(given_up) => given_up,
            Err(error) => {
                coordinator.finish().await?;
                return Err(error.into());
            }
        };
        if instead.is_none() {
            let situation = coordinator.look_whatever_the_files().await;
            let head = say_unreleased(coordinator.finish().await, self.context);
            reporter.finish();
            self.out.log_ends(head.as_ref(), self.global.quiet);
            // It is given up, whether or not the fleet can be shown after it.
            show::given_up(&given_up, situation.as_ref().ok(), self.out);
            return Ok(0);
        }
        if !self.out.is_json() {
            reporter.make_room();
            self.out.well(show::given_up_line(&given_up));
        }
        let rollout = Rollout::resume(coordinator, self.settings(patience, &news)).await?;
        self.carry_on(rollout, &reporter, (patience, stopped)).await
    }

    /// The rollouts that lead back to `goal`; the exit code where it is not safe.
    async fn way_back(
        self,
        coordinator: &mut Coordinator<'_>,
        given_up: &RolloutRecord,
        goal: &BTreeMap<String, Version>,
    ) -> Result<Result<Vec<PlanAction>, u8>, Failure> {
        if goal.is_empty() {
            return Ok(Ok(Vec::new()));
        }
        let situation = coordinator.look_around().await?;
        let wanted = goal.iter().map(|(service, version)| Live {
            service: service.clone(),
            version: version.clone(),
        });
        let decision = decide(Action::Deploy(wanted.collect()), &situation.evidence);
        if decision.verdict != Verdict::Go {
            let snapshot = &situation.evidence.snapshot;
            if self.out.is_json() {
                self.out.json(&json::decision(&decision, snapshot));
            } else {
                self.out.lines(text::decision(&decision, snapshot.taken_at));
                self.out.line(
                    "nothing was changed, and the rollout is still open; `migrate status` shows which versions may start",
                );
            }
            return Ok(Err(decision.verdict.exit_code()));
        }
        let live = situation.evidence.snapshot.live();
        let moves = goal.iter().map(|(service, to)| {
            let seen = live.iter().filter(|who| who.service == *service);
            let mut from: Vec<Version> = seen.map(|who| who.version.clone()).collect();
            from.extend(ordered(given_up, service));
            from.retain(|version| version != to);
            from.sort();
            from.dedup();
            PlanAction::Roll {
                service: service.clone(),
                from,
                to: to.clone(),
            }
        });
        Ok(Ok(moves.collect()))
    }

    /// Does what is left of a rollout, and shows what has become of it.
    async fn carry_on(
        self,
        mut rollout: Rollout<'_>,
        reporter: &Reporter,
        (patience, stopped): (&Patience, Option<Value>),
    ) -> Result<u8, Failure> {
        let ended = rollout.run().await;
        reporter.finish();
        let record = rollout.record().clone();
        let situation = match &ended {
            // What was done is done, whether or not the fleet can be shown after it.
            Ok(_) => rollout.look_around().await.ok(),
            Err(_) => None,
        };
        let head = say_unreleased(rollout.finish().await, self.context);
        self.out.log_ends(head.as_ref(), self.global.quiet);
        let ending = ended?;
        let back = self.way_back_from(&ending);
        let (Some(goal), Ending::Unwell(action, unwell)) = (back, &ending) else {
            let around = (situation.as_ref(), stopped);
            return Ok(show::ending(&ending, &record, around, self.out));
        };
        if !self.out.is_json() {
            watched::does_not_hold(action, unwell, self.out);
            self.out.line("");
            self.out.line(format!(
                "on_failure = \"roll-back\": back to {}",
                show::goal(&goal)
            ));
        }
        let checks = watched::checks_json(unwell);
        let went = Box::pin(self.go_back(goal, patience, Some(checks))).await?;
        // It is back, and what was asked for was not done.
        Ok(match went {
            0 => watched::verdict_of(unwell).exit_code(),
            other => other,
        })
    }

    /// Where a rollout that a check has stopped goes back to by itself: to the one version that it replaces.
    fn way_back_from(self, ending: &Ending) -> Option<BTreeMap<String, Version>> {
        let Ending::Unwell(PlanAction::Roll { service, from, .. }, _) = ending else {
            return None;
        };
        let wants = self.context.project.config.rollout.on_failure == OnFailure::RollBack;
        match from.as_slice() {
            [from] if wants => Some(BTreeMap::from([(service.clone(), from.clone())])),
            _ => None,
        }
    }

    async fn status(self) -> Result<u8, Failure> {
        let looked = match self.context.ask(&Question::Rollout).await? {
            Answer::Rollout(looked) => looked,
            other => return Err(Failure::unasked(&other)),
        };
        Context::note_drift(&looked.situation);
        match &looked.beside.rollout {
            _ if self.out.is_json() => self.out.json(&looked.rollout_json()),
            None => self.out.line(
                "no rollout has been begun; `migrate rollout --to SERVICE=VERSION` begins one",
            ),
            Some(record) => show::status(record, &looked.situation, self.out),
        }
        Ok(0)
    }

    async fn start<'s>(
        &'s self,
        doing: String,
        report: &'s (dyn Fn(Progress) + Send + Sync),
    ) -> Result<Coordinator<'s>, Failure> {
        let options = Options {
            project: &self.context.project,
            target: &self.context.target,
            purpose: Purpose::Begin,
            doing,
            accept_unknown: None,
            pace: None,
            wait: None,
            report,
            lists: self.context.lists(),
            interrupt: self.context.interrupt,
        };
        Coordinator::start(options).await.map_err(|error| {
            // No command of a rollout has --wait.
            let ends_in = match &error {
                CoordinatorError::Held(row) => Some(row.ends_in_seconds()),
                _ => None,
            };
            let failure = Failure::from(error);
            match ends_in {
                Some(seconds) => failure.help(format!(
                    "run the same command again when that has ended. Whoever runs it can stop it with Ctrl-C, and nothing is lost by that; if it \
                     is gone, its lease ends in {seconds} s"
                )),
                None => failure,
            }
        })
    }

    fn settings<'s>(
        &'s self,
        patience: &Patience,
        report: &'s (dyn Fn(News<'_>) + Send + Sync),
    ) -> Settings<'s> {
        let configured: Duration = self.context.project.config.rollout.timeout;
        Settings {
            project: &self.context.project,
            timeout: patience.timeout.unwrap_or(configured),
            report,
            interrupt: self.context.interrupt,
        }
    }
}

/// The services that the plan leaves as the fleet shows them, and whose driver was told another version last: what it has ordered may
/// still be tried.
fn told_otherwise(plan: &Plan, last: Option<&RolloutRecord>) -> Vec<PlanAction> {
    let Some(last) = last else {
        return Vec::new();
    };
    let is_rolled = |service: &String| {
        plan.steps.iter().any(
            |step| matches!(&step.action, PlanAction::Roll { service: of, .. } if of == service),
        )
    };
    let left = plan.goal.iter().filter(|(service, _)| !is_rolled(service));
    let rolls = left.filter_map(|(service, to)| {
        let mut from = told_last(last, service);
        from.retain(|version| version != to);
        (!from.is_empty()).then(|| PlanAction::Roll {
            service: service.clone(),
            from,
            to: to.clone(),
        })
    });
    rolls.collect()
}

fn is_open(record: &RolloutRecord) -> bool {
    record.state == RolloutState::Open
}
