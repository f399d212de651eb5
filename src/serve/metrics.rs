//! Metrics in the text format of OpenMetrics: what was seen last, and what this server was asked.
//!
//! Invariant: the labels are bounded, whatever the fleet and the clients are: what is beyond a bound is counted together, or left
//! out, and never a series of its own.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::label::{Label, Labels};
use super::notifier::Fate;
use super::watch::{Glance, Seen};
use crate::ask::{Next, range};
use crate::gate::{Subject, Verdict};
use crate::model::{MigrationState, Phase, Snapshot, SourceStatus};

/// Of groups of instances, migrations that are not complete, and stretches of versions.
const MOST_SERIES: usize = 200;

type Values = Family<Labels, Gauge<f64, AtomicU64>>;

/// What this server was asked.
pub(super) struct Metrics {
    requests: Family<Labels, Counter>,
    times: Family<Labels, Histogram>,
    verdicts: Family<Labels, Counter>,
    at_work: Gauge,
}

impl Metrics {
    pub(super) fn new() -> Self {
        Self {
            requests: Family::default(),
            times: Family::new_with_constructor(|| {
                // From a millisecond to 8 seconds.
                Histogram::new(exponential_buckets(0.001, 2.0, 14))
            }),
            verdicts: Family::default(),
            at_work: Gauge::default(),
        }
    }

    /// A request that was answered. The route is one of ours, never what a client wrote.
    pub(super) fn answered(&self, route: &str, status: u16, took: Duration) {
        let labels = |route: &str| vec![("route", Label::of(route))];
        let mut counted = labels(route);
        counted.push(("status", Label::of(status.to_string())));
        self.requests.get_or_create(&counted).inc();
        let times = self.times.get_or_create(&labels(route));
        times.observe(took.as_secs_f64());
    }

    /// A verdict that was given.
    pub(super) fn gave(&self, action: &'static str, verdict: Verdict) {
        let labels = vec![
            ("action", Label::of(action)),
            ("verdict", Label::of(verdict.name())),
        ];
        self.verdicts.get_or_create(&labels).inc();
    }

    /// Counts a request as one at work, until the answer goes out of scope.
    pub(super) fn begins(&self) -> AtWork {
        self.at_work.inc();
        AtWork(self.at_work.clone())
    }

    /// Everything, as it is scraped.
    pub(super) fn text<'n>(
        &self,
        glance: &Glance,
        notices: impl Iterator<Item = (&'n str, Fate, u64)>,
    ) -> String {
        let mut registry = Registry::with_prefix("phasegate");
        registry.register(
            "http_requests",
            "Requests answered, by route and status",
            self.requests.clone(),
        );
        registry.register(
            "http_request_duration_seconds",
            "How long answers took, by route",
            self.times.clone(),
        );
        registry.register(
            "http_requests_at_work",
            "Requests that are being answered",
            self.at_work.clone(),
        );
        registry.register(
            "gate_verdicts",
            "Verdicts given, by action",
            self.verdicts.clone(),
        );
        let told = Family::<Labels, Counter>::default();
        for (name, fate, count) in notices.take(MOST_SERIES) {
            let labels = vec![("to", Label::of(name)), ("fate", Label::of(fate.name()))];
            told.get_or_create(&labels).inc_by(count);
        }
        registry.register(
            "notices",
            "Notices, by who was told and what became of them",
            told,
        );
        let mut sheet = Sheet {
            registry: &mut registry,
        };
        sheet.looks(glance);
        if let Some(seen) = &glance.seen {
            sheet.migrations(seen);
            sheet.backfills(seen);
            sheet.fleet(seen);
            sheet.horizons(seen);
            sheet.coordinator(seen);
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &registry);
        text
    }
}

/// A request at work.
pub(super) struct AtWork(Gauge);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Metrics of what was seen last.
struct Sheet<'r> {
    registry: &'r mut Registry,
}

fn seconds(milliseconds: i64) -> f64 {
    Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)).as_secs_f64()
}

fn is_one(holds: bool) -> f64 {
    if holds { 1.0 } else { 0.0 }
}

/// A count; beyond what a float holds exactly it is near enough.
#[allow(clippy::cast_precision_loss)]
const fn number(count: u64) -> f64 {
    count as f64
}

