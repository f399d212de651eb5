//! The `[policy]` section: the lists that clusters keep to by themselves, which are renewed before a step keeps versions out.

use std::time::Duration;

use super::reader::Table;
use super::source::Source;
use crate::row::LONGEST_WAIT;

/// A ValidatingAdmissionPolicy that lists what may start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyConfig {
    /// What the object is called.
    pub name: String,
    /// Where the pods are, if no source says so.
    pub namespaces: Vec<String>,
    pub kubeconfig: Option<String>,
    pub context: Option<String>,
    /// How long the API servers of the cluster may take to go by a new list.
    pub settle: Duration,
    /// How long they may take to answer.
    pub timeout: Duration,
}

const NAME: &str = "phasegate";
const SETTLE: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(10);
const PLACES: &[(&str, &str)] = &[];

pub(super) fn read(source: &Source, mut table: Table<'_>) -> Option<PolicyConfig> {
    let name = table.string("name", "name = \"phasegate-shop\"");
    if let Some(name) = name.as_ref().filter(|name| !is_object_name(name.value)) {
        source.error(
            "bad-object-name",
            name.span.clone(),
            format!("no object of a cluster is called `{}`", name.value),
            "write lower case letters, digits, `-` and `.`".to_owned(),
        );
        return None;
    }
    let namespaces = table.strings("namespaces", "namespaces = [\"shop\"]");
    let kubeconfig = table.string("kubeconfig", "kubeconfig = \"~/.kube/config\"");
    let context = table.string("context", "context = \"production\"");
    let mut wait = |key, usual| {
        let given = table.duration(key, LONGEST_WAIT);
        given.map_or(usual, |given| given.value)
    };
    let (settle, timeout) = (wait("settle", SETTLE), wait("timeout", TIMEOUT));
    table.finish(PLACES);
    Some(PolicyConfig {
        name: name.map_or_else(|| NAME.to_owned(), |name| name.value.to_owned()),
        namespaces: namespaces
            .into_iter()
            .flatten()
            .map(|name| name.value.to_owned())
            .collect(),
        kubeconfig: kubeconfig.map(|text| text.value.to_owned()),
        context: context.map(|text| text.value.to_owned()),
        settle,
        timeout,
    })
}

/// Whether an API server takes this name for an object.
#[must_use]
pub fn is_object_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    let is_ended = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= 253
        && text.chars().all(is_plain)
        && text.starts_with(is_ended)
        && text.ends_with(is_ended)
}
