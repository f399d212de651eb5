//! What is asked of the gate, and whether a command that asks writes down what it has seen.

use clap::{Args, Subcommand};

use super::args::ServiceVersion;

/// Whether a command that asks writes down what its look has shown.
#[derive(Args)]
pub(super) struct Recording {
    /// Remember whom the sources show: they count as live, for admissions too, until a later look shows that they
    /// are gone. Without it nothing is written
    #[arg(long, global = true)]
    pub record: bool,
}

#[derive(Args)]
pub(super) struct GateArgs {
    #[command(subcommand)]
    pub command: GateCommand,
    #[command(flatten)]
    pub recording: Recording,
}

#[derive(Subcommand)]
pub(super) enum GateCommand {
    /// May instances of these versions start now, beside those that run?
    Deploy {
        /// A service and a version: web=1.1.0
        #[arg(required = true, value_name = "SERVICE=VERSION")]
        versions: Vec<ServiceVersion>,
    },
    /// May the expand of this migration run now?
    Expand {
        /// Its number or name
        id: String,
    },
    /// May its backfill run now?
    Backfill {
        /// Its number or name
        id: String,
    },
    /// May its contract run now?
    Contract {
        /// Its number or name
        id: String,
    },
    /// May its expand be undone now?
    Revert {
        /// Its number or name
        id: String,
    },
}
