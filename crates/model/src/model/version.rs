//! Application versions: lenient where that is safe, and never guessed.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::untagged::{self, Untagged};

/// An application version, ordered by the precedence of Semantic Versioning 2.0.0.
///
/// Build metadata is kept for display and has no part in order or equality: `1.2.0+a` and
/// `1.2.0+b` are the same version to every rule.
///
/// A build of commits after a tag, such as `1.2.0-14-gabc1234`, comes after its tag and before every other release: see
/// [`Version::tag`].
#[derive(Clone, Debug)]
pub struct Version {
    /// The version itself, or the tag that it was built after.
    tag: semver::Version,
    /// What came after the tag; `None` for the tag itself.
    since: Option<Box<Untagged>>,
}

impl Version {
    #[must_use]
    pub fn new(major: u64, minor: u64, patch: u64) -> Self {
        Self {
            tag: semver::Version::new(major, minor, patch),
            since: None,
        }
    }

    /// Whether this is a pre-release such as `1.2.0-rc.1`.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        !self.tag.pre.is_empty()
    }

    /// Whether the version carries build metadata (`+…`), which has no precedence.
    #[must_use]
    pub fn has_build(&self) -> bool {
        !self.tag.build.is_empty()
    }

    /// The tag after which this was built, if it has none of its own: `1.2.0` for `1.2.0-14-gabc1234`.
    ///
    /// Which of the releases after that tag its code is already like, nobody can tell by the name.
    #[must_use]
    pub fn tag(&self) -> Option<Self> {
        self.since.as_ref()?;
        Some(Self {
            tag: self.tag.clone(),
            since: None,
        })
    }

    /// The release that this version is, or leads up to: `1.2.0` for `1.2.0-rc.1`.
    #[must_use]
    pub fn release(&self) -> Self {
        Self::new(self.tag.major, self.tag.minor, self.tag.patch)
    }

    /// Major, minor and patch.
    #[must_use]
    pub const fn numbers(&self) -> [u64; 3] {
        [self.tag.major, self.tag.minor, self.tag.patch]
    }

    /// The next patch release, the smallest release after this one.
    #[must_use]
    pub fn next_patch(&self) -> Self {
        Self::new(
            self.tag.major,
            self.tag.minor,
            self.tag.patch.saturating_add(1),
        )
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_tag = self.tag.cmp_precedence(&other.tag);
        by_tag.then_with(|| self.since.cmp(&other.since))
    }
}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.tag.major, self.tag.minor, self.tag.patch).hash(state);
        self.tag.pre.as_str().hash(state);
        self.since.hash(state);
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.since {
            None => f.pad(&self.tag.to_string()),
            Some(since) => f.pad(&since.name),
        }
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a text could not be placed among the versions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a version that can be placed: {reason}")]
pub struct VersionError {
    pub text: String,
    pub reason: String,
}

impl FromStr for Version {
    type Err = VersionError;

    /// Reads a version: `1.2.0`, `v1.2`, `2024.05.01`, `1.2.0-rc.1+build`; or a build after one, as `git describe` and what
    /// rests on it write it: `v1.2.0-14-gabc1234`.
    ///
    /// # Errors
    /// Anything whose place among the versions would have to be guessed.
    fn from_str(text: &str) -> Result<Self, VersionError> {
        parse(text).map_err(|reason| VersionError {
            text: text.chars().take(80).collect(),
            reason,
        })
    }
}

