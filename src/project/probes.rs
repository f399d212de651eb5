//! `[services.NAME.probes]`: statements that versions of a service run, for a rehearsal.

use super::manifest::PLACES;
use super::reader::Table;

/// Statements as the application sends them, each whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    /// Of versions that use the old format.
    pub old: Vec<String>,
    /// Of versions that use the new one.
    pub new: Vec<String>,
}

const EXAMPLE: &str = "old = [\"SELECT full_name FROM users WHERE id = 1\"]";

pub(super) fn read(mut table: Table<'_>) -> Probes {
    let mut side = |key| {
        let statements = table.strings(key, EXAMPLE).unwrap_or_default();
        let texts = statements
            .iter()
            .map(|statement| statement.value.to_owned());
        texts.collect()
    };
    let probes = Probes {
        old: side("old"),
        new: side("new"),
    };
    table.finish(PLACES);
    probes
}
