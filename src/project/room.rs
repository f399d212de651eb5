//! Migrations of one release that wait for each other through its versions.

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::{Basis, MigrationId, Step};

use super::migration::Loaded;
use super::problem::{Problem, shown};

/// Of each expand that has to wait for the contract of an earlier migration, whether any version could be live meanwhile. In a new
/// database, where the contract comes by itself, nobody would notice.
pub(super) fn check(
    root: &Path,
    migrations: &mut [Loaded],
    bases: &BTreeMap<MigrationId, Vec<Basis>>,
) {
    if bases.is_empty() {
        return;
    }
    let by_id: BTreeMap<&MigrationId, &Loaded> = migrations
        .iter()
        .map(|one| (one.migration.id(), one))
        .collect();
    let mut found = Vec::new();
    for (at, later) in migrations.iter().enumerate() {
        let waits_for = bases.get(later.migration.id()).into_iter().flatten();
        for basis in waits_for.filter(|basis| basis.from == Step::Expand) {
            let earlier = by_id.get(&basis.migration);
            let Some(earlier) = earlier.filter(|one| one.is_declared && later.is_declared) else {
                continue;
            };
            let declared = &earlier.migration.declaration;
            let has_contract = declared.parts.contract;
            let without = later.migration.declaration.without_room_after(declared);
            if let Some(service) = without.filter(|_| has_contract) {
                let manifest = later.migration.manifest.path.display().to_string();
                found.push((at, no_room(&shown(root, &manifest), service, basis)));
            }
        }
    }
    for (at, problem) in found {
        if let Some(later) = migrations.get_mut(at) {
            later.problems.push(problem);
        }
    }
}

fn no_room(manifest: &Path, service: &str, basis: &Basis) -> Problem {
    let Basis {
        migration, keeps, ..
    } = basis;
    Problem::about(
        manifest,
        "no-room",
        format!(
            "expand waits for the contract of {migration}, which is about {keeps}, and no version of `{service}` can be live meanwhile: each of them \
             keeps that contract waiting, or needs this expand"
        ),
        format!(
            "let this begin with a later release (`new`), so that one comes between that needs {migration} and not this; or put both \
             changes into {migration}, where that is not applied yet"
        ),
    )
    .into_warning()
}
