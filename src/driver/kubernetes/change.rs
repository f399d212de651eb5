//! The change that makes a workload run a version: its image and its label together, and nothing else of it.

use serde_json::{Value, json};

use crate::cluster::{Controller, Resource, Template, USUAL_LABEL, chosen};
use crate::model::Version;
use crate::text::image::{tag, with_tag};

/// Whose the two fields are, for the server.
pub(super) const MANAGER: &str = "phasegate";

/// Where a version is written in a workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Where {
    pub container: Option<String>,
    /// The image, with `{to}` for the version; none: the one that is there, with another tag.
    pub image: Option<String>,
    pub label: String,
}

impl Default for Where {
    fn default() -> Self {
        Self {
            container: None,
            image: None,
            label: USUAL_LABEL.to_owned(),
        }
    }
}

/// What a workload has to have to run a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change {
    container: String,
    at: usize,
    pub image: String,
    key: String,
    pub label: String,
    has_labels: bool,
}

impl Change {
    /// The change for this version.
    ///
    /// # Errors
    /// Why there is none.
    pub fn to(
        version: &Version,
        place: &Where,
        service: &str,
        workload: &Controller,
    ) -> Result<Self, String> {
        let Some(template) = &workload.spec.template else {
            return Err(
                "it has no template of its own: name the Deployment that it refers to".to_owned(),
            );
        };
        let spec = &template.spec;
        let at = chosen(
            service,
            place.container.as_deref(),
            (&template.metadata, spec),
        );
        let container = at.and_then(|at| Some((at, spec.containers.get(at)?)));
        let Some((at, container)) = container else {
            let names: Vec<&str> = spec
                .containers
                .iter()
                .map(|one| one.name.as_str())
                .collect();
            return Err(format!(
                "which of its containers is {service} is not known ({}): name it with `container`",
                names.join(", ")
            ));
        };
        // Neither a label nor a tag may have a plus.
        let written = version.to_string().replace('+', "_");
        let now = container.image.as_deref().unwrap_or_default();
        let image = match &place.image {
            Some(image) => image.replace("{to}", &written),
            None if now.is_empty() => {
                return Err("its container has no image: say with `image` which it is".to_owned());
            }
            None => {
                let has_v = tag(now).is_some_and(|tag| {
                    let rest = tag.strip_prefix('v').unwrap_or_default();
                    rest.starts_with(|c: char| c.is_ascii_digit())
                });
                let before = if has_v { "v" } else { "" };
                with_tag(now, &format!("{before}{written}"))
            }
        };
        Ok(Self {
            container: container.name.clone(),
            at,
            image,
            key: place.label.clone(),
            label: written,
            has_labels: template.metadata.labels.is_some(),
        })
    }

    /// Whether the template says so already.
    pub fn is_made(&self, template: Option<&Template>) -> bool {
        let Some(template) = template else {
            return false;
        };
        let container = template.spec.containers.get(self.at);
        let image = container.and_then(|container| container.image.as_deref());
        image == Some(&self.image) && template.metadata.label(&self.key) == Some(&self.label)
    }

    /// How the server is asked for it: the type of the content, what is added to the path, and the content.
    pub fn asked(
        &self,
        (resource, name): (Resource, &str),
        workload: &Controller,
        is_forced: bool,
    ) -> (&'static str, String, Value) {
        if resource == Resource::ROLLOUT {
            return (
                "application/json-patch+json",
                format!("?fieldManager={MANAGER}"),
                self.step_by_step(workload),
            );
        }
        let body = json!({
            "apiVersion": resource.api_version(),
            "kind": resource.kind,
            "metadata": { "name": name },
            "spec": { "template": {
                "metadata": { "labels": { &self.key: self.label } },
                "spec": { "containers": [{ "name": self.container, "image": self.image }] },
            } },
        });
        let query = format!("?fieldManager={MANAGER}&force={is_forced}");
        ("application/apply-patch+yaml", query, body)
    }

    /// A server does not know that the containers of a kind that is not its own have names: applied, a list would replace the
    /// whole. The test keeps what somebody else has changed meanwhile.
    fn step_by_step(&self, workload: &Controller) -> Value {
        let mut steps = vec![
            json!({ "op": "test", "path": "/metadata/resourceVersion", "value": workload.metadata.resource_version }),
        ];
        steps.extend(self.fields());
        // An analysis is given fields of the Rollout and not of its template.
        if workload.metadata.label(&self.key).is_some() {
            steps.push(
                json!({ "op": "add", "path": format!("/metadata/labels/{}", self.pointer()), "value": self.label }),
            );
        }
        Value::Array(steps)
    }

    /// The key of its label in a JSON pointer.
    fn pointer(&self) -> String {
        self.key.replace('~', "~0").replace('/', "~1")
    }