impl Sheet<'_> {
    fn add(&mut self, name: &str, help: &str, rows: impl IntoIterator<Item = (Labels, f64)>) {
        let values = Values::default();
        for (labels, value) in rows.into_iter().take(MOST_SERIES) {
            values.get_or_create(&labels).set(value);
        }
        self.registry.register(name, help, values);
    }

    fn one(&mut self, name: &str, help: &str, value: f64) {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        self.registry.register(name, help, gauge);
    }

    fn looks(&mut self, glance: &Glance) {
        let is_up = glance.trouble.is_none() && glance.seen.is_some();
        self.one(
            "up",
            "1 where the last look at the database succeeded",
            is_one(is_up),
        );
        if let Some(at) = glance.seen_at {
            self.one(
                "look_age_seconds",
                "How old what these metrics tell is",
                at.elapsed().as_secs_f64(),
            );
        }
    }

    fn migrations(&mut self, seen: &Seen) {
        let status = &seen.status;
        let mut phases: BTreeMap<&str, u64> = BTreeMap::new();
        for state in status.migrations() {
            *phases.entry(state.phase.name()).or_default() += 1;
        }
        self.add(
            "migrations",
            "Migrations, by phase",
            phases
                .into_iter()
                .map(|(phase, count)| (vec![("phase", Label::of(phase))], number(count))),
        );
        let now = status.looked.situation.view.now;
        let open: Vec<&MigrationState> = status
            .migrations()
            .iter()
            .filter(|state| !state.is_complete())
            .take(MOST_SERIES)
            .collect();
        let named = |state: &MigrationState| vec![("migration", Label::of(state.id().as_str()))];
        self.add(
            "migration_phase",
            "1 for the phase of each migration that is not complete",
            open.iter().map(|state| {
                let mut labels = named(state);
                labels.push(("phase", Label::of(state.phase.name())));
                (labels, 1.0)
            }),
        );
        let next: Vec<(&MigrationState, Next)> = open
            .iter()
            .map(|state| (*state, status.next(state)))
            .collect();
        self.add(
            "next_step",
            "1 for the verdict about the next step of each migration that is not complete",
            next.iter().filter_map(|(state, next)| {
                let step = match next {
                    Next::Nothing => return None,
                    Next::Ready(step) | Next::Asks(step, _) | Next::Blocked(step, _) => step,
                };
                let mut labels = named(state);
                labels.push(("step", Label::of(step.name())));
                labels.push(("verdict", Label::of(next.verdict()?.name())));
                Some((labels, 1.0))
            }),
        );
        self.add(
            "next_step_held_seconds",
            "Since when the next step is not allowed, as far as this server has seen, by its first reason",
            next.iter().filter_map(|(state, next)| {
                let Next::Blocked(step, decision) = next else {
                    return None;
                };
                let since = seen.held_since.get(state.id())?;
                let first = decision.blockers.first();
                let who = match first.map(|blocker| blocker.reason.subject()) {
                    Some(Subject::Version(who)) => (who.service.clone(), who.version.to_string()),
                    _ => (String::new(), String::new()),
                };
                let mut labels = named(state);
                labels.push(("step", Label::of(step.name())));
                labels.push(("verdict", Label::of(decision.verdict.name())));
                labels.push((
                    "reason",
                    Label::of(first.map_or("", |blocker| blocker.kind().name())),
                ));
                labels.push(("service", Label::of(who.0)));
                labels.push(("version", Label::of(who.1)));
                Some((labels, seconds(now.saturating_sub(*since))))
            }),
        );
        self.add(
            "step_failed",
            "1 for each step that failed the last time",
            open.iter().flat_map(|state| {
                let failures = status.trouble(state).failures;
                let labelled = failures.into_iter().map(|failure| {
                    let mut labels = named(state);
                    labels.push(("step", Label::of(&failure.step)));
                    (labels, 1.0)
                });
                labelled.collect::<Vec<_>>()
            }),
        );
        let drift = status.looked.situation.drift.len();
        self.one(
            "changed_files",
            "Files that were changed after they were applied",
            number(u64::try_from(drift).unwrap_or(u64::MAX)),
        );
    }

    fn backfills(&mut self, seen: &Seen) {
        let status = &seen.status;
        let now = status.looked.situation.view.now;
        let of = |state: &MigrationState| {
            let record = status.backfill_of(state)?;
            (state.phase == Phase::Backfilling).then_some(record.clone())
        };
        let states = status.migrations().iter();
        let records: Vec<_> = states
            .filter_map(|state| Some((state.id().to_string(), of(state)?)))
            .collect();
        let named = |id: &str| vec![("migration", Label::of(id))];
        self.add(
            "backfill_rows",
            "Rows of each backfill that is under way: gone over, changed, and about how many there are",
            records.iter().flat_map(|(id, record)| {
                let rows = [
                    ("seen", record.seen()),
                    ("changed", record.changed()),
                    ("total", record.total),
                ];
                rows.map(|(what, rows)| {
                    let mut labels = named(id);
                    labels.push(("rows", Label::of(what)));
                    (labels, number(rows))
                })
            }),
        );
        self.add(
            "backfill_left_rows",
            "How far each backfill lags behind its table: about how many rows it has not gone over",
            records.iter().map(|(id, record)| {
                let left = record.total.saturating_sub(record.seen());
                (named(id), number(left))
            }),
        );
        self.add(
            "backfill_rows_per_second",
            "How fast each backfill is",
            records
                .iter()
                .map(|(id, record)| (named(id), number(record.rate))),
        );
        self.add(
            "backfill_held",
            "1 where a backfill waits: for replicas, or for the load of the server",
            records
                .iter()
                .map(|(id, record)| (named(id), is_one(!record.held_by.is_empty()))),
        );
        self.add(
            "backfill_silent_seconds",
            "How long ago each backfill was heard of",
            records
                .iter()
                .map(|(id, record)| (named(id), seconds(now.saturating_sub(record.beat_at)))),
        );
    }

    fn fleet(&mut self, seen: &Seen) {
        let snapshot = &seen.status.looked.situation.evidence.snapshot;
        let mut live: BTreeMap<Labels, u64> = BTreeMap::new();
        for group in snapshot.all_groups() {
            let labels = vec![
                ("service", Label::of(&group.service)),
                ("version", Label::of(group.label.to_string())),
                ("state", Label::of(group.state.name())),
                ("source", Label::of(&group.source)),
            ];
            *live.entry(labels).or_default() += group.instances;
        }
        // The bound is told where it cuts: what is beyond it is one series.
        let beyond: u64 = live.values().skip(MOST_SERIES - 1).sum();
        let mut rows: Vec<(Labels, f64)> = live
            .into_iter()
            .take(MOST_SERIES - 1)
            .map(|(labels, count)| (labels, number(count)))
            .collect();
        if beyond > 0 {
            let other = ["service", "version", "state", "source"];
            let other = other.map(|name| (name, Label::of("(others)")));
            rows.push((other.to_vec(), number(beyond)));
        }
        self.add(
            "live_instances",
            "Live instances, by service, version, state and source",
            rows,
        );
        self.renewals(snapshot, seen.status.looked.situation.view.now);
        let named = |name: &str| vec![("source", Label::of(name))];
        self.add(
            "source_age_seconds",
            "How old the news of each source is",
            snapshot.sources.iter().map(|source| {
                let age = Duration::from_millis(source.age_ms);
                (named(&source.name), age.as_secs_f64())
            }),
        );
        self.add(
            "source_fresh",
            "1 for each source that is fresh",
            snapshot.sources.iter().map(|source| {
                let is_fresh = source.status == SourceStatus::Fresh;
                (named(&source.name), is_one(is_fresh))
            }),
        );
    }

    /// Who holds a lease and does not renew it falls behind the others of its version.
    fn renewals(&mut self, snapshot: &Snapshot, now: i64) {
        let mut heard: BTreeMap<Labels, i64> = BTreeMap::new();
        let groups = snapshot.groups.iter().filter(|group| group.is_leased());
        for group in groups {
            let labels = vec![
                ("service", Label::of(&group.service)),
                ("version", Label::of(group.label.to_string())),
            ];
            let at = heard.entry(labels).or_insert(group.seen_at);
            *at = (*at).max(group.seen_at);
        }
        self.add(
            "lease_renewed_seconds",
            "How long ago the last lease of each version was renewed or taken",
            heard
                .into_iter()
                .map(|(labels, at)| (labels, seconds(now.saturating_sub(at)))),
        );
    }

    fn horizons(&mut self, seen: &Seen) {
        let stretches = seen.status.horizons.iter().flat_map(|horizon| {
            let stretches = horizon.stretches.iter();
            stretches.map(|stretch| {
                let labels = vec![
                    ("service", Label::of(&horizon.service)),
                    ("versions", Label::of(range(stretch))),
                ];
                (labels, is_one(stretch.reasons.is_empty()))
            })
        });
        self.add(
            "versions_may_start",
            "1 where versions of a service may start now, 0 where they may not",
            stretches,
        );
    }

    fn coordinator(&mut self, seen: &Seen) {
        let status = &seen.status;
        let view = &status.looked.situation.view;
        self.one(
            "coordinator_held",
            "1 while somebody is at work on the schema",
            is_one(view.coordinator.is_held()),
        );
        let fences = status.migrations().iter();
        let fences = fences.filter(|state| state.phase == Phase::Contracting);
        self.add(
            "fence_age_seconds",
            "How long a contract has kept the old format's versions out",
            fences.map(|state| {
                let since = status.fence_since(state).unwrap_or(view.now);
                let labels = vec![("migration", Label::of(state.id().as_str()))];
                (labels, seconds(view.now.saturating_sub(since)))
            }),
        );
        let idle = status.migrations().iter().filter_map(|state| {
            let since = status.trouble(state).idle_since?;
            let labels = vec![("migration", Label::of(state.id().as_str()))];
            Some((labels, seconds(view.now.saturating_sub(since))))
        });
        self.add(
            "step_idle_seconds",
            "How long nobody has been at work on a step that was begun",
            idle,
        );
        let is_open = status.open_rollout().is_some();
        self.one("rollout_open", "1 while a rollout is open", is_one(is_open));
    }
}
