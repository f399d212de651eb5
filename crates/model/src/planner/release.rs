//! The releases of a problem, and those that only a trial adds.

use crate::model::Live;

/// Stands between a service's name and what only a trial adds to it; no service is named so.
pub(super) const TRIAL: char = '\u{1f}';

/// The service that a release belongs to, also one that only a trial adds.
pub(super) fn service_of(release: &Live) -> &str {
    let name = &release.service;
    name.split(TRIAL).next().unwrap_or(name)
}
