//! What is missing in the evidence, as data.

use crate::model::{InstanceState, LostLedger, MigrationId, Moved, Step, Twins, Unaccounted};

/// What gives no evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Silence {
    Stale {
        source: String,
        age_ms: u64,
    },
    Failed {
        source: String,
        reason: String,
    },
    /// The ledger has come to another server, and what was committed last may be missing.
    Moved {
        moved: Moved,
        /// How long after it was noticed all holders of leases have registered anew, in milliseconds.
        all_renew_ms: u64,
        step: Step,
        migration: MigrationId,
    },
    /// The ledger records nothing, and what it would have to record is there.
    LedgerLost(LostLedger),
    /// Not even the ledger could be read.
    Unreachable {
        error: String,
        next: Option<String>,
    },
}

/// Why fewer instances are proven than there have to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// Enough renew their leases, and have only not stayed long enough yet.
    Settling { instances: u64, left_ms: u64 },
    /// Others may be live unseen.
    Unseen(Box<Unseen>),
}

/// What is known of those that are not proven.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// How many are seen that prove nothing.
    pub unproven: u64,
    /// What those do, each state once.
    pub states: Vec<InstanceState>,
    /// How many of them renew their leases and only have to stay.
    pub settling: u64,
    /// How many of them `migrate admit` let in.
    pub admitted: u64,
    /// How many of them start, whoever they are.
    pub starting: u64,
    /// The names of those that are lost, as far as they are known.
    pub lost: Vec<String>,
    /// The first of the names that processes share.
    pub twins: Vec<Twins>,
    /// The sources that did not answer.
    pub silent: Vec<String>,
}

/// What cannot be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unplaced {
    /// More versions than any fleet has.
    TooMany {
        service: String,
        versions: usize,
        most: usize,
    },
    /// Instances under a label that names no version.
    Label {
        service: String,
        label: String,
        state: InstanceState,
        /// Names of a few of the instances.
        names: Vec<String>,
    },
}

/// Sessions of which nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sessions {
    /// The database did not list them.
    Unlisted {
        why: String,
    },
    Unaccounted(Unaccounted),
}
