//! `[lint]`: what `migrate check` knows of the servers, and which of its warnings a project does without.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::sql::{Release, Servers};

use super::places;
use super::problem::{closest, listed};
use super::reader::{Located, Table};
use super::rules::{RULES, rule};
use super::severity::Severity;
use super::source::Source;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LintConfig {
    /// The oldest servers that the scripts have to run on.
    pub servers: Servers,
    /// Rules that the project does without, with the reason.
    pub off: BTreeMap<&'static str, String>,
    /// From how many rows on a table is large, and what is done to it worth a word.
    pub large_rows: u64,
    /// From when on a transaction of somebody else's is one that a lock would be waited for.
    pub long_transaction: Duration,
}

impl Default for LintConfig {
    fn default() -> Self {
        Self {
            servers: Servers::default(),
            off: BTreeMap::new(),
            large_rows: 100_000,
            long_transaction: Duration::from_secs(30),
        }
    }
}

const MOST_ROWS: u64 = 1_000_000_000_000;
const LONGEST: Duration = Duration::from_hours(24 * 365);

pub(super) fn read(source: &Source, mut table: Table<'_>) -> LintConfig {
    let mut release = |key, example| {
        let written = table.string(key, example)?;
        let read = written.value.parse::<Release>();
        if read.is_err() {
            source.error(
                "bad-release",
                written.span,
                format!("`{}` is not the number of a release", written.value),
                format!("write the oldest that the scripts run on, for example {example}"),
            );
        }
        read.ok()
    };
    let servers = Servers {
        postgres: release("postgres", "postgres = \"15\""),
        mysql: release("mysql", "mysql = \"8.0.36\""),
        mariadb: release("mariadb", "mariadb = \"10.11\""),
        sqlite: release("sqlite", "sqlite = \"3.40\""),
    };
    let mut off = BTreeMap::new();
    for (name, reason) in table.named_strings("off", "off = { locks-out = \"why\" }") {
        if let Some(code) = silenced(source, name, &reason) {
            off.insert(code, reason.value.trim().to_owned());
        }
    }
    let usual = LintConfig::default();
    let large_rows = table.count("large_rows", (1, MOST_ROWS));
    let long = table.duration("long_transaction", LONGEST);
    table.finish(places::CONFIG);
    LintConfig {
        servers,
        off,
        large_rows: large_rows.unwrap_or(usual.large_rows),
        long_transaction: long.map_or(usual.long_transaction, |long| long.value),
    }
}

fn silenced(source: &Source, name: &str, reason: &Located<&str>) -> Option<&'static str> {
    let span = reason.span.clone();
    match rule(name) {
        None => {
            source.error(
                "unknown-rule",
                span,
                format!("there is no rule `{name}`"),
                guess(name),
            );
            None
        }
        Some(rule) if rule.severity == Severity::Error => {
            source.error(
                "unknown-rule",
                span,
                format!("`{}` is an error, which no project does without", rule.code),
                "excuse the one statement that is meant, in its migration.toml: `[[expand.allow]]`",
            );
            None
        }
        Some(rule) => {
            if reason.value.trim().is_empty() {
                source.error(
                    "missing-reason",
                    reason.span.clone(),
                    format!("nothing says why this project does without `{}`", rule.code),
                    "write the reason: it is what the next reader asks for",
                );
            }
            Some(rule.code)
        }
    }
}

/// Which rule was meant.
pub(super) fn guess(name: &str) -> String {
    let codes = RULES.iter().map(|rule| rule.code);
    match closest(name, codes) {
        Some(code) => format!(
            "is {} meant? `migrate check --rules` lists them",
            listed([code])
        ),
        None => "`migrate check --rules` lists them".to_owned(),
    }
}
