//! Pods that somebody shows, read as this source reads those that it lists.

use super::wanted::Wanted;
use crate::cluster::{Metadata, PodSpec, Said, VersionFrom};

/// Which pods are of which service, and where their version is read.
#[derive(Clone, Debug)]
pub struct Pods {
    /// Those that are looked at; empty for that of the context.
    pub(super) namespaces: Vec<String>,
    pub(super) wanted: Vec<Wanted>,
}

impl Pods {
    /// By the labels that Kubernetes recommends, wherever they are.
    #[must_use]
    pub fn usual() -> Self {
        Self {
            namespaces: Vec::new(),
            wanted: vec![Wanted::usual(VersionFrom::Usual)],
        }
    }

    /// Whether pods of this service are looked for.
    #[must_use]
    pub fn look_for(&self, service: &str) -> bool {
        let mut wanted = self.wanted.iter();
        wanted.any(|wanted| wanted.service.as_deref().is_none_or(|name| name == service))
    }

    /// Whether any pods are looked for in this namespace.
    #[must_use]
    pub fn look_in(&self, namespace: &str) -> bool {
        let mut wanted = self.wanted.iter();
        wanted.any(|wanted| wanted.is_in(&self.namespaces, namespace))
    }

    /// The services that a pod in this namespace is of, or a template of pods, and what it says of its version for each.
    #[must_use]
    pub fn read(&self, namespace: &str, of: (&Metadata, &PodSpec)) -> Vec<(String, Said)> {
        let taken = self.wanted.iter().filter_map(|wanted| {
            let is_taken = wanted.selector.takes(of.0.labels.as_ref())
                && wanted.is_in(&self.namespaces, namespace);
            let service = wanted.service_of(of.0).filter(|_| is_taken)?;
            Some((service.to_owned(), wanted.reading.said(service, of)))
        });
        taken.collect()
    }
}
