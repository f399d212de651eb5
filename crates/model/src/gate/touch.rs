//! What a version does with a format, and whether its declaration says so without doubt.

use crate::model::{Declaration, Format, Live};

/// What a version does with one format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Touch {
    Reads,
    Writes,
    ReadsAndWrites,
    Nothing,
}

impl Touch {
    /// What `who` does with `format`, in any reading of its version.
    #[must_use]
    pub fn of(declaration: &Declaration, who: &Live, format: Format) -> Self {
        let behaviours = declaration.behaviours(&who.service, &who.version);
        let reads = behaviours.iter().any(|b| b.reads.contains(format));
        let writes = behaviours.iter().any(|b| b.writes.contains(format));
        match (reads, writes) {
            (true, true) => Self::ReadsAndWrites,
            (true, false) => Self::Reads,
            (false, true) => Self::Writes,
            (false, false) => Self::Nothing,
        }
    }

    /// As a sentence goes on after the version's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::ReadsAndWrites => "reads and writes",
            Self::Nothing => "does not touch",
        }
    }

    /// As it goes on after "is declared to".
    pub(super) const fn infinitive(self) -> &'static str {
        match self {
            Self::Reads => "read",
            Self::Writes => "write",
            Self::ReadsAndWrites => "read and write",
            Self::Nothing => "not touch",
        }
    }
}

/// How many readings a version has in a declaration. A pre-release of a bound's exact version may hold the code before
/// that release or the code of it; a build without a tag of its own that of its tag or of any release to come. Each has to
/// be safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Readings {
    One,
    Several,
}

impl Readings {
    pub(super) fn of(declaration: &Declaration, who: &Live) -> Self {
        if declaration.behaviours(&who.service, &who.version).len() < 2 {
            Self::One
        } else {
            Self::Several
        }
    }
}
