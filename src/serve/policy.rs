//! A ValidatingAdmissionPolicy for a cluster that runs no server of ours: what may start stands in it as a list, and the API server
//! itself keeps to it. Pure.
//!
//! Invariant: what it lets start, [`super::review`] would ask about as a version that is listed, or not at all. The list is that of
//! [`crate::ask::startable`], so all of it may start together: nobody registers what a policy lets in. Whatever cannot be read is
//! refused.

mod expressions;
mod readers;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::ask::Startable;
use crate::project::Config;
use readers::{Reader, readers};

/// What it is called, and where it holds.
#[derive(Clone, Copy, Debug)]
pub struct PolicySettings<'a> {
    pub name: &'a str,
    /// Where the sources name no namespace.
    pub namespaces: &'a [String],
    /// When the fleet was looked at, in words.
    pub taken_at: &'a str,
}

/// Why no policy says what the project says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    #[error("in which namespace the pods are is said nowhere")]
    NoNamespace,
    #[error(
        "the `labels` of [services.{service}] say how its versions are written, and a policy cannot read them so"
    )]
    Patterns { service: String },
    #[error(
        "[services.{service}] has {count} other names for its versions, and a policy holds {MOST_ALIASES}"
    )]
    ManyAliases { service: String, count: usize },
}

impl PolicyError {
    #[must_use]
    pub const fn help(&self) -> &'static str {
        match self {
            Self::NoNamespace => {
                "name it with --namespace, or with `namespaces` in the source `kubernetes` of migrate.toml"
            }
            Self::Patterns { .. } | Self::ManyAliases { .. } => {
                "label its pods with the version itself, as app.kubernetes.io/version=1.2.0, or let `migrate serve --admission` answer, \
                 which reads them as migrate.toml says"
            }
        }
    }
}

/// Other names that one service may have for its versions.
const MOST_ALIASES: usize = 200;

/// The policy, and what makes it hold.
///
/// # Errors
/// What of the project cannot be said in a policy.
pub fn policy(
    config: &Config,
    startable: &Startable,
    settings: PolicySettings<'_>,
) -> Result<[Value; 2], PolicyError> {
    for (service, its) in &config.services {
        let service = service.clone();
        if !its.names.patterns.is_empty() {
            return Err(PolicyError::Patterns { service });
        }
        let count = its.names.aliases.len();
        if count > MOST_ALIASES {
            return Err(PolicyError::ManyAliases { service, count });
        }
    }
    let readers = readers(config, settings.namespaces).ok_or(PolicyError::NoNamespace)?;
    let mut variables = expressions::of_objects();
    let mut validations = Vec::new();
    for reader in &readers {
        variables.extend(reader.variables(config, startable));
        validations.push(validation(reader, startable, settings));
    }
    let variables: Vec<Value> = variables
        .into_iter()
        .map(|(name, expression)| json!({ "name": name, "expression": expression }))
        .collect();
    let rule = |group: &str, version: &str, resources: &[&str]| {
        json!({
            "operations": ["CREATE", "UPDATE"],
            "apiGroups": [group],
            "apiVersions": [version],
            "resources": resources,
        })
    };
    let policy = json!({
        "apiVersion": API_VERSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": settings.name },
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "matchPolicy": "Equivalent",
                "resourceRules": [
                    rule("", "v1", &["pods"]),
                    rule("apps", "v1", &["deployments", "statefulsets", "daemonsets"]),
                    rule("batch", "v1", &["jobs", "cronjobs"]),
                    rule("argoproj.io", "*", &["rollouts"]),
                ],
            },
            "variables": variables,
            "validations": validations,
        },
    });
    let binding = json!({
        "apiVersion": API_VERSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": { "name": settings.name },
        "spec": {
            "policyName": settings.name,
            "validationActions": ["Deny"],
            "matchResources": matched(&readers),
        },
    });
    Ok([policy, binding])
}

const API_VERSION: &str = "admissionregistration.k8s.io/v1";

/// Where it holds: every namespace in which pods of ours are looked for.
fn matched(readers: &[Reader<'_>]) -> Value {
    let mut named: BTreeSet<&str> = BTreeSet::new();
    for reader in readers {
        match &reader.namespaces {
            Some(own) => named.extend(own.iter().map(String::as_str)),
            None => return json!({}),
        }
    }
    json!({ "namespaceSelector": { "matchExpressions": [{
        "key": "kubernetes.io/metadata.name",
        "operator": "In",
        "values": named,
    }] } })
}

fn validation(reader: &Reader<'_>, startable: &Startable, settings: PolicySettings<'_>) -> Value {
    let service = reader.service;
    let listed = words(startable, service);
    let message = format!(
        "phasegate: its version of {service} may not start by the list of {}; these may: {listed}",
        settings.taken_at
    );
    let next = format!(
        "ask `migrate gate deploy {service}=VERSION`; if it may, renew the list: `migrate kubernetes policy`"
    );
    json!({
        "expression": reader.holds(),
        "message": format!("{message}; next: {next}"),
        "messageExpression": reader.why(settings.taken_at, &listed),
        "reason": "Forbidden",
    })
}

/// The versions of a service that are listed.
#[must_use]
pub fn words(startable: &Startable, service: &str) -> String {
    let releases = startable.releases.get(service).into_iter().flatten();
    let exact = startable.exact.get(service).into_iter().flatten();
    let all = releases
        .map(crate::ask::range)
        .chain(exact.map(ToString::to_string));
    let all: Vec<String> = all.collect();
    if all.is_empty() {
        "none".to_owned()
    } else {
        all.join("; ")
    }
}
