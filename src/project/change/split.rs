//! What the services of a migration say of a table that is split: none of their versions may write both of its formats.

use std::collections::BTreeSet;

use crate::change::SplitTable;
use crate::model::{Formats, Usage, Version};

use super::super::manifest::Manifest;
use super::super::source::Source;
use super::read::Declared;

/// Its INSERT into the new table would meet the row that the trigger has made of its INSERT into the other one.
pub(super) fn writes_both(
    source: &Source,
    manifest: &Manifest,
    declared: &Declared,
    split: &SplitTable,
) {
    for (service, usage) in &manifest.services {
        let Some(version) = both(usage) else {
            continue;
        };
        let (table, to) = (&declared.change.table, &split.to);
        source.error(
            "writes-both",
            declared.header.clone(),
            format!(
                "`{service}` {version} writes both formats: a row that it inserts into `{to}` is there already, made by a trigger when it \
                 wrote `{table}`"
            ),
            format!(
                "let `new` begin where `old` ends, with a release that writes `{to}` alone: triggers keep the columns of `{table}` in step \
                 for versions before it"
            ),
        );
    }
}

fn both(usage: &Usage) -> Option<Version> {
    let mut versions = BTreeSet::from([Version::new(0, 0, 0), Version::new(9999, 0, 0)]);
    for bound in usage.bounds() {
        versions.insert(bound.clone());
        versions.insert(bound.release());
        versions.insert(bound.next_patch());
    }
    let writes_both = |version: &Version| {
        let mut behaviours = usage.behaviours(version).into_iter();
        behaviours.any(|does| does.writes == Formats::BOTH)
    };
    versions.into_iter().find(writes_both)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Touched;

    #[test]
    fn the_first_version_that_writes_both_is_told() {
        for (old, new, wanted) in [
            ("<1.2.0", ">=1.1.0", Some("1.1.0")),
            ("<1.2.0", ">=1.2.0", None),
            ("<=1.2.0", ">=1.2.0", Some("1.2.0")),
            ("*", ">=1.2.0", Some("1.2.0")),
            ("<1.2.0", ">=1.3.0", None),
        ] {
            let touched = Touched {
                old: Some(old.parse().unwrap()),
                new: Some(new.parse().unwrap()),
            };
            let usage = Usage {
                reads: touched.clone(),
                writes: touched,
            };
            let found = both(&usage).map(|version| version.to_string());
            assert_eq!(found.as_deref(), wanted, "{old} {new}");
        }
    }
}
