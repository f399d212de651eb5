//! Absence is evidence only from complete, fresh sources.

use std::collections::{BTreeMap, BTreeSet};

use super::Evidence;
use super::blocker::{Blocker, Seen};
use super::missing::too_few;
use super::reason::{Reason, Sessions, Silence, Unplaced};
use crate::model::{
    Declaration, Live, LiveGroup, MigrationId, MigrationState, Moved, SessionRule, Snapshot,
    SourceReport, SourceStatus, Step,
};

/// What is missing in the evidence.
pub(super) struct Gaps {
    /// The services of which unknown versions may be live, with what hides them.
    services: Vec<(String, Blocker)>,
}

impl Gaps {
    /// The gaps through which services that these declarations name may be hidden.
    pub(super) fn find<'a>(
        evidence: &'a Evidence,
        declarations: impl IntoIterator<Item = &'a Declaration>,
    ) -> Self {
        let mut services = Vec::new();
        // A source that fails may hide any service, whether or not migrate.toml still names it.
        let declared = declarations
            .into_iter()
            .flat_map(|declaration| declaration.services.keys());
        let proven = evidence.snapshot.proven();
        let all: BTreeSet<&String> = evidence.min_instances.keys().chain(declared).collect();
        for service in all {
            let silent = evidence.snapshot.sources.iter().filter_map(silence);
            services.extend(silent.map(|blocker| (service.clone(), blocker)));
            let wanted = evidence.min_instances.get(service).copied().unwrap_or(0);
            let seen = proven.get(service.as_str()).copied().unwrap_or(0);
            if seen < wanted {
                let blocker = too_few(service, seen, wanted, &evidence.snapshot);
                services.push((service.clone(), blocker));
            }
        }
        for group in evidence.snapshot.all_groups() {
            if group.label.version.is_none() {
                services.push((group.service.clone(), unplaced(group)));
            }
        }
        Self { services }
    }

    /// Every gap of the services meant, each once.
    pub(super) fn of(self, is_meant: impl Fn(&str) -> bool) -> Vec<Blocker> {
        let mut found: Vec<Blocker> = Vec::new();
        for (service, blocker) in self.services {
            if is_meant(&service) && !found.contains(&blocker) {
                found.push(blocker);
            }
        }
        found
    }

    /// The gaps through which an unknown live version could change the answer for a migration.
    ///
    /// `changes` says whether the answer differs when these versions are live too. One may be
    /// harmless alone and not beside another that is hidden as well, so they are tried in pairs.
    pub(super) fn that_matter(
        &self,
        declaration: &Declaration,
        changes: impl Fn(&[Live]) -> bool,
    ) -> Vec<Blocker> {
        let hidden: BTreeSet<&String> = self.services.iter().map(|(service, _)| service).collect();
        let possible: Vec<Live> = hidden
            .into_iter()
            .filter(|service| declaration.services.contains_key(*service))
            .flat_map(|service| {
                Declaration::representatives(service, [declaration])
                    .into_iter()
                    .map(|version| Live {
                        service: service.clone(),
                        version,
                    })
            })
            .collect();
        let mut matter = BTreeSet::new();
        for (index, one) in possible.iter().enumerate() {
            if changes(std::slice::from_ref(one)) {
                matter.insert(&one.service);
            }
            for other in &possible[..index] {
                let both_known = matter.contains(&one.service) && matter.contains(&other.service);
                if !both_known && changes(&[one.clone(), other.clone()]) {
                    matter.extend([&one.service, &other.service]);
                }
            }
        }
        let mut found: Vec<Blocker> = Vec::new();
        for (service, blocker) in &self.services {
            if matter.contains(service) && !found.contains(blocker) {
                found.push(blocker.clone());
            }
        }
        found
    }
}

/// The fleet with `unseen` in it; `None` if those versions could not have come to be live.
pub(super) fn may_be_live(
    state: &MigrationState,
    live: &[Live],
    unseen: &[Live],
) -> Option<Vec<Live>> {
    let more = [live, unseen].concat();
    let before = state.before_any_fence();
    (before.breaches(&more).len() <= before.breaches(live).len()).then_some(more)
}

/// How many versions of one service may be live at the same time. Two or three are a rollout, and a hundred a mess.
const MOST_VERSIONS: usize = 1000;

/// Whether more versions of a service are seen than are believed: then everything is unknown.
#[must_use]
pub fn has_too_many_versions(snapshot: &Snapshot) -> bool {
    too_many_versions(snapshot).is_some()
}

