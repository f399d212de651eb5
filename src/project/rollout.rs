//! The `[rollout]` section, and the driver of one service.

use std::sync::Arc;
use std::time::Duration;

use super::problem::{closest, listed};
use super::reader::Table;
use super::row::RowOf;
use super::source::Source;
use crate::analysis::{self, Check, Limits};
use crate::driver::{Driver, KINDS, Kind};

/// How rollouts are carried out.
#[derive(Clone, Debug)]
pub struct RolloutConfig {
    /// For each service that names none of its own.
    pub driver: Arc<dyn Driver>,
    /// How long each step may take to show in the fleet, or to be allowed.
    pub timeout: Duration,
    /// How long each step of a service has to hold before the next.
    pub bake: Duration,
    /// How often the checks are asked meanwhile.
    pub every: Duration,
    pub checks: Vec<Check>,
    pub on_failure: OnFailure,
}

/// What becomes of a rollout that a check has stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    /// It stays where it is, for somebody to look at.
    Stop,
    /// The service goes back to the version that it had, where that may start.
    RollBack,
}

impl Default for RolloutConfig {
    fn default() -> Self {
        Self {
            driver: crate::driver::usual(),
            timeout: Duration::from_mins(30),
            bake: Duration::ZERO,
            every: Duration::from_secs(15),
            checks: Vec::new(),
            on_failure: OnFailure::Stop,
        }
    }
}

const LONGEST: Duration = Duration::from_hours(24 * 20);
const EXAMPLE: &str =
    "driver = { kind = \"command\", run = [\"./deploy.sh\", \"{service}\", \"{to}\"] }";
const PLACES: &[(&str, &str)] = &[];

pub(super) fn read(source: &Source, mut table: Table<'_>, services: &[&str]) -> RolloutConfig {
    let mut config = RolloutConfig::default();
    if let Some(timeout) = table.duration("timeout", LONGEST) {
        config.timeout = timeout.value;
    }
    if let Some(driver) = read_driver(source, &mut table) {
        config.driver = driver;
    }
    if let Some(bake) = table.duration_or_none("bake", LONGEST) {
        config.bake = bake.value;
    }
    if let Some(every) = table.duration("every", LONGEST) {
        config.every = every.value;
    }
    let ways = [
        ("stop", OnFailure::Stop),
        ("roll-back", OnFailure::RollBack),
    ];
    if let Some(on_failure) = table.choice("on_failure", &ways) {
        config.on_failure = on_failure;
    }
    for row in table.tables("check").unwrap_or_default() {
        let Some((check, span)) = read_check(source, row, services) else {
            continue;
        };
        if config.checks.iter().any(|known| known.name == check.name) {
            source.error(
                "duplicate-check",
                span,
                format!("there are two checks called `{}`", check.name),
                "give it a `name` of its own",
            );
        } else {
            config.checks.push(check);
        }
    }
    table.finish(PLACES);
    config
}

/// What is asked while a step holds, and where that is written.
fn read_check(
    source: &Source,
    mut table: Table<'_>,
    services: &[&str],
) -> Option<(Check, std::ops::Range<usize>)> {
    const CHECK: &str = "kind = \"prometheus\"";
    let span = table.span();
    let name = table.string("name", "name = \"errors\"");
    let service = table.string("service", "service = \"web\"");
    if let Some(service) = &service
        && !services.contains(&service.value)
    {
        let known = services.iter().copied();
        let help = match closest(service.value, known.clone()) {
            Some(meant) => format!("write `service = \"{meant}\"`"),
            None if services.is_empty() => format!("add [services.{}]", service.value),
            None => format!("the services are {}", listed(known)),
        };
        source.error(
            "unknown-service",
            service.span.clone(),
            format!("the service `{}` is not named in this file", service.value),
            help,
        );
    }
    let mut number = |key| {
        let read = table.number(key, &format!("{key} = 0.01"))?;
        if !read.is_finite() {
            let span = table.value_span(key).unwrap_or_else(|| table.span());
            source.error(
                "out-of-range",
                span,
                format!("`{key}` is no number that a figure could be compared with"),
                format!("write for example `{key} = 0.01`"),
            );
            return None;
        }
        Some(read)
    };
    let limits = Limits {
        least: number("min"),
        most: number("max"),
        most_times_before: number("max_increase"),
    };
    if limits.most_times_before.is_some() && limits.most.is_none() {
        // After a resumption, and beside a zero, there is nothing to compare with.
        source.error(
            "incomplete-limits",
            table.key_span("max_increase").unwrap_or_else(|| table.span()),
            "`max_increase` holds only beside `max`: where nothing was measured before, there is nothing to compare with",
            "add `max = …`, the figure that is too much in any case",
        );
    }
    if !table.has("kind") {
        table.missing("kind", CHECK);
        return None;
    }
    let kinds: Vec<(&str, &analysis::Kind)> = analysis::KINDS
        .iter()
        .map(|kind| (kind.kind, kind))
        .collect();
    let kind = table.choice("kind", &kinds)?;
    if kind.has_figure && limits == Limits::default() {
        table.missing("max", "max = 0.01");
    }
    let measure = (kind.read)(&mut RowOf::new(source, &mut table));
    table.finish(PLACES);
    let check = Check {
        name: name.map_or(kind.kind, |name| name.value).to_owned(),
        service: service.map(|service| service.value.to_owned()),
        limits,
        measure: measure?,
    };
    Some((check, span))
}

/// The `driver` of a table, if it names one.
pub(super) fn read_driver(source: &Source, table: &mut Table<'_>) -> Option<Arc<dyn Driver>> {
    let mut table = table.table("driver")?;
    if !table.has("kind") {
        table.missing("kind", EXAMPLE);
        return None;
    }
    let kinds: Vec<(&str, &Kind)> = KINDS.iter().map(|kind| (kind.kind, kind)).collect();
    let kind = table.choice("kind", &kinds)?;
    let driver = (kind.read)(&mut RowOf::new(source, &mut table));
    table.finish(PLACES);
    driver
}
