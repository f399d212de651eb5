//! Whether the fleet shows what a rollout step has brought about.

use std::collections::BTreeSet;
use std::fmt;

use crate::gate::{Action, Evidence, Verdict, decide};
use crate::model::{InstanceState, Live, LiveGroup, Snapshot, SourceReport, SourceStatus, Version};

/// How far the fleet has come from other versions of a service to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub service: String,
    pub to: Version,
    /// Instances of the new version that are serving.
    pub serving: u64,
    /// As many of them as there have to be.
    pub wanted: u64,
    /// Live instances of the new version that do not serve: they start, go, or register again and again.
    pub coming: Vec<LiveGroup>,
    /// Why one more instance of the new version would not be let in now.
    pub refused: Vec<String>,
    /// What the sources remark.
    pub remarks: Vec<String>,
    /// The one other version that runs, if its instances may start as well: the way back.
    pub back: Option<Version>,
    /// Live instances of every other version, and those whose version cannot be placed.
    pub others: Vec<LiveGroup>,
    /// The sources that cannot be believed now: what they do not show may be there.
    pub blind: Vec<SourceReport>,
}

/// What keeps a step from its end, the first that somebody has to look after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missing {
    Nothing,
    /// A source cannot be believed: what it does not show may be there.
    Sight,
    /// Too few instances of the new version serve. Then those of others may be all there is.
    Instances,
    /// Instances of other versions are left.
    Departures,
}

impl Missing {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Sight => "sight",
            Self::Instances => "instances",
            Self::Departures => "departures",
        }
    }
}

impl Arrival {
    /// As [`Self::of`], with what the gate says of the new version and of the way back.
    #[must_use]
    pub fn judged(evidence: &Evidence, service: &str, to: &Version) -> Self {
        let wanted = evidence.min_instances.get(service).copied().unwrap_or(1);
        let mut arrival = Self::of(&evidence.snapshot, service, to, wanted);
        let may_start = |version: &Version| {
            let who = Live {
                service: service.to_owned(),
                version: version.clone(),
            };
            decide(Action::Deploy(vec![who]), evidence)
        };
        if arrival.serving < arrival.needed() {
            let decision = may_start(to);
            let stands = |verdict| matches!(verdict, Verdict::Refuse | Verdict::Hold);
            let blockers = decision.blockers.into_iter();
            let messages = blockers.filter(|blocker| stands(blocker.verdict()));
            arrival.refused = messages.map(|blocker| blocker.message()).collect();
        }
        let others: BTreeSet<&Version> = arrival
            .others
            .iter()
            .filter_map(|group| group.label.version.as_ref())
            .collect();
        if let (Some(only), 1) = (others.first(), others.len())
            && may_start(only).verdict == Verdict::Go
        {
            arrival.back = Some((*only).clone());
        }
        arrival
    }

    /// How many have to serve. Where others still do, none is no number that takes their place, also of a service that may be
    /// scaled to nothing.
    #[must_use]
    pub fn needed(&self) -> u64 {
        let leaves = |group: &LiveGroup| {
            matches!(
                group.state,
                InstanceState::Draining | InstanceState::Lost | InstanceState::Superseded
            )
        };
        let stays = !self.others.iter().all(leaves);
        self.wanted.max(u64::from(stays))
    }

    /// What keeps it from being complete. Who is still there is no reason to stop them before the new ones serve.
    #[must_use]
    pub fn missing(&self) -> Missing {
        if self.serving < self.needed() {
            Missing::Instances
        } else if !self.others.is_empty() {
            Missing::Departures
        } else if self.blind.is_empty() {
            Missing::Nothing
        } else {
            Missing::Sight
        }
    }

