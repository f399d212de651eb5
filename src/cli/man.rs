//! `migrate man`: the pages of the manual.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::failure::Failure;
use super::out::Out;

#[derive(Args)]
pub(super) struct ManArgs {
    /// The directory to write them into: ~/.local/share/man/man1, or man1 of a package
    #[arg(value_name = "DIR")]
    pub dir: PathBuf,
}

pub(super) fn run(args: &ManArgs, command: clap::Command, out: &Out) -> Result<u8, Failure> {
    let dir = args.dir.display();
    let failed = |error: std::io::Error| {
        Failure::new(format!("the pages cannot be written into {dir}: {error}"))
            .help("name a directory that you may write into")
    };
    std::fs::create_dir_all(&args.dir).map_err(failed)?;
    clap_mangen::generate_to(command, &args.dir).map_err(failed)?;
    if out.is_json() {
        out.json(&json!({ "written": args.dir.to_string_lossy() }));
    } else {
        out.well(format!(
            "wrote migrate.1, and a page for each command, into {dir}"
        ));
    }
    Ok(0)
}
