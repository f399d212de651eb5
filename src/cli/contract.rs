//! `migrate contract`: removes the old format.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::act::{Chosen, InUse, Task, reason, run as act, select};
use super::args::{Global, Override, Using};
use super::context::{Context, refuse_drift};
use super::duration::duration;
use super::failure::Failure;
use super::out::Out;
use super::{json, text};
use crate::coordinator::{Situation, measure_if_clear, weighed};
use crate::gate::{Action, Decision, decide};
use crate::model::{MigrationId, MigrationState, Phase, Step};

#[derive(Args)]
pub(super) struct ContractArgs {
    /// Numbers or names; every migration that waits for its contract without any
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Wait this long for what blocks: 30s, 10m, 24h. The fence is raised once nothing does
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub wait: Option<Duration>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub using: Using,
    #[command(flatten)]
    pub overriding: Override,
}

pub(super) async fn run(args: &ContractArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
    let context = Context::load_to_act(global, out)?;
    let is_wanted = |state: &MigrationState| {
        state.declaration.parts.contract
            && state.expand_is_done()
            && state.phase != Phase::Contracted
    };
    let Chosen { ids, is_named, .. } = select(&context, &args.ids, is_wanted, |_| false).await?;
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
    act(&context, task, global, out).await
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
        out.well("nothing to contract");
    }
    Ok(verdict.exit_code())
}

async fn rehearse_one(
    context: &Context,
    id: &MigrationId,
    situation: &mut Situation,
) -> Result<Decision, Failure> {
    let mut costs = Vec::new();
    if let Some(mut connection) = context.connect().await? {
        let (project, connected) = (&context.project, connection.as_mut());
        let measured = measure_if_clear(project, id, situation, connected).await;
        costs.extend(
            weighed(project, id, Step::Contract, connected)
                .await
                .notes(),
        );
        connection.close().await;
        measured?;
    }
    let action = Action::Step {
        step: Step::Contract,
        migration: id.clone(),
    };
    let mut decision = decide(action, &situation.evidence);
    decision.notes.extend(costs);
    Ok(decision)
}
