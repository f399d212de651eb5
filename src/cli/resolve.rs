//! `migrate resolve`: says what nothing but a human can tell.

use clap::{ArgGroup, Args};
use serde_json::json;

use super::args::Global;
use super::context::{Context, say_unreleased};
use super::failure::Failure;
use super::out::Out;
use super::progress::Reporter;
use super::{rows_repaired, schemas_renamed};
use crate::coordinator::{Answer, Coordinator, Options, Progress, Purpose};

#[derive(Args)]
#[command(group(ArgGroup::new("recorded").args(["rows_repaired", "schemas_renamed"])))]
pub(super) struct ResolveArgs {
    /// Its number or name
    #[arg(required_unless_present = "schemas_renamed")]
    pub id: Option<String>,
    /// The position of the statement in its file, from 1
    #[arg(
        long,
        value_name = "N",
        required_unless_present = "recorded",
        conflicts_with = "recorded"
    )]
    pub step: Option<i64>,
    /// It took effect
    #[arg(
        long,
        conflicts_with_all = ["not_applied", "recorded"]
    )]
    pub applied: bool,
    /// It did not take effect
    #[arg(long, conflicts_with = "recorded")]
    pub not_applied: bool,
    /// Both formats of every row were compared, and agree
    #[arg(long, requires = "reason")]
    pub rows_repaired: bool,
    /// PostgreSQL: the schemas that the ledger is for were renamed, and this connection looks in them under their new names
    #[arg(long, requires = "reason", conflicts_with = "id")]
    pub schemas_renamed: bool,
    /// How rows were repaired, or why schemas were renamed; kept in the log
    #[arg(long, value_name = "TEXT", requires = "recorded")]
    pub reason: Option<String>,
}

pub(super) async fn run(args: &ResolveArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let reason = args.reason.as_deref().unwrap_or_default();
    let Some(id) = &args.id else {
        return schemas_renamed::run(reason, global, out).await;
    };
    let Some(position) = args.step else {
        return rows_repaired::run(id, reason, global, out).await;
    };
    let answer = match (args.applied, args.not_applied) {
        (true, _) => Answer::Applied,
        (false, true) => Answer::NotApplied,
        // Not left to the parser of the arguments, which would name one of them as what is missing.
        (false, false) => return Err(unanswered(id, position)),
    };
    let context = Context::load(global, out)?;
    let id = context.find(id).await?;
    let reporter = Reporter::new(global);
    let report = |progress: Progress| reporter.show(&progress);
    let options = Options {
        project: &context.project,
        target: &context.target,
        purpose: Purpose::Act,
        doing: format!("resolve {id}"),
        accept_unknown: None,
        wait: None,
        pace: None,
        report: &report,
        lists: None,
        interrupt: context.interrupt,
    };
    let mut coordinator = Coordinator::start(options).await?;
    let resolved = coordinator.resolve(&id, position, answer).await;
    reporter.finish();
    let head = say_unreleased(coordinator.finish().await, &context);
    if !resolved? {
        return Err(Failure::new(format!(
            "no interrupted statement {position} of {id} waits for an answer"
        ))
        .help("`migrate log` shows which statements were begun and which are done"));
    }
    out.log_ends(head.as_ref(), global.quiet);
    if out.is_json() {
        out.json(
            &json!({ "resolved": { "migration": id, "step": position, "applied": args.applied } }),
        );
    } else {
        out.well(format!(
            "recorded; run the command for {id} again, and it goes on from there"
        ));
    }
    Ok(0)
}

fn unanswered(id: &str, position: i64) -> Failure {
    Failure::new(format!(
        "whether statement {position} of {id} took effect is not said: `--applied` or `--not-applied`"
    ))
    .help(format!(
        "look in the database for what the statement does, and where it did a part, finish that by hand or undo it. Where all of it is \
         there: `migrate resolve {id} --step {position} --applied`; it is not run again then. Where nothing of it is there: \
         `migrate resolve {id} --step {position} --not-applied`; the next run does it"
    ))
    .usage()
}
