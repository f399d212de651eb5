//! What the API server of Kubernetes asks before it takes a pod, or a template of pods. Pure.
//!
//! Invariant: of what cannot be read nothing is let through that might start an instance: a review that makes no sense is refused, and
//! so is a pod of a service of ours whose version is not certain. What changes nothing of that is let through, whatever it is: an object
//! that is on its way out has to be able to go.

#[cfg(test)]
mod tests;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cluster::{Said, Template};
use crate::fleet::{Beside, contradiction};
use crate::project::Config;
use crate::source::Pods;

/// As much of a name as is told, in characters.
const LONGEST_NAME: usize = 200;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    uid: String,
    kind: Kind,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    namespace: Option<String>,
    operation: String,
    #[serde(default)]
    sub_resource: Option<String>,
    #[serde(default)]
    object: Value,
    #[serde(default)]
    old_object: Value,
    #[serde(default)]
    dry_run: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct Kind {
    #[serde(default)]
    group: String,
    kind: String,
}

/// A version that somebody is about to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Starting {
    pub service: String,
    pub label: String,
    /// What the lease is called.
    pub instance: String,
}

/// What a review is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum About {
    /// It starts nothing of ours that could not be started before.
    Nothing,
    /// A pod may be of several services.
    Starting(Vec<Starting>),
    /// Which version it would start is not certain: why, and what to do.
    Unclear { why: String, help: String },
}

/// A question of the API server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Review {
    pub uid: String,
    pub dry_run: bool,
    pub about: About,
    /// What whoever sent the object should know, beside the answer.
    pub warnings: Vec<String>,
}

/// A body that is no question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unreadable {
    /// Of the review, as far as it has one.
    pub uid: String,
    pub why: String,
}

