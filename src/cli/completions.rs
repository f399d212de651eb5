//! `migrate completions`.

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};
use super::failure::Failure;
use super::out::Out;

pub(super) fn run(args: &CompletionsArgs, out: &Out) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "migrate", &mut script);
    out.verbatim(String::from_utf8_lossy(&script).trim_end());
    Ok(0)
}
