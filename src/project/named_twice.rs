//! A revision that two migrations name.

use std::collections::BTreeMap;

use super::files::Revisions;
use super::migration::Loaded;
use super::problem::Problem;

/// It would be one's doing and the other's.
pub(super) fn refuse(migrations: &mut [Loaded]) {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    for loaded in migrations {
        let id = loaded.migration.id().to_string();
        let files = loaded.migration.files.values().next();
        let revisions = files.into_iter().flat_map(|files| files.revisions.values());
        let all: Vec<Revisions> = revisions.cloned().collect();
        for revisions in all {
            for name in &revisions.names {
                if let Some(other) = seen.insert(name.clone(), id.clone()) {
                    loaded.problems.push(Problem::about(
                        loaded.migration.manifest.path.clone(),
                        "duplicate-revision",
                        format!("the revision `{name}` is named by {other} as well, or twice here"),
                        "keep it in one of them",
                    ));
                }
            }
        }
    }
}