fn parse(text: &str) -> Result<Version, String> {
    let trimmed = text.trim();
    let (prefixed, bare) = match trimmed.strip_prefix(['v', 'V']) {
        Some(rest) => (true, rest),
        None => (false, trimmed),
    };
    if bare.is_empty() {
        return Err("it is empty".into());
    }
    let core_end = bare.find(['-', '+']).unwrap_or(bare.len());
    let (core, suffix) = bare.split_at(core_end);
    let mut numbers = Vec::with_capacity(3);
    for part in core.split('.') {
        if part.is_empty() || !part.bytes().all(|b| b.is_ascii_digit()) {
            return Err("its parts are not numbers".into());
        }
        numbers.push(
            part.parse::<u64>()
                .map_err(|_| "one of its numbers is too large".to_owned())?,
        );
    }
    match numbers.len() {
        // A short commit id can consist of digits alone, and so does a date: neither may be
        // taken for a huge major version.
        1 if !prefixed && core.len() >= 7 => {
            return Err("a bare number this long may be a commit id or a date; \
                 write it as MAJOR.MINOR.PATCH or name it under [services.NAME.aliases]"
                .into());
        }
        // `2024-05-01` would become a pre-release of 2024.0.0.
        1 if !suffix.is_empty() => {
            return Err(
                "a single number cannot carry a suffix; write MAJOR.MINOR.PATCH before it".into(),
            );
        }
        1..=3 => {}
        _ => return Err("it has more than three numbers".into()),
    }
    numbers.resize(3, 0);
    let core = [numbers[0], numbers[1], numbers[2]];
    if suffix.is_empty() {
        // As most are, and there is nothing more in it to read.
        return Ok(Version::new(core[0], core[1], core[2]));
    }
    let built = untagged::read(core, suffix)?;
    let (exact, since) = match &built {
        None => (untagged::written(core, suffix), None),
        Some(built) => (built.tag.clone(), built.since.clone().map(Box::new)),
    };
    let tag = semver::Version::parse(&exact).map_err(|error| error.to_string())?;
    Ok(Version { tag, since })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lenient_where_it_is_safe() {
        for (text, expected) in [
            ("1.2.3", "1.2.3"),
            ("v1.2", "1.2.0"),
            ("V7", "7.0.0"),
            ("1042", "1042.0.0"),
            ("2024.05.01", "2024.5.1"),
            (" 1.2.0-rc.1 ", "1.2.0-rc.1"),
            ("1.2-rc.1+b7", "1.2.0-rc.1+b7"),
            ("v20240501", "20240501.0.0"),
        ] {
            assert_eq!(text.parse::<Version>().unwrap().to_string(), expected);
        }
    }

    #[test]
    fn never_guesses() {
        for text in [
            "",
            "v",
            "latest",
            "1.2.3.4",
            "1234567",
            "20240501",
            "2024-05-01",
            "a1b2c3d",
            "1..2",
            "1.2.0-01",
            "99999999999999999999.0.0",
            "v1.2.0-3-gdeadbee-mine",
            "1.2.0+untagged.3.gdeadbee",
            "1.2.0-post.3+gdeadbee",
            "1.2.0+3.gdeadbee.linux",
            "1.2.0-rc.1.3.gdeadbee",
            "1.2.1.dev3+gdeadbee",
            "0+untagged.3.gdeadbee",
            "١.٢.٣",
        ] {
            assert!(text.parse::<Version>().is_err(), "{text}");
        }
    }

    #[test]
    fn order_is_semver_precedence() {
        let sorted = [
            "1.0.0-alpha",
            "1.0.0-alpha.1",
            "1.0.0-alpha.beta",
            "1.0.0-beta",
            "1.0.0-beta.2",
            "1.0.0-beta.11",
            "1.0.0-rc.1",
            "1.0.0",
            "1.0.1-0",
            "1.0.1",
        ]
        .map(|text| text.parse::<Version>().unwrap());
        assert!(sorted.is_sorted());
        assert_eq!(
            "1.0.0+a".parse::<Version>().unwrap(),
            "1.0.0+b".parse::<Version>().unwrap()
        );
    }

    #[test]
    fn a_build_after_a_tag_lies_between_it_and_the_next_release() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        for (text, tag, name) in [
            ("1.2.0+14-gabc1234", "1.2.0", "1.2.0-14-gabc1234"),
            ("1.2.0-14.gabc1234", "1.2.0", "1.2.0-14-gabc1234"),
            (
                "1.2.0+14.gabc1234-dirty",
                "1.2.0",
                "1.2.0-14-gabc1234-dirty",
            ),
            (
                "1.2.0-14-gabc1234.dirty",
                "1.2.0",
                "1.2.0-14-gabc1234-dirty",
            ),
            (
                "1.2.0+14.gabc1234.d20240501",
                "1.2.0",
                "1.2.0-14-gabc1234-dirty",
            ),
            ("1.2.0-rc.1.dirty", "1.2.0-rc.1", "1.2.0-rc.1-dirty"),
            ("1.2.0+b7.dirty", "1.2.0", "1.2.0-dirty"),
            ("v1.2.0-14-gabc1234", "1.2.0", "1.2.0-14-gabc1234"),
            ("1.2-14-gabc1234", "1.2.0", "1.2.0-14-gabc1234"),
            ("1.2.0+14.gabc1234", "1.2.0", "1.2.0-14-gabc1234"),
            (
                "v1.2.0-14-gabc1234-dirty",
                "1.2.0",
                "1.2.0-14-gabc1234-dirty",
            ),
            (
                "1.2.0+14.gabc1234.dirty",
                "1.2.0",
                "1.2.0-14-gabc1234-dirty",
            ),
            ("1.2.0-dirty", "1.2.0", "1.2.0-dirty"),
            ("1.2.0-broken", "1.2.0", "1.2.0-dirty"),
            ("1.2.0+dirty", "1.2.0", "1.2.0-dirty"),
            ("1.2.0+0.gabc1234.dirty", "1.2.0", "1.2.0-0-gabc1234-dirty"),
            (
                "1.3.0-rc.1-2-gabc1234",
                "1.3.0-rc.1",
                "1.3.0-rc.1-2-gabc1234",
            ),
            (
                "1.3.0-rc.1+2.gabc1234",
                "1.3.0-rc.1",
                "1.3.0-rc.1-2-gabc1234",
            ),
            (
                "v1.2.1-0.20191109021931-daa7c04131f5",
                "1.2.0",
                "1.2.1-0.20191109021931-daa7c04131f5",
            ),
            (
                "v1.2.1-0.20191109021931-daa7c04131f5+dirty",
                "1.2.0",
                "1.2.1-0.20191109021931-daa7c04131f5+dirty",
            ),
            (
                "v1.3.0-rc.1.0.20191109021931-daa7c04131f5",
                "1.3.0-rc.1",
                "1.3.0-rc.1.0.20191109021931-daa7c04131f5",
            ),
            (
                "v2.0.0-20191109021931-daa7c04131f5",
                "0.0.0",
                "2.0.0-20191109021931-daa7c04131f5",
            ),
        ] {
            let built = version(text);
            assert_eq!(built.tag(), Some(version(tag)), "{text}");
            assert_eq!(built.to_string(), name);
            assert_eq!(version(name), built, "{text}");
            assert!(
                built > version(tag) && built < version(tag).next_patch(),
                "{text}"
            );
        }
        // The tag itself, whatever says so.
        for (text, tag) in [
            ("v1.2.0-0-gabc1234", "1.2.0"),
            ("1.2.0+0.gabc1234", "1.2.0"),
            ("1.2.0+gabc1234", "1.2.0"),
            ("1.3.0-rc.1-0-gabc1234", "1.3.0-rc.1"),
        ] {
            assert_eq!(version(text), version(tag));
            assert_eq!(version(text).tag(), None, "{text}");
            assert_eq!(version(&version(text).to_string()), version(tag));
        }
        let sorted = [
            "1.2.0-rc.1",
            "1.2.0-rc.1-1-gabc1234",
            "1.2.0",
            "1.2.0-dirty",
            "1.2.0-2-gabc1234",
            "1.2.0-2-gabc1235",
            "1.2.0-14-g0001234",
            "1.2.1-0.20191109021931-daa7c04131f5",
            "1.2.1-0",
            "1.2.1",
        ]
        .map(version);
        assert!(sorted.is_sorted_by(|a, b| a < b));
    }

    proptest! {
        #[test]
        fn what_git_describe_prints_is_read_as_printed(
            text in "[0-9]{1,2}\\.[0-9]\\.[0-9](-rc\\.[0-9])?-[0-9]{1,3}-g[0-9a-f]{7}(-dirty)?"
        ) {
            let version: Version = text.parse().unwrap();
            prop_assert_eq!(&version.to_string().parse::<Version>().unwrap(), &version);
        }

        #[test]
        fn any_text_is_handled(text in ".{0,40}") {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(version.to_string().parse::<Version>().unwrap(), version);
            }
        }

        #[test]
        fn printing_and_parsing_is_the_identity(
            text in "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}(-[a-z]{1,4}(\\.[1-9][0-9]{0,2})?)?"
        ) {
            if let Ok(version) = text.parse::<Version>() {
                prop_assert_eq!(&version.to_string().parse::<Version>().unwrap(), &version);
            }
        }
    }
}
