//! What all sources said at one moment.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Live, SessionCheck, Version};

/// The version that a source reported, and where it lies, if it can be placed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    /// As reported: `v1.2`, a commit id.
    pub text: String,
    pub version: Option<Version>,
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) if version.to_string() != self.text => {
                f.pad(&format!("{version} ({})", self.text))
            }
            _ => f.pad(&self.text),
        }
    }
}

/// What an instance is doing. Every state counts as live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InstanceState {
    Starting,
    Serving,
    /// Finishing its work; live until it is gone.
    Draining,
    /// Has missed three renewals; live until its lease ends.
    Lost,
    /// The same instance has registered once more since; live until its lease ends.
    Superseded,
    /// What is known of it makes no sense: it may be anything, and is live until somebody has looked.
    Unreadable,
    /// What names its version and what it runs say two different ones: it may be either.
    Contradictory,
}

impl InstanceState {
    pub const ALL: [Self; 7] = [
        Self::Starting,
        Self::Serving,
        Self::Draining,
        Self::Lost,
        Self::Superseded,
        Self::Unreadable,
        Self::Contradictory,
    ];

    /// Whether an instance in this state has proved that it works, or did before it began to go: only those show that a
    /// source sees what there is.
    #[must_use]
    pub const fn proves(self) -> bool {
        matches!(self, Self::Serving | Self::Draining)
    }

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
            Self::Lost => "lost",
            Self::Superseded => "superseded",
            Self::Unreadable => "unreadable",
            Self::Contradictory => "contradictory",
        }
    }
}

/// The name of the source that leases are; no source that somebody configures is called so.
pub const LEASES: &str = "leases";

/// The name under which versions count that a rollout has ordered and that may not be there yet; no source that somebody configures is
/// called so.
pub const ORDERED: &str = "the open rollout";

/// The live instances of one version of one service, as one source sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveGroup {
    pub service: String,
    pub label: Label,
    pub state: InstanceState,
    pub source: String,
    pub instances: u64,
    /// Names of a few of the instances.
    pub examples: Vec<String>,
    /// Milliseconds since the epoch, by the source's clock.
    pub seen_at: i64,
}

impl LiveGroup {
    /// Whether the leases tell of it, and not what somebody else has seen.
    #[must_use]
    pub fn is_leased(&self) -> bool {
        self.source == LEASES
    }
}

/// How far a source can be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceStatus {
    Fresh,
    /// It answered, but what it said is older than allowed.
    Stale,
    Failed {
        reason: String,
    },
}

impl SourceStatus {
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Failed { .. } => "failed",
        }
    }
}

/// What became of asking one source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceReport {
    pub name: String,
    pub status: SourceStatus,
    /// `None` where they were not counted.
    pub instances: Option<u64>,
    /// Milliseconds since what it said was true.
    pub age_ms: u64,
    /// What a reader should know about its answer, such as sessions it could not attribute.
    pub notes: Vec<String>,
}

impl SourceReport {
    /// Whether the leases are the source.
    #[must_use]
    pub fn is_of_leases(&self) -> bool {
        self.name == LEASES
    }
}

/// One instance, as a source other than the leases lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub source: String,
    pub service: String,
    /// The version as reported.
    pub label: String,
    pub instance: String,
    /// What else the source tells of it.
    pub about: Option<About>,
}

/// What a source tells of an instance beside its version and its state, for people to read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// Where it runs: the node of a pod.
    pub place: Option<String>,
    /// In the words of whoever runs it.
    pub phase: Option<String>,
    /// Since when that is so, in milliseconds since the epoch.
    pub since: Option<i64>,
    /// What keeps it from serving.
    pub why: Option<String>,
}

/// A lease of an instance of which another source says another version: it may be either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    pub service: String,
    /// The version as registered.
    pub label: String,
    pub instance: String,
}

