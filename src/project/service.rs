//! `[services.NAME]` in migrate.toml: what is known of an application that uses the database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::driver::Driver;
use crate::model::{LabelPattern, OtherNames, Version, tells_none};
use crate::row::LONGEST_WAIT;

use super::places;
use super::reader::{Located, Table};
use super::rollout;
use super::source::Source;

#[derive(Clone, Debug)]
pub struct ServiceConfig {
    /// A source that sees fewer instances is not believed.
    pub min_instances: u64,
    /// How long an instance has to have stayed before it counts as serving; none for a few renewals.
    pub min_ready: Option<Duration>,
    /// What else its versions are called: commit ids, dates, build numbers.
    pub names: OtherNames,
    /// A file of more aliases, relative to the project's root; a pipeline may write it.
    pub aliases_file: Option<String>,
    /// The releases that a plan may go through, in the order written.
    pub releases: Vec<Version>,
    /// What each version sends, for a rehearsal: files of statements, relative to the project's root.
    pub statements: BTreeMap<Version, String>,
    /// What replaces its instances, if not what `[rollout]` names for all services.
    pub driver: Option<Arc<dyn Driver>>,
}

impl Default for ServiceConfig {
    fn default() -> Self {
        Self {
            min_instances: 1,
            min_ready: None,
            names: OtherNames::default(),
            aliases_file: None,
            releases: Vec::new(),
            statements: BTreeMap::new(),
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
            config.names.aliases.insert((*alias).to_owned(), version);
        }
    }
    config.aliases_file = table
        .string("aliases_file", "aliases_file = \"versions.txt\"")
        .map(|text| text.value.to_owned());
    for text in table
        .strings("labels", "labels = [\"build-{1}\"]")
        .unwrap_or_default()
    {
        match text.value.parse::<LabelPattern>() {
            Ok(pattern) => config.names.patterns.push(pattern),
            Err(error) => source.error(
                "bad-label-pattern",
                text.span,
                error.to_string(),
                "write for example \"build-{1}\", or \"{1:4}{2:2}{3:2}-{*}\" for 20260105-a1b2c3d",
            ),
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
    let statements = table.named_strings(
        "statements",
        "statements = { \"1.2.0\" = \"statements/web-1.2.0.sql\" }",
    );
    for (version, path) in statements {
        let version = Located {
            value: version,
            span: path.span.clone(),
        };
        let Some(read) = read_version(source, &version) else {
            continue;
        };
        let before = config.statements.insert(read, path.value.trim().to_owned());
        if before.is_some() {
            source.error(
                "duplicate-release",
                version.span,
                format!(
                    "statements of the release {} are named twice",
                    version.value
                ),
                "keep one of the files, or put both into one",
            );
        }
    }
    for (alias, text) in &aliases {
        check_alias(source, &config, alias, text);
    }
    config.driver = rollout::read_driver(source, &mut table);
    table.finish(places::CONFIG);
    config
}

/// Says of an alias in a file what is wrong with it.
pub(super) fn check_alias(
    source: &Source,
    config: &ServiceConfig,
    alias: &str,
    text: &Located<&str>,
) {
    if tells_none(alias) {
        source.error(
            "alias-of-nothing",
            text.span.clone(),
            format!("`{alias}` is what is said of any instance that tells no version"),
            "take this alias out, and let that instance tell its version, or take it out of what the source lists",
        );
    }
    if config.moves_a_release(alias) {
        let itself = alias.trim();
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

impl ServiceConfig {
    /// Whether an alias calls a release another one: it would be judged by what that other one can do. Tags that merely read as
    /// versions, dates for example, may stand for a release.
    pub(super) fn moves_a_release(&self, alias: &str) -> bool {
        let Ok(itself) = alias.trim().parse::<Version>() else {
            return false;
        };
        let to = self.names.aliases.get(alias);
        to.is_some_and(|to| *to != itself) && self.releases.contains(&itself)
    }
}

pub(super) fn read_version(source: &Source, text: &Located<&str>) -> Option<Version> {
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
