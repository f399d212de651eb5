//! `migrate expand`, `backfill`, `contract`, `revert` and `resolve`.

use std::time::Duration;

use serde_json::json;

use super::args::{BackfillArgs, ContractArgs, ExpandArgs, Global, RevertArgs, Using};
use super::context::{Context, refuse_drift, say_unreleased};
use super::failure::Failure;
use super::out::{Out, note};
use super::outcome::{as_json, as_text};
use super::progress::Reporter;
use super::{json, text};
use crate::coordinator::{
    Coordinator, CoordinatorError, Options, Outcome, Progress, Purpose, Situation,
};
use crate::gate::{Decision, Flaw, Flawed, Verdict};
use crate::model::{MigrationId, MigrationState, Phase, Step};
use crate::project::{Pace, Problems};

/// What a command is asked to do.
struct Task {
    step: Step,
    ids: Vec<MigrationId>,
    wait: Option<Duration>,
    /// Of a backfill.
    pace: Option<Pace>,
    accept_unknown: Option<String>,
    /// Whether the user named the migrations.
    is_named: bool,
    in_use: InUse,
}

/// What becomes of a step that only live versions are in the way of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum InUse {
    /// It ends the command with the code of its verdict.
    Fails,
    /// It is left for a later day.
    IsLeft,
}

impl InUse {
    fn of(using: &Using) -> Self {
        if using.unless_in_use {
            Self::IsLeft
        } else {
            Self::Fails
        }
    }
}

pub(super) async fn expand(args: &ExpandArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = Context::load_to_act(global, out)?;
    let up_to = match &args.up_to {
        Some(wanted) => Some(context.find(wanted).await?),
        None => None,
    };
    let is_wanted = |state: &MigrationState| {
        let is_within = up_to.as_ref().is_none_or(|last| state.id() <= last);
        is_within && state.declaration.parts.expand && !state.phase.expand_is_done()
    };
    // Nobody knows what they add: each is refused in its turn, and nothing after it is expanded.
    let is_unread = |flaw: &Flaw| matches!(&flaw.of, Flawed::Declaration(id) if up_to.as_ref().is_none_or(|last| id <= last));
    let (ids, is_named) = select(&context, &args.ids, is_wanted, is_unread).await?;
    let listing = &context.project.flaws.listing;
    if ids.is_empty() && !listing.is_empty() {
        // There may be more to expand.
        return Err(Problems(listing.clone()).into());
    }
    if ids.is_empty() && !context.observe().await?.has_ledger {
        return make_ledger(&context, args.waiting.wait, global, out).await;
    }
    let task = Task {
        step: Step::Expand,
        ids,
        wait: args.waiting.wait,
        pace: None,
        accept_unknown: None,
        is_named,
        in_use: InUse::Fails,
    };
    run(&context, task, global, out).await
}

pub(super) async fn backfill(
    args: &BackfillArgs,
    global: &Global,
    out: &Out,
) -> Result<u8, Failure> {
    if let Some(command) = &args.command {
        return super::backfill::control(command, global, out).await;
    }
    let context = Context::load_to_act(global, out)?;
    let is_wanted = |state: &MigrationState| {
        let is_open = matches!(
            state.phase,
            Phase::Pending | Phase::Expanded | Phase::Backfilling
        );
        state.declaration.parts.backfill && state.expand_is_done() && is_open
    };
    let (ids, is_named) = select(&context, &args.ids, is_wanted, |_| false).await?;
    if args.dry_run {
        return super::backfill::rehearse(&context, &ids, out).await;
    }
    let accept_unknown = reason(args.overriding.accept_unknown.as_deref())?;
    let task = Task {
        step: Step::Backfill,
        ids,
        wait: args.waiting.wait,
        pace: args.pace,
        accept_unknown,
        is_named,
        in_use: InUse::of(&args.using),
    };
    run(&context, task, global, out).await
}

pub(super) async fn contract(
    args: &ContractArgs,
    global: &Global,
    out: &Out,
) -> Result<u8, Failure> {
    let context = Context::load_to_act(global, out)?;
    let is_wanted = |state: &MigrationState| {
        state.declaration.parts.contract
            && state.expand_is_done()
            && state.phase != Phase::Contracted
    };
    let (ids, is_named) = select(&context, &args.ids, is_wanted, |_| false).await?;
    if args.dry_run {
        return rehearse(&context, &ids, out).await;
    }
    let accept_unknown = reason(args.overriding.accept_unknown.as_deref())?;
    let task = Task {
        step: Step::Contract,
        ids,
        wait: args.wait,
        pace: None,
        accept_unknown,
        is_named,
        in_use: InUse::of(&args.using),
    };
    run(&context, task, global, out).await
}