/// Has such leases prove nothing among `groups`, and not later either; each of them stays live.
pub fn tear(groups: &mut Vec<LiveGroup>, settling: &mut Vec<Settling>, torn: &[Torn]) {
    for one in torn {
        let is_of = |group: &LiveGroup, state: InstanceState| {
            group.state == state && group.service == one.service && group.label.text == one.label
        };
        let states = [InstanceState::Serving, InstanceState::Starting];
        let found = states
            .into_iter()
            .find_map(|state| groups.iter().position(|group| is_of(group, state)));
        let Some(group) = found.and_then(|at| groups.get_mut(at)) else {
            continue;
        };
        if group.state == InstanceState::Starting
            && let Some(soon) = settling.iter_mut().find(|soon| soon.service == one.service)
        {
            soon.instances = soon.instances.saturating_sub(1);
        }
        group.instances = group.instances.saturating_sub(1);
        group.examples.retain(|name| *name != one.instance);
        let alone = LiveGroup {
            state: InstanceState::Contradictory,
            instances: 1,
            examples: vec![one.instance.clone()],
            ..group.clone()
        };
        let mut others = groups.iter_mut();
        match others.find(|group| is_of(group, InstanceState::Contradictory)) {
            Some(together) => {
                together.instances = together.instances.saturating_add(1);
                if together.examples.len() < 3 {
                    together.examples.extend(alone.examples);
                }
            }
            None => groups.push(alone),
        }
    }
    groups.retain(|group| group.instances > 0);
    settling.retain(|soon| soon.instances > 0);
}

/// Instances of one service that renew their leases and have not stayed for `min_ready` yet. They serve in a moment, unless
/// they end before that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settling {
    pub service: String,
    pub instances: u64,
    /// How long it takes until the last of them has stayed long enough, in milliseconds.
    pub left_ms: u64,
}

/// Leases of one version that nobody renews any more: each ends by itself, and its instance is not counted any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    pub service: String,
    /// The version as it was called.
    pub label: String,
    pub cause: EndingCause,
    pub leases: u64,
    /// How long it takes until the last of them ends, in milliseconds.
    pub left_ms: u64,
    /// How long ago the first of them was renewed for the last time, in milliseconds.
    pub silent_ms: u64,
}

/// Why nobody renews a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndingCause {
    /// It was let in once, for as long as that lasts.
    Admitted,
    /// Three renewals were missed.
    Lost,
    /// Its instance has registered once more, and this lease is not renewed now.
    Superseded,
}

/// A name that processes at work share with others: one instance as far as anybody counts, and none of them is about to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Twins {
    pub service: String,
    pub instance: String,
    /// The versions, as they call them, of those that renew now and registered before the latest.
    pub earlier: Vec<String>,
    /// How many processes renew leases under that name now.
    pub processes: u64,
    /// Where they come from, each once, as far as it is known.
    pub addresses: Vec<String>,
}

impl Twins {
    /// Who shares what, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let from = match self.addresses.as_slice() {
            [] => String::new(),
            all => format!(" (from {})", all.join(" and ")),
        };
        let (service, instance) = (&self.service, &self.instance);
        match self.processes {
            0 | 1 => format!(
                "a process renews an earlier lease of {service} as `{instance}`{from}, after another one has registered under that name"
            ),
            count => format!("{count} processes renew leases of {service} as `{instance}`{from}"),
        }
    }
}

/// What all sources said at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Milliseconds since the epoch, by the database's clock.
    pub taken_at: i64,
    pub sources: Vec<SourceReport>,
    pub groups: Vec<LiveGroup>,
    pub sessions: SessionCheck,
    /// Who was seen or admitted before, and of whom no look since tells that they are gone. They are live, and say
    /// nothing of how many serve.
    pub remembered: Vec<LiveGroup>,
    pub settling: Vec<Settling>,
    pub twins: Vec<Twins>,
    pub ending: Vec<Ending>,
    /// Every instance that a source other than the leases lists, by its name.
    pub listed: Vec<Listed>,
    /// The leases that another source contradicts.
    pub torn: Vec<Torn>,
    /// The sources, each with a service of which it tells all there is: what it does not list is not there.
    pub told: Vec<(String, String)>,
    /// The sources, each with a service of which it has tried what it calls serving.
    pub tried: Vec<(String, String)>,
}

impl Snapshot {
    /// Whether this source tells all there is of the service.
    #[must_use]
    pub fn tells_all(&self, source: &str, service: &str) -> bool {
        let mut told = self.told.iter();
        told.any(|(by, of)| by == source && of == service)
    }

    /// What a source tells of an instance beside its version and its state.
    #[must_use]
    pub fn about(&self, source: &str, service: &str, instance: &str) -> Option<&About> {
        let mut listed = self.listed.iter();
        let found = listed
            .find(|one| one.source == source && one.service == service && one.instance == instance);
        found?.about.as_ref()
    }

    /// Whether this source has answered, and lately enough. Where it shows too few instances, that is a gap in the
    /// evidence, and none of its answer.
    #[must_use]
    pub fn is_fresh(&self, source: &str) -> bool {
        let mut sources = self.sources.iter();
        sources.any(|report| report.name == source && report.status == SourceStatus::Fresh)
    }

