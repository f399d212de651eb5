//! What a rehearsal has found, tried and measured. Pure.

use std::time::Duration;

use serde::Serialize;

use super::derived::Derived;
use super::traced::Judged;
use crate::model::{MigrationId, Step};
use crate::sql::Dialect;

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// The declaration claims it, and the database denies it.
    Wrong,
    /// The declaration claims it, and it could not be tried.
    Untried,
    /// It depends on what the application writes, or on how large a table is.
    Doubt,
}

/// Something that the declaration claims and the database denies, or that somebody should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub weight: Weight,
    pub code: &'static str,
    #[serde(serialize_with = "as_step", skip_serializing_if = "Option::is_none")]
    pub step: Option<Step>,
    pub message: String,
    /// What to do about it.
    pub help: String,
}

impl Finding {
    pub(super) fn wrong(
        code: &'static str,
        step: impl Into<Option<Step>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            weight: Weight::Wrong,
            code,
            step: step.into(),
            message: message.into(),
            help: help.into(),
        }
    }

    pub(super) fn untried(
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            weight: Weight::Untried,
            ..Self::wrong(code, None, message, help)
        }
    }

    pub(super) fn doubt(
        code: &'static str,
        step: impl Into<Option<Step>>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            weight: Weight::Doubt,
            ..Self::wrong(code, step, message, help)
        }
    }
}

/// What one statement did to the tables while it ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Measured {
    #[serde(serialize_with = "as_name_of_step")]
    pub step: Step,
    pub line: usize,
    /// Its first words; a migration's own script is nobody's secret.
    pub statement: String,
    pub took_ms: u64,
    /// How long a writer beside it had to wait at most; `None` if nobody can write beside anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writers_waited_ms: Option<u64>,
    /// The same for a reader.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub readers_waited_ms: Option<u64>,
    /// The locks that it took on tables that were there, as the database calls them.
    pub locks: Vec<String>,
    /// The tables whose rows it stored anew.
    pub rewrote: Vec<String>,
    /// What the rules of `check` say of it, and whether that is so here.
    pub rules: Vec<Judged>,
}

/// One thing that was tried, and how often.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tried {
    pub what: String,
    pub times: u64,
}

/// How a migration fared on one database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rehearsal {
    pub migration: MigrationId,
    #[serde(serialize_with = "as_name")]
    pub database: Dialect,
    pub findings: Vec<Finding>,
    pub tried: Vec<Tried>,
    /// Rows of the largest table while the statements were measured.
    pub rows: u64,
    pub statements: Vec<Measured>,
    /// The ranges that recorded statements propose, for each service that has some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub derived: Vec<Derived>,
    #[serde(serialize_with = "as_ms")]
    pub took: Duration,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn as_name<S: serde::Serializer>(dialect: &Dialect, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(dialect.name())
}

#[expect(clippy::ref_option, reason = "serde asks for it")]
fn as_step<S: serde::Serializer>(step: &Option<Step>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(step.map_or("", Step::name))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn as_name_of_step<S: serde::Serializer>(step: &Step, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(step.name())
}

fn as_ms<S: serde::Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(took.as_millis()).unwrap_or(u64::MAX))
}

impl Rehearsal {
    #[must_use]
    pub fn is_wrong(&self) -> bool {
        self.has(Weight::Wrong)
    }

    /// Whether something that is declared could not be tried, so that nothing wrong says little.
    #[must_use]
    pub fn is_in_part(&self) -> bool {
        self.has(Weight::Untried)
    }

    fn has(&self, weight: Weight) -> bool {
        self.findings.iter().any(|finding| finding.weight == weight)
    }
}

/// What is told of each release that it holds of.
const OF_A_RELEASE: &[&str] = &[
    "range-denied",
    "range-unseen",
    "release-breaks",
    "release-differs",
];

/// Puts what is sure first, and says each thing once: the same mistake shows in several trials.
pub(super) fn in_order(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| finding.weight);
    let mut told: Vec<Finding> = Vec::new();
    for finding in findings {
        let is_told = told.iter().any(|other| {
            let is_alike = other.code == finding.code && other.step == finding.step;
            is_alike && (!OF_A_RELEASE.contains(&finding.code) || other.message == finding.message)
        });
        if !is_told {
            told.push(finding);
        }
    }
    told
}

/// A text of a database or a script without what stands in quotes: that may be a row of somebody's.
pub(super) fn masked(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        masked.push(c);
        if c != '\'' {
            continue;
        }
        masked.push('…');
        while let Some(inner) = letters.next() {
            if inner == '\'' {
                if letters.peek() == Some(&'\'') {
                    letters.next();
                    continue;
                }
                break;
            }
        }
        masked.push('\'');
    }
    match masked.split_once(")=(") {
        Some((before, after)) => {
            let rest = after.split_once(')').map_or("", |(_, rest)| rest);
            format!("{before})=(…){rest}")
        }
        None => masked,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_masked() {
        for (text, shown) in [
            ("a 'b' c", "a '…' c"),
            ("'O''Brien' is", "'…' is"),
            (
                "Key (email)=(ada@x) already exists",
                "Key (email)=(…) already exists",
            ),
            ("'open", "'…'"),
            ("plain", "plain"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }

    #[test]
    fn one_mistake_is_told_once_and_what_is_sure_first() {
        let found = in_order(vec![
            Finding::doubt("b", Step::Expand, "1", ""),
            Finding::wrong("a", Step::Expand, "2", ""),
            Finding::wrong("a", Step::Expand, "3", ""),
            Finding::wrong("a", Step::Revert, "4", ""),
        ]);
        let told: Vec<&str> = found.iter().map(|found| found.message.as_str()).collect();
        assert_eq!(told, ["2", "4", "1"]);
    }
}
