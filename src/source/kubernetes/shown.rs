//! Pods that somebody shows, read as this source reads those that it lists.

use super::wanted::Wanted;
use crate::cluster::{Metadata, PodSpec, Said, Selector, VersionFrom};

/// Which pods are of which service, and where their version is read.
#[derive(Clone, Debug)]
pub struct Pods {
    /// Those that are looked at; empty for that of the context.
    pub(super) namespaces: Vec<String>,
    pub(super) wanted: Vec<Wanted>,
}

/// Which pods are of a service, and where their version is read, for somebody who reads them elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Rule<'a> {
    /// `None` for the service that [`super::NAME_LABEL`] names.
    pub service: Option<&'a str>,
    pub selector: &'a Selector,
    /// Empty for that of the context.
    pub namespaces: &'a [String],
    pub version: &'a VersionFrom,
    /// The one that is the service's, where that is said.
    pub container: Option<&'a str>,
}

impl Pods {
    /// What pods are read by.
    pub fn rules(&self) -> impl Iterator<Item = Rule<'_>> {
        self.wanted.iter().map(|wanted| Rule {
            service: wanted.service.as_deref(),
            selector: &wanted.selector,
            namespaces: wanted.namespaces.as_deref().unwrap_or(&self.namespaces),
            version: &wanted.reading.version,
            container: wanted.reading.container.as_deref(),
        })
    }

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