/// Reads a review.
pub(super) fn read(body: &[u8], config: &Config) -> Result<Review, Unreadable> {
    let unreadable = |uid: &str, why: String| Unreadable {
        uid: uid.to_owned(),
        why,
    };
    let envelope: Value =
        serde_json::from_slice(body).map_err(|error| unreadable("", error.to_string()))?;
    let text = |path: &str| {
        let text = envelope.pointer(path).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let uid = text("/request/uid");
    let (kind, version) = (text("/kind"), text("/apiVersion"));
    if kind != "AdmissionReview" || version != "admission.k8s.io/v1" {
        let why = format!(
            "it is `{kind}` of `{version}`, and not `AdmissionReview` of `admission.k8s.io/v1`"
        );
        return Err(unreadable(&uid, why));
    }
    let request = envelope.get("request").unwrap_or(&Value::Null);
    let request =
        Request::deserialize(request).map_err(|error| unreadable(&uid, error.to_string()))?;
    if request.uid.is_empty() {
        return Err(unreadable("", "it has no `uid`".to_owned()));
    }
    let mut warnings = Vec::new();
    let about =
        about(&request, config, &mut warnings).map_err(|why| unreadable(&request.uid, why))?;
    Ok(Review {
        uid: request.uid,
        dry_run: request.dry_run.unwrap_or(false),
        about,
        warnings,
    })
}

fn about(request: &Request, config: &Config, warnings: &mut Vec<String>) -> Result<About, String> {
    let is_change = matches!(request.operation.as_str(), "CREATE" | "UPDATE");
    let sub_resource = request.sub_resource.as_deref().unwrap_or_default();
    // What is scaled, bound, evicted or looked into starts no template that was not there: its pods are asked about when they come.
    if !is_change || !sub_resource.is_empty() {
        return Ok(About::Nothing);
    }
    if !request.object.is_object() {
        return Err(format!("it is a {} of no object", request.operation));
    }
    let Some(template) = template(&request.kind, &request.object)? else {
        return Ok(About::Nothing);
    };
    let said = said(config, request.namespace(), &template);
    if said.is_empty() || is_going(&request.object) || was_so_before(request, config, &said) {
        return Ok(About::Nothing);
    }
    let mut starting = Vec::new();
    for (service, said) in said {
        if let Some((why, help)) = doubt(config, &service, &said) {
            let why = format!("{service}: {why}");
            return Ok(About::Unclear { why, help });
        }
        if let Some(containers) = &said.undecided {
            warnings.push(format!(
                "phasegate: which of its containers is that of {service} is not known ({}), so no image was compared with its label",
                shortened(&containers.join(", "))
            ));
        }
        starting.push(Starting {
            instance: instance(request),
            service,
            label: said.label,
        });
    }
    Ok(About::Starting(starting))
}

impl Request {
    fn namespace(&self) -> &str {
        self.namespace.as_deref().unwrap_or_default()
    }
}

/// A finalizer of what is deleted is taken away by an update.
fn is_going(object: &Value) -> bool {
    let deleted = object.pointer("/metadata/deletionTimestamp");
    deleted.is_some_and(|deleted| !deleted.is_null())
}

/// Whether all that this change leaves could be started before it: what is labelled, scaled or applied again.
fn was_so_before(request: &Request, config: &Config, said: &[(String, Said)]) -> bool {
    let old = &request.old_object;
    // Whoever resumes it starts what is in it.
    let is_resumed = is_paused(old) && !is_paused(&request.object);
    let Ok(Some(before)) = template(&request.kind, old) else {
        return false;
    };
    !is_resumed && self::said(config, request.namespace(), &before) == said
}

fn is_paused(object: &Value) -> bool {
    object.pointer("/spec/paused") == Some(&json!(true))
}

/// A pod, or the template that an object makes pods of; `None` if it makes none by now. What is no pod is known by its template
/// whatever its kind is, so that a webhook may be asked about those of others as well.
fn template(kind: &Kind, object: &Value) -> Result<Option<Template>, String> {
    let spec = |key: &str| object.pointer("/spec").and_then(|spec| spec.get(key));
    let found = if kind.kind == "Pod" && kind.group.is_empty() {
        Some(object)
    } else if spec("replicas") == Some(&json!(0)) || spec("suspend") == Some(&json!(true)) {
        None
    } else {
        let of_jobs = object.pointer("/spec/jobTemplate/spec/template");
        of_jobs.or_else(|| spec("template"))
    };
    // A Rollout that refers to a Deployment has none of its own, and other things have templates of what is no pod.
    let containers = found.and_then(|found| found.pointer("/spec/containers"));
    if containers.is_none_or(Value::is_null) {
        return Ok(None);
    }
    let template = found.map(Template::deserialize).transpose();
    template.map_err(|error| error.to_string())
}

/// The services of ours that a pod is of, and what it says of its version: as the sources read it, and by the usual labels for a
/// service that no source looks for.
fn said(config: &Config, namespace: &str, template: &Template) -> Vec<(String, Said)> {
    let sources = config.fleet.others();
    let readers: Vec<&Pods> = sources
        .filter_map(|named| named.source.reading_of_pods())
        .collect();
    let is_here = readers.is_empty() || readers.iter().any(|reader| reader.look_in(namespace));
    let of = (&template.metadata, &template.spec);
    let by_sources = readers.iter().flat_map(|reader| reader.read(namespace, of));
    let usual = if is_here {
        Pods::usual().read(namespace, of)
    } else {
        Vec::new()
    };
    let others = usual
        .into_iter()
        .filter(|(service, _)| !readers.iter().any(|reader| reader.look_for(service)));
    let mut found: Vec<(String, Said)> = Vec::new();
    for one in by_sources.chain(others) {
        if config.services.contains_key(&one.0) && !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// Why the version is not certain, and what to do.
fn doubt(config: &Config, service: &str, said: &Said) -> Option<(String, String)> {
    let label = config.place(service, &said.label);
    let beside = Beside {
        image: said.image.as_deref(),
        template: None,
    };
    if let Some((contradictory, _)) = contradiction(config, service, &label, beside) {
        let help =
            "change the label and the image together: `kubectl set image` changes the image alone";
        let why = format!(
            "its label and its image name two versions: {}",
            contradictory.text
        );
        return Some((why, help.to_owned()));
    }
    if label.version.is_some() {
        return None;
    }
    let why = format!("`{}` is no version", shortened(&said.label));
    let help = format!(
        "label its pods with their version, as app.kubernetes.io/version=1.2.0, or say in migrate.toml what it is another name of: \
         [services.{service}] aliases"
    );
    Some((why, help))
}

/// The name of a pod, as far as it has one yet; anything else is called by its kind.
fn instance(request: &Request) -> String {
    let uid: String = request.uid.chars().take(8).collect();
    let named = |path: &str| {
        let name = request.object.pointer(path).and_then(Value::as_str);
        name.filter(|name| !name.is_empty()).map(ToOwned::to_owned)
    };
    // The cluster makes the rest of such a name later.
    let begun = || named("/metadata/generateName").map(|begins| format!("{begins}{uid}"));
    let given = || request.name.clone().filter(|name| !name.is_empty());
    let name = named("/metadata/name").or_else(begun).or_else(given);
    let name = name.unwrap_or_else(|| uid.clone());
    let kind = request.kind.kind.to_lowercase();
    let whole = match kind.as_str() {
        "pod" => name,
        _ => format!("{kind}/{name}.{}", request.namespace()),
    };
    shortened(&whole)
}

fn shortened(text: &str) -> String {
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(LONGEST_NAME).collect()
}

/// Why something is refused: `code` is a status of HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub code: u16,
    pub message: String,
}

/// The answer, as the API server wants it: `kubectl` prints the message.
pub(super) fn answer(uid: &str, refused: Option<&Refusal>, warnings: &[String]) -> Value {
    let mut response = match refused {
        None => json!({ "uid": uid, "allowed": true }),
        Some(Refusal { code, message }) => json!({
            "uid": uid,
            "allowed": false,
            "status": { "code": code, "message": message },
        }),
    };
    if !warnings.is_empty() {
        response["warnings"] = json!(warnings);
    }
    json!({ "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response })
}
