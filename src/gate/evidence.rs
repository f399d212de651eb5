//! Absence is evidence only from complete, fresh sources.

use super::Evidence;
use super::blocker::{Blocker, BlockerKind, Verdict};
use crate::model::{Declaration, Live, SourceStatus};

/// What is missing in the evidence, and whether it could change the answer.
pub(super) struct Gaps {
    /// The services of which unseen instances may be live, with what hides them.
    services: Vec<(String, Blocker)>,
}

impl Gaps {
    pub(super) fn find(evidence: &Evidence) -> Self {
        let mut services = Vec::new();
        for (service, wanted) in &evidence.min_instances {
            for source in &evidence.snapshot.sources {
                let (what, help) = match &source.status {
                    SourceStatus::Fresh => continue,
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
                        "repair it, or take it out of [fleet] sources in migrate.toml".to_owned(),
                    ),
                };
                let mut blocker = Blocker::new(BlockerKind::Source, Verdict::Unknown, what, help);
                blocker.source = Some(source.name.clone());
                services.push((service.clone(), blocker));
            }
            let seen = evidence.snapshot.instances_of(service);
            if seen < *wanted {
                let mut blocker = Blocker::new(
                    BlockerKind::MissingInstances,
                    Verdict::Unknown,
                    format!(
                        "only {seen} of at least {wanted} instances of {service} are seen, so others may be live unseen"
                    ),
                    format!(
                        "start them with `migrate agent`, name a source that sees them, or set \
                         min_instances = {seen} under [services.{service}] if that is all there are"
                    ),
                );
                blocker.service = Some(service.clone());
                blocker.instances = seen;
                services.push((service.clone(), blocker));
            }
        }
        Self { services }
    }

    /// The gaps through which an unseen live version could change the answer for a migration.
    ///
    /// `changes` says whether the answer differs when one more version is live.
    pub(super) fn that_matter(
        &self,
        declaration: &Declaration,
        changes: impl Fn(&Live) -> bool,
    ) -> Vec<Blocker> {
        let mut found: Vec<Blocker> = Vec::new();
        for (service, blocker) in &self.services {
            let matters = || {
                declaration.services.contains_key(service)
                    && Declaration::representatives(service, [declaration])
                        .into_iter()
                        .any(|version| {
                            changes(&Live {
                                service: service.clone(),
                                version,
                            })
                        })
            };
            if !found.contains(blocker) && matters() {
                found.push(blocker.clone());
            }
        }
        found
    }
}

/// Live instances whose version cannot be placed, as far as they belong to services that the
/// migration names.
pub(super) fn unplaced(declaration: &Declaration, evidence: &Evidence) -> Vec<Blocker> {
    evidence
        .snapshot
        .groups
        .iter()
        .filter(|group| {
            group.label.version.is_none() && declaration.services.contains_key(&group.service)
        })
        .map(|group| {
            let mut blocker = Blocker::new(
                BlockerKind::UnplacedVersion,
                Verdict::Unknown,
                format!(
                    "`{}` of {} is live and cannot be placed among the versions",
                    group.label.text, group.service
                ),
                format!(
                    "say which version it is in migrate.toml: [services.{}] aliases = {{ \"{}\" = \"1.2.3\" }}",
                    group.service, group.label.text
                ),
            );
            blocker.service = Some(group.service.clone());
            blocker.version = Some(group.label.text.clone());
            blocker.instances = group.instances;
            blocker.examples.clone_from(&group.examples);
            blocker.source = Some(group.source.clone());
            blocker.seen_at = Some(group.seen_at);
            blocker
        })
        .collect()
}
