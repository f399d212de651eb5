//! JSON schemas of the two files in TOML, by which editors complete and check them.
//!
//! The keys are written down here once more, because the readers are code: a test has them read a document with every key, and
//! compares what they asked for. Each key is a row; a new one is added where its section is.

mod change;
mod config;
mod fleet;
mod json;
mod manifest;
mod rollout;
#[cfg(test)]
mod tests;

use serde_json::Value;

/// Which of the two files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schema {
    /// `migrate.toml`.
    Config,
    /// `migration.toml`.
    Manifest,
}

impl Schema {
    pub const ALL: [Self; 2] = [Self::Config, Self::Manifest];

    /// What its file is called.
    #[must_use]
    pub const fn file_name(self) -> &'static str {
        match self {
            Self::Config => "migrate.schema.json",
            Self::Manifest => "migration.schema.json",
        }
    }

    /// As JSON, in draft 7, which editors of TOML read.
    #[must_use]
    pub fn to_json(self) -> Value {
        match self {
            Self::Config => json::document(
                "migrate.toml",
                "The project: its database, the services that use it, and how the fleet is watched",
                &config::TOP,
            ),
            Self::Manifest => json::document(
                "migration.toml",
                "What a migration declares",
                &manifest::TOP,
            ),
        }
    }
}

/// The keys of one table.
struct Section {
    keys: &'static [Key],
    /// What `kind` may be, and the keys beside it that belong to each; empty where there is no `kind`.
    kinds: &'static [(&'static str, &'static [Key])],
}

impl Section {
    const fn of(keys: &'static [Key]) -> Self {
        Self { keys, kinds: &[] }
    }
}

struct Key {
    name: &'static str,
    shape: Shape,
    /// A value as TOML writes it; of tables it follows from their keys.
    example: &'static str,
    /// What it is where it is left out, if that is a value.
    usual: Option<&'static str>,
    is_needed: bool,
    says: &'static str,
}

impl Key {
    const fn new(
        name: &'static str,
        shape: Shape,
        example: &'static str,
        says: &'static str,
    ) -> Self {
        Self {
            name,
            shape,
            example,
            usual: None,
            is_needed: false,
            says,
        }
    }

    const fn table(name: &'static str, shape: Shape, says: &'static str) -> Self {
        Self::new(name, shape, "", says)
    }

    const fn needed(mut self) -> Self {
        self.is_needed = true;
        self
    }

    const fn usually(mut self, usual: &'static str) -> Self {
        self.usual = Some(usual);
        self
    }
}

/// What a value has to be.
enum Shape {
    Text,
    Texts,
    TextOrTexts,
    Flag,
    Count(u64, u64),
    Counts(u64, u64),
    Number,
    Duration,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Some of these words.
    Choices(&'static [&'static str]),
    /// Texts by names that are free.
    Named,
    /// Reasons by the name of a rule that may be left out.
    Silenced,
    /// A text, or one for each database.
    Varied,
    /// Texts by column, with a table for each database where it differs.
    Expressions,
    /// Types by column; or a table with more for each, or a table for each database.
    Columns(&'static Section),
    Table(&'static Section),
    Tables(&'static Section),
    /// Tables by names that are free.
    TableEach(&'static Section),
}
