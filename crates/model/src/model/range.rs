//! Ranges of versions, decided by total precedence, with pre-releases included.
//!
//! `semver::VersionReq` leaves pre-releases out of most ranges, so it cannot answer whether a
//! live `1.2.0-rc.1` touches a format; this type can.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Version;

/// How a pre-release is held against a bound that names its release.
///
/// `1.2.0-rc.1` comes before `1.2.0`, yet it usually already contains the code of `1.2.0`: against
/// the bound `<1.2.0` both are sensible, so both have to be safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reading {
    /// By its precedence: before its release.
    Precedence,
    /// As the release that it leads up to.
    Release,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Operator {
    Less,
    LessEqual,
    Equal,
    GreaterEqual,
    Greater,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Bound {
    operator: Operator,
    version: Version,
}

/// A set of versions such as `<1.2.0`, `>=1.1, <2` or `<1.0 || >=3.0`, or `*` for all.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Range {
    /// A version is in the range when it satisfies every bound of one alternative.
    alternatives: Vec<Vec<Bound>>,
}

impl Range {
    /// Every version: `*`.
    #[must_use]
    pub fn all() -> Self {
        Self {
            alternatives: vec![Vec::new()],
        }
    }

    /// Whether `version` lies in the range under the given reading.
    #[must_use]
    pub fn contains(&self, version: &Version, reading: Reading) -> bool {
        self.alternatives
            .iter()
            .any(|bounds| bounds.iter().all(|bound| bound.admits(version, reading)))
    }

    /// The versions named in the range, in the order written.
    pub fn bounds(&self) -> impl Iterator<Item = &Version> {
        self.alternatives
            .iter()
            .flatten()
            .map(|bound| &bound.version)
    }
}

impl Bound {
    fn admits(&self, version: &Version, reading: Reading) -> bool {
        // A bound that itself names a pre-release says exactly where the line is.
        let order = if reading == Reading::Release && !self.version.is_prerelease() {
            version.release().cmp(&self.version)
        } else {
            version.cmp(&self.version)
        };
        match self.operator {
            Operator::Less => order.is_lt(),
            Operator::LessEqual => order.is_le(),
            Operator::Equal => order.is_eq(),
            Operator::GreaterEqual => order.is_ge(),
            Operator::Greater => order.is_gt(),
        }
    }
}

