//! A ledger that was lost, as what is there tells.

use super::MigrationId;

/// That what is there was made by a migration of which no ledger tells: it is not known how far the migrations are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostLedger {
    /// The migration whose expand makes it.
    pub migration: MigrationId,
    /// What is there, in words.
    pub there: String,
    /// Where the ledger would be, in words.
    pub ledger: String,
}

impl std::fmt::Display for LostLedger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "the ledger ({}) tells of no migration that was applied here, and {}, which {} makes, is there already: the ledger was lost \
             or left out of a restore, or this is another database than is meant",
            self.ledger, self.there, self.migration
        )
    }
}

impl LostLedger {
    /// What to do about it.
    pub const HELP: &'static str = "restore the ledger from the backup that the tables come from, or correct the URL; until then nothing is \
         known of which versions may start, and nothing is changed here. Where no `migrate` ever ran here, `migrate adopt --baseline` takes what \
         is there for granted, and what would make it again leaves the scripts: docs/stuck.md";
}
