//! The API server of a Kubernetes cluster: how it is reached, and what it is asked.
//!
//! Invariant: a list is whole and of one moment, or there is none.

mod access;
mod hindrance;
mod objects;
mod reach;
mod resource;
mod selector;
mod trouble;
mod version;
mod words;

use std::time::Duration;

use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use kube_client::Client;
use kube_client::client::Body;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use tokio::sync::Mutex;
use tokio::time::Instant;

pub use access::Access;
pub use hindrance::hindrance;
pub use objects::*;
pub use resource::{Resource, Verb};
pub use selector::{Requirement, Selector};
pub use trouble::{Doing, Trouble};
pub use version::{DEFAULT_CONTAINER, Said, USUAL_LABEL, VersionFrom, chosen, said};

/// Objects in one page: fewer make more requests, more make longer ones.
const PAGE: usize = 500;
/// No page is as large, and nothing that a server sends may fill the memory.
const LARGEST_ANSWER: usize = 64 * 1024 * 1024;
/// How often a list is begun anew that was too old before its end.
const MOST_BEGINNINGS: u32 = 3;
/// How often a server that is too busy is asked.
const MOST_ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// A cluster. It is reached when it is asked for the first time, and anew after it gave no answer.
#[derive(Debug)]
pub struct Cluster {
    access: Access,
    client: Mutex<Option<Reached>>,
}

#[derive(Clone)]
struct Reached {
    client: Client,
    /// Where it is, for people.
    server: String,
    namespace: String,
}

impl std::fmt::Debug for Reached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.server)
    }
}

/// One page of a list.
#[derive(Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
struct Page<T> {
    #[serde(default)]
    metadata: PageMetadata,
    /// What has none is no list, whatever its status says: a proxy that degrades, or an object of another kind.
    #[serde(deserialize_with = "null_as_empty")]
    items: Vec<T>,
}

/// Go's encoder writes an empty list as null.
fn null_as_empty<'de, T: DeserializeOwned, D: Deserializer<'de>>(
    from: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::<Vec<T>>::deserialize(from)?.unwrap_or_default())
}

#[derive(Default, Deserialize)]
struct PageMetadata {
    #[serde(rename = "continue", default)]
    next: Option<String>,
    /// How many come after this page, where the server counts them.
    #[serde(rename = "remainingItemCount", default)]
    remaining: Option<i64>,
}

/// What a server says in place of what it was asked for.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub message: String,
    pub reason: String,
}

struct Answer {
    status: StatusCode,
    retry_after: Option<Duration>,
    bytes: Vec<u8>,
}

impl Cluster {
    #[must_use]
    pub fn new(access: Access) -> Self {
        Self {
            access,
            client: Mutex::new(None),
        }
    }

    /// The namespace of the context, or of the pod that this runs in.
    ///
    /// # Errors
    /// Why the cluster cannot be reached.
    pub async fn namespace(&self, deadline: Instant) -> Result<String, Trouble> {
        let reached = tokio::time::timeout_at(deadline, self.reached()).await;
        let late = || {
            Trouble::Settings(format!(
                "{}: its credentials did not come in time: run the program of `exec` in the kubeconfig by hand and see what it says",
                self.access
            ))
        };
        Ok(reached.map_err(|_| late())??.namespace)
    }

    /// Every object of a kind in a namespace, or in all of them, as they are at one moment.
    ///
    /// # Errors
    /// Whatever makes the list incomplete.
    pub async fn list<T: DeserializeOwned>(
        &self,
        resource: Resource,
        namespace: Option<&str>,
        selector: Option<&str>,
        deadline: Instant,
    ) -> Result<Vec<T>, Trouble> {
        let doing = Doing::new(Verb::List, resource, namespace);
        for _ in 0..MOST_BEGINNINGS {
            match self.pages(&doing, selector, deadline).await {
                // What is left belongs to a list that the server has forgotten; the first part of it is of that one as well.
                Err(trouble) if trouble.code() == Some(410) => {}
                other => return other,
            }
        }
        Err(Trouble::Expired {
            doing: Box::new(doing),
            times: MOST_BEGINNINGS,
        })
    }

