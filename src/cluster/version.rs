//! Which version a pod, or the template of pods, says that it is.

use super::objects::{Metadata, PodSpec};
use crate::model::NO_VERSION;
use crate::row::{Place, Row};
use crate::text::image::{repository, tag};

/// The label that Kubernetes recommends for it.
pub const USUAL_LABEL: &str = "app.kubernetes.io/version";

/// The container that `kubectl` takes where none is named.
pub const DEFAULT_CONTAINER: &str = "kubectl.kubernetes.io/default-container";

/// As much of an image's name as is told.
const LONGEST_IMAGE: usize = 200;

/// Where the version of a pod is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VersionFrom {
    /// The label that Kubernetes recommends, else the tag of the image.
    #[default]
    Usual,
    Label(String),
    Annotation(String),
    Image,
}

impl VersionFrom {
    /// The `version` of a row.
    pub fn read(row: &mut dyn Row) -> Option<Self> {
        const EXAMPLE: &str = "version = \"label:app.kubernetes.io/version\"";
        let text = row.text("version", EXAMPLE)?;
        let read = match text.split_once(':') {
            Some(("label", key)) if !key.trim().is_empty() => Self::Label(key.trim().to_owned()),
            Some(("annotation", key)) if !key.trim().is_empty() => {
                Self::Annotation(key.trim().to_owned())
            }
            None if text == "image" => Self::Image,
            _ => {
                let help = "write \"label:KEY\", \"annotation:KEY\" or \"image\"; left out it is the label \
                     app.kubernetes.io/version, else the image's tag";
                row.refuse(
                    Place::Value("version"),
                    "bad-version-place",
                    format!("`version` cannot be `{text}`"),
                    help.to_owned(),
                );
                return None;
            }
        };
        Some(read)
    }
}

/// What a pod says of its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// As it is called there; what no version can be made of where nothing names one.
    pub label: String,
    /// Whether anything names one.
    pub is_named: bool,
    /// The image beside it, which may contradict it.
    pub image: Option<String>,
    /// Why its image is not looked at: of these containers none is known to be the service's.
    pub undecided: Option<Vec<String>>,
}

/// Reads it. Whether label and image agree is for others to see.
#[must_use]
pub fn said(
    from: &VersionFrom,
    service: &str,
    container: Option<&str>,
    (metadata, spec): (&Metadata, &PodSpec),
) -> Said {
    let chosen = chosen(service, container, (metadata, spec));
    let image = chosen.and_then(|at| spec.containers.get(at)?.image.clone());
    let undecided = chosen.is_none().then(|| {
        let names = spec.containers.iter();
        names.map(|container| container.name.clone()).collect()
    });
    let tag = || image.as_deref().and_then(tag).map(ToOwned::to_owned);
    let named = |value: Option<&str>| {
        let value = value.map(str::trim).filter(|value| !value.is_empty());
        value.map(ToOwned::to_owned)
    };
    let (label, missing) = match from {
        VersionFrom::Usual => {
            let label = named(metadata.label(USUAL_LABEL)).or_else(tag);
            (label, format!("no label {USUAL_LABEL} and no tag"))
        }
        VersionFrom::Label(key) => (named(metadata.label(key)), format!("no label {key}")),
        VersionFrom::Annotation(key) => (
            named(metadata.annotation(key)),
            format!("no annotation {key}"),
        ),
        VersionFrom::Image => (tag(), "no tag".to_owned()),
    };
    let is_named = label.is_some();
    let label = label.unwrap_or_else(|| match &image {
        Some(image) => {
            let shown: String = image.chars().take(LONGEST_IMAGE).collect();
            // By its digest it is this one image for ever, which an alias may give a version.
            let none = if image.contains('@') { "" } else { NO_VERSION };
            format!("{none}{missing} ({shown})")
        }
        None => format!("{NO_VERSION}{missing}"),
    });
    Said {
        label,
        is_named,
        image,
        undecided,
    }
}

