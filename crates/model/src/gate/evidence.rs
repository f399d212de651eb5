//! Absence is evidence only from complete, fresh sources.

use std::collections::{BTreeMap, BTreeSet};

use super::Evidence;
use super::blocker::{Blocker, BlockerKind, Verdict};
use super::missing::too_few;
use crate::model::{
    Declaration, InstanceState, Live, LiveGroup, MigrationId, MigrationState, Moved, SessionRule,
    Snapshot, SourceReport, SourceStatus, Step, Whereabouts,
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

/// The fleet with `unseen` in it; none where those versions could not have come to be live.
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

/// More versions than any fleet has say that somebody invents them, and each would cost every question its time.
pub(super) fn too_many_versions(snapshot: &Snapshot) -> Option<Blocker> {
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
    let mut blocker = Blocker::new(
        BlockerKind::UnplacedVersion,
        Verdict::Unknown,
        format!(
            "{} versions of {service} are said to be live, and more than {MOST_VERSIONS} are not believed",
            labels.len()
        ),
        format!(
            "look with `migrate fleet` at who reports them, and mend a source that lists them. Leases that somebody has made up are ended by \
             `migrate fleet forget --never-renewed --service {service} --reason TEXT`, once three renewals are overdue; with `--admitted` \
             also those of `migrate admit`, where nothing runs by them"
        ),
    );
    blocker.service = Some(service.to_owned());
    blocker.examples = labels.into_iter().take(3).map(ToOwned::to_owned).collect();
    blocker.instances = crate::model::count(
        snapshot
            .groups
            .iter()
            .filter(|group| group.service == service),
    );
    Some(blocker)
}

/// Live instances of services that neither migrate.toml nor a migration names: what they use is known to nobody, or
/// their name is mistyped and they are instances of a service that counts.
pub(super) fn strangers(evidence: &Evidence) -> Vec<Blocker> {
    let migrations = evidence.schema.migrations().iter();
    let declared: BTreeSet<&String> = migrations
        .flat_map(|state| state.declaration.services.keys())
        .chain(evidence.min_instances.keys())
        .collect();
    let mut unknown = BTreeMap::<&String, Vec<&LiveGroup>>::new();
    for group in &evidence.snapshot.groups {
        if !declared.contains(&group.service) {
            unknown.entry(&group.service).or_default().push(group);
        }
    }
    let told = unknown.into_iter().take(MOST_STRANGERS);
    told.map(|(service, groups)| {
        let mut blocker = Blocker::new(
            BlockerKind::UnknownService,
            Verdict::Unknown,
            format!("an instance of `{service}` is live, and neither migrate.toml nor a migration names that service"),
            "if the name is mistyped, start it under the right one; otherwise name the service under [services] in migrate.toml",
        );
        blocker.service = Some(service.clone());
        blocker.instances = crate::model::count(groups.iter().copied());
        for group in groups {
            blocker.seen_at = blocker.seen_at.max(Some(group.seen_at));
            blocker.source = Some(group.source.clone());
            let room = 3_usize.saturating_sub(blocker.examples.len());
            blocker.examples.extend(group.examples.iter().take(room).cloned());
        }
        blocker
    })
    .collect()
}

/// Database sessions that belong to nobody who is known: an application that does not register may have them open.
pub(super) fn unaccounted(snapshot: &Snapshot) -> Vec<Blocker> {
    let check = &snapshot.sessions;
    if check.rule != SessionRule::Strict {
        return Vec::new();
    }
    let block = |message: String, help: &str| {
        Blocker::new(
            BlockerKind::UnaccountedSession,
            Verdict::Unknown,
            message,
            help,
        )
    };
    let unseen = check.unseen.iter().map(|why| {
        block(
            format!("who has sessions in the database cannot be seen: {why}"),
            "docs/grants.md has the right that it needs; `sessions = \"note\"` under [fleet] in migrate.toml goes on without",
        )
    });
    let known = check.unaccounted.iter().take(MOST_STRANGERS).map(|group| {
        let mut blocker = block(
            format!(
                "{}: {} may be of one that does not register",
                group.belong_to_nobody(),
                if group.sessions == 1 { "it" } else { "they" }
            ),
            if group.address.is_none() {
                "let us see where they come from (docs/grants.md); or start what has them with `migrate agent`, or declare it: \
                 [[fleet.allow_session]] in migrate.toml"
            } else {
                strangers_help(&group.whereabouts)
            },
        );
        blocker.source = Some("sessions".to_owned());
        blocker.instances = group.sessions;
        blocker.seen_at = group.since;
        blocker
    });
    unseen.chain(known).collect()
}

/// A ledger that has come to another server lately may lack what was committed last on the one before.
pub(super) fn moved(
    moved: Option<(Moved, u64)>,
    (step, id): (Step, &MigrationId),
) -> Option<Blocker> {
    let (moved, all_renew_ms) = moved?;
    let last = moved.last_ms_ago.map_or_else(String::new, |ago| {
        format!("; the last thing that is recorded is {} s old", ago / 1000)
    });
    let left = all_renew_ms.saturating_sub(moved.noticed_ms_ago.unwrap_or(0));
    let left = left.saturating_add(999) / 1000;
    let otherwise = format!(
        "what runs without a lease is for you to know: `--accept-unknown REASON` goes on with `migrate {} {id}`",
        step.name()
    );
    let help = if moved.noticed_ms_ago.is_some() {
        format!(
            "holders of leases that are missing register anew within {left} s: ask again after that; {otherwise}"
        )
    } else {
        format!(
            "the next command that acts begins to count (`migrate {} {id}` itself): {left} s later holders of leases that are \
             missing have registered anew, so run it again then; {otherwise}",
            step.name()
        )
    };
    let mut blocker = Blocker::new(
        BlockerKind::Source,
        Verdict::Unknown,
        format!(
            "the ledger has come to another server (a replica was promoted, or a backup restored), and what was committed last \
             on the one before may be missing, leases among it{last}"
        ),
        help,
    );
    blocker.source = Some("ledger".to_owned());
    Some(blocker)
}

fn strangers_help(whereabouts: &Whereabouts) -> &'static str {
    match whereabouts {
        Whereabouts::Here => {
            "start what has them with `migrate agent`, or end them; what is no instance (a pooler, a console, a report) is \
             declared in migrate.toml: [[fleet.allow_session]] with `user`, `application` or `address`, and a `reason`"
        }
        Whereabouts::Database(_) | Whereabouts::Nowhere => {
            "its user has rights in this database: start what has them with `migrate agent`, or end them; what is of another \
             application needs no rights here (REVOKE), or is declared in migrate.toml: [[fleet.allow_session]] with `user` or \
             `database`, and a `reason`"
        }
    }
}

