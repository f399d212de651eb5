//! `migrate backfill`: what it would do, and steering one that runs from another terminal.

use clap::{Args, Subcommand};
use serde_json::json;

use super::act::{Chosen, InUse, Task, reason, run as act, select};
use super::args::{Global, Override, Using, Waiting};
use super::context::{Context, log_head, refuse_drift};
use super::failure::Failure;
use super::out::Out;
use super::paint::Line;
use super::{json, text};
use crate::coordinator::{BackfillRehearsal, CoordinatorError, rehearse_backfill, steer};
use crate::gate::{Action, Decision, decide};
use crate::ledger::Steering;
use crate::model::{MigrationId, MigrationState, Phase, Step};
use crate::project::Pace;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct BackfillArgs {
    #[command(subcommand)]
    pub command: Option<BackfillCommand>,
    /// Numbers or names; every migration that waits for it without any
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The share of the time to work, between 0.01 and 1; wins over `pace` in migration.toml
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub pace: Option<Pace>,
    #[command(flatten)]
    pub using: Using,
    #[command(flatten)]
    pub waiting: Waiting,
    #[command(flatten)]
    pub overriding: Override,
}

/// Steers a backfill that runs in another terminal or on another machine.
#[derive(Subcommand)]
pub(super) enum BackfillCommand {
    /// Let a running backfill wait after the batch that runs
    Pause {
        /// Its number or name
        id: String,
    },
    /// Let a paused backfill go on
    Resume {
        /// Its number or name
        id: String,
    },
    /// Change the share of the time that a running backfill works
    Pace {
        /// Its number or name
        id: String,
        /// Between 0.01 and 1
        #[arg(value_parser = share)]
        share: Pace,
    },
}

/// A share of the time.
fn share(text: &str) -> Result<Pace, String> {
    let wrong = || format!("`{text}` is not a number; write for example 0.5");
    let share: f64 = text.trim().parse().map_err(|_| wrong())?;
    Pace::from_share(share).map_err(|reason| format!("it {reason}"))
}

pub(super) async fn run(args: &BackfillArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    if let Some(command) = &args.command {
        return control(command, global, out).await;
    }
    let context = Context::load_to_act(global, out)?;
    let is_wanted = |state: &MigrationState| {
        let is_open = matches!(
            state.phase,
            Phase::Pending | Phase::Expanded | Phase::Backfilling
        );
        state.declaration.parts.backfill && state.expand_is_done() && is_open
    };
    let Chosen { ids, is_named, .. } = select(&context, &args.ids, is_wanted, |_| false).await?;
    if args.dry_run {
        return rehearse(&context, &ids, out).await;
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
    act(&context, task, global, out).await
}

/// `migrate backfill pause`, `resume` and `pace`.
async fn control(command: &BackfillCommand, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = Context::load(global, out)?;
    let (wanted, steering) = match command {
        BackfillCommand::Pause { id } => (id, Steering::Pause),
        BackfillCommand::Resume { id } => (id, Steering::Resume),
        BackfillCommand::Pace { id, share } => (id, Steering::Pace(share.thousandths())),
    };
    let id = context.find(wanted).await?;
    let mut found = false;
    if let Some(mut connection) = context.connect().await? {
        let steered = steer(connection.as_mut(), &id, steering).await;
        let head = match &steered {
            Ok(true) => log_head(connection.as_mut()).await,
            _ => Ok(None),
        };
        connection.close().await;
        found = steered?;
        out.log_ends(head?.as_ref(), global.quiet);
    }
    if !found {
        return Err(Failure::new(format!("{id} is not being backfilled"))
            .help("`migrate status` shows which migrations are; a backfill can be steered once it has begun"));
    }
    let (word, said) = match steering {
        Steering::Pause => (
            "pause",
            format!(
                "{id} pauses after the batches that run now; `migrate backfill resume {id}` lets it go on"
            ),
        ),
        Steering::Resume => ("resume", format!("{id} goes on")),
        Steering::Pace(pace) => (
            "pace",
            format!(
                "{id} works {} of the time from now on",
                Pace::from_thousandths(pace)
            ),
        ),
    };
    if out.is_json() {
        out.json(&json!({ "steered": { "migration": id, "backfill": word } }));
    } else {
        out.well(&said);
    }
    Ok(0)
}

/// Shows what a backfill of each of these would go over, and does nothing.
async fn rehearse(context: &Context, ids: &[MigrationId], out: &Out) -> Result<u8, Failure> {
    let situation = context.observe().await?;
    refuse_drift(&situation)?;
    let mut verdicts = Vec::new();
    let mut results = Vec::new();
    for id in ids {
        let action = Action::Step {
            step: Step::Backfill,
            migration: id.clone(),
        };
        let decision = decide(action, &situation.evidence);
        let mut rehearsal = None;
        if let Some(mut connection) = context.connect().await? {
            let looked =
                rehearse_backfill(&context.project, id, &situation, connection.as_mut()).await;
            connection.close().await;
            rehearsal = looked.map_err(|error: CoordinatorError| Failure::from(error))?;
        }
        verdicts.push(decision.verdict);
        if out.is_json() {
            let mut value = json::decision(&decision, &situation.evidence.snapshot);
            if let Some(object) = value.as_object_mut() {
                object.insert("would".into(), as_json(rehearsal.as_ref()));
            }
            results.push(value);
        } else {
            out.lines(as_text(context, id, &decision, rehearsal.as_ref()));
        }
    }
    let verdict = text::heaviest(verdicts);
    if out.is_json() {
        out.json(&json!({ "verdict": verdict.name(), "dry_run": results }));
    } else if ids.is_empty() {
        out.well("nothing to backfill");
    }
    Ok(verdict.exit_code())
}

fn as_json(rehearsal: Option<&BackfillRehearsal>) -> serde_json::Value {
    rehearsal.map_or(serde_json::Value::Null, |found| {
        let left: Vec<String> = found.left.iter().map(ToString::to_string).collect();
        json!({
            "ranges": left,
            "total": found.total,
            "seen": found.seen,
            "remaining": found.remaining,
        })
    })
}

fn as_text(
    context: &Context,
    id: &MigrationId,
    decision: &Decision,
    rehearsal: Option<&BackfillRehearsal>,
) -> Vec<Line> {
    let now = jiff::Timestamp::now().as_millisecond();
    let mut lines = text::decision(decision, now);
    let Some(found) = rehearsal else {
        lines.push("  what it would go over can be told once it is expanded".into());
        return lines;
    };
    let total = text::count(found.total, "row");
    lines.push(match found.left.as_slice() {
        [] => "  would go over no row: the table is empty, or every key is passed".into(),
        [one] => format!("  would go {one}, of about {total}").into(),
        several => format!(
            "  would go over {} ranges of keys, of about {total}",
            several.len()
        )
        .into(),
    });
    if found.seen > 0 {
        let passed = text::count(found.seen, "row");
        lines.push(format!("  {passed} passed already").into());
    }
    lines.push(format!("  `remaining` returns {}", found.remaining).into());
    let dialect = context.target.dialect();
    let migration = context.project.as_read(id);
    if let Some(file) = migration.and_then(|migration| migration.files(dialect).backfill.as_ref()) {
        lines.push("  would run for each batch:".into());
        lines.extend(text::code(&file.statement.text).map(Line::from));
    }
    lines
}
