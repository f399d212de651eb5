//! What a migration is checked against: the project around it.

use std::collections::BTreeMap;
use std::path::Path;

use super::database::DatabaseConfig;
use super::depth::Depth;
use super::later::Forward;
use super::lint::LintConfig;
use super::runner::Known;
use super::service::ServiceConfig;

/// What every migration is checked against.
pub(super) struct Surroundings<'a> {
    pub root: &'a Path,
    pub database: &'a DatabaseConfig,
    pub services: &'a BTreeMap<String, ServiceConfig>,
    /// The migrations that come after it.
    pub later: &'a [Forward],
    /// All of them, with this one.
    pub all: &'a [Forward],
    pub lint: &'a LintConfig,
    /// The revisions of the project's other migration tool.
    pub revisions: &'a Known,
    pub depth: Depth,
}