    /// What `snapshot` shows of it.
    #[must_use]
    pub fn of(snapshot: &Snapshot, service: &str, to: &Version, wanted: u64) -> Self {
        let groups = snapshot.groups.iter();
        let (new, others): (Vec<&LiveGroup>, Vec<&LiveGroup>) = groups
            .filter(|group| group.service == service)
            .partition(|group| group.label.version.as_ref() == Some(to));
        let blind = snapshot.sources.iter();
        Self {
            service: service.to_owned(),
            to: to.clone(),
            serving: serving(snapshot, service, &new),
            wanted,
            coming: new
                .iter()
                .filter(|group| group.state != InstanceState::Serving)
                .map(|group| (*group).clone())
                .collect(),
            refused: Vec::new(),
            remarks: remarks(snapshot),
            back: None,
            others: others.into_iter().cloned().collect(),
            blind: blind
                .filter(|source| source.status != SourceStatus::Fresh)
                .cloned()
                .collect(),
        }
    }

    /// Whether the new version serves, and no other is left, as far as sources that can be
    /// believed say.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing() == Missing::Nothing
    }
}

/// How many of these serve. Sources name the same instance differently: the most that any one of them sees counts. Where some have
/// tried what they call serving, the others are believed of what is not in their lists only: an agent calls serving what it has
/// started.
fn serving(snapshot: &Snapshot, service: &str, new: &[&LiveGroup]) -> u64 {
    let tries = |source: &str| {
        let mut tried = snapshot.tried.iter();
        tried.any(|(by, of)| by == source && of == service)
    };
    let counted = |source: &str, is_meant: &dyn Fn(InstanceState) -> bool| -> u64 {
        let groups = new.iter();
        let meant = groups.filter(|group| group.source == source && is_meant(group.state));
        meant.fold(0, |sum, group| sum.saturating_add(group.instances))
    };
    let serves = |source: &str| counted(source, &|state| state == InstanceState::Serving);
    let sources = || snapshot.sources.iter().map(|source| source.name.as_str());
    let (tried, others): (Vec<&str>, Vec<&str>) = sources().partition(|source| tries(source));
    let most = others.into_iter().map(serves).max().unwrap_or(0);
    // Two clusters have different pods, unless both rows mean the same one.
    let mut names = BTreeSet::new();
    let is_told_twice = snapshot
        .listed
        .iter()
        .filter(|listed| listed.service == service && tried.contains(&listed.source.as_str()))
        .any(|listed| !names.insert(&listed.instance));
    let together = |counts: Vec<u64>| -> u64 {
        if is_told_twice {
            counts.into_iter().max().unwrap_or(0)
        } else {
            counts.into_iter().fold(0, u64::saturating_add)
        }
    };
    let all = together(
        tried
            .iter()
            .map(|source| counted(source, &|_| true))
            .collect(),
    );
    let ready = together(tried.iter().map(|source| serves(source)).collect());
    ready.saturating_add(most.saturating_sub(all))
}

fn remarks(snapshot: &Snapshot) -> Vec<String> {
    let sources = snapshot.sources.iter();
    sources
        .flat_map(|source| {
            let name = &source.name;
            source
                .notes
                .iter()
                .map(move |note| format!("{name}: {note}"))
        })
        .collect()
}

/// What is there and what is still to come or to go.
impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let Self { service, to, .. } = self;
        let count = format!(
            "{service} {to}: {} of at least {} serving",
            self.serving,
            self.needed()
        );
        // Whoever is in the way comes first: a terminal may cut the rest off.
        let is_missing = self.missing() == Missing::Instances;
        if is_missing {
            parts.push(count.clone());
            parts.extend(self.coming.iter().map(in_words));
            let refused = self.refused.iter();
            parts.extend(refused.map(|why| format!("one that starts now is refused: {why}")));
        }
        if !self.others.is_empty() {
            let others: Vec<String> = self.others.iter().map(in_words).collect();
            parts.push(format!("still there: {}", others.join(", ")));
        }
        if !is_missing {
            parts.push(count);
        }
        for source in &self.blind {
            parts.push(match &source.status {
                SourceStatus::Failed { reason } => {
                    format!("{} does not answer: {reason}", source.name)
                }
                status => format!("what {} says is {}", source.name, status.name()),
            });
        }
        f.write_str(&parts.join("; "))
    }
}

