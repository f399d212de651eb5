//! A stand-in for the API server of a cluster: it holds objects and answers lists, pages, refusals and changes as a real one was
//! recorded to.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use super::http::{Answer, Authority, Request, serve};

/// What it holds, and how it behaves.
#[derive(Default)]
pub struct World {
    /// By the path of their list, without a namespace: `/api/v1/pods`.
    pub objects: Vec<(String, Value)>,
    /// The tokens that it accepts; empty: anybody is let in.
    pub tokens: Vec<String>,
    /// Objects in a page, at most.
    pub page: usize,
    /// How many of the next pages but the first are too old.
    pub too_old: u32,
    /// What is answered in place of everything at paths that end with this, perhaps with a method before it.
    pub refusals: Vec<(String, Answer)>,
    /// Every request, as `GET /api/v1/…`.
    pub asked: Vec<String>,
    /// What is called after each change of an object.
    pub on_change: Option<fn(&mut World)>,
}

pub struct ApiServer {
    pub url: String,
    world: Arc<Mutex<World>>,
    authority: Option<Authority>,
    directory: tempfile::TempDir,
}

/// Groups and their kinds that it knows beside the core.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "/apis/apps/v1",
        &["deployments", "replicasets", "statefulsets", "daemonsets"],
    ),
    ("/apis/batch/v1", &["jobs", "cronjobs"]),
    (
        "/apis/admissionregistration.k8s.io/v1",
        &[
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
        ],
    ),
];

impl ApiServer {
    pub fn start(authority: Option<Authority>) -> Self {
        let world = Arc::new(Mutex::new(World {
            page: 500,
            ..World::default()
        }));
        let held = world.clone();
        let url = serve(
            authority.as_ref(),
            Arc::new(move |request| answer(&mut held.lock().expect("nobody panicked"), request)),
        );
        Self {
            url,
            world,
            authority,
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    pub fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("nobody panicked")
    }

    /// A kubeconfig whose context `here` leads to it, with this user.
    pub fn kubeconfig(&self, user: &Value) -> PathBuf {
        let mut cluster = json!({ "server": self.url });
        if let Some(authority) = &self.authority {
            cluster["certificate-authority"] = json!(authority.certificate());
        }
        self.kubeconfig_with(&cluster, user)
    }

    pub fn kubeconfig_with(&self, cluster: &Value, user: &Value) -> PathBuf {
        let path = self.directory.path().join("kubeconfig");
        // What is JSON is YAML.
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "elsewhere",
            "clusters": [{ "name": "c", "cluster": cluster }, { "name": "e", "cluster": { "server": "http://127.0.0.1:9" } }],
            "users": [{ "name": "u", "user": user }],
            "contexts": [
                { "name": "here", "context": { "cluster": "c", "user": "u", "namespace": "default" } },
                { "name": "elsewhere", "context": { "cluster": "e", "user": "u" } },
            ],
        });
        std::fs::write(&path, config.to_string()).expect("a file");
        path
    }
}

/// An answer of a real API server, or its list of objects.
pub fn recorded(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/suite/kubernetes/recorded")
        .join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).expect("a recorded answer");
    serde_json::from_str(&text).expect("JSON")
}

impl World {
    pub fn pods(&mut self, pods: &Value) -> &mut Self {
        self.objects.retain(|(path, _)| path != "/api/v1/pods");
        for pod in pods["items"].as_array().expect("a list") {
            self.add("/api/v1/pods", pod.clone());
        }
        self
    }

    pub fn add(&mut self, path: &str, object: Value) -> &mut Self {
        self.objects.push((path.to_owned(), object));
        self
    }

    pub fn refuse(&mut self, end: &str, answer: Answer) -> &mut Self {
        self.refusals.push((end.to_owned(), answer));
        self
    }
}

fn answer(world: &mut World, request: &Request) -> Answer {
    let query: Vec<String> = match request.method.as_str() {
        "PATCH" => request
            .query
            .iter()
            .map(|(name, value)| format!(" {name}={value}"))
            .collect(),
        _ => Vec::new(),
    };
    world.asked.push(format!(
        "{} {}{}",
        request.method,
        request.path,
        query.concat()
    ));
    let token = request.headers.get("authorization");
    let is_known = |token: &String| {
        let mut tokens = world.tokens.iter();
        tokens.any(|known| *token == format!("Bearer {known}"))
    };
    if !world.tokens.is_empty() && !token.is_some_and(is_known) {
        return Answer::json(401, &recorded("401"));
    }
    let refusal = world
        .refusals
        .iter()
        .find(|(end, _)| match end.split_once(' ') {
            Some((method, end)) => request.method == method && request.path.ends_with(end),
            None => request.path.ends_with(end),
        });
    if let Some((_, answer)) = refusal {
        return answer.clone();
    }
    if let Some((_, kinds)) = GROUPS.iter().find(|(path, _)| *path == request.path) {
        let kinds: Vec<Value> = kinds.iter().map(|name| json!({ "name": name })).collect();
        return Answer::json(
            200,
            &json!({ "kind": "APIResourceList", "resources": kinds }),
        );
    }
    let mut parts: Vec<&str> = request.path.split('/').collect();
    let mut namespace = None;
    if let Some(at) = parts.iter().position(|part| *part == "namespaces") {
        namespace = parts.get(at + 1).map(ToString::to_string);
        parts.drain(at..at + 2);
    }
    let root = if parts.get(1) == Some(&"api") { 3 } else { 4 };
    let list = parts.get(..=root).unwrap_or(&parts).join("/");
    let known = list == "/api/v1/pods"
        || world.objects.iter().any(|(path, _)| *path == list)
        || GROUPS.iter().any(|(group, kinds)| {
            let mut kinds = kinds.iter();
            kinds.any(|kind| list == format!("{group}/{kind}"))
        });
    if !known {
        return Answer::text(404, "404 page not found\n");
    }
    match parts.get(root + 1) {
        None => listed(world, &list, namespace.as_deref(), request),
        Some(name) => one(world, (&list, namespace.as_deref(), name), request),
    }
}