pub(super) async fn revert(args: &RevertArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = Context::load(global, out)?;
    let ids = vec![context.find(&args.id).await?];
    let accept_unknown = reason(args.overriding.accept_unknown.as_deref())?;
    let task = Task {
        step: Step::Revert,
        ids,
        wait: args.waiting.wait,
        pace: None,
        accept_unknown,
        is_named: true,
        in_use: InUse::Fails,
    };
    run(&context, task, global, out).await
}

/// The migrations that were named, or those that wait for the step.
async fn select(
    context: &Context,
    named: &[String],
    is_wanted: impl Fn(&MigrationState) -> bool,
    is_unread: impl Fn(&Flaw) -> bool,
) -> Result<(Vec<MigrationId>, bool), Failure> {
    if !named.is_empty() {
        let mut ids = Vec::new();
        for wanted in named {
            ids.push(context.find(wanted).await?);
        }
        ids.sort();
        ids.dedup();
        return Ok((ids, true));
    }
    let situation = context.observe().await?;
    refuse_drift(&situation)?;
    context.note_missing(&situation);
    let states = situation.evidence.schema.migrations().iter();
    let wanted = states.filter(|state| is_wanted(state));
    let mut ids: Vec<MigrationId> = wanted.map(|state| state.id().clone()).collect();
    let flaws = situation.evidence.flaws.iter();
    ids.extend(
        flaws
            .filter(|flaw| is_unread(flaw))
            .filter_map(Flaw::migration)
            .cloned(),
    );
    ids.sort();
    Ok((ids, false))
}

fn reason(text: Option<&str>) -> Result<Option<String>, Failure> {
    match text.map(str::trim) {
        Some("") => Err(Failure::new("--accept-unknown needs a reason")
            .help("say why, for whoever reads the log")
            .usage()),
        other => Ok(other.map(ToOwned::to_owned)),
    }
}

async fn run(context: &Context, task: Task, global: &Global, out: &Out) -> Result<u8, Failure> {
    if task.ids.is_empty() {
        return Ok(nothing_to_do(task.step, out));
    }
    let names: Vec<&str> = task.ids.iter().map(MigrationId::as_str).collect();
    let doing = format!("{} {}", task.step.name(), names.join(" "));
    let reporter = Reporter::new(global);
    let report = |progress: Progress| reporter.show(&progress);
    let options = Options {
        project: &context.project,
        target: &context.target,
        purpose: match task.step {
            Step::Expand => Purpose::Begin,
            Step::Backfill | Step::Contract | Step::Revert => Purpose::Act,
        },
        doing,
        accept_unknown: task.accept_unknown.clone(),
        wait: task.wait,
        pace: task.pace,
        report: &report,
        interrupt: context.interrupt,
    };
    let is_made = is_to_be_made(context);
    let mut coordinator = Coordinator::start(options).await?;
    if is_made && !global.quiet {
        say_made(context);
    }
    let mut outcomes = Vec::new();
    let mut failed = None;
    while let Some(ids) = task.ids.get(outcomes.len()..).filter(|ids| !ids.is_empty()) {
        let taken = match coordinator.take_first(task.step, ids).await {
            Ok(taken) => taken,
            Err(error) => {
                failed = Some(error);
                break;
            }
        };
        if !out.is_json() {
            reporter.finish();
            for outcome in &taken {
                out.lines(as_text(outcome));
            }
        }
        let is_blocked = taken.iter().any(|one| matches!(one, Outcome::Blocked(_)));
        outcomes.extend(taken);
        // Expands build on each other; the others stand each for itself.
        if is_blocked && task.step == Step::Expand {
            break;
        }
    }
    reporter.finish();
    let head = say_unreleased(coordinator.finish().await, context);
    if outcomes.iter().any(|one| matches!(one, Outcome::Done(_))) {
        out.log_ends(head.as_ref(), global.quiet);
    }
    let verdict = text::heaviest(outcomes.iter().map(|outcome| match outcome {
        Outcome::Blocked(decision) => decision.verdict,
        Outcome::Done(_) | Outcome::Already { .. } => Verdict::Go,
    }));
    let results: Vec<_> = outcomes.iter().map(as_json).collect();
    if let Some(error) = failed {
        return Err(Failure::from(error).after(results));
    }
    if out.is_json() {
        out.json(&json!({ "verdict": verdict.name(), "results": results }));
    }
    if verdict != Verdict::Go && !task.is_named && !out.is_json() {
        out.line(format!(
            "what could be done was done; the rest waits ({})",
            verdict.name()
        ));
    }
    if task.in_use == InUse::IsLeft {
        let fails = outcomes.iter().filter_map(|outcome| match outcome {
            Outcome::Blocked(decision) if !decision.is_only_in_use() => Some(decision.verdict),
            _ => None,
        });
        return Ok(text::heaviest(fails).exit_code());
    }
    Ok(verdict.exit_code())
}

