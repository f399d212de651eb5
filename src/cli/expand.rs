//! `migrate expand`: adds the new format.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::act::{Chosen, InUse, Task, is_to_be_made, nothing_to_do, run as act, say_made, select};
use super::args::{Global, Waiting};
use super::context::{Context, say_unreleased};
use super::declared::{self, tell_warnings};
use super::failure::Failure;
use super::out::Out;
use super::progress::Reporter;
use crate::coordinator::{Coordinator, Options, Progress, Purpose};
use crate::gate::{Flaw, Flawed};
use crate::model::{MigrationState, Step};
use crate::project::Problems;

#[derive(Args)]
pub(super) struct ExpandArgs {
    /// Numbers or names; every pending migration without any
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Every pending migration up to and including this one
    #[arg(long, value_name = "ID", conflicts_with = "ids")]
    pub up_to: Option<String>,
    #[command(flatten)]
    pub waiting: Waiting,
}

pub(super) async fn run(args: &ExpandArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    if args.ids.is_empty() && args.up_to.is_none() && is_all_expanded(global, out).await? {
        return Ok(nothing_to_do(Step::Expand, out));
    }
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
    let Chosen {
        ids,
        is_named,
        has_ledger,
    } = select(&context, &args.ids, is_wanted, is_unread).await?;
    let listing = &context.project.flaws.listing;
    if ids.is_empty() && !listing.is_empty() {
        // There may be more to expand.
        return Err(Problems(listing.clone()).into());
    }
    if ids.is_empty() && !has_ledger {
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
    act(&context, task, global, out).await
}

/// Whether the ledger has all that the files declare, each as it is, and nothing else waits for its expand: then nobody has to
/// judge what no one runs.
async fn is_all_expanded(global: &Global, out: &Out) -> Result<bool, Failure> {
    let Some((context, situation)) = declared::observe(global, out).await? else {
        return Ok(false);
    };
    let states = situation.evidence.schema.migrations().iter();
    let mut waiting = states
        .filter(|state| state.declaration.parts.expand && !state.phase.expand_is_done())
        .peekable();
    if waiting.peek().is_some() || !situation.drift.is_empty() {
        return Ok(false);
    }
    tell_warnings(&context.project, global);
    context.note_missing(&situation);
    Ok(true)
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
        lists: None,
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
        out.well("made the ledger; nothing to expand");
    }
    Ok(0)
}
