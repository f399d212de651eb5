//! The `migrate` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(phasegate::cli::main())
}
