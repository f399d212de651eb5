//! `[backfill]` in `migration.toml`: how existing rows are brought into the new format, and how gently.

use std::time::Duration;

use crate::model::Fill;

use super::places;
use super::query::Query;
use super::reader::{Located, Table};
use super::section::Section;
use super::source::Source;

/// How existing rows are brought into the new format.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillRules {
    pub table: String,
    /// The columns of the key that batches go along: together unique, and ordered. Never empty.
    pub key: Vec<String>,
    /// A query that says how many rows are left; 0 means done.
    pub remaining: Query,
    pub batch: BatchRules,
    /// How many batches run beside each other, where the database can do that.
    pub workers: u64,
    pub pace: Pace,
    /// How long one batch may take, where the database can bound it.
    pub statement_timeout: Duration,
    pub throttle: ThrottleRules,
    /// A query over `:after` to `:upto` that finds every row that is not as it should be.
    pub check: Option<Query>,
    /// What its author says about a new format that is there already.
    pub fill: Fill,
}

/// How many keys a batch covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchRules {
    Fixed(u64),
    /// As many as take about `target`.
    Adaptive {
        target: Duration,
        least: u64,
        /// `None` if nobody says: then it depends on the size of the table.
        most: Option<u64>,
    },
}

/// The share of the time that a worker works, in thousandths; it rests for the remainder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pace(u64);

impl Pace {
    pub const FULL: Self = Self(1000);
    const LEAST: u64 = 10;

    /// # Errors
    /// What a share of the time has to be, where `share` is none.
    pub fn from_share(share: f64) -> Result<Self, String> {
        if !(0.01..=1.0).contains(&share) {
            return Err(
                "must be between 0.01 and 1, the share of the time that the backfill works"
                    .to_owned(),
            );
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between 10 and 1000"
        )]
        let thousandths = (share * 1000.0).round() as u64;
        Ok(Self(thousandths))
    }

    /// As [`Pace::thousandths`] gave it; what lies outside becomes the nearest that does not.
    #[must_use]
    pub fn from_thousandths(thousandths: u64) -> Self {
        Self(thousandths.clamp(Self::LEAST, Self::FULL.0))
    }

    #[must_use]
    pub const fn thousandths(self) -> u64 {
        self.0
    }
}

impl std::fmt::Display for Pace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = format!("{}.{:03}", self.0 / 1000, self.0 % 1000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// What makes a backfill wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThrottleRules {
    /// A query that returns a number, and the most that it may be.
    pub query: Option<(String, i64)>,
    pub replica_lag: Option<Duration>,
    pub active_sessions: Option<i64>,
}

const LONGEST_BATCH: Duration = Duration::from_hours(24);
const MOST_KEYS: u64 = 1_000_000;
const DEFAULT_TARGET: Duration = Duration::from_millis(200);
const DEFAULT_LEAST: u64 = 100;
/// Half of the time is left to the application: it is in production that rows are filled.
const DEFAULT_PACE: Pace = Pace(500);
const DEFAULT_STATEMENT_TIMEOUT: Duration = Duration::from_secs(30);

/// The rules of a backfill that follows from a declaration, where nobody says how gently it is to go.
pub(super) fn following() -> BackfillRules {
    BackfillRules {
        table: String::new(),
        key: Vec::new(),
        remaining: Query::default(),
        batch: BatchRules::Adaptive {
            target: DEFAULT_TARGET,
            least: DEFAULT_LEAST,
            most: None,
        },
        workers: 1,
        pace: DEFAULT_PACE,
        statement_timeout: DEFAULT_STATEMENT_TIMEOUT,
        throttle: ThrottleRules::default(),
        check: None,
        fill: Fill::Unsaid,
    }
}

/// `follows`: what it goes over follows from `[change]`, and only how gently is said here.
pub(super) fn read(source: &Source, mut table: Table<'_>, follows: bool) -> Section<BackfillRules> {
    let header = table.span();
    let (name, key, remaining) = if follows {
        (None, None, None)
    } else {
        (
            table.required_string("table", "table = \"users\""),
            read_key(source, &mut table),
            table.required_string(
                "remaining",
                "remaining = \"SELECT count(*) FROM users WHERE first_name IS NULL\"",
            ),
        )
    };
    let batch = read_batch(source, &mut table);
    let workers = table.count("workers", (1, 64)).unwrap_or(1);
    let pace = read_pace(source, &mut table);
    let timeout = table.duration("statement_timeout", LONGEST_BATCH);
    let (throttle, throttle_query) = read_throttle(source, &mut table);
    let check = if follows {
        None
    } else {
        table.string(
            "check",
            "check = \"SELECT id FROM users WHERE id > :after AND id <= :upto AND name <> full_name\"",
        )
    };
    if follows {
        for key in ["table", "key", "remaining", "check", "overwrites"] {
            if let Some(span) = table.key_span(key) {
                source.error(
                    "follows-from-change",
                    span,
                    format!("`{key}` follows from `[change]`"),
                    "remove it",
                );
                table.known(key);
            }
        }
    }
    let overwrites = if follows {
        None
    } else {
        table.flag("overwrites")
    };
    let fill = match (overwrites, &check) {
        (Some(true), _) => Fill::Overwrites,
        (_, Some(_)) => Fill::Checked,
        (_, None) => Fill::Unsaid,
    };
    table.finish(places::MANIFEST);
    let given = name.zip(key).zip(remaining.clone());
    let given = given.map(|((name, key), remaining)| {
        (
            name.value.trim().to_owned(),
            key,
            Query::from(remaining.value),
        )
    });
    let given = if follows {
        Some(Default::default())
    } else {
        given
    };
    Section {
        header,
        rules: given.map(|(table, key, remaining)| BackfillRules {
            table,
            key,
            remaining,
            batch,
            workers,
            pace,
            statement_timeout: timeout.map_or(DEFAULT_STATEMENT_TIMEOUT, |timeout| timeout.value),
            throttle,
            check: check.as_ref().map(|check| Query::from(check.value)),
            fill,
        }),
        queries: remaining
            .into_iter()
            .chain(throttle_query)
            .map(|text| text.map(str::to_owned))
            .collect(),
        range_queries: check
            .into_iter()
            .map(|text| text.map(str::to_owned))
            .collect(),
    }
}

