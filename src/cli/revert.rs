//! `migrate revert`: undoes an expand.

use clap::Args;

use super::act::{InUse, Task, reason, run as act};
use super::args::{Global, Override, Waiting};
use super::context::Context;
use super::failure::Failure;
use super::out::Out;
use crate::model::Step;

#[derive(Args)]
pub(super) struct RevertArgs {
    /// Its number or name
    pub id: String,
    #[command(flatten)]
    pub waiting: Waiting,
    #[command(flatten)]
    pub overriding: Override,
}

pub(super) async fn run(args: &RevertArgs, global: &Global, out: &Out) -> Result<u8, Failure> {
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
    act(&context, task, global, out).await
}