impl Operator {
    const fn text(self) -> &'static str {
        match self {
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Equal => "=",
            Self::GreaterEqual => ">=",
            Self::Greater => ">",
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, bounds) in self.alternatives.iter().enumerate() {
            if index > 0 {
                f.write_str(" || ")?;
            }
            if bounds.is_empty() {
                f.write_str("*")?;
            }
            for (index, bound) in bounds.iter().enumerate() {
                let separator = if index > 0 { ", " } else { "" };
                write!(f, "{separator}{}{}", bound.operator.text(), bound.version)?;
            }
        }
        Ok(())
    }
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Range {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a range could not be read, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a range of versions: {reason}")]
pub struct RangeError {
    pub text: String,
    pub reason: String,
}

impl FromStr for Range {
    type Err = RangeError;

    /// Reads a range: comparisons joined by `,` (and) and `||` (or), or `*`.
    ///
    /// # Errors
    /// An unreadable comparison, or one whose meaning would have to be guessed (`1.2`, `^1.2`,
    /// `<=1.2`).
    fn from_str(text: &str) -> Result<Self, RangeError> {
        let alternatives = text
            .split("||")
            .map(alternative)
            .collect::<Result<_, _>>()
            .map_err(|reason| RangeError {
                text: text.chars().take(80).collect(),
                reason,
            })?;
        Ok(Self { alternatives })
    }
}

fn alternative(text: &str) -> Result<Vec<Bound>, String> {
    match text.trim() {
        "" => Err("a comparison is missing; write for example `<1.2.0`, or `*` for all".into()),
        "*" => Ok(Vec::new()),
        bounds => bounds.split(',').map(|part| bound(part.trim())).collect(),
    }
}

fn bound(text: &str) -> Result<Bound, String> {
    // Two-character operators first: `<` is a prefix of `<=`.
    const OPERATORS: [Operator; 5] = [
        Operator::LessEqual,
        Operator::GreaterEqual,
        Operator::Less,
        Operator::Greater,
        Operator::Equal,
    ];
    let Some((operator, rest)) = OPERATORS
        .into_iter()
        .find_map(|op| Some((op, text.strip_prefix(op.text())?.trim())))
    else {
        let hint = text.trim_start_matches(['^', '~', '!']);
        return Err(if hint.parse::<Version>().is_ok() {
            format!(
                "`{text}` leaves its limits to be guessed; write `={hint}`, `>={hint}` or `<{hint}`"
            )
        } else {
            format!("`{text}` has no comparison; write for example `<1.2.0` or `>=1.1.0`")
        });
    };
    let version: Version = rest
        .parse()
        .map_err(|error: super::VersionError| error.to_string())?;
    let parts = rest.split(['-', '+']).next().unwrap_or_default();
    let partial = parts.split('.').count() < 3;
    if partial && !matches!(operator, Operator::Less | Operator::GreaterEqual) {
        return Err(format!(
            "`{text}` could mean {version} or every {rest}.x; write all three numbers"
        ));
    }
    if let Some(tag) = version.tag() {
        return Err(format!(
            "`{text}` names a build that has no tag of its own; write the release after {tag} that contains its change"
        ));
    }
    if version.has_build() {
        return Err(format!(
            "`{text}` has build metadata, which has no order; leave out the part after `+`"
        ));
    }
    Ok(Bound { operator, version })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn readings(range: &str, version: &str) -> (bool, bool) {
        let range: Range = range.parse().unwrap();
        let version = version.parse().unwrap();
        (
            range.contains(&version, Reading::Precedence),
            range.contains(&version, Reading::Release),
        )
    }

    #[test]
    fn membership() {
        for (range, version, expected) in [
            ("<1.2.0", "1.1.9", (true, true)),
            ("<1.2.0", "1.2.0", (false, false)),
            ("<1.2", "1.1.9", (true, true)),
            ("*", "0.0.0-alpha", (true, true)),
            (">=1.1.0, <2", "1.5.0", (true, true)),
            (">=1.1.0, <2", "2.0.0", (false, false)),
            ("<1.0.0 || >=3.0.0", "2.0.0", (false, false)),
            ("<1.0.0 || >=3.0.0", "3.0.0", (true, true)),
            ("=1.2.0", "1.2.0+build", (true, true)),
            // A pre-release of the bound's own version is ambiguous …
            ("<1.2.0", "1.2.0-rc.1", (true, false)),
            (">=1.2.0", "1.2.0-rc.1", (false, true)),
            // … and of another version is not.
            ("<1.2.0", "1.1.0-rc.1", (true, true)),
            (">=1.1.0", "1.2.0-rc.1", (true, true)),
            // A bound with a pre-release says where the line is.
            ("<1.2.0-0", "1.2.0-rc.1", (false, false)),
            ("<1.2.0-rc.2", "1.2.0-rc.1", (true, true)),
            ("<1.2.0-rc.2", "1.2.0-rc.2", (false, false)),
        ] {
            assert_eq!(readings(range, version), expected, "{version} in {range}");
        }
    }

    #[test]
    fn ambiguous_or_broken_ranges_are_refused() {
        for (range, remedy) in [
            ("", "`<1.2.0`"),
            ("1.2.0", "`=1.2.0`"),
            ("^1.2", "`>=1.2`"),
            ("~1.2.0", "`<1.2.0`"),
            ("<=1.2", "all three numbers"),
            (">1.2", "all three numbers"),
            ("=1.2", "all three numbers"),
            ("<1.2.0+b", "leave out"),
            ("<1.2.0-14-gabc1234", "the release after 1.2.0"),
            ("<1.2.0+dirty", "the release after 1.2.0"),
            ("<", "empty"),
            ("<1.0.0,", "no comparison"),
            ("<1.0.0 ||", "missing"),
            ("< one", "not numbers"),
        ] {
            let error = range.parse::<Range>().unwrap_err().to_string();
            assert!(error.contains(remedy), "{range}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_handled(text in ".{0,40}") {
            if let Ok(range) = text.parse::<Range>() {
                prop_assert_eq!(range.to_string().parse::<Range>().unwrap(), range);
            }
        }

        #[test]
        fn printing_and_parsing_is_the_identity(
            text in "(<|>=|<=|=|>)[0-9]{1,2}\\.[0-9]\\.[0-9](, (<|>=)[0-9]\\.[0-9]\\.[0-9]-rc\\.[0-9])?( \\|\\| \\*)?"
        ) {
            let range: Range = text.parse().unwrap();
            prop_assert_eq!(range.to_string().parse::<Range>().unwrap(), range);
        }
    }
}
