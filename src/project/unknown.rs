//! A migration that is asked for and is not there.

use std::fmt;

use super::problem::listed;
use crate::model::MigrationId;

/// A name that no migration has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMigration {
    pub wanted: String,
    /// Those that may have been meant, most likely first.
    pub near: Vec<String>,
    project_is_empty: bool,
}

impl UnknownMigration {
    /// The error where `wanted` is none of those that there are.
    pub fn among<'m>(wanted: &str, there: impl IntoIterator<Item = &'m MigrationId>) -> Self {
        let mut migrations: Vec<&MigrationId> = there.into_iter().collect();
        // Both the files and the ledger may have it.
        migrations.sort_by_key(|migration| (migration.number(), migration.as_str()));
        migrations.dedup();
        let lower = wanted.to_lowercase();
        let likeness = |name: &str| strsim::jaro_winkler(&lower, &name.to_lowercase());
        let mut near: Vec<(f64, &str)> = migrations
            .iter()
            .map(|migration| {
                let name = migration.as_str();
                let (_, words) = name.split_once('_').unwrap_or(("", name));
                (likeness(name).max(likeness(words)), name)
            })
            .filter(|(likeness, _)| *likeness > 0.7)
            .collect();
        near.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        if near.is_empty() {
            // Nothing is alike; the latest are what is mostly worked on.
            let latest = migrations.iter().rev();
            near = latest.map(|migration| (0.0, migration.as_str())).collect();
        }
        Self {
            wanted: wanted.chars().take(80).collect(),
            near: near
                .into_iter()
                .take(3)
                .map(|(_, name)| name.to_owned())
                .collect(),
            project_is_empty: migrations.is_empty(),
        }
    }
}

impl fmt::Display for UnknownMigration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "there is no migration `{}`", self.wanted)
    }
}

impl std::error::Error for UnknownMigration {}

impl miette::Diagnostic for UnknownMigration {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new("unknown-migration"))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = if self.project_is_empty {
            "the project has no migration yet; `migrate new` writes one".to_owned()
        } else {
            let near = listed(self.near.iter().map(String::as_str));
            format!("there is {near}; its number is enough")
        };
        Some(Box::new(help))
    }
}
