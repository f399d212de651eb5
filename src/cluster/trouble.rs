//! Why a cluster gave no answer that can be relied on, and the way out.

use std::error::Error;
use std::fmt;

use serde::de::DeserializeOwned;

use super::words::{LONGEST_SAID, in_words};
use super::{Access, Resource, Status, Verb};
use crate::text::secret;
use crate::text::shown::shortened;

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doing {
    verb: Verb,
    resource: Resource,
    namespace: Option<String>,
    name: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// How it is reached cannot be read.
    Settings(String),
    Unreachable {
        server: String,
        why: String,
    },
    Silent {
        doing: Box<Doing>,
        server: String,
    },
    Refused(Box<Refusal>),
    /// Each list was forgotten before its end.
    Expired {
        doing: Box<Doing>,
        times: u32,
    },
    Unreadable {
        doing: Box<Doing>,
        why: String,
    },
}

/// What a server answers with instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    doing: Doing,
    server: String,
    access: Access,
    code: u16,
    /// The server's own words.
    said: String,
}

impl Doing {
    pub(super) fn new(verb: Verb, resource: Resource, namespace: Option<&str>) -> Self {
        Self {
            verb,
            resource,
            namespace: namespace.map(ToOwned::to_owned),
            name: None,
        }
    }

    pub(super) fn of(self, name: &str) -> Self {
        let name = Some(name.to_owned());
        Self { name, ..self }
    }

    /// Where it is asked for.
    pub(super) fn path(&self, name: Option<&str>) -> String {
        let Resource {
            group,
            version,
            plural,
            ..
        } = self.resource;
        let root = if group.is_empty() {
            format!("/api/{version}")
        } else {
            format!("/apis/{group}/{version}")
        };
        let namespace = self.namespace.as_deref();
        let within = namespace.map_or_else(String::new, |name| {
            format!("/namespaces/{}", super::encoded(name))
        });
        let name = name.map_or_else(String::new, |name| format!("/{}", super::encoded(name)));
        format!("{root}{within}/{plural}{name}")
    }

    pub(super) fn parsed<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Trouble> {
        serde_json::from_slice(bytes).map_err(|error| Trouble::Unreadable {
            doing: Box::new(self.clone()),
            why: shortened(&error.to_string(), LONGEST_SAID).into_owned(),
        })
    }

    pub(super) fn refused(
        &self,
        code: u16,
        bytes: &[u8],
        server: String,
        access: Access,
    ) -> Trouble {
        let status: Status = serde_json::from_slice(bytes).unwrap_or_default();
        let said = match (status.message, status.reason) {
            (message, _) if !message.is_empty() => message,
            (_, reason) if !reason.is_empty() => reason,
            _ => String::from_utf8_lossy(bytes).trim().to_owned(),
        };
        let said = secret::masked(&shortened(&said, LONGEST_SAID)).into_owned();
        Trouble::Refused(Box::new(Refusal {
            doing: self.clone(),
            server,
            access,
            code,
            said,
        }))
    }

    /// The rule that is missing, as a command that makes it.
    fn rule(&self, access: &Access, said: &str) -> String {
        let verb = self.verb.name();
        let resource = self.resource.qualified();
        let name = format!("phasegate-{verb}-{}", self.resource.plural);
        let options = access.options();
        let (role, binding, within) = match &self.namespace {
            Some(namespace) => ("role", "rolebinding", format!(" --namespace {namespace}")),
            None => ("clusterrole", "clusterrolebinding", String::new()),
        };
        let whose = match user(said) {
            Some(user) => match user
                .strip_prefix("system:serviceaccount:")
                .and_then(|account| account.split_once(':'))
            {
                Some((namespace, account)) => format!("--serviceaccount={namespace}:{account}"),
                None => format!("--user={user}"),
            },
            None => "--user=USER".to_owned(),
        };
        format!(
            "kubectl{options} create {role} {name}{within} --verb={verb} --resource={resource} && kubectl{options} create {binding} \
             {name}{within} --{role}={name} {whose}"
        )
    }
}

/// Who was refused, as the server names them; nothing that a shell would read otherwise.
fn user(said: &str) -> Option<&str> {
    let (_, after) = said.split_once("User \"")?;
    let (user, _) = after.split_once('"')?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ":-_.@/".contains(c);
    (!user.is_empty() && user.chars().all(is_plain)).then_some(user)
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb.name(), self.resource.qualified())?;
        if let Some(name) = &self.name {
            write!(f, " `{name}`")?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in the namespace `{namespace}`"),
            // One object that has no namespace is in none.
            None if self.name.is_some() => Ok(()),
            None => f.write_str(" in all namespaces"),
        }
    }
}

impl Trouble {
    pub(super) fn unreachable(server: &str, error: &(dyn Error + 'static)) -> Self {
        Self::Unreachable {
            server: server.to_owned(),
            why: in_words(error),
        }
    }

    /// The server's own words, where it answered something else.
    #[must_use]
    pub fn said(&self) -> Option<&str> {
        match self {
            Self::Refused(refusal) => Some(&refusal.said),
            _ => None,
        }
    }

    /// Whether a webhook or a policy of the cluster says no.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        self.said().is_some_and(is_denied)
    }

