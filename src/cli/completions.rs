//! `migrate completions`.

use clap::{Args, CommandFactory};

use super::args::Cli;
use super::failure::Failure;
use super::out::Out;

#[derive(Args)]
pub(super) struct CompletionsArgs {
    pub shell: clap_complete::Shell,
}

pub(super) fn run(args: &CompletionsArgs, out: &Out) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "migrate", &mut script);
    out.verbatim(String::from_utf8_lossy(&script).trim_end());
    Ok(0)
}
