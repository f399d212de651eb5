//! Whether the fleet shows what a rollout step has brought about.

use crate::model::{InstanceState, LiveGroup, Snapshot, SourceReport, SourceStatus, Version};

/// How far the fleet has come from other versions of a service to one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub service: String,
    pub to: Version,
    /// Instances of the new version that are serving.
    pub serving: u64,
    /// As many of them as there have to be.
    pub wanted: u64,
    /// Live instances of every other version, and those whose version cannot be placed.
    pub others: Vec<LiveGroup>,
    /// The sources that cannot be believed now: what they do not show may be there.
    pub blind: Vec<SourceReport>,
}

impl Arrival {
    /// What `snapshot` shows of it.
    #[must_use]
    pub fn of(snapshot: &Snapshot, service: &str, to: &Version, wanted: u64) -> Self {
        let groups = snapshot.groups.iter();
        let (new, others): (Vec<&LiveGroup>, Vec<&LiveGroup>) = groups
            .filter(|group| group.service == service)
            .partition(|group| group.label.version.as_ref() == Some(to));
        // Sources name the same instance differently: the most that any one of them sees counts.
        let serving = snapshot.sources.iter().map(|source| {
            new.iter()
                .filter(|group| {
                    group.source == source.name && group.state == InstanceState::Serving
                })
                .map(|group| group.instances)
                .sum()
        });
        let blind = snapshot.sources.iter();
        Self {
            service: service.to_owned(),
            to: to.clone(),
            serving: serving.max().unwrap_or(0),
            wanted,
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
        self.serving >= self.wanted && self.others.is_empty() && self.blind.is_empty()
    }
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
            instances: 2,
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
}
