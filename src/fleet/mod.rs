//! What all sources say at one moment, put together into one snapshot. The sources themselves are in [`crate::source`].

mod accounts;
mod across;
mod beside;
mod named;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

pub use beside::{Beside, contradiction};

use futures_util::future::join_all;

use crate::database::{Connection, Session};
use crate::ledger::{Asker, LeaseRules, Ledger, LedgerError, ServiceRules, View};
use crate::model::{
    InstanceState, Label, Listed, LiveGroup, Snapshot, SourceReport, SourceStatus, tear,
};
use crate::project::{Config, ServiceConfig};
use crate::source::{Asked, Instance, Named, Observation, SourceFailure};
use crate::span;

/// How this project wants leases to be read.
#[must_use]
pub fn lease_rules(config: &Config) -> LeaseRules {
    let rules = |service: &ServiceConfig| ServiceRules {
        min_ready_ms: service
            .min_ready
            .map(|least| i64::try_from(least.as_millis()).unwrap_or(i64::MAX)),
        names: service.names.clone(),
    };
    let services = config.services.iter();
    LeaseRules {
        services: services
            .map(|(name, service)| (name.clone(), rules(service)))
            .collect(),
    }
}

/// Asks every source of the project and puts what they say side by side.
///
/// Never fails: a source that does is reported as failed, and the gate decides what that means.
pub async fn observe(config: &Config, view: &View, connection: &mut dyn Connection) -> Snapshot {
    let mut snapshot = Snapshot {
        taken_at: view.now,
        sources: Vec::new(),
        groups: view.groups.clone(),
        settling: view.settling.clone(),
        twins: view.twins.clone(),
        ending: view.ending.clone(),
        ..Snapshot::default()
    };
    // An instance that registered is live, whether or not leases are among the named sources.
    if config.fleet.names_leases() || !view.groups.is_empty() {
        snapshot.sources.push(view.lease_report());
    }
    let answers = ask(config, connection).await;
    let mut looks = Vec::new();
    for (named, answer) in config.fleet.others().zip(answers) {
        if let Ok(observation) = &answer {
            let listed = observation.instances.iter().map(|instance| Listed {
                source: named.name.clone(),
                service: instance.service.clone(),
                label: instance.label.clone(),
                instance: instance.instance.clone(),
                about: instance.about.clone(),
            });
            snapshot.listed.extend(listed);
        }
        looks.push(Look::of(named, answer, config));
    }
    compare(&mut looks, config, &mut snapshot, connection).await;
    for look in looks {
        let (report, groups) = look.grouped(view.now);
        snapshot.sources.push(report);
        snapshot.groups.extend(groups);
    }
    snapshot.sessions = accounts::check(config, &snapshot, connection).await;
    snapshot.told = told(config, &snapshot);
    snapshot.tried = tried(config, &snapshot);
    snapshot.remembered = view.recall(&Asker::Looker(&snapshot));
    snapshot
}

/// Of which services each source tells all there is: while it is fresh, of those of which enough instances are seen.
fn told(config: &Config, snapshot: &Snapshot) -> Vec<(String, String)> {
    let mut services: BTreeMap<&str, u64> = config
        .services
        .iter()
        .map(|(name, service)| (name.as_str(), service.min_instances))
        .collect();
    for listed in &snapshot.listed {
        services.entry(&listed.service).or_insert(0);
    }
    let proven = snapshot.proven();
    services.retain(|service, wanted| proven.get(service).copied().unwrap_or(0) >= *wanted);
    let fresh = snapshot
        .sources
        .iter()
        .filter(|source| !source.is_of_leases() && source.status == SourceStatus::Fresh);
    fresh
        .flat_map(|source| {
            let services = services.keys();
            let covered = services.filter(|service| covers(config, &source.name, service));
            covered.map(|service| (source.name.clone(), (*service).to_owned()))
        })
        .collect()
}

fn covers(config: &Config, source: &str, service: &str) -> bool {
    let mut others = config.fleet.others();
    others.any(|named| named.name == source && named.source.covers(service))
}

/// Of which services each source has tried what it calls serving.
fn tried(config: &Config, snapshot: &Snapshot) -> Vec<(String, String)> {
    let tries = |named: &&Named| named.source.tells_readiness() && snapshot.is_fresh(&named.name);
    let sources = config.fleet.others().filter(tries);
    sources
        .flat_map(|named| {
            let services = config.services.keys();
            let covered = services.filter(|service| named.source.covers(service));
            covered.map(|service| (named.name.clone(), service.clone()))
        })
        .collect()
}

/// How long after its own time a source is given up that does not see to that itself.
const GIVEN_UP_AFTER: Duration = Duration::from_secs(5);

/// Asks all sources at the same moment: what one cannot say in its time delays none of the others, and is a failure of its own.
async fn ask(
    config: &Config,
    connection: &mut dyn Connection,
) -> Vec<Result<Observation, SourceFailure>> {
    let reads_sessions = |named: &Named| named.source.session_names().is_some();
    // The database is asked once, by whoever has it, and only where somebody reads that.
    let sessions = if config.fleet.others().any(reads_sessions) {
        sessions(connection).await
    } else {
        Err("they were not asked for".to_owned())
    };
    let is_service = |name: &str| config.services.contains_key(name);
    let asked = Asked {
        is_service: &is_service,
        sessions: sessions.as_ref().map(Vec::as_slice).map_err(String::as_str),
        database_url: config.database_url.as_deref(),
        interrupt: connection.interrupt(),
    };
    join_all(config.fleet.others().map(|named| in_time(named, asked))).await
}