/// Some instances of one version, and how they are.
#[must_use]
pub fn in_words(group: &LiveGroup) -> String {
    let mut about = Vec::new();
    match group.state {
        InstanceState::Serving => {}
        InstanceState::Superseded => about.push("started again since, and again".to_owned()),
        state => about.push(state.name().to_owned()),
    }
    about.extend(group.examples.iter().cloned());
    let about = if about.is_empty() {
        String::new()
    } else {
        format!(" ({})", about.join(", "))
    };
    format!("{} × {}{about}", group.instances, group.label)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Label;

    fn group(service: &str, version: &str, state: InstanceState, source: &str) -> LiveGroup {
        LiveGroup {
            service: service.to_owned(),
            label: Label {
                text: version.to_owned(),
                version: version.parse().ok(),
            },
            state,
            source: source.to_owned(),
            instances: 2,
            examples: Vec::new(),
            seen_at: 0,
        }
    }

    fn source(name: &str, status: SourceStatus) -> SourceReport {
        SourceReport {
            name: name.to_owned(),
            status,
            instances: Some(2),
            age_ms: 0,
            notes: Vec::new(),
        }
    }

    fn arrival(groups: Vec<LiveGroup>, sources: Vec<SourceReport>, wanted: u64) -> Arrival {
        let snapshot = Snapshot {
            taken_at: 0,
            sources,
            groups,
            ..Snapshot::default()
        };
        Arrival::of(&snapshot, "web", &"1.1.0".parse().unwrap(), wanted)
    }

    #[test]
    fn only_the_new_version_serving_as_fresh_sources_show_it_is_complete() {
        use InstanceState::{Draining, Lost, Serving, Starting};
        let fresh = || vec![source("leases", SourceStatus::Fresh)];
        let new = || group("web", "1.1.0", Serving, "leases");
        assert!(arrival(vec![new()], fresh(), 2).is_complete());
        assert!(
            arrival(
                vec![new(), group("job", "1.0.0", Serving, "leases")],
                fresh(),
                2
            )
            .is_complete()
        );
        assert!(!arrival(vec![new()], fresh(), 3).is_complete());
        assert!(!arrival(vec![], fresh(), 1).is_complete());
        assert!(arrival(vec![], fresh(), 0).is_complete());
        assert!(
            !arrival(vec![group("web", "1.1.0", Starting, "leases")], fresh(), 1).is_complete()
        );
        for state in [Starting, Serving, Draining, Lost] {
            let old = group("web", "1.0.0", state, "leases");
            assert!(!arrival(vec![new(), old], fresh(), 1).is_complete());
        }
        let unplaced = group("web", "latest", Serving, "leases");
        assert!(!arrival(vec![new(), unplaced], fresh(), 1).is_complete());
    }

    #[test]
    fn a_source_that_cannot_be_believed_leaves_it_open() {
        let new = || group("web", "1.1.0", InstanceState::Serving, "leases");
        for status in [
            SourceStatus::Stale,
            SourceStatus::Failed {
                reason: "no answer".to_owned(),
            },
        ] {
            let sources = vec![
                source("leases", SourceStatus::Fresh),
                source("nomad", status),
            ];
            assert!(!arrival(vec![new()], sources, 1).is_complete());
        }
    }

    #[test]
    fn two_sources_that_see_the_same_instances_do_not_make_more_of_them() {
        let both = vec![
            group("web", "1.1.0", InstanceState::Serving, "leases"),
            group("web", "1.1.0", InstanceState::Serving, "nomad"),
        ];
        let sources = vec![
            source("leases", SourceStatus::Fresh),
            source("nomad", SourceStatus::Fresh),
        ];
        assert_eq!(arrival(both, sources, 2).serving, 2);
    }

    #[test]
    fn who_has_tried_them_knows_better_of_those_that_it_lists() {
        use InstanceState::{Serving, Starting};
        let count = |groups: &[(&str, InstanceState, u64)], twice: bool| {
            let groups = groups.iter().map(|(source, state, instances)| LiveGroup {
                instances: *instances,
                ..group("web", "1.1.0", *state, source)
            });
            let names = ["leases", "east", "west"];
            let tried = |name: &str| (name.to_owned(), "web".to_owned());
            let listed = |source: &str| crate::model::Listed {
                source: source.to_owned(),
                service: "web".to_owned(),
                label: "1.1.0".to_owned(),
                instance: "web-1".to_owned(),
                about: None,
            };
            let listed = [listed("east"), listed("west")].into_iter();
            let snapshot = Snapshot {
                sources: names.map(|name| source(name, SourceStatus::Fresh)).into(),
                groups: groups.collect(),
                tried: vec![tried("east"), tried("west")],
                listed: listed.filter(|_| twice).collect(),
                ..Snapshot::default()
            };
            Arrival::of(&snapshot, "web", &"1.1.0".parse().unwrap(), 1).serving
        };
        // Agents say that they serve before their pods are ready.
        assert_eq!(
            count(&[("leases", Serving, 3), ("east", Starting, 3)], false),
            0
        );
        assert_eq!(
            count(
                &[
                    ("leases", Serving, 3),
                    ("east", Serving, 1),
                    ("east", Starting, 2)
                ],
                false
            ),
            1
        );
        // Two clusters, and a machine beside them.
        assert_eq!(
            count(
                &[
                    ("leases", Serving, 4),
                    ("east", Serving, 2),
                    ("west", Serving, 2)
                ],
                false
            ),
            4
        );
        assert_eq!(
            count(
                &[
                    ("leases", Serving, 5),
                    ("east", Serving, 2),
                    ("west", Serving, 2)
                ],
                false
            ),
            5
        );
        assert_eq!(
            count(&[("east", Serving, 2), ("west", Serving, 2)], false),
            4
        );
        // The same cluster in two rows.
        assert_eq!(
            count(&[("east", Serving, 2), ("west", Serving, 2)], true),
            2
        );
        assert_eq!(count(&[("leases", Serving, 2)], false), 2);
    }

    #[test]
    fn whoever_serves_is_not_what_is_missing() {
        use InstanceState::{Serving, Starting};
        let fresh = || vec![source("leases", SourceStatus::Fresh)];
        let new = |state| group("web", "1.1.0", state, "leases");
        let old = || group("web", "1.0.0", Serving, "leases");
        for (groups, missing) in [
            (vec![old()], Missing::Instances),
            (vec![old(), new(Starting)], Missing::Instances),
            (vec![old(), new(Serving)], Missing::Departures),
            (vec![new(Serving)], Missing::Nothing),
        ] {
            // A service that may be scaled to nothing is no other.
            assert_eq!(arrival(groups.clone(), fresh(), 0).missing(), missing);
            assert_eq!(arrival(groups, fresh(), 1).missing(), missing);
        }
        let leaves = group("web", "1.0.0", InstanceState::Draining, "leases");
        assert_eq!(
            arrival(vec![leaves], fresh(), 0).missing(),
            Missing::Departures
        );
        let stale = vec![source("leases", SourceStatus::Stale)];
        assert_eq!(
            arrival(vec![new(Serving)], stale, 1).missing(),
            Missing::Sight
        );
    }

    #[test]
    fn one_that_is_not_let_in_says_why() {
        let declaration: crate::model::Declaration = serde_json::from_str(
            r#"{"id":"1_a","description":"","sync":"none","rows":"mutable",
                "services":{"web":{"reads":{"new":">=1.1.0"},"writes":{"new":">=1.1.0"}}},
                "parts":{"expand":true,"backfill":false,"contract":false,"revert":false}}"#,
        )
        .unwrap();
        let pending = crate::model::MigrationState::pending(declaration);
        let evidence = Evidence {
            schema: crate::model::Schema::new(vec![pending]),
            snapshot: Snapshot {
                sources: vec![source("leases", SourceStatus::Fresh)],
                groups: vec![group("web", "1.0.0", InstanceState::Serving, "leases")],
                ..Snapshot::default()
            },
            ..Evidence::default()
        };
        let arrival = Arrival::judged(&evidence, "web", &"1.1.0".parse().unwrap());
        assert_eq!(arrival.refused.len(), 1, "{arrival:?}");
        let said = arrival.to_string();
        assert!(said.contains("one that starts now is refused: "), "{said}");
        assert!(said.contains("1_a"), "{said}");
        assert_eq!(arrival.back, "1.0.0".parse().ok());
    }
}
