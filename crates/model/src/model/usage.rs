//! What the versions of each service do with the formats of a migration.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Behaviour, Formats, Range, Reading, Version};

/// The versions that use the old and the new format in one way; `None` is no version at all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Touched {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Range>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Range>,
}

impl Touched {
    pub(super) fn formats(&self, version: &Version, reading: Reading) -> Formats {
        let within = |range: &Option<Range>| {
            range
                .as_ref()
                .is_some_and(|range| range.contains(version, reading))
        };
        Formats {
            old: within(&self.old),
            new: within(&self.new),
        }
    }

    fn ranges(&self) -> impl Iterator<Item = &Range> {
        self.old.iter().chain(&self.new)
    }
}

/// How the versions of one service use the formats of one migration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Usage {
    pub reads: Touched,
    pub writes: Touched,
}

impl Usage {
    /// What `version` does, under the given reading of pre-releases.
    #[must_use]
    pub fn behaviour(&self, version: &Version, reading: Reading) -> Behaviour {
        Behaviour {
            reads: self.reads.formats(version, reading),
            writes: self.writes.formats(version, reading),
        }
    }

    /// What `version` may do: one behaviour, or several where a pre-release is ambiguous or a build has no tag of its own.
    #[must_use]
    pub fn behaviours(&self, version: &Version) -> Vec<Behaviour> {
        let tag = version.tag();
        let named = tag.as_ref().unwrap_or(version);
        let first = self.behaviour(named, Reading::Precedence);
        let mut all = vec![first];
        // A release is read in one way.
        if named.is_prerelease() {
            let second = self.behaviour(named, Reading::Release);
            if first != second {
                all.push(second);
            }
        }
        if tag.is_some() {
            // Its code is that of the tag, or already that of any release to come: nobody can tell by its name.
            let to_come = stretches(self.bounds().cloned().collect()).into_iter();
            for later in to_come.filter(|later| later > version) {
                let behaviour = self.behaviour(&later, Reading::Precedence);
                if !all.contains(&behaviour) {
                    all.push(behaviour);
                }
            }
        }
        all
    }

    /// One version from each stretch on which this, and the other one, behaves the same.
    #[must_use]
    pub fn representatives(&self, other: Option<&Self>) -> Vec<Version> {
        let others = other.into_iter().flat_map(Self::bounds);
        stretches(self.bounds().chain(others).cloned().collect())
    }

    /// Whether versions before this one write the old format, and it does so no longer, by any reading.
    #[must_use]
    pub fn has_ceased_to_write_old(&self, version: &Version) -> bool {
        let writes = |version: &Version| {
            let behaviours = self.behaviours(version);
            behaviours.iter().all(|one| one.writes.old)
        };
        let mut earlier = self.representatives(None).into_iter();
        self.writes.old.is_some()
            && !writes(version)
            && earlier.any(|other| other < *version && writes(&other))
    }

    /// Every version named by a bound.
    pub fn bounds(&self) -> impl Iterator<Item = &Version> {
        self.reads
            .ranges()
            .chain(self.writes.ranges())
            .flat_map(Range::bounds)
    }
}

/// What each service does with the formats of a migration.
///
/// A copy shares what it is a copy of: a plan asks about every migration in thousands of states, which differ in all but this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usages(Arc<BTreeMap<String, Usage>>);

impl Usages {
    pub fn insert(&mut self, service: String, usage: Usage) {
        Arc::make_mut(&mut self.0).insert(service, usage);
    }

    pub fn get_mut(&mut self, service: &str) -> Option<&mut Usage> {
        Arc::make_mut(&mut self.0).get_mut(service)
    }
}

impl Deref for Usages {
    type Target = BTreeMap<String, Usage>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl From<BTreeMap<String, Usage>> for Usages {
    fn from(services: BTreeMap<String, Usage>) -> Self {
        Self(Arc::new(services))
    }
}

impl<const N: usize> From<[(String, Usage); N]> for Usages {
    fn from(services: [(String, Usage); N]) -> Self {
        services.into_iter().collect()
    }
}

impl FromIterator<(String, Usage)> for Usages {
    fn from_iter<I: IntoIterator<Item = (String, Usage)>>(services: I) -> Self {
        Self::from(services.into_iter().collect::<BTreeMap<_, _>>())
    }
}

impl<'a> IntoIterator for &'a Usages {
    type Item = (&'a String, &'a Usage);
    type IntoIter = std::collections::btree_map::Iter<'a, String, Usage>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl Serialize for Usages {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_ref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Usages {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::deserialize(deserializer).map(Self::from)
    }
}

/// One version from each stretch of the version line that the bounds cut, in order.
pub(super) fn stretches(mut bounds: Vec<Version>) -> Vec<Version> {
    bounds.push(Version::new(0, 0, 0));
    bounds.sort();
    bounds.dedup();
    let mut versions = Vec::new();
    for (index, bound) in bounds.iter().enumerate() {
        versions.push(bound.clone());
        let between = if bound.is_prerelease() {
            bound.release()
        } else {
            bound.next_patch()
        };
        if bounds.get(index + 1).is_none_or(|next| between < *next) {
            versions.push(between);
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_is_changed_leaves_the_other_as_it_was() {
        let one = Usages::from([("web".to_owned(), Usage::default())]);
        let mut other = one.clone();
        assert!(Arc::ptr_eq(&one.0, &other.0));
        other.insert("worker".to_owned(), Usage::default());
        assert_eq!((one.len(), other.len()), (1, 2));
        assert!(other.get_mut("worker").is_some());
    }
}
