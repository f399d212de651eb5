//! What to do about a reason, as data.

use super::reason::Reason;
use crate::model::{Ending, Live, MigrationId, Rows, Step, Sync, Twins, Version};

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// What follows from the reason alone.
    AsTheReasonSays,
    /// This step comes first, and may be taken.
    Take {
        step: Step,
        migration: MigrationId,
        unrecorded: Unrecorded,
    },
    /// This step comes first, once something has passed.
    TakeOnce {
        step: Step,
        migration: MigrationId,
        passing: Box<Reason>,
    },
    /// This step comes first, and is refused itself.
    TakeAfter {
        step: Step,
        migration: MigrationId,
        refused: Box<Reason>,
        /// What to do about that; `None` if it leads too far.
        first: Option<Box<Advice>>,
    },
    /// A backfill is paused.
    Resume {
        migration: MigrationId,
        worker: Worker,
    },
    /// A live version has to go.
    SeeOff(Box<Departure>),
    /// As the other, or a plan on paper.
    OrOnPaper(Box<Advice>),
}

/// Whether a statement has to do more than is known to be declared, because its files are elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unrecorded {
    Nothing,
    /// It has to overwrite stale values, and to say so.
    Overwrites,
}

/// Whether somebody would go on with a backfill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Worker {
    /// A process has it in hand, and waits.
    Waits,
    Nobody,
}

/// How a live version comes to be gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    pub who: Live,
    pub way: Way,
    /// What of it is there only as leases that nobody renews.
    pub leftovers: Vec<Leftover>,
    /// The first of the names that it shares with a later process.
    pub twins: Vec<Twins>,
}

/// What takes the place of a live version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// It is on its way out.
    Leaves,
    /// Any other version.
    Replace,
    /// A version in these ranges, which may start now.
    ReplaceBy(Vec<Span>),
    /// Nothing that may start now; going back needs no release.
    Stop,
    /// Nothing that may start now: a release in between, or another declaration.
    NoSuccessor { sync: Sync, rows: Rows },
}

/// A stretch of versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: Version,
    /// The first version after it; `None` if it is open.
    pub before: Option<Version>,
}

/// Leases that nobody renews any more, and the names of their instances as far as they are known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    pub ending: Ending,
    pub names: Vec<String>,
}