    async fn pages<T: DeserializeOwned>(
        &self,
        doing: &Doing,
        selector: Option<&str>,
        deadline: Instant,
    ) -> Result<Vec<T>, Trouble> {
        let mut found = Vec::new();
        let mut next: Option<String> = None;
        loop {
            // Without a resourceVersion: what the server has committed, and no older cache.
            let mut query = format!("?limit={PAGE}");
            if let Some(selector) = selector.filter(|text| !text.is_empty()) {
                query.push_str("&labelSelector=");
                query.push_str(&encoded(selector));
            }
            if let Some(next) = &next {
                query.push_str("&continue=");
                query.push_str(&encoded(next));
            }
            let path = format!("{}{query}", doing.path(None));
            let bytes = self
                .ask(doing, &path, (Method::GET, None), deadline)
                .await?;
            let page: Page<T> = doing.parsed(&bytes)?;
            found.extend(page.items);
            next = page.metadata.next.filter(|next| !next.is_empty());
            match (&next, page.metadata.remaining) {
                (None, Some(left)) if left > 0 => {
                    return Err(Trouble::Unreadable {
                        doing: Box::new(doing.clone()),
                        why: format!("{left} more are to come, and it does not say where"),
                    });
                }
                (None, _) => return Ok(found),
                (Some(_), _) => {}
            }
        }
    }

    /// Whether the server knows this kind of objects. Whoever may list none of a kind is refused even where there is no such kind.
    ///
    /// # Errors
    /// Why that cannot be told.
    pub async fn has(&self, resource: Resource, deadline: Instant) -> Result<bool, Trouble> {
        #[derive(Deserialize)]
        struct Kinds {
            #[serde(default)]
            resources: Vec<Known>,
        }
        #[derive(Deserialize)]
        struct Known {
            name: String,
        }
        let doing = Doing::new(Verb::Get, resource, None);
        let path = format!("/apis/{}/{}", resource.group, resource.version);
        match self.ask(&doing, &path, (Method::GET, None), deadline).await {
            Ok(bytes) => {
                let kinds: Kinds = doing.parsed(&bytes)?;
                let mut kinds = kinds.resources.iter();
                Ok(kinds.any(|known| known.name == resource.plural))
            }
            Err(trouble) if trouble.code() == Some(404) => Ok(false),
            // Then listing them says what is missing.
            Err(trouble) if trouble.code() == Some(403) => Ok(true),
            Err(trouble) => Err(trouble),
        }
    }

