//! Which pods a policy looks at, and how it reads their version: as the sources of the project do.

use std::collections::BTreeSet;

use super::expressions::{self as cel, Side, quoted};
use crate::ask::Startable;
use crate::cluster::{Requirement, VersionFrom};
use crate::project::Config;
use crate::source::{ALL_NAMESPACES, NAME_LABEL, Pods, Rule};

/// The pods of one service.
pub(super) struct Reader<'a> {
    /// What its variables begin with.
    id: String,
    pub service: &'a str,
    requirements: Vec<Requirement>,
    /// `None` for all of them.
    pub namespaces: Option<Vec<String>>,
    version: VersionFrom,
    container: Option<String>,
}

/// What the project's sources look for, and by the usual labels the services that none of them does; `None` where a namespace is
/// missing.
pub(super) fn readers<'a>(config: &'a Config, usual: &[String]) -> Option<Vec<Reader<'a>>> {
    let sources: Vec<&Pods> = config
        .fleet
        .others()
        .filter_map(|named| named.source.reading_of_pods())
        .collect();
    let mut found = Found::default();
    for rule in sources.iter().flat_map(|pods| pods.rules()) {
        let namespaces = namespaces(rule.namespaces, usual)?;
        let meant = |service: &&String| rule.service.is_none_or(|name| name == *service);
        for service in config.services.keys().filter(meant) {
            found.add(service, rule, namespaces.clone());
        }
    }
    let everywhere = if sources.is_empty() {
        namespaces(usual, usual)?
    } else {
        found.all_namespaces()
    };
    let usual = Pods::usual();
    for service in config.services.keys() {
        if !sources.iter().any(|pods| pods.look_for(service)) {
            for rule in usual.rules() {
                found.add(service, rule, everywhere.clone());
            }
        }
    }
    Some(found.readers)
}

/// Those of a rule; `Some(None)` for all there are.
#[allow(clippy::option_option)]
fn namespaces(own: &[String], usual: &[String]) -> Option<Option<Vec<String>>> {
    let named = if own.is_empty() { usual } else { own };
    if named.is_empty() {
        return None;
    }
    let all = named.iter().any(|name| name == ALL_NAMESPACES);
    Some((!all).then(|| named.to_vec()))
}

#[derive(Default)]
struct Found<'a> {
    readers: Vec<Reader<'a>>,
    ids: BTreeSet<String>,
}

impl<'a> Found<'a> {
    fn add(&mut self, service: &'a str, rule: Rule<'_>, namespaces: Option<Vec<String>>) {
        let mut requirements = rule.selector.requirements().to_vec();
        if rule.service.is_none() {
            let name = vec![service.to_owned()];
            requirements.push(Requirement::In(NAME_LABEL.to_owned(), name));
        }
        // An identifier, which a digit does not begin.
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = service.chars().map(plain).collect();
        let mut id = format!("of_{name}");
        let mut more = 1;
        while !self.ids.insert(id.clone()) {
            more += 1;
            id = format!("of_{name}_{more}");
        }
        self.readers.push(Reader {
            id,
            service,
            requirements,
            namespaces,
            version: rule.version.clone(),
            container: rule.container.map(ToOwned::to_owned),
        });
    }

    fn all_namespaces(&self) -> Option<Vec<String>> {
        let mut all = BTreeSet::new();
        for reader in &self.readers {
            all.extend(reader.namespaces.clone()?);
        }
        Some(all.into_iter().collect())
    }
}

impl Reader<'_> {
    /// `variables.of_web_NAME`.
    fn named(&self, side: Side, name: &str) -> String {
        format!("variables.{}", self.name(side, name))
    }

    fn name(&self, side: Side, name: &str) -> String {
        format!("{}{}_{name}", side.prefix(), self.id)
    }

    /// What it has to be asked about, what it says of its version, and whether that is listed.
    pub fn variables(&self, config: &Config, startable: &Startable) -> Vec<(String, String)> {
        let aliases = config.services.get(self.service);
        let aliases = aliases.map(|service| &service.names.aliases);
        let aliases: Vec<_> = aliases.into_iter().flatten().collect();
        let mut variables = Vec::new();
        for side in [Side::New, Side::Old] {
            let mut add = |name: &str, expression: String| {
                variables.push((self.name(side, name), expression));
            };
            let containers = format!("variables.{}containers", side.prefix());
            let chosen = cel::chosen(self.service, self.container.as_deref(), side, &containers);
            add(
                "is",
                cel::is_meant(&self.requirements, self.namespaces.as_deref(), side),
            );
            add("container", chosen);
            add("image", cel::image(&self.named(side, "container")));
            add("raw", cel::raw(&self.version, side));
        }
        let here = |name: &str| self.named(Side::New, name);
        let mut add = |name: &str, expression: String| {
            variables.push((self.name(Side::New, name), expression));
        };
        add("last", cel::last_of_name(&here("image")));
        add("tag", cel::tag(&here("last")));
        add("says", cel::says(&self.version, &here("raw"), &here("tag")));
        add("text", cel::normal(&here("says"), &aliases));
        add("version", cel::numbers(&here("text")));
        add("tag_text", cel::normal(&here("tag"), &aliases));
        add("tag_version", cel::numbers(&here("tag_text")));
        let agrees = cel::agree(
            (&here("text"), &here("version")),
            (&here("tag"), &here("tag_text"), &here("tag_version")),
            &aliases,
        );
        add("agrees", agrees);
        let releases = startable.releases.get(self.service);
        let exact = startable.exact.get(self.service);
        let listed = cel::is_listed(
            (&here("text"), &here("version")),
            releases.map_or(&[], Vec::as_slice),
            exact.map_or(&[], Vec::as_slice),
        );
        add("listed", listed);
        let same = ["raw", "image"]
            .map(|name| format!("{} == {}", self.named(Side::Old, name), here(name)));
        let was = self.named(Side::Old, "is");
        add("was", format!("{was} && {}", same.join(" && ")));
        variables
    }

    /// Whether an object may be taken.
    pub fn holds(&self) -> String {
        let here = |name: &str| self.named(Side::New, name);
        format!(
            "variables.going || !{} || {} || ({} && {})",
            here("is"),
            here("was"),
            here("agrees"),
            here("listed")
        )
    }

    /// Why not, and what to do.
    pub fn why(&self, taken_at: &str, listed: &str) -> String {
        let here = |name: &str| self.named(Side::New, name);
        let (says, tag) = (here("says"), here("tag"));
        let service = self.service;
        let contradicts = format!(
            "{} + {says} + ' (image ' + {tag} + {}",
            quoted(&format!(
                "phasegate: which version it would start is not certain: {service}: its label and its image name two versions: "
            )),
            quoted(
                "); next: change the label and the image together: `kubectl set image` changes the image alone"
            )
        );
        let unnamed = quoted(&format!(
            "phasegate: which version it would start is not certain: {service}: nothing names its version; next: label its pods with it, as app.kubernetes.io/version=1.2.0"
        ));
        let unlisted = format!(
            "{} + {says} + {} + {says} + {}",
            quoted(&format!("phasegate: {service} ")),
            quoted(&format!(
                " may not start by the list of {taken_at}; these may: {listed}; next: ask `migrate gate deploy {service}="
            )),
            quoted("`; if it may, renew the list: `migrate kubernetes policy`")
        );
        format!(
            "!{} ? {contradicts} : {says} == '' ? {unnamed} : {unlisted}",
            here("agrees")
        )
    }
}
