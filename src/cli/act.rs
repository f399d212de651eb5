//! What `expand`, `backfill`, `contract` and `revert` share: the choice of migrations, one coordinator for all of them, and what has
//! become of each.

use std::time::{Duration, Instant};

use serde_json::json;

use super::args::{Global, Using};
use super::context::{Context, refuse_drift, say_unreleased};
use super::failure::Failure;
use super::out::{Out, note};
use super::outcome::{Sums, as_json};
use super::progress::Reporter;
use super::text;
use crate::coordinator::{
    Coordinator, CoordinatorError, Options, Outcome, Part, Progress, Purpose,
};
use crate::gate::{Flaw, Verdict};
use crate::model::{MigrationId, MigrationState, Step};
use crate::project::Pace;

/// What a command is asked to do.
pub(super) struct Task {
    pub(super) step: Step,
    pub(super) ids: Vec<MigrationId>,
    pub(super) wait: Option<Duration>,
    /// Of a backfill.
    pub(super) pace: Option<Pace>,
    pub(super) accept_unknown: Option<String>,
    /// Whether the user named the migrations.
    pub(super) is_named: bool,
    pub(super) in_use: InUse,
}

/// What becomes of a step that only live versions are in the way of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum InUse {
    /// It ends the command with the code of its verdict.
    Fails,
    /// It is left for a later day.
    IsLeft,
}

impl InUse {
    pub(super) fn of(using: &Using) -> Self {
        if using.unless_in_use {
            Self::IsLeft
        } else {
            Self::Fails
        }
    }
}

/// The migrations that a step is to be taken of.
pub(super) struct Chosen {
    pub(super) ids: Vec<MigrationId>,
    /// Whether the user named them.
    pub(super) is_named: bool,
    /// Whether there is a ledger, as far as that was looked at.
    pub(super) has_ledger: bool,
}

/// The migrations that were named, or those that wait for the step.
pub(super) async fn select(
    context: &Context,
    named: &[String],
    is_wanted: impl Fn(&MigrationState) -> bool,
    is_unread: impl Fn(&Flaw) -> bool,
) -> Result<Chosen, Failure> {
    if !named.is_empty() {
        let mut ids = Vec::new();
        for wanted in named {
            ids.push(context.find(wanted).await?);
        }
        ids.sort();
        ids.dedup();
        return Ok(Chosen {
            ids,
            is_named: true,
            has_ledger: true,
        });
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
    Ok(Chosen {
        ids,
        is_named: false,
        has_ledger: situation.has_ledger,
    })
}

pub(super) fn reason(text: Option<&str>) -> Result<Option<String>, Failure> {
    match text.map(str::trim) {
        Some("") => Err(Failure::new("--accept-unknown needs a reason")
            .help("say why, for whoever reads the log")
            .usage()),
        other => Ok(other.map(ToOwned::to_owned)),
    }
}

pub(super) async fn run(
    context: &Context,
    task: Task,
    global: &Global,
    out: &Out,
) -> Result<u8, Failure> {
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
        accept_unknown: task.accept_unknown.as_deref(),
        wait: task.wait,
        pace: task.pace,
        report: &report,
        lists: context.lists(),
        interrupt: context.interrupt,
    };
    let is_made = is_to_be_made(context);
    let mut coordinator = Coordinator::start(options).await?;
    if is_made && !global.quiet {
        say_made(context);
    }
    let mut outcomes = Vec::new();
    let mut sums = Sums::new(task.ids.len(), global);
    let mut began = Instant::now();
    let mut tell = |taken: &[Outcome]| {
        if !out.is_json() {
            let lines = sums.add(taken, began.elapsed());
            if !lines.is_empty() {
                reporter.finish();
            }
            out.lines(lines);
        }
        began = Instant::now();
    };
    let failed = take_all(&mut coordinator, &task, &mut outcomes, &mut tell).await;
    reporter.finish();
    if !out.is_json() {
        out.lines(sums.end());
    }
    let head = say_unreleased(coordinator.finish().await, context);
    if outcomes.iter().any(|one| matches!(one, Outcome::Done(_))) {
        out.log_ends(head.as_ref(), global.quiet);
    }
    let verdict = text::heaviest(outcomes.iter().map(|outcome| match outcome {
        Outcome::Blocked(decision) => decision.verdict,
        Outcome::Done(_) | Outcome::Already { .. } => Verdict::Go,
    }));
    let results: Vec<_> = outcomes.iter().map(as_json).collect();
    if let Err(error) = failed {
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

/// Takes every step, as far as nothing is in the way.
async fn take_all(
    coordinator: &mut Coordinator<'_>,
    task: &Task,
    outcomes: &mut Vec<Outcome>,
    tell: &mut impl FnMut(&[Outcome]),
) -> Result<(), CoordinatorError> {
    let parts = match task.step {
        Step::Expand if !task.is_named => coordinator.parts_of_expand(task.ids.clone()).await?,
        _ => vec![Part::Take(task.ids.clone())],
    };
    for part in parts {
        let (ids, mut at) = match part {
            Part::Take(ids) => (ids, 0),
            Part::BringToItsEnd(id) => {
                let taken = coordinator.bring_to_its_end(&id).await?;
                tell(&taken);
                outcomes.extend(taken);
                continue;
            }
        };
        while let Some(rest) = ids.get(at..).filter(|ids| !ids.is_empty()) {
            // Boxed, or the compiler's queries about one future of all that lies below go too deep.
            let taken = Box::pin(coordinator.take_first(task.step, rest)).await?;
            tell(&taken);
            let is_blocked = taken.iter().any(|one| matches!(one, Outcome::Blocked(_)));
            at += taken.len();
            outcomes.extend(taken);
            // Expands build on each other; the others stand each for itself.
            if is_blocked && task.step == Step::Expand {
                return Ok(());
            }
        }
    }
    Ok(())
}

pub(super) fn is_to_be_made(context: &Context) -> bool {
    context.target.path().is_some_and(|path| !path.exists())
}

/// A mistyped path makes a file as well, and all of its steps go well.
pub(super) fn say_made(context: &Context) {
    if let Some(path) = context.target.path() {
        note(&format!(
            "note: there was no file {}, and it has been made: nothing was applied there before",
            path.display()
        ));
    }
}

pub(super) fn nothing_to_do(step: Step, out: &Out) -> u8 {
    if out.is_json() {
        out.json(&json!({ "verdict": "go", "results": [] }));
    } else {
        out.well(format!("nothing to {}", step.name()));
    }
    0
}
