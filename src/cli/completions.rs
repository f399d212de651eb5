//! `migrate completions`.

use clap::Args;

use super::failure::Failure;
use super::out::Out;

#[derive(Args)]
pub(super) struct CompletionsArgs {
    pub shell: clap_complete::Shell,
}

pub(super) fn run(
    args: &CompletionsArgs,
    mut command: clap::Command,
    out: &Out,
) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "migrate", &mut script);
    out.verbatim(String::from_utf8_lossy(&script).trim_end());
    Ok(0)
}
