//! `[services.NAME.probes]`: statements that versions of a service run, for a rehearsal.

use super::places;
use super::reader::Table;

/// Statements as the application sends them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Probes {
    /// Of versions that use the old format.
    pub old: Probed,
    /// Of versions that use the new one.
    pub new: Probed,
}

/// Where the statements stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probed {
    /// Each whole.
    Here(Vec<String>),
    /// In a file of them, relative to the project's root: a recording, which may hold more than statements of rows.
    InFile(String),
}

impl Default for Probed {
    fn default() -> Self {
        Self::Here(Vec::new())
    }
}

const EXAMPLE: &str = "old = [\"SELECT full_name FROM users WHERE id = 1\"]";
const RECORDED: &str = "old = \"statements/web-1.1.0.sql\"";

pub(super) fn read(mut table: Table<'_>) -> Probes {
    let mut side = |key| {
        if !table.is_array(key) {
            let path = table.string(key, RECORDED);
            return path.map_or_else(Probed::default, |path| {
                Probed::InFile(path.value.trim().to_owned())
            });
        }
        let statements = table.strings(key, EXAMPLE).unwrap_or_default();
        let texts = statements
            .iter()
            .map(|statement| statement.value.to_owned());
        Probed::Here(texts.collect())
    };
    let probes = Probes {
        old: side("old"),
        new: side("new"),
    };
    table.finish(places::MANIFEST);
    probes
}
