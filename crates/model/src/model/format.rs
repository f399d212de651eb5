//! The two formats, and what a version does with them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One of the two formats that a migration moves between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    Old,
    New,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Old => "old",
            Self::New => "new",
        })
    }
}

/// A set of formats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Formats {
    pub old: bool,
    pub new: bool,
}

impl Formats {
    pub const NONE: Self = Self {
        old: false,
        new: false,
    };
    pub const OLD: Self = Self {
        old: true,
        new: false,
    };
    pub const NEW: Self = Self {
        old: false,
        new: true,
    };
    pub const BOTH: Self = Self {
        old: true,
        new: true,
    };

    #[must_use]
    pub const fn contains(self, format: Format) -> bool {
        match format {
            Format::Old => self.old,
            Format::New => self.new,
        }
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self {
            old: self.old || other.old,
            new: self.new || other.new,
        }
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        !self.old && !self.new
    }
}

/// What one version does with the formats of one migration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Behaviour {
    pub reads: Formats,
    pub writes: Formats,
}

impl Behaviour {
    /// Whether it reads or writes `format`.
    #[must_use]
    pub const fn touches(self, format: Format) -> bool {
        self.reads.union(self.writes).contains(format)
    }
}

/// Whether writing one format refreshes the other as well, from expand on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sync {
    #[default]
    None,
    Both,
    ToNew,
    ToOld,
}

impl Sync {
    /// The formats that are fresh after a write of `written`.
    #[must_use]
    pub const fn extend(self, written: Formats) -> Formats {
        let refreshes_new = matches!(self, Self::Both | Self::ToNew) && written.old;
        let refreshes_old = matches!(self, Self::Both | Self::ToOld) && written.new;
        Formats {
            old: written.old || refreshes_old,
            new: written.new || refreshes_new,
        }
    }

    /// Whether a write of the old format leaves the new one fresh.
    #[must_use]
    pub const fn refreshes_new(self) -> bool {
        matches!(self, Self::Both | Self::ToNew)
    }

    /// How it is written in `migration.toml`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Both => "both",
            Self::ToNew => "to-new",
            Self::ToOld => "to-old",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sync_extends_writes() {
        for (sync, of_old, of_new) in [
            (Sync::None, Formats::OLD, Formats::NEW),
            (Sync::Both, Formats::BOTH, Formats::BOTH),
            (Sync::ToNew, Formats::BOTH, Formats::NEW),
            (Sync::ToOld, Formats::OLD, Formats::BOTH),
        ] {
            assert_eq!(sync.extend(Formats::OLD), of_old);
            assert_eq!(sync.extend(Formats::NEW), of_new);
            assert_eq!(sync.extend(Formats::BOTH), Formats::BOTH);
        }
    }
}