    /// The same together with other changes of the workload. The test keeps what somebody else has asked of it meanwhile; what its
    /// controller says of it may change at any moment.
    pub fn with(&self, others: Vec<Value>, workload: &Controller) -> Value {
        let mut steps = vec![
            json!({ "op": "test", "path": "/metadata/generation", "value": workload.metadata.generation }),
        ];
        steps.extend(self.fields());
        steps.extend(others);
        Value::Array(steps)
    }

    fn fields(&self) -> Vec<Value> {
        let at = self.at;
        let key = self.pointer();
        let mut steps = vec![
            json!({ "op": "test", "path": format!("/spec/template/spec/containers/{at}/name"), "value": self.container }),
            json!({ "op": "add", "path": format!("/spec/template/spec/containers/{at}/image"), "value": self.image }),
        ];
        if !self.has_labels {
            steps.push(
                json!({ "op": "add", "path": "/spec/template/metadata/labels", "value": {} }),
            );
        }
        steps.push(json!({ "op": "add", "path": format!("/spec/template/metadata/labels/{key}"), "value": self.label }));
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(containers: &Value, labels: &Value) -> Controller {
        serde_json::from_value(json!({
            "metadata": { "name": "web", "resourceVersion": "7" },
            "spec": { "template": { "metadata": { "labels": labels }, "spec": { "containers": containers } } },
        }))
        .unwrap()
    }

    fn change(version: &str, place: &Where, workload: &Controller) -> Result<Change, String> {
        Change::to(&version.parse().unwrap(), place, "web", workload)
    }

    #[test]
    fn the_image_is_the_one_that_is_there_with_another_tag() {
        let of = |image: &str, version: &str| {
            let workload = workload(&json!([{ "name": "web", "image": image }]), &Value::Null);
            change(version, &Where::default(), &workload).unwrap().image
        };
        assert_eq!(
            of("registry:5000/web:1.0.0", "1.1.0"),
            "registry:5000/web:1.1.0"
        );
        assert_eq!(of("web:v1.0.0", "1.1.0"), "web:v1.1.0");
        assert_eq!(of("web@sha256:00", "1.1.0"), "web:1.1.0");
        assert_eq!(of("web:vanilla", "1.1.0-rc.1"), "web:1.1.0-rc.1");
        let place = Where {
            image: Some("shop/web:r{to}".to_owned()),
            ..Where::default()
        };
        let one = workload(&json!([{ "name": "web", "image": "x" }]), &Value::Null);
        assert_eq!(
            change("1.1.0+build.5", &place, &one).unwrap().image,
            "shop/web:r1.1.0_build.5"
        );
    }

    #[test]
    fn what_is_there_already_is_not_changed() {
        let containers = json!([{ "name": "proxy", "image": "mesh:1" }, { "name": "web", "image": "web:1.1.0" }]);
        let made = workload(&containers, &json!({ USUAL_LABEL: "1.1.0" }));
        let there = change("1.1.0", &Where::default(), &made).unwrap();
        assert!(there.is_made(made.spec.template.as_ref()));
        // As `kubectl set image` leaves it.
        let mixed = workload(&containers, &json!({ USUAL_LABEL: "1.0.0" }));
        assert!(!there.is_made(mixed.spec.template.as_ref()));
        assert!(!there.is_made(None));
    }

    #[test]
    fn label_and_image_are_asked_for_together() {
        let one = workload(
            &json!([{ "name": "web", "image": "web:1.0.0" }]),
            &Value::Null,
        );
        let change = change("1.1.0", &Where::default(), &one).unwrap();
        let (content, query, body) = change.asked((Resource::DEPLOYMENT, "web"), &one, false);
        assert_eq!(
            (content, query.as_str()),
            (
                "application/apply-patch+yaml",
                "?fieldManager=phasegate&force=false"
            )
        );
        assert_eq!(
            body,
            json!({
                "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web" },
                "spec": { "template": {
                    "metadata": { "labels": { "app.kubernetes.io/version": "1.1.0" } },
                    "spec": { "containers": [{ "name": "web", "image": "web:1.1.0" }] },
                } },
            })
        );
        // Of a kind that the server does not know by itself a list is replaced whole.
        let (content, _, body) = change.asked((Resource::ROLLOUT, "web"), &one, false);
        assert_eq!(content, "application/json-patch+json");
        assert_eq!(
            body[0],
            json!({ "op": "test", "path": "/metadata/resourceVersion", "value": "7" })
        );
        assert_eq!(
            body[4]["path"],
            "/spec/template/metadata/labels/app.kubernetes.io~1version"
        );
    }

    #[test]
    fn what_cannot_be_told_is_said() {
        let two = workload(
            &json!([{ "name": "a", "image": "x:1" }, { "name": "b", "image": "y:1" }]),
            &Value::Null,
        );
        let error = change("1.1.0", &Where::default(), &two).unwrap_err();
        assert!(
            error.contains("(a, b)") && error.contains("`container`"),
            "{error}"
        );
    }
}
