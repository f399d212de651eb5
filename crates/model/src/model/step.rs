//! The steps that change a migration.

/// A step that changes one migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    Expand,
    Backfill,
    Contract,
    Revert,
}

impl Step {
    pub const ALL: [Self; 4] = [Self::Expand, Self::Backfill, Self::Contract, Self::Revert];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Backfill => "backfill",
            Self::Contract => "contract",
            Self::Revert => "revert",
        }
    }
}
