//! The releases of a problem, and those that only a trial adds.

use crate::model::Live;

/// Stands between a service's name and what only a trial adds to it; no service is named so. Nobody but this file knows of it.
const TRIAL: char = '\u{1f}';

/// The name under which a trial declares another release of this service, the first or a later one, that does something
/// of its own.
pub(super) fn tried(service: &str, which: usize) -> String {
    format!("{service}{TRIAL}{which}")
}

/// The service that a release belongs to, also one that only a trial adds.
pub(super) fn service_of(release: &Live) -> &str {
    let name = &release.service;
    name.split(TRIAL).next().unwrap_or(name)
}