/// The container that is the service's: the one that is named, the only one, the one that is called like the service, the one
/// that `kubectl` takes, or the only one whose image is called like the service.
#[must_use]
pub fn chosen(
    service: &str,
    container: Option<&str>,
    (metadata, spec): (&Metadata, &PodSpec),
) -> Option<usize> {
    let called = |name: &str| spec.containers.iter().position(|one| one.name == name);
    if let Some(name) = container {
        return called(name);
    }
    if spec.containers.len() == 1 {
        return Some(0);
    }
    if let Some(at) = called(service) {
        return Some(at);
    }
    if let Some(at) = metadata.annotation(DEFAULT_CONTAINER).and_then(called) {
        return Some(at);
    }
    let mut alike = spec.containers.iter().enumerate().filter(|(_, one)| {
        one.image
            .as_deref()
            .is_some_and(|image| repository(image) == service)
    });
    match (alike.next(), alike.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(json: serde_json::Value) -> (Metadata, PodSpec) {
        let pod: super::super::objects::Pod = serde_json::from_value(json).unwrap();
        (pod.metadata, pod.spec)
    }

    fn read(from: &VersionFrom, container: Option<&str>, json: serde_json::Value) -> Said {
        let (metadata, spec) = pod(json);
        said(from, "web", container, (&metadata, &spec))
    }

    #[test]
    fn a_version_comes_from_where_it_is_said_to_be() {
        let json = serde_json::json!({
            "metadata": { "labels": { USUAL_LABEL: "1.3.0", "release": "r7" }, "annotations": { "v": "1.4.0" } },
            "spec": { "containers": [{ "name": "web", "image": "registry:5000/web:1.0.0@sha256:00" }] },
        });
        for (from, label) in [
            (VersionFrom::Usual, "1.3.0"),
            (VersionFrom::Label("release".to_owned()), "r7"),
            (VersionFrom::Annotation("v".to_owned()), "1.4.0"),
            (VersionFrom::Image, "1.0.0"),
        ] {
            let said = read(&from, None, json.clone());
            assert_eq!(said.label, label);
            // Whatever it is called, its image is beside it.
            assert_eq!(
                said.image.as_deref(),
                Some("registry:5000/web:1.0.0@sha256:00")
            );
        }
        let nothing = read(&VersionFrom::Label("x".to_owned()), None, json);
        assert!(
            nothing.label.starts_with("no label x (registry"),
            "{nothing:?}"
        );
    }

    #[test]
    fn without_a_label_it_is_the_tag_and_without_a_tag_nothing() {
        let of = |image: &str| {
            let json = serde_json::json!({ "metadata": { "labels": null }, "spec": { "containers": [{ "name": "web", "image": image }] } });
            read(&VersionFrom::Usual, None, json).label
        };
        assert_eq!(of("registry.example.com/web:1.2.0"), "1.2.0");
        assert_eq!(
            of("registry:5000/web"),
            format!("no version: no label {USUAL_LABEL} and no tag (registry:5000/web)")
        );
        assert!(of("web@sha256:e267").starts_with("no label"));
    }

    #[test]
    fn of_several_containers_the_service_s_own_is_looked_at() {
        let two = |one: &str, other: &str, annotations: serde_json::Value| {
            serde_json::json!({
                "metadata": { "labels": { USUAL_LABEL: "1.3.0" }, "annotations": annotations },
                "spec": { "containers": [
                    { "name": one, "image": "mesh/proxy:9.1.0" }, { "name": other, "image": "shop/web:1.3.0" },
                ] },
            })
        };
        let image = |container, json| read(&VersionFrom::Usual, container, json).image;
        let ours = Some("shop/web:1.3.0".to_owned());
        let none = serde_json::Value::Null;
        assert_eq!(image(None, two("proxy", "web", none.clone())), ours);
        assert_eq!(
            image(Some("main"), two("proxy", "main", none.clone())),
            ours
        );
        // By its image, where its name says nothing.
        assert_eq!(image(None, two("proxy", "main", none.clone())), ours);
        let json = serde_json::json!({
            "metadata": { "labels": { USUAL_LABEL: "1.3.0" } },
            "spec": { "containers": [{ "name": "a", "image": "x:1" }, { "name": "b", "image": "y:2" }] },
        });
        let said = read(&VersionFrom::Usual, None, json.clone());
        assert_eq!(
            (said.image, said.undecided),
            (None, Some(vec!["a".to_owned(), "b".to_owned()]))
        );
        let mut json = json;
        json["metadata"]["annotations"] = serde_json::json!({ DEFAULT_CONTAINER: "b" });
        assert_eq!(image(None, json.clone()), Some("y:2".to_owned()));
        // One that is named and not there is not replaced by a guess.
        assert_eq!(image(Some("web"), json), None);
    }
}