fn is_to_be_made(context: &Context) -> bool {
    context.target.path().is_some_and(|path| !path.exists())
}

/// A mistyped path makes a file as well, and all of its steps go well.
fn say_made(context: &Context) {
    if let Some(path) = context.target.path() {
        note(&format!(
            "note: there was no file {}, and it has been made: nothing was applied there before",
            path.display()
        ));
    }
}

/// Makes the ledger before there is anything to record: instances register in it from the first day on, and have no right
/// to make it.
async fn make_ledger(
    context: &Context,
    wait: Option<Duration>,
    global: &Global,
    out: &Out,
) -> Result<u8, Failure> {
    let reporter = Reporter::new(global);
    let report = |progress: Progress| reporter.show(&progress);
    let options = Options {
        project: &context.project,
        target: &context.target,
        purpose: Purpose::Begin,
        doing: "make the ledger".to_owned(),
        accept_unknown: None,
        wait,
        pace: None,
        report: &report,
        interrupt: context.interrupt,
    };
    let is_made = is_to_be_made(context);
    let coordinator = Coordinator::start(options).await?;
    reporter.finish();
    if is_made && !global.quiet {
        say_made(context);
    }
    say_unreleased(coordinator.finish().await, context);
    if out.is_json() {
        out.json(&json!({ "verdict": "go", "results": [] }));
    } else {
        out.line("made the ledger; nothing to expand");
    }
    Ok(0)
}

fn nothing_to_do(step: Step, out: &Out) -> u8 {
    if out.is_json() {
        out.json(&json!({ "verdict": "go", "results": [] }));
    } else {
        out.line(format!("nothing to {}", step.name()));
    }
    0
}

async fn rehearse(context: &Context, ids: &[MigrationId], out: &Out) -> Result<u8, Failure> {
    let mut situation = context.observe().await?;
    refuse_drift(&situation)?;
    let mut verdicts = Vec::new();
    let mut results = Vec::new();
    for id in ids {
        let decision = rehearse_one(context, id, &mut situation).await?;
        let migration = context.project.as_read(id);
        let files = migration.map(|migration| migration.files(context.target.dialect()));
        let statements: Vec<&str> = files
            .and_then(|files| files.contract.as_ref())
            .into_iter()
            .flat_map(|file| &file.script.statements)
            .map(|statement| statement.text.as_str())
            .collect();
        if out.is_json() {
            let mut value = json::decision(&decision, &situation.evidence.snapshot);
            if let Some(object) = value.as_object_mut() {
                object.insert("statements".into(), json!(statements));
            }
            results.push(value);
        } else {
            out.lines(text::decision(&decision, situation.view.now));
            out.line("  would run:");
            for statement in statements {
                out.lines(text::code(statement));
            }
        }
        verdicts.push(decision.verdict);
    }
    let verdict = text::heaviest(verdicts);
    if out.is_json() {
        out.json(&json!({ "verdict": verdict.name(), "dry_run": results }));
    } else if ids.is_empty() {
        out.line("nothing to contract");
    }
    Ok(verdict.exit_code())
}

async fn rehearse_one(
    context: &Context,
    id: &MigrationId,
    situation: &mut Situation,
) -> Result<Decision, Failure> {
    if let Some(mut connection) = context.connect().await? {
        let measured = crate::coordinator::measure_if_clear(
            &context.project,
            id,
            situation,
            connection.as_mut(),
        )
        .await;
        connection.close().await;
        measured.map_err(CoordinatorError::into_failure)?;
    }
    let action = crate::gate::Action::Step {
        step: Step::Contract,
        migration: id.clone(),
    };
    Ok(crate::gate::decide(action, &situation.evidence))
}

impl CoordinatorError {
    fn into_failure(self) -> Failure {
        self.into()
    }
}