    /// The status of what was answered instead, if anything was.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.code),
            _ => None,
        }
    }
}

/// What is wrong with a connection, where its words are known.
fn way_out(why: &str) -> &'static str {
    const WAYS: &[(&str, &str)] = &[
        (
            "UnknownIssuer",
            "; its certificate is signed by none of the authorities that we are given: put the cluster's own into \
             `certificate-authority-data` of the kubeconfig",
        ),
        // Of an authority that is called like ours and is another one: each cluster calls its own `kubernetes`.
        (
            "BadSignature",
            "; its certificate is signed by none of the authorities that we are given: put the cluster's own into \
             `certificate-authority-data` of the kubeconfig",
        ),
        (
            "NotValidForName",
            "; its certificate is for another name: connect by one that it has, or set `tls-server-name` in the kubeconfig",
        ),
        (
            "not valid for name",
            "; its certificate is for another name: connect by one that it has, or set `tls-server-name` in the kubeconfig",
        ),
        ("Expired", "; its certificate has expired: renew it"),
        ("expired", "; its certificate has expired: renew it"),
        (
            "onnection refused",
            "; see that the address is right and that the server is up",
        ),
        (
            "auth exec",
            "; run the program of `exec` in the kubeconfig by hand and see what it says",
        ),
    ];
    let known = WAYS.iter().find(|(words, _)| why.contains(words));
    known.map_or("", |(_, way)| way)
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings(why) => f.write_str(why),
            Self::Unreachable { server, why } => {
                write!(f, "{server} cannot be asked: {why}{}", way_out(why))
            }
            Self::Silent { doing, server } => write!(
                f,
                "{server} did not answer in time to `{doing}`: see whether it can be reached from here, or raise `timeout`"
            ),
            Self::Expired { doing, times } => write!(
                f,
                "`{doing}` was begun {times} times, and each time the server had forgotten the list before its end (410): ask again"
            ),
            Self::Unreadable { doing, why } => {
                write!(f, "the answer to `{doing}` cannot be read: {why}")
            }
            Self::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            doing,
            server,
            access,
            code,
            said,
        } = self;
        write!(f, "{server} refuses `{doing}` ({code}): {said}; ")?;
        if is_denied(said) {
            return f.write_str(
                "a webhook or a policy of the cluster says so, and no right is missing: do what it asks for, or see whoever keeps it",
            );
        }
        match code {
            401 => write!(
                f,
                "our credentials are not accepted: log in anew (`kubectl{} auth whoami` shows as whom), or see that the token of \
                 the service account is mounted",
                access.options()
            ),
            403 => write!(
                f,
                "whoever may give rights allows it with: {}",
                doing.rule(access, said)
            ),
            404 => f.write_str(
                "see that it is there, that the address is that of an API server, and that the namespace is right",
            ),
            429 | 500 | 503 | 504 => {
                f.write_str("it is too busy, or not well: ask again in a while")
            }
            _ => f.write_str("see what it says"),
        }
    }
}

/// Whether an admission webhook, or a policy of the cluster, has said no: whoever has every right meets it too.
fn is_denied(said: &str) -> bool {
    ["denied the request", "denied request"]
        .iter()
        .any(|words| said.contains(words))
}

impl Error for Trouble {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_that_is_missing_is_a_command() {
        let said = "pods is forbidden: User \"system:serviceaccount:ci:phasegate\" cannot list resource \"pods\" in API group \"\" in the namespace \"shop\"";
        let access = Access::default();
        let rule = |resource, namespace, said: &str| {
            Doing::new(Verb::List, resource, namespace).rule(&access, said)
        };
        assert_eq!(
            rule(Resource::POD, Some("shop"), said),
            "kubectl create role phasegate-list-pods --namespace shop --verb=list --resource=pods && kubectl create rolebinding \
             phasegate-list-pods --namespace shop --role=phasegate-list-pods --serviceaccount=ci:phasegate"
        );
        let all = rule(
            Resource::DEPLOYMENT,
            None,
            "User \"ann@example.org\" cannot",
        );
        assert_eq!(
            all,
            "kubectl create clusterrole phasegate-list-deployments --verb=list --resource=deployments.apps && kubectl create \
             clusterrolebinding phasegate-list-deployments --clusterrole=phasegate-list-deployments --user=ann@example.org"
        );
        // A name that is a command of the shell is none of ours.
        assert!(rule(Resource::POD, None, "User \"a; rm -rf /\" cannot").ends_with("--user=USER"));
    }

    #[test]
    fn where_it_is_asked_for() {
        let path =
            |resource, namespace, name| Doing::new(Verb::Get, resource, namespace).path(name);
        assert_eq!(path(Resource::POD, None, None), "/api/v1/pods");
        assert_eq!(
            path(Resource::DEPLOYMENT, Some("a b"), Some("web")),
            "/apis/apps/v1/namespaces/a%20b/deployments/web"
        );
    }
}
