//! What the services of a migration say of their versions: who writes what. Pure.

use std::collections::BTreeSet;

use crate::model::{Declaration, Format, Formats, Usage, Version};

/// Who there is, by what its versions write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Writers {
    pub old_alone: bool,
    pub new_alone: bool,
    pub both: bool,
}

/// A version that uses neither format, between those that use the old one and those that use the new one.
pub(super) fn between_ranges(declaration: &Declaration) -> Option<(String, Version)> {
    for (service, usage) in &declaration.services {
        let touched: Vec<(Version, bool, bool)> = versions(usage)
            .into_iter()
            .map(|version| {
                let behaviours = usage.behaviours(&version);
                let touches = |format| behaviours.iter().any(|does| does.touches(format));
                let (old, new) = (touches(Format::Old), touches(Format::New));
                (version, old, new)
            })
            .collect();
        let last_old = touched.iter().rposition(|(_, old, _)| *old);
        let first_new = touched.iter().position(|(_, _, new)| *new);
        if let (Some(last), Some(first)) = (last_old, first_new) {
            let gap = touched.iter().take(first).skip(last + 1);
            let mut gap = gap.filter(|(_, old, new)| !old && !new);
            if let Some((version, ..)) = gap.next() {
                return Some((service.clone(), version.clone()));
            }
        }
    }
    None
}

/// A version of each kind that the ranges tell apart.
fn versions(usage: &Usage) -> BTreeSet<Version> {
    let mut versions = BTreeSet::from([Version::new(0, 0, 0), Version::new(9999, 0, 0)]);
    for bound in usage.bounds() {
        versions.insert(bound.next_patch());
        versions.insert(bound.release());
    }
    versions
}

impl Writers {
    pub fn of(declaration: &Declaration) -> Self {
        let mut writers = Self::default();
        let has_new = declaration.has_new();
        for usage in declaration.services.values() {
            for version in &versions(usage) {
                for behaviour in usage.behaviours(version) {
                    match behaviour.writes {
                        Formats::OLD => writers.old_alone = true,
                        Formats::NEW => writers.new_alone = true,
                        Formats::BOTH => writers.both = true,
                        // Where nothing is new, versions that no longer use the old one are the new ones.
                        _ => writers.new_alone |= !has_new && declaration.has_old(),
                    }
                }
            }
        }
        writers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Parts, Rows, Sync, Touched};

    fn declared(old: &str, new: &str) -> Declaration {
        let range = |text: &str| (!text.is_empty()).then(|| text.parse().unwrap());
        let touched = Touched {
            old: range(old),
            new: range(new),
        };
        let usage = Usage {
            reads: touched.clone(),
            writes: touched,
        };
        Declaration {
            id: "0001_x".parse().unwrap(),
            description: String::new(),
            services: [("web".to_owned(), usage)].into(),
            sync: Sync::None,
            rows: Rows::Mutable,
            parts: Parts::default(),
            fill: crate::model::Fill::Unsaid,
        }
    }

    #[test]
    fn who_writes_what_follows_from_the_ranges() {
        for (old, new, [old_alone, new_alone, both]) in [
            ("<1.2.0", ">=1.1.0", [true, true, true]),
            ("<1.2.0", ">=1.2.0", [true, true, false]),
            ("<1.2.0", "", [true, true, false]),
            ("", ">=1.2.0", [false, true, false]),
            ("*", ">=1.2.0", [true, false, true]),
        ] {
            let writers = Writers::of(&declared(old, new));
            let wanted = Writers {
                old_alone,
                new_alone,
                both,
            };
            assert_eq!(writers, wanted, "{old} {new}");
        }
    }

    #[test]
    fn a_gap_between_the_ranges_is_seen() {
        let gap =
            |old, new| between_ranges(&declared(old, new)).map(|(_, version)| version.to_string());
        assert_eq!(gap("<1.2.0", ">=1.3.0").as_deref(), Some("1.2.0"));
        assert_eq!(gap("<1.2.0", ">=1.2.0"), None);
        assert_eq!(gap("<1.2.0", ">=1.1.0"), None);
        assert_eq!(gap("<1.2.0", ""), None);
    }
}
