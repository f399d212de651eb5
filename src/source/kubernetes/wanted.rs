//! Which pods are looked for.

use super::ALL;
use super::pods::Reading;
use crate::cluster::{Metadata, Selector, VersionFrom};

/// The label that Kubernetes recommends for the name of an application.
pub const NAME_LABEL: &str = "app.kubernetes.io/name";

/// The pods of one service, or of those that their label names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// None: the one that the usual label names.
    pub service: Option<String>,
    pub selector: Selector,
    /// None: those of the source.
    pub namespaces: Option<Vec<String>>,
    pub reading: Reading,
    /// Whether it may be missing altogether.
    pub absent: bool,
}

impl Wanted {
    /// The pods that the recommended label says are of a service.
    pub fn usual(version: VersionFrom) -> Self {
        Self {
            service: None,
            selector: Selector::of_any(NAME_LABEL),
            namespaces: None,
            reading: Reading {
                version,
                container: None,
            },
            absent: true,
        }
    }

    pub fn service_of<'a>(&'a self, metadata: &'a Metadata) -> Option<&'a str> {
        match &self.service {
            Some(service) => Some(service),
            None => metadata.label(NAME_LABEL),
        }
    }

    /// Whether it is looked for in this namespace.
    pub fn is_in(&self, usual: &[String], namespace: &str) -> bool {
        let own = self.namespaces.as_deref().unwrap_or(usual);
        // Where none is named there is one, which is that of the context.
        own.is_empty() || own.iter().any(|name| name == ALL || name == namespace)
    }
}
