//! One hash of everything that a rehearsal of a migration was about.

use super::files::Seen;
use super::migration::Migration;
use super::source::sha256;
use crate::sql::Dialect;

impl Migration {
    /// Of `migration.toml` and every script for this database, in hexadecimal: another one as soon as a letter of them is.
    ///
    /// Where its directory lies is no part of it.
    #[must_use]
    pub fn fingerprint(&self, dialect: Dialect) -> String {
        // Each with its length, so that no two lists share a text.
        let mut all = String::new();
        let mut add = |part: &str| all.push_str(&format!("{} {part}\n", part.len()));
        add(dialect.name());
        add(&self.manifest.sha256);
        for (step, seen) in &self.files(dialect).seen {
            add(step.name());
            match seen {
                Seen::Read { sha256, .. } => add(sha256),
                Seen::Unreadable => add(""),
            }
        }
        sha256(&all)
    }
}
