//! What a row of migrate.toml says about a cluster as a source.

use std::sync::Arc;
use std::time::Duration;

use super::pods::Reading;
use super::{ALL, Kubernetes, Pods};
use crate::cluster::{Access, Cluster, Metadata, Selector, VersionFrom};
use crate::row::{LONGEST_WAIT, Place, Row};
use crate::source::Named;

/// The label that Kubernetes recommends for the name of an application.
const NAME_LABEL: &str = "app.kubernetes.io/name";

const TIMEOUT: Duration = Duration::from_secs(10);

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

pub(super) fn made(row: &mut dyn Row) -> Option<Named> {
    let name = row.text("name", "name = \"production\"");
    let access = Access::read(row);
    let namespaces = row.texts("namespaces", "namespaces = [\"shop\"]");
    let timeout = row.duration("timeout", LONGEST_WAIT);
    let templates = row.flag("templates");
    let version = VersionFrom::read(row).unwrap_or_default();
    let mut wanted = Vec::new();
    row.named("services", &mut |service, row| {
        wanted.extend(of_service(service, row, &version));
    });
    if !row.has("services") {
        wanted.push(Wanted::usual(version));
    } else if wanted.is_empty() {
        row.refuse(
            Place::Key("services"),
            "no-services",
            "`services` names none, so this source would show nothing".to_owned(),
            format!(
                "write for example `services = {{ web = {{ selector = \"{NAME_LABEL}=web\" }} }}`, or leave it out"
            ),
        );
        return None;
    }
    Some(Named {
        name: name.unwrap_or_else(|| "kubernetes".to_owned()),
        source: Arc::new(Kubernetes {
            cluster: Cluster::new(access),
            pods: Pods {
                namespaces: namespaces.unwrap_or_default(),
                wanted,
            },
            templates: templates.unwrap_or(true),
            timeout: timeout.unwrap_or(TIMEOUT),
        }),
    })
}

fn of_service(service: &str, row: &mut dyn Row, usual: &VersionFrom) -> Option<Wanted> {
    let written = row.text(
        "selector",
        &format!("selector = \"{NAME_LABEL}={service}\""),
    );
    let selector = match &written {
        Some(text) => Selector::read(text),
        None => Selector::read(&format!("{NAME_LABEL}={service}")),
    };
    let namespaces = row.texts("namespaces", "namespaces = [\"shop\"]");
    let version = VersionFrom::read(row).unwrap_or_else(|| usual.clone());
    let container = row.text("container", &format!("container = \"{service}\""));
    let absent = row.flag("absent");
    let selector = match selector {
        Ok(selector) => selector,
        Err(why) => {
            let place = match written {
                Some(_) => Place::Value("selector"),
                None => Place::Row,
            };
            row.refuse(
                place,
                "bad-selector",
                format!("this is no label selector: {why}"),
                format!("write for example `selector = \"{NAME_LABEL}={service}\"`"),
            );
            return None;
        }
    };
    Some(Wanted {
        service: Some(service.to_owned()),
        selector,
        namespaces,
        reading: Reading { version, container },
        absent: absent.unwrap_or(false),
    })
}
