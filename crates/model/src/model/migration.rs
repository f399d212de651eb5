//! What a migration declares: which versions of which service use which format.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::usage::stretches;
use super::{Behaviour, Rows, Sync, Usage, Usages, Version};

/// The name of a migration's directory, `NNNN_name`; ordered by its number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MigrationId {
    number: u64,
    text: String,
}

impl MigrationId {
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a user who typed `wanted` means this migration: `2`, `0002` or the whole name.
    #[must_use]
    pub fn is_meant_by(&self, wanted: &str) -> bool {
        wanted == self.text || wanted.parse() == Ok(self.number)
    }
}

/// Why a directory's name is not a migration's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not named like a migration: a number, `_` and a name, for example `0002_split_name`"
)]
pub struct IdError(pub String);

impl FromStr for MigrationId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = || IdError(text.chars().take(80).collect());
        let (digits, name) = text.split_once('_').ok_or_else(error)?;
        let readable = !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit())
            && !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || c == '_' || c == '-');
        if !readable {
            return Err(error());
        }
        Ok(Self {
            number: digits.parse().map_err(|_| error())?,
            text: text.to_owned(),
        })
    }
}

impl Ord for MigrationId {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.number, &self.text).cmp(&(other.number, &other.text))
    }
}

impl PartialOrd for MigrationId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for MigrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl Serialize for MigrationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for MigrationId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Which phases a migration has something to do in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Parts {
    pub expand: bool,
    pub backfill: bool,
    pub contract: bool,
    pub revert: bool,
}

/// What the author says of the statement that fills the new format.
///
/// It belongs to the file as it is now, not to what was applied, so the ledger does not keep it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fill {
    /// Not known here: the files that say it are elsewhere.
    #[default]
    Unrecorded,
    /// Nothing: then it may be taken to fill in only what is missing.
    Unsaid,
    /// Nothing, but a query over every row finds whatever it has left wrong.
    Checked,
    /// It overwrites a new format that is there already.
    Overwrites,
}

/// A migration as the model sees it. The ledger stores it, because old instances do not have the
/// files of new migrations. Its fields are for Phasegate's own packages, and no promise: others have it from what
/// `phasegate-build` writes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    #[doc(hidden)]
    pub id: MigrationId,
    #[doc(hidden)]
    pub description: String,
    /// A service that is not named does not touch the migration.
    #[doc(hidden)]
    pub services: Usages,
    #[doc(hidden)]
    pub sync: Sync,
    #[doc(hidden)]
    pub rows: Rows,
    #[doc(hidden)]
    pub parts: Parts,
    #[serde(skip)]
    #[doc(hidden)]
    pub fill: Fill,
}

impl Declaration {
    /// What `version` of `service` may do with the formats of this migration.
    #[must_use]
    pub fn behaviours(&self, service: &str, version: &Version) -> Vec<Behaviour> {
        self.services.get(service).map_or_else(
            || vec![Behaviour::default()],
            |usage| usage.behaviours(version),
        )
    }

    /// Whether any version uses the old format.
    #[must_use]
    pub fn has_old(&self) -> bool {
        self.services
            .values()
            .any(|usage| usage.reads.old.is_some() || usage.writes.old.is_some())
    }

    /// Whether any version uses the new format.
    #[must_use]
    pub fn has_new(&self) -> bool {
        self.services
            .values()
            .any(|usage| usage.reads.new.is_some() || usage.writes.new.is_some())
    }

    /// One version from each stretch of the version line on which `service` behaves the same,
    /// in order. Pre-releases between them are left out.
    #[must_use]
    pub fn representatives<'a>(
        service: &str,
        declarations: impl IntoIterator<Item = &'a Self>,
    ) -> Vec<Version> {
        let bounds = declarations
            .into_iter()
            .filter_map(|declaration| declaration.services.get(service))
            .flat_map(Usage::bounds);
        stretches(bounds.cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let id: MigrationId = "0002_split_full_name".parse().unwrap();
        assert_eq!(id.number(), 2);
        for wanted in ["2", "0002", "02", "0002_split_full_name"] {
            assert!(id.is_meant_by(wanted), "{wanted}");
        }
        for wanted in ["", "20", "split_full_name", "0002_split"] {
            assert!(!id.is_meant_by(wanted), "{wanted}");
        }
        for text in [
            "",
            "0002",
            "_x",
            "x_y",
            "0002_",
            "0002_a b",
            "0002_../x",
            "99999999999999999999_x",
        ] {
            assert!(text.parse::<MigrationId>().is_err(), "{text}");
        }
        assert!("2_b".parse::<MigrationId>().unwrap() < "0010_a".parse().unwrap());
    }

    #[test]
    fn an_ambiguous_prerelease_may_behave_in_two_ways() {
        let usage: Usage = serde_json::from_str(
            r#"{"reads":{"old":"<1.2.0","new":">=1.1.0"},"writes":{"old":"<1.2.0","new":">=1.1.0"}}"#,
        )
        .unwrap();
        assert_eq!(usage.behaviours(&Version::new(1, 1, 0)).len(), 1);
        assert_eq!(usage.behaviours(&"1.2.0-rc.1".parse().unwrap()).len(), 2);
        assert_eq!(usage.behaviours(&"1.1.5-rc.1".parse().unwrap()).len(), 1);
    }

    #[test]
    fn a_build_without_a_tag_may_be_any_release_after_its_tag() {
        let usage: Usage = serde_json::from_str(
            r#"{"reads":{"old":"<1.2.0","new":">=1.1.0, <3.0.0"},"writes":{"old":"<=1.1.0","new":">=1.2.0, <3.0.0"}}"#,
        )
        .unwrap();
        let of = |text: &str| usage.behaviours(&text.parse().unwrap());
        let releases = ["1.0.0", "1.1.0", "1.1.1", "1.2.0", "3.0.0"].map(|release| of(release)[0]);
        assert_eq!(of("1.0.0-14-gabc1234"), releases);
        assert_eq!(of("1.1.0-1-gabc1234"), releases[1..]);
        assert_eq!(of("1.1.0-dirty"), releases[1..]);
        assert_eq!(of("1.1.0-0-gabc1234"), releases[1..2]);
        assert_eq!(of("2.0.0-14-gabc1234"), releases[3..]);
        assert_eq!(of("3.0.0-14-gabc1234"), releases[4..]);
        assert_eq!(of("1.2.0-rc.1-14-gabc1234").len(), 3);
        assert_eq!(of("v0.0.0-20191109021931-daa7c04131f5"), releases);
    }

    #[test]
    fn representatives_cover_every_stretch() {
        let declaration: Declaration = serde_json::from_str(
            r#"{"id":"1_a","description":"","sync":"none","rows":"mutable",
                "services":{"web":{"reads":{"old":"<1.2.0","new":">=1.1.9"},"writes":{}}},
                "parts":{"expand":true,"backfill":false,"contract":true,"revert":false}}"#,
        )
        .unwrap();
        let versions: Vec<String> = Declaration::representatives("web", [&declaration])
            .iter()
            .map(Version::to_string)
            .collect();
        assert_eq!(
            versions,
            ["0.0.0", "0.0.1", "1.1.9", "1.1.10", "1.2.0", "1.2.1"]
        );
    }
}