/// More versions than any fleet has say that somebody invents them, and each would cost every question its time.
fn too_many_versions(snapshot: &Snapshot) -> Option<Blocker> {
    if snapshot.groups.len() <= MOST_VERSIONS {
        return None;
    }
    let mut versions = BTreeMap::<&str, BTreeSet<&str>>::new();
    for group in &snapshot.groups {
        let of_service = versions.entry(&group.service).or_default();
        of_service.insert(&group.label.text);
    }
    let (service, labels) = versions
        .into_iter()
        .find(|(_, labels)| labels.len() > MOST_VERSIONS)?;
    let reason = Reason::UnplacedVersion(Unplaced::TooMany {
        service: service.to_owned(),
        versions: labels.len(),
        most: MOST_VERSIONS,
    });
    let groups = snapshot.groups.iter();
    let seen = Seen {
        instances: crate::model::count(groups.filter(|group| group.service == service)),
        examples: labels.into_iter().take(3).map(ToOwned::to_owned).collect(),
        ..Seen::default()
    };
    Some(Blocker::from(reason).seen(seen))
}

/// Live instances of services that neither migrate.toml nor a migration names: what they use is known to nobody, or
/// their name is mistyped and they are instances of a service that counts.
pub(super) fn strangers(evidence: &Evidence) -> Vec<Blocker> {
    let named = || -> BTreeSet<&String> {
        let migrations = evidence.schema.migrations().iter();
        migrations
            .flat_map(|state| state.declaration.services.keys())
            .collect()
    };
    // Of many migrations that takes a while, and migrate.toml mostly names everybody.
    let mut by_migrations = None;
    let mut unknown = BTreeMap::<&String, Vec<&LiveGroup>>::new();
    for group in &evidence.snapshot.groups {
        let is_declared = evidence.min_instances.contains_key(&group.service)
            || by_migrations
                .get_or_insert_with(named)
                .contains(&group.service);
        if !is_declared {
            unknown.entry(&group.service).or_default().push(group);
        }
    }
    let told = unknown.into_iter().take(MOST_STRANGERS);
    told.map(|(service, groups)| {
        let reason = Reason::UnknownService {
            service: service.clone(),
        };
        Blocker::from(reason).seen(Seen::in_groups(&groups))
    })
    .collect()
}

/// Database sessions that belong to nobody who is known: an application that does not register may have them open.
pub(super) fn unaccounted(snapshot: &Snapshot) -> Vec<Blocker> {
    let check = &snapshot.sessions;
    if check.rule != SessionRule::Strict {
        return Vec::new();
    }
    let unlisted = check.unseen.iter().map(|why| {
        let sessions = Sessions::Unlisted { why: why.clone() };
        Blocker::from(Reason::UnaccountedSession(sessions))
    });
    let known = check.unaccounted.iter().take(MOST_STRANGERS).map(|group| {
        let sessions = Sessions::Unaccounted(group.clone());
        Blocker::from(Reason::UnaccountedSession(sessions)).seen(Seen {
            instances: group.sessions,
            at: group.since,
            ..Seen::by("sessions")
        })
    });
    unlisted.chain(known).collect()
}

/// Why nothing at all can be known, whatever is asked.
pub(super) fn of_all(evidence: &Evidence) -> Option<Blocker> {
    lost(evidence).or_else(|| too_many_versions(&evidence.snapshot))
}

/// Without what is recorded everything would be taken for pending, and whoever uses an old format would be let in.
fn lost(evidence: &Evidence) -> Option<Blocker> {
    let lost = evidence.lost.clone()?;
    let reason = Reason::Source(Silence::LedgerLost(lost));
    Some(Blocker::from(reason).seen(Seen::by("ledger")))
}

/// A ledger that has come to another server lately may lack what was committed last on the one before.
pub(super) fn moved(
    moved: Option<(Moved, u64)>,
    (step, id): (Step, &MigrationId),
) -> Option<Blocker> {
    let (moved, all_renew_ms) = moved?;
    let reason = Reason::Source(Silence::Moved {
        moved,
        all_renew_ms,
        step,
        migration: id.clone(),
    });
    Some(Blocker::from(reason).seen(Seen::by("ledger")))
}

/// How many of them are told one by one.
const MOST_STRANGERS: usize = 20;

/// Why what the source says is not all there is.
fn silence(report: &SourceReport) -> Option<Blocker> {
    let source = report.name.clone();
    let silence = match &report.status {
        SourceStatus::Fresh => return None,
        SourceStatus::Stale => Silence::Stale {
            source,
            age_ms: report.age_ms,
        },
        SourceStatus::Failed { reason } => Silence::Failed {
            source,
            reason: reason.clone(),
        },
    };
    Some(Blocker::from(Reason::Source(silence)).seen(Seen::by(&report.name)))
}

fn unplaced(group: &LiveGroup) -> Blocker {
    let reason = Reason::UnplacedVersion(Unplaced::Label {
        service: group.service.clone(),
        label: group.label.text.clone(),
        state: group.state,
        names: group.examples.clone(),
    });
    Blocker::from(reason).seen(Seen {
        instances: group.instances,
        examples: group.examples.clone(),
        at: Some(group.seen_at),
        ..Seen::by(&group.source)
    })
}