/// How many of them are told one by one.
const MOST_STRANGERS: usize = 20;

/// Why what the source says is not all there is.
fn silence(source: &SourceReport) -> Option<Blocker> {
    let (message, help) = match &source.status {
        SourceStatus::Fresh => return None,
        SourceStatus::Stale => (
            format!(
                "the source `{}` is stale: what it said is {} s old",
                source.name,
                source.age_ms / 1000
            ),
            "wait until it reports again, or repair it".to_owned(),
        ),
        SourceStatus::Failed { reason } => (
            format!("the source `{}` failed: {reason}", source.name),
            "repair it, or take it out of [fleet] sources in migrate.toml if instances do not \
             depend on it"
                .to_owned(),
        ),
    };
    let mut blocker = Blocker::new(BlockerKind::Source, Verdict::Unknown, message, help);
    blocker.source = Some(source.name.clone());
    Some(blocker)
}

fn unplaced(group: &LiveGroup) -> Blocker {
    let (message, help) = match group.state {
        InstanceState::Unreadable => (
            format!(
                "a lease of {} holds what no instance writes: it counts as a live one of a version that nobody knows",
                group.service
            ),
            format!(
                "look at its row in the ledger's table `leases` and at who has written it; if it stands for nothing that \
                 runs, {}",
                super::blocker::forgetting(&group.examples)
            ),
        ),
        InstanceState::Contradictory => (
            format!(
                "`{}` of {} is live, and its label and its image name two versions",
                group.label.text, group.service
            ),
            "set label and image together, in one change of the template, so that both name the version that runs".to_owned(),
        ),
        _ => (
            format!(
                "`{}` of {} is live and cannot be placed among the versions",
                group.label.text, group.service
            ),
            format!(
                "say which version it is in migrate.toml: [services.{}] aliases = {{ \"{}\" = \"1.2.3\" }}",
                group.service, group.label.text
            ),
        ),
    };
    let mut blocker = Blocker::new(
        BlockerKind::UnplacedVersion,
        Verdict::Unknown,
        message,
        help,
    );
    blocker.service = Some(group.service.clone());
    blocker.version = Some(group.label.text.clone());
    blocker.instances = group.instances;
    blocker.examples.clone_from(&group.examples);
    blocker.source = Some(group.source.clone());
    blocker.seen_at = Some(group.seen_at);
    blocker
}
