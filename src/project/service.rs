//! `[services.NAME]` in migrate.toml: what is known of an application that uses the database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::driver::Driver;
use crate::model::Version;
use crate::row::LONGEST_WAIT;

use super::places::PLACES;
use super::reader::{Located, Table};
use super::rollout;
use super::source::Source;

#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// A source that sees fewer instances is not believed.
    pub min_instances: u64,
    /// How long an instance has to have stayed before it counts as serving; none for a few renewals.
    pub min_ready: Option<Duration>,
    /// What else a version is called, a commit id for example.
    pub aliases: BTreeMap<String, Version>,
    /// The releases that a plan may go through, in the order written.
    pub releases: Vec<Version>,
    /// What replaces its instances, if not what `[rollout]` names for all services.
    pub driver: Option<Arc<dyn Driver>>,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            min_instances: 1,
            min_ready: None,
            aliases: BTreeMap::new(),
            releases: Vec::new(),
            driver: None,
        }
    }
}

/// Service names stand in `web=1.2.0` on the command line and in session names.
pub(super) fn check_name(source: &Source, name: &Located<&str>) {
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.value.is_empty() || !name.value.chars().all(is_plain) {
        source.error(
            "bad-service-name",
            name.span.clone(),
            format!("`{}` cannot be the name of a service", name.value),
            "use letters, digits, `-`, `_` and `.`",
        );
    }
}

pub(super) fn read(source: &Source, mut table: Table<'_>) -> ServiceConfig {
    let mut config = ServiceConfig::default();
    if let Some(least) = table.count("min_instances", (0, 1_000_000)) {
        config.min_instances = least;
    }
    if let Some(duration) = table.duration_or_none("min_ready", LONGEST_WAIT) {
        config.min_ready = Some(duration.value);
    }
    let aliases = table.named_strings("aliases", "aliases = { \"a1b2c3d\" = \"1.2.0\" }");
    for (alias, text) in &aliases {
        if let Some(version) = read_version(source, text) {
            config.aliases.insert((*alias).to_owned(), version);
        }
    }
    for text in table
        .strings("releases", "releases = [\"1.0.0\", \"1.1.0\"]")
        .unwrap_or_default()
    {
        let Some(version) = read_version(source, &text) else {
            continue;
        };
        if config.releases.contains(&version) {
            source.error(
                "duplicate-release",
                text.span,
                format!("the release {version} is listed twice"),
                "keep one of them",
            );
        } else {
            config.releases.push(version);
        }
    }
    for (alias, text) in &aliases {
        check_alias(source, &config, alias, text);
    }
    config.driver = rollout::read_driver(source, &mut table);
    table.finish(PLACES);
    config
}

/// A release that is called another one would be judged by what that other one can do. Tags that
/// merely read as versions, dates for example, may stand for a release.
fn check_alias(source: &Source, config: &ServiceConfig, alias: &str, text: &Located<&str>) {
    let Ok(itself) = alias.trim().parse::<Version>() else {
        return;
    };
    let is_moved = config.aliases.get(alias).is_some_and(|to| *to != itself);
    if is_moved && config.releases.contains(&itself) {
        source.error(
            "alias-is-a-release",
            text.span.clone(),
            format!(
                "`{alias}` is one of `releases`, and cannot stand for {}",
                text.value
            ),
            format!(
                "take this alias out; if no instance reports `{alias}` for the release {itself}, \
                 take {itself} out of `releases`"
            ),
        );
    }
}

fn read_version(source: &Source, text: &Located<&str>) -> Option<Version> {
    match text.value.parse::<Version>() {
        Ok(version) => Some(version),
        Err(error) => {
            source.error(
                "bad-version",
                text.span.clone(),
                error.to_string(),
                "write for example \"1.2.0\"",
            );
            None
        }
    }
}