fn read_key(source: &Source, table: &mut Table<'_>) -> Option<Vec<String>> {
    if !table.is_array("key") {
        let key = table.required_string("key", "key = \"id\"")?;
        return Some(vec![key.value.trim().to_owned()]);
    }
    let span = table.value_span("key");
    let columns = table.strings("key", "key = [\"tenant\", \"id\"]")?;
    if columns.is_empty() {
        source.error(
            "empty-value",
            span.unwrap_or_else(|| table.span()),
            "`key` names no column",
            "write for example `key = \"id\"` or `key = [\"tenant\", \"id\"]`",
        );
        return None;
    }
    let columns = columns.into_iter();
    Some(
        columns
            .map(|column| column.value.trim().to_owned())
            .collect(),
    )
}

fn read_batch(source: &Source, table: &mut Table<'_>) -> BatchRules {
    let fixed = table.count("batch", (1, MOST_KEYS));
    let adapts = ["target_time", "min_batch", "max_batch"]
        .into_iter()
        .find(|key| table.has(key));
    let target = table.duration("target_time", LONGEST_BATCH);
    let least = table.count("min_batch", (1, MOST_KEYS));
    let most = table.count("max_batch", (1, MOST_KEYS));
    if let (Some(fixed), None) = (fixed, adapts) {
        return BatchRules::Fixed(fixed);
    }
    let problem = |key: &str, message: String, help: &str| {
        let span = table.key_span(key).unwrap_or_else(|| table.span());
        source.error("contradictory-batch", span, message, help);
    };
    if let (true, Some(key)) = (table.has("batch"), adapts) {
        problem(
            key,
            format!("`batch` fixes how many keys a batch has, and `{key}` lets it adapt"),
            "remove one of them",
        );
    }
    let least_or = least.unwrap_or_else(|| DEFAULT_LEAST.min(most.unwrap_or(u64::MAX)));
    let most_or = most.unwrap_or(u64::MAX);
    if least_or > most_or {
        problem(
            "min_batch",
            format!("`min_batch` is {least_or}, and `max_batch` is {most_or}"),
            "let `min_batch` be at most `max_batch`",
        );
    }
    BatchRules::Adaptive {
        target: target.map_or(DEFAULT_TARGET, |target| target.value),
        least: least_or.min(most_or),
        most,
    }
}

fn read_pace(source: &Source, table: &mut Table<'_>) -> Pace {
    let span = table.value_span("pace");
    let Some(share) = table.number("pace", "pace = 0.5") else {
        return DEFAULT_PACE;
    };
    Pace::from_share(share).unwrap_or_else(|reason| {
        source.error(
            "out-of-range",
            span.unwrap_or_else(|| table.span()),
            format!("`pace` {reason}"),
            "write for example `pace = 0.5`",
        );
        DEFAULT_PACE
    })
}

fn read_throttle<'s>(
    source: &Source,
    table: &mut Table<'s>,
) -> (ThrottleRules, Option<Located<&'s str>>) {
    let example = "throttle = \"SELECT count(*) FROM pg_stat_activity WHERE state = 'active'\"";
    let query = table.string("throttle", example);
    let limit = table.count("throttle_limit", (0, u64::from(u32::MAX)));
    for (has, key, other) in [
        (
            query.is_some() && !table.has("throttle_limit"),
            "throttle",
            "throttle_limit",
        ),
        (
            limit.is_some() && !table.has("throttle"),
            "throttle_limit",
            "throttle",
        ),
    ] {
        if has {
            source.error(
                "missing-key",
                table.key_span(key).unwrap_or_else(|| table.span()),
                format!("`{key}` needs `{other}`"),
                format!("write for example `{example}` and `throttle_limit = 20`"),
            );
        }
    }
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let rules = ThrottleRules {
        query: query
            .as_ref()
            .zip(limit)
            .map(|(query, limit)| (query.value.to_owned(), number(limit))),
        replica_lag: table
            .duration("max_replica_lag", LONGEST_BATCH)
            .map(|lag| lag.value),
        active_sessions: table.count("max_active_sessions", (1, 100_000)).map(number),
    };
    (rules, query)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paces() {
        for (share, shown) in [(1.0, "1"), (0.5, "0.5"), (0.01, "0.01"), (0.125, "0.125")] {
            assert_eq!(Pace::from_share(share).unwrap().to_string(), shown);
        }
        for share in [0.0, -1.0, 1.1, f64::NAN, f64::INFINITY, 0.001] {
            assert!(Pace::from_share(share).is_err(), "{share}");
        }
        assert_eq!(Pace::from_thousandths(0).to_string(), "0.01");
        assert_eq!(Pace::from_thousandths(9999), Pace::FULL);
    }
}
