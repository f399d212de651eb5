//! Whether a command that asks writes down what it has seen.

use clap::Args;

use crate::ask::Record;

/// Whether a command that asks writes down what its look has shown.
#[derive(Args)]
pub(super) struct Recording {
    /// Remember whom the sources show: they count as live, for admissions too, until a later look shows that they
    /// are gone. Without it nothing is written
    #[arg(long, global = true)]
    pub record: bool,
}

impl From<&Recording> for Record {
    fn from(recording: &Recording) -> Self {
        if recording.record {
            Self::Look
        } else {
            Self::Nothing
        }
    }
}
