//! One hash of everything that a rehearsal of a migration was about.

use sha2::{Digest, Sha256};

use super::migration::{Migration, Seen};
use crate::sql::Dialect;

impl Migration {
    /// Of `migration.toml` and every script for this database, in hexadecimal: another one as soon as a letter of them is.
    ///
    /// Where its directory lies is no part of it.
    #[must_use]
    pub fn fingerprint(&self, dialect: Dialect) -> String {
        let mut hasher = Sha256::new();
        // With its length, so that no two lists share a text.
        let mut add = |part: &str| {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part.as_bytes());
        };
        add(dialect.name());
        add(&self.manifest.sha256);
        for (step, seen) in &self.files(dialect).seen {
            add(step.name());
            match seen {
                Seen::Read { sha256, .. } => add(sha256),
                Seen::Unreadable => add(""),
            }
        }
        let digest = hasher.finalize();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