    /// Every group of live instances, those that are only remembered included.
    pub fn all_groups(&self) -> impl Iterator<Item = &LiveGroup> {
        self.groups.iter().chain(&self.remembered)
    }

    /// The live versions that could be placed, each once, in order.
    #[must_use]
    pub fn live(&self) -> Vec<Live> {
        let mut live: Vec<Live> = self
            .all_groups()
            .filter_map(|group| {
                Some(Live {
                    service: group.service.clone(),
                    version: group.label.version.clone()?,
                })
            })
            .collect();
        live.sort();
        live.dedup();
        live
    }

    /// The groups of one live version, over all sources.
    pub fn groups_of<'a>(&'a self, who: &'a Live) -> impl Iterator<Item = &'a LiveGroup> {
        self.all_groups().filter(move |group| {
            group.service == who.service && group.label.version.as_ref() == Some(&who.version)
        })
    }

    /// The leases of this version that nobody renews any more.
    pub fn ending_of<'a>(&'a self, who: &'a Live) -> impl Iterator<Item = &'a Ending> {
        self.ending.iter().filter(move |ending| {
            let mut groups = self.groups_of(who);
            ending.service == who.service && groups.any(|group| group.label.text == ending.label)
        })
    }

    /// The names that an earlier process of this version shares with a later one.
    pub fn twins_of<'a>(&'a self, who: &'a Live) -> impl Iterator<Item = &'a Twins> {
        self.twins.iter().filter(move |twins| {
            let is_shared = |label: &String| {
                let mut groups = self.groups_of(who);
                groups.any(|group| group.label.text == *label)
            };
            twins.service == who.service && twins.earlier.iter().any(is_shared)
        })
    }

    /// How many instances of each service prove that they are seen: for each version the most that any one source
    /// sees, because sources name the same instance differently.
    #[must_use]
    pub fn proven(&self) -> BTreeMap<&str, u64> {
        self.counted(InstanceState::proves)
    }

    /// As [`Snapshot::proven`], with those that only start: what they run is known, and nothing more.
    #[must_use]
    pub fn known(&self) -> BTreeMap<&str, u64> {
        self.counted(|state| state.proves() || state == InstanceState::Starting)
    }

    fn counted(&self, is_meant: impl Fn(InstanceState) -> bool) -> BTreeMap<&str, u64> {
        // Sources also spell a version differently: `v1.2` is `1.2.0`.
        let mut by_version = BTreeMap::<_, Vec<&LiveGroup>>::new();
        for group in self.groups.iter().filter(|group| is_meant(group.state)) {
            let label = &group.label;
            let unplaced = label.version.is_none().then_some(&label.text);
            by_version
                .entry((group.service.as_str(), &label.version, unplaced))
                .or_default()
                .push(group);
        }
        let mut by_service = BTreeMap::<_, u64>::new();
        for ((service, ..), groups) in by_version {
            let count = by_service.entry(service).or_default();
            *count = count.saturating_add(most_in_one_source(groups.into_iter()));
        }
        by_service
    }
}

/// The most instances that any one source counts among these groups.
pub(crate) fn most_in_one_source<'a>(groups: impl Iterator<Item = &'a LiveGroup>) -> u64 {
    let mut by_source = BTreeMap::<&str, Vec<&LiveGroup>>::new();
    for group in groups {
        by_source.entry(&group.source).or_default().push(group);
    }
    by_source.into_values().map(count).max().unwrap_or(0)
}

/// How many instances these groups of one source are. An instance whose lease is superseded has another one; only
/// where that is elsewhere does it count for itself, as far as the names tell.
#[must_use]
pub fn count<'a>(groups: impl IntoIterator<Item = &'a LiveGroup>) -> u64 {
    let (superseded, latest): (Vec<&LiveGroup>, Vec<&LiveGroup>) = groups
        .into_iter()
        .partition(|group| group.state == InstanceState::Superseded);
    let sum = |groups: &[&LiveGroup]| {
        let each = groups.iter().map(|group| group.instances);
        each.fold(0_u64, u64::saturating_add)
    };
    if latest.is_empty() {
        return sum(&superseded);
    }
    let names = |groups: &[&'a LiveGroup]| -> BTreeSet<&'a String> {
        groups.iter().flat_map(|group| &group.examples).collect()
    };
    let known = names(&latest);
    let all = sum(&latest);
    let are_known = u64::try_from(known.len()).is_ok_and(|known| known == all);
    let elsewhere = if are_known {
        names(&superseded).difference(&known).count()
    } else {
        0
    };
    all.saturating_add(u64::try_from(elsewhere).unwrap_or(0))
}
