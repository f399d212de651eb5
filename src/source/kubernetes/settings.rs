//! What a row of migrate.toml says about a cluster as a source.

use std::sync::Arc;
use std::time::Duration;

use super::pods::Reading;
use super::wanted::{NAME_LABEL, Wanted};
use super::{Kubernetes, Pods};
use crate::cluster::{Access, Cluster, Selector, VersionFrom};
use crate::row::{LONGEST_WAIT, Place, Row};
use crate::source::Named;

const TIMEOUT: Duration = Duration::from_secs(10);

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
