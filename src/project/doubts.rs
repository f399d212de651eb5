//! Which parts of `migrate.toml` could not be read as they are written.

use std::collections::BTreeSet;

use super::source::Source;

/// A part of `migrate.toml`, by what depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    /// How the database is reached and which one it is.
    Database,
    /// Which services there are, and who sees their instances. What nobody can place belongs here.
    Fleet,
    /// What replaces instances.
    Rollout,
    /// Where the migrations are.
    Migrations,
}

/// Which parts of the file have errors.
pub(super) struct Doubts<'s> {
    source: &'s Source,
    errors: usize,
    pub sections: BTreeSet<Section>,
}

impl<'s> Doubts<'s> {
    pub fn new(source: &'s Source) -> Self {
        Self {
            source,
            errors: source.errors(),
            sections: BTreeSet::new(),
        }
    }

    /// What was found wrong since the last time concerns no part that a step rests on.
    pub fn beside(&mut self) {
        self.errors = self.source.errors();
    }

    /// What was found wrong since the last time concerns this part.
    pub fn so_far(&mut self, section: Section) {
        let errors = self.source.errors();
        if errors > self.errors {
            self.sections.insert(section);
        }
        self.errors = errors;
    }
}
