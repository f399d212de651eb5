//! The `[runner]` section: the migration tool that the project uses besides.

use std::path::Path;

use super::reader::Table;
use super::row::RowOf;
use super::source::Source;
use crate::runner::{KINDS, Kind, Revision, Runner};

const EXAMPLE: &str = "kind = \"alembic\"";
const PLACES: &[(&str, &str)] = &[];

/// The tool of a project, and its revisions.
pub(super) struct Known {
    pub runner: Option<Runner>,
    /// Or why it cannot be told which there are.
    pub revisions: Result<Vec<Revision>, String>,
}

impl Known {
    pub fn of(root: &Path, runner: Option<&Runner>) -> Self {
        let revisions = runner.map_or(Ok(Vec::new()), |runner| runner.revisions(root));
        Self {
            runner: runner.cloned(),
            revisions,
        }
    }
}

pub(super) fn read(source: &Source, mut table: Table<'_>) -> Option<Runner> {
    if !table.has("kind") {
        table.missing("kind", EXAMPLE);
        return None;
    }
    let kinds: Vec<(&str, &Kind)> = KINDS.iter().map(|kind| (kind.kind, kind)).collect();
    let kind = table.choice("kind", &kinds)?;
    let runner = Runner::read(kind, &mut RowOf::new(source, &mut table));
    table.finish(PLACES);
    runner
}