    /// One object; of a kind that is in no namespace without one.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn get<T: DeserializeOwned>(
        &self,
        (resource, namespace, name): (Resource, Option<&str>, &str),
        deadline: Instant,
    ) -> Result<T, Trouble> {
        let doing = Doing::new(Verb::Get, resource, namespace).of(name);
        let path = doing.path(Some(name));
        let bytes = self
            .ask(&doing, &path, (Method::GET, None), deadline)
            .await?;
        doing.parsed(&bytes)
    }

    /// Changes one object: those fields that `body` has, and no other.
    ///
    /// # Errors
    /// Why it was not changed.
    pub async fn patch<T: DeserializeOwned>(
        &self,
        (resource, namespace, name): (Resource, Option<&str>, &str),
        query: &str,
        (content_type, body): (&'static str, &serde_json::Value),
        deadline: Instant,
    ) -> Result<T, Trouble> {
        let doing = Doing::new(Verb::Patch, resource, namespace).of(name);
        let path = format!("{}{query}", doing.path(Some(name)));
        let body = Some((content_type, body.to_string().into_bytes()));
        let bytes = self
            .ask(&doing, &path, (Method::PATCH, body), deadline)
            .await?;
        doing.parsed(&bytes)
    }

    /// Asks until there is an answer that is final, within the time that there is.
    async fn ask(
        &self,
        doing: &Doing,
        path: &str,
        (method, body): (Method, Option<(&'static str, Vec<u8>)>),
        deadline: Instant,
    ) -> Result<Vec<u8>, Trouble> {
        let mut pause = FIRST_PAUSE;
        let mut attempt = 0;
        let mut is_anew = false;
        loop {
            attempt += 1;
            let sent = self.send(path, (method.clone(), body.clone()));
            let answer = match tokio::time::timeout_at(deadline, sent).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(trouble)) => {
                    self.forget().await;
                    return Err(trouble);
                }
                Err(_) => {
                    self.forget().await;
                    return Err(Trouble::Silent {
                        doing: Box::new(doing.clone()),
                        server: self.access.to_string(),
                    });
                }
            };
            if answer.status.is_success() {
                return Ok(answer.bytes);
            }
            let code = answer.status.as_u16();
            let wait = answer.retry_after.unwrap_or(pause);
            let is_busy = matches!(code, 429 | 500 | 503 | 504);
            let has_time = deadline.checked_duration_since(Instant::now()) > Some(wait);
            if is_busy && attempt < MOST_ATTEMPTS && has_time {
                tokio::time::sleep(wait).await;
                pause = pause.saturating_mul(2);
                continue;
            }
            // Its token may have been changed meanwhile: credentials are read anew once.
            if code == 401 && !is_anew {
                is_anew = true;
                self.forget().await;
                continue;
            }
            let server = self.reached().await?.server;
            return Err(doing.refused(code, &answer.bytes, server, self.access.clone()));
        }
    }

    async fn send(
        &self,
        path: &str,
        (method, body): (Method, Option<(&'static str, Vec<u8>)>),
    ) -> Result<Answer, Trouble> {
        let Reached { client, server, .. } = self.reached().await?;
        let unreachable =
            |error: &(dyn std::error::Error + 'static)| Trouble::unreachable(&server, error);
        let mut request = Request::builder().method(method).uri(path);
        request = request.header(http::header::ACCEPT, "application/json");
        if let Some((content_type, _)) = &body {
            request = request.header(http::header::CONTENT_TYPE, *content_type);
        }
        let body = body.map(|(_, bytes)| bytes).unwrap_or_default();
        let request = request
            .body(Body::from(body))
            .map_err(|error| unreachable(&error))?;
        let response = client
            .send(request)
            .await
            .map_err(|error| unreachable(&error))?;
        let (parts, body) = response.into_parts();
        let retry_after = parts
            .headers
            .get(http::header::RETRY_AFTER)
            .and_then(|value| value.to_str().ok()?.trim().parse().ok())
            .map(Duration::from_secs);
        let collected = Limited::new(body, LARGEST_ANSWER).collect().await;
        let bytes = collected.map_err(|error| unreachable(&*error))?.to_bytes();
        Ok(Answer {
            status: parts.status,
            retry_after,
            bytes: bytes.into(),
        })
    }

    async fn reached(&self) -> Result<Reached, Trouble> {
        let mut client = self.client.lock().await;
        if let Some(reached) = &*client {
            return Ok(reached.clone());
        }
        let reached = self.access.reach().await?;
        *client = Some(reached.clone());
        Ok(reached)
    }

    /// Credentials, authorities and addresses are read anew when it is asked the next time.
    async fn forget(&self) {
        *self.client.lock().await = None;
    }
}

/// A value as it stands in a URL's query.
pub(super) fn encoded(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => {
                const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
                encoded.push('%');
                for digit in [byte >> 4, byte & 15] {
                    let digit = DIGITS.get(usize::from(digit)).copied().unwrap_or(b'0');
                    encoded.push(char::from(digit));
                }
            }
        }
    }
    encoded
}