async fn in_time(named: &Named, asked: Asked<'_>) -> Result<Observation, SourceFailure> {
    let limit = named.source.timeout();
    let answer = named.source.observe(&asked);
    let answered = async {
        let answered = tokio::time::timeout(limit.saturating_add(GIVEN_UP_AFTER), answer).await;
        answered.unwrap_or_else(|_| {
            Err(SourceFailure(format!(
                "no answer within {} s",
                limit.as_secs_f64()
            )))
        })
    };
    let span = span::source(&named.name);
    let answered = span::within(span.clone(), answered).await;
    if let Ok(observation) = &answered {
        span.record("phasegate.instances", observation.instances.len());
    }
    answered
}

async fn sessions(connection: &mut dyn Connection) -> Result<Vec<Session>, String> {
    let capabilities = connection.capabilities();
    if !capabilities.lists_sessions {
        return Err(format!(
            "{} cannot list its sessions; use the source `leases` or `command` there",
            capabilities.dialect.name()
        ));
    }
    let listed = connection.sessions().await;
    listed.map_err(|error| error.to_string())
}

/// What one source has said, before its instances are put together.
struct Look {
    report: SourceReport,
    rows: Vec<named::Placed>,
    max_age_ms: u64,
}

impl Look {
    fn of(named: &Named, answer: Result<Observation, SourceFailure>, config: &Config) -> Self {
        let max_age_ms = named.source.max_age_ms();
        let mut report = SourceReport {
            name: named.name.clone(),
            status: SourceStatus::Fresh,
            instances: Some(0),
            age_ms: 0,
            notes: Vec::new(),
        };
        let observation = match answer {
            Ok(observation) => observation,
            Err(failure) => {
                report.status = SourceStatus::Failed {
                    reason: failure.to_string(),
                };
                return Self {
                    report,
                    rows: Vec::new(),
                    max_age_ms,
                };
            }
        };
        report.notes = observation.notes;
        let placed = observation.instances.into_iter().map(|mut instance| {
            let mut label = config.place(&instance.service, &instance.label);
            let said = Beside {
                image: instance.image.as_deref(),
                template: instance.template.as_deref(),
            };
            let contradiction = contradiction(config, &instance.service, &label, said);
            if let Some(contradiction) = contradiction {
                (label, instance.state) = contradiction;
            }
            named::Placed { instance, label }
        });
        let named = named::one_each(placed.collect());
        report.instances = Some(named.instances);
        report.notes.extend(named.notes);
        Self {
            report,
            rows: named.rows,
            max_age_ms,
        }
    }

    fn grouped(self, now: i64) -> (SourceReport, Vec<LiveGroup>) {
        let mut report = self.report;
        let mut groups = Groups::default();
        for named::Placed { instance, label } in self.rows {
            report.age_ms = report.age_ms.max(instance.age_ms);
            let seen_at = now.saturating_sub(i64::try_from(instance.age_ms).unwrap_or(i64::MAX));
            groups.add(&report.name, instance, label, seen_at);
        }
        if report.age_ms > self.max_age_ms {
            report.status = SourceStatus::Stale;
        }
        (report, groups.found)
    }
}

/// Looks at what several sources say of the same instances, the leases among them.
async fn compare(
    looks: &mut [Look],
    config: &Config,
    snapshot: &mut Snapshot,
    connection: &mut dyn Connection,
) {
    let is_listed = looks.iter().any(|look| !look.rows.is_empty());
    let mut leases = Vec::new();
    if is_listed && !snapshot.groups.is_empty() {
        let read = async {
            let Some(mut ledger) = Ledger::read(connection).await? else {
                return Ok(Vec::new());
            };
            let leases = ledger.named_leases(&lease_rules(config)).await;
            ledger.rollback().await?;
            leases
        };
        match read.await {
            Ok(read) => leases = read,
            Err(error) => fail_leases(&mut snapshot.sources, &error),
        }
    }
    let mut listings: Vec<across::Listing<'_>> = looks
        .iter_mut()
        .map(|look| across::Listing {
            source: &look.report.name,
            rows: &mut look.rows,
        })
        .collect();
    let found = across::compare(&mut listings, &leases, &snapshot.groups);
    for (look, notes) in looks.iter_mut().zip(found.notes) {
        look.report.notes.extend(notes);
    }
    tear(&mut snapshot.groups, &mut snapshot.settling, &found.torn);
    snapshot.torn = found.torn;
}

/// Whom the leases name is not known: nobody is believed to prove anything by them.
fn fail_leases(sources: &mut [SourceReport], error: &LedgerError) {
    if let Some(leases) = sources.iter_mut().find(|source| source.is_of_leases()) {
        leases.status = SourceStatus::Failed {
            reason: error.to_string(),
        };
    }
}

/// The instances of a source, put together.
#[derive(Default)]
struct Groups {
    found: Vec<LiveGroup>,
    /// By service, version and state: there may be as many as there are instances.
    places: HashMap<(String, Label, InstanceState), usize>,
}

impl Groups {
    fn add(&mut self, source: &str, instance: Instance, label: Label, seen_at: i64) {
        const EXAMPLES: usize = 3;
        let Instance {
            service,
            instance: name,
            state,
            ..
        } = instance;
        let key = (service.clone(), label.clone(), state);
        let at = self.places.get(&key).copied();
        if let Some(group) = at.and_then(|at| self.found.get_mut(at)) {
            group.instances = group.instances.saturating_add(1);
            group.seen_at = group.seen_at.max(seen_at);
            if group.examples.len() < EXAMPLES {
                group.examples.push(name);
            }
            return;
        }
        self.places.insert(key, self.found.len());
        self.found.push(LiveGroup {
            service,
            label,
            state,
            source: source.to_owned(),
            instances: 1,
            examples: vec![name],
            seen_at,
        });
    }
}
