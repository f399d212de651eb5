//! Which events are asked for, as arguments.

use clap::Args;
use jiff::Timestamp;

use crate::ask::{Events, moment};

/// Which events are shown; every one without any of these.
#[derive(Args)]
pub(in super::super) struct Wanted {
    /// Only events of this migration: its number or name, also of one that is long gone
    #[arg(long, value_name = "ID")]
    pub migration: Option<String>,
    /// Only events since then: 90m, 24h or 7d ago, or a moment in UTC such as 2026-01-05 or 2026-01-05T10:30
    #[arg(long, value_name = "WHEN", value_parser = since)]
    pub since: Option<Timestamp>,
    /// Only what this one did: a user, a host, or both as the log names them
    #[arg(long, value_name = "WHO")]
    pub actor: Option<String>,
}

impl Wanted {
    /// What is asked for, and of that the `last` events.
    pub(super) fn events(&self, last: Option<usize>) -> Events {
        Events {
            after: None,
            migration: self.migration.clone(),
            since: self.since,
            actor: self.actor.clone(),
            last,
        }
    }
}

/// A moment, or a time ago.
fn since(text: &str) -> Result<Timestamp, String> {
    moment(text, Timestamp::now())
}