fn is_in(object: &Value, namespace: Option<&str>) -> bool {
    let own = object["metadata"]["namespace"].as_str();
    namespace.is_none() || own == namespace || (own.is_none() && namespace == Some("default"))
}

fn listed(world: &mut World, list: &str, namespace: Option<&str>, request: &Request) -> Answer {
    let selector = request
        .query
        .get("labelSelector")
        .cloned()
        .unwrap_or_default();
    let takes = |object: &Value| {
        selector
            .split(',')
            .filter(|part| !part.is_empty())
            .all(|part| {
                let (key, value) = part
                    .split_once('=')
                    .map_or((part, None), |(key, value)| (key, Some(value)));
                let found = object["metadata"]["labels"][key].as_str();
                found.is_some() && (value.is_none() || found == value)
            })
    };
    let all: Vec<Value> = world
        .objects
        .iter()
        .filter(|(path, object)| path == list && is_in(object, namespace) && takes(object))
        .map(|(_, object)| object.clone())
        .collect();
    let limit = request
        .query
        .get("limit")
        .and_then(|limit| limit.parse().ok());
    let limit = limit.unwrap_or(usize::MAX).min(world.page);
    let from = request
        .query
        .get("continue")
        .map_or(0, |next| next.parse().expect("ours"));
    if from > 0 && world.too_old > 0 {
        world.too_old -= 1;
        return Answer::json(410, &recorded("410-list-exact"));
    }
    let next = from + limit;
    let mut metadata = json!({ "resourceVersion": "7" });
    if next < all.len() {
        metadata["continue"] = json!(next.to_string());
        metadata["remainingItemCount"] = json!(all.len() - next);
    }
    let items: Vec<&Value> = all.iter().skip(from).take(limit).collect();
    Answer::json(
        200,
        &json!({ "kind": "List", "apiVersion": "v1", "metadata": metadata, "items": items }),
    )
}

fn one(
    world: &mut World,
    (list, namespace, name): (&str, Option<&str>, &str),
    request: &Request,
) -> Answer {
    let is_applied = request.headers.get("content-type").map(String::as_str)
        == Some("application/apply-patch+yaml");
    let is_known = world.objects.iter().any(|(path, object)| {
        path == list && is_in(object, namespace) && object["metadata"]["name"] == *name
    });
    if is_applied && !is_known && list.starts_with("/apis/admissionregistration") {
        // What is applied is made where it is not there.
        world.add(list, json!({ "metadata": { "name": name } }));
    }
    let found = world.objects.iter_mut().find(|(path, object)| {
        path == list && is_in(object, namespace) && object["metadata"]["name"] == *name
    });
    let Some((_, object)) = found else {
        let message = format!("\"{name}\" not found");
        return Answer::json(
            404,
            &json!({ "kind": "Status", "message": message, "reason": "NotFound", "code": 404 }),
        );
    };
    if request.method == "GET" {
        return Answer::json(200, object);
    }
    let change: Value = serde_json::from_str(&request.body).expect("JSON");
    let is_json_patch = request.headers.get("content-type").map(String::as_str)
        == Some("application/json-patch+json");
    if is_json_patch {
        let mut changed = object.clone();
        let operations = change.as_array().expect("a list");
        if let Err(why) = operations
            .iter()
            .try_for_each(|operation| operate(&mut changed, operation))
        {
            return Answer::json(
                422,
                &json!({ "kind": "Status", "message": why, "reason": "Invalid", "code": 422 }),
            );
        }
        *object = changed;
    } else {
        merge(object, &change);
    }
    let generation = object["metadata"]["generation"].as_i64().unwrap_or(0) + 1;
    object["metadata"]["generation"] = json!(generation);
    let changed = object.clone();
    if let Some(on_change) = world.on_change {
        on_change(world);
    }
    Answer::json(200, &changed)
}

/// One operation of a JSON patch.
fn operate(object: &mut Value, operation: &Value) -> Result<(), String> {
    let path = operation["path"].as_str().expect("a path");
    let (parent, key) = path.rsplit_once('/').expect("a path");
    let key = key.replace("~1", "/").replace("~0", "~");
    let parent = object
        .pointer_mut(parent)
        .and_then(Value::as_object_mut)
        .ok_or_else(|| format!("nothing is at {parent}"))?;
    match operation["op"].as_str() {
        Some("test") if parent.get(&key) == Some(&operation["value"]) => Ok(()),
        Some("test") => Err(format!("testing value {path} failed")),
        Some("add") => {
            parent.insert(key, operation["value"].clone());
            Ok(())
        }
        Some("remove") => match parent.remove(&key) {
            Some(_) => Ok(()),
            None => Err(format!(
                "remove operation does not apply: {path} is missing"
            )),
        },
        other => panic!("{other:?}"),
    }
}

/// As a server applies fields: of a list with names, to those of the same name.
fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (key, value) in from {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(from))
            if from.iter().all(|one| one["name"].is_string()) =>
        {
            for one in from {
                match into.iter_mut().find(|known| known["name"] == one["name"]) {
                    Some(known) => merge(known, one),
                    None => into.push(one.clone()),
                }
            }
        }
        (into, from) => *into = from.clone(),
    }
}
