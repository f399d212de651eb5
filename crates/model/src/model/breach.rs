//! The clauses of the invariant, and what breaks one.

use super::{Live, RowKind};

/// A clause of the invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Clause {
    /// 1: a version touches the new format ⇒ expand is done.
    NewIsThere,
    /// 2: a version touches the old format ⇒ contract has not begun.
    OldIsThere,
    /// 3: every row kind that may exist is readable by every live version.
    Readable(RowKind),
    /// Every row keeps a fresh format: a row of this kind would have none left.
    NothingIsLost(RowKind),
    /// Backfilled means that every row has a fresh new format: a row of this kind has not.
    Filled(RowKind),
}

impl Clause {
    /// The row kind that it is about; `None` if it is about a version alone.
    #[must_use]
    pub const fn kind(self) -> Option<RowKind> {
        match self {
            Self::NewIsThere | Self::OldIsThere => None,
            Self::Readable(kind) | Self::NothingIsLost(kind) | Self::Filled(kind) => Some(kind),
        }
    }
}

/// A clause that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    pub clause: Clause,
    /// The live version for which it does not hold; `None` if it fails for the rows themselves.
    pub who: Option<Live>,
    /// The live versions whose writes make the row kind possible; empty if such rows may be
    /// there already.
    pub writers: Vec<Live>,
}
