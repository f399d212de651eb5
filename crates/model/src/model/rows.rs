//! Row kinds: what may be stored in each format, and how writes change it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Behaviour, Formats};

/// Whether existing rows are ever updated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rows {
    #[default]
    Mutable,
    AppendOnly,
}

/// What one format of one row is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Freshness {
    Fresh,
    Stale,
    Absent,
}

impl Freshness {
    const ALL: [Self; 3] = [Self::Fresh, Self::Stale, Self::Absent];

    const fn letter(self) -> char {
        match self {
            Self::Fresh => 'F',
            Self::Stale => 'S',
            Self::Absent => 'A',
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Absent => "absent",
        }
    }
}

/// The worth of both formats of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowKind {
    pub old: Freshness,
    pub new: Freshness,
}

impl RowKind {
    /// A row from before the migration.
    pub const ORIGINAL: Self = Self {
        old: Freshness::Fresh,
        new: Freshness::Absent,
    };
    pub const BOTH_FRESH: Self = Self {
        old: Freshness::Fresh,
        new: Freshness::Fresh,
    };
    pub const NEW_STALE: Self = Self {
        old: Freshness::Fresh,
        new: Freshness::Stale,
    };
    pub const NEW_ONLY: Self = Self {
        old: Freshness::Absent,
        new: Freshness::Fresh,
    };

    fn inserted(written: Formats) -> Self {
        let fresh_if = |written| {
            if written {
                Freshness::Fresh
            } else {
                Freshness::Absent
            }
        };
        Self {
            old: fresh_if(written.old),
            new: fresh_if(written.new),
        }
    }

    fn updated(self, written: Formats) -> Self {
        let after = |written, before| match (written, before) {
            (true, _) => Freshness::Fresh,
            (false, Freshness::Fresh) => Freshness::Stale,
            (false, other) => other,
        };
        Self {
            old: after(written.old, self.old),
            new: after(written.new, self.new),
        }
    }

    /// The row after a backfill has filled its new format from its old one.
    #[must_use]
    pub const fn backfilled(self) -> Self {
        Self {
            old: self.old,
            new: Freshness::Fresh,
        }
    }

    fn index(self) -> u16 {
        let position = |freshness| match freshness {
            Freshness::Fresh => 0,
            Freshness::Stale => 1,
            Freshness::Absent => 2,
        };
        position(self.old) * 3 + position(self.new)
    }

    /// All nine kinds.
    pub fn all() -> impl Iterator<Item = Self> {
        Freshness::ALL
            .into_iter()
            .flat_map(|old| Freshness::ALL.into_iter().map(move |new| Self { old, new }))
    }

    /// The kind in words, for a message to a user.
    #[must_use]
    pub fn describe(self) -> String {
        format!("old {}, new {}", self.old.word(), self.new.word())
    }
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.old.letter(), self.new.letter())
    }
}

/// A set of row kinds: those that may exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RowKinds(u16);

impl RowKinds {
    pub const EMPTY: Self = Self(0);

    #[must_use]
    pub fn contains(self, kind: RowKind) -> bool {
        self.0 & 1 << kind.index() != 0
    }

    #[must_use]
    pub fn with(self, kind: RowKind) -> Self {
        Self(self.0 | 1 << kind.index())
    }

    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub const fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = RowKind> {
        RowKind::all().filter(move |kind| self.contains(*kind))
    }

    /// Whether every kind has a fresh new format.
    #[must_use]
    pub fn all_new_fresh(self) -> bool {
        self.iter().all(|kind| kind.new == Freshness::Fresh)
    }

    /// Whether every kind has a fresh old format.
    #[must_use]
    pub fn all_old_fresh(self) -> bool {
        self.iter().all(|kind| kind.old == Freshness::Fresh)
    }

    /// The kinds after a backfill has passed over every row.
    #[must_use]
    pub fn backfilled(self) -> Self {
        self.iter().map(RowKind::backfilled).collect()
    }

    /// Every kind that may exist once rows of these kinds are written in any order by writers
    /// that leave the given formats fresh.
    ///
    /// Invariant: the result contains `self` and is closed: applying it again changes nothing.
    #[must_use]
    pub fn closure(self, writes: impl IntoIterator<Item = Formats> + Clone, rows: Rows) -> Self {
        let mut kinds = self;
        loop {
            let mut next = kinds;
            for written in writes.clone() {
                if written.is_empty() {
                    continue;
                }
                next = next.with(RowKind::inserted(written));
                if rows == Rows::Mutable {
                    for kind in kinds.iter() {
                        next = next.with(kind.updated(written));
                    }
                }
            }
            if next == kinds {
                return kinds;
            }
            kinds = next;
        }
    }

    /// The kinds of the rows that one write leaves, by writers that leave the given formats fresh.
    pub(super) fn after_one_write(self, writes: &[Formats], rows: Rows) -> Self {
        let mut kinds = Self::EMPTY;
        for written in writes {
            kinds = kinds.with(RowKind::inserted(*written));
            if rows == Rows::Mutable {
                kinds = kinds.union(self.iter().map(|kind| kind.updated(*written)).collect());
            }
        }
        kinds
    }

    /// Every kind that rows of these kinds may come to be of by updates.
    pub(super) fn closed_under_updates(self, writes: &[Formats], rows: Rows) -> Self {
        if rows != Rows::Mutable {
            return self;
        }
        let mut kinds = self;
        loop {
            let updated = writes
                .iter()
                .flat_map(|written| kinds.iter().map(|kind| kind.updated(*written)));
            let next = kinds.union(updated.collect());
            if next == kinds {
                return kinds;
            }
            kinds = next;
        }
    }
}

impl FromIterator<RowKind> for RowKinds {
    fn from_iter<I: IntoIterator<Item = RowKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::EMPTY, Self::with)
    }
}

/// As stored in the ledger: two letters a kind, separated by spaces.
impl fmt::Display for RowKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, kind) in self.iter().enumerate() {
            let separator = if index > 0 { " " } else { "" };
            write!(f, "{separator}{kind}")?;
        }
        Ok(())
    }
}

/// A text that does not name row kinds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a set of row kinds")]
pub struct RowKindsError(pub String);

impl std::str::FromStr for RowKinds {
    type Err = RowKindsError;

    fn from_str(text: &str) -> Result<Self, RowKindsError> {
        text.split_whitespace()
            .map(|word| RowKind::all().find(|kind| kind.to_string() == word))
            .collect::<Option<Self>>()
            .ok_or_else(|| RowKindsError(text.chars().take(80).collect()))
    }
}

impl Behaviour {
    /// Whether it can read a row of this kind.
    ///
    /// A reader of both reads the new format, and the old one where the new one is missing.
    #[must_use]
    pub fn can_read(self, kind: RowKind) -> bool {
        match (self.reads.old, self.reads.new) {
            (false, false) => true,
            (true, false) => kind.old == Freshness::Fresh,
            (false, true) => kind.new == Freshness::Fresh,
            (true, true) => {
                kind.new == Freshness::Fresh
                    || kind.new == Freshness::Absent && kind.old == Freshness::Fresh
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds(text: &str) -> RowKinds {
        text.parse().unwrap()
    }

    #[test]
    fn closure_under_writes() {
        use Rows::{AppendOnly, Mutable};
        for (start, writes, rows, expected) in [
            ("FA", vec![Formats::OLD], Mutable, "FA"),
            ("FA", vec![Formats::BOTH], Mutable, "FF FA"),
            ("FA", vec![Formats::OLD, Formats::BOTH], Mutable, "FF FS FA"),
            ("FA", vec![Formats::OLD, Formats::BOTH], AppendOnly, "FF FA"),
            ("FF", vec![Formats::NEW], Mutable, "FF SF AF"),
            ("FF", vec![Formats::NEW], AppendOnly, "FF AF"),
            ("FF", vec![Formats::OLD], Mutable, "FF FS FA"),
            ("", vec![Formats::NEW], Mutable, "AF"),
            ("", vec![], Mutable, ""),
            ("FA", vec![Formats::NONE], Mutable, "FA"),
            (
                "FA",
                vec![Formats::OLD, Formats::NEW],
                Mutable,
                "FS FA SF AF",
            ),
        ] {
            assert_eq!(
                kinds(start).closure(writes.clone(), rows),
                kinds(expected),
                "{start} {writes:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn closure_is_closed_and_stored_text_reads_back(bits in 0u16..512, old: bool, new: bool) {
            let start = RowKinds(bits);
            let writes = [Formats { old, new }, Formats::OLD];
            let closed = start.closure(writes, Rows::Mutable);
            prop_assert!(start.is_subset_of(closed));
            prop_assert_eq!(closed.closure(writes, Rows::Mutable), closed);
            prop_assert_eq!(closed.to_string().parse::<RowKinds>().unwrap(), closed);
        }
    }

    #[test]
    fn readability() {
        let read = |reads, kinds: &str| {
            let behaviour = Behaviour {
                reads,
                writes: Formats::NONE,
            };
            kinds
                .parse::<RowKinds>()
                .unwrap()
                .iter()
                .all(|kind| behaviour.can_read(kind))
        };
        assert!(read(Formats::OLD, "FA FF FS"));
        assert!(!read(Formats::OLD, "SF"));
        assert!(!read(Formats::OLD, "AF"));
        assert!(read(Formats::NEW, "FF SF AF"));
        assert!(!read(Formats::NEW, "FA"));
        assert!(read(Formats::BOTH, "FA FF SF AF"));
        // A reader of both prefers the new format, and it is stale.
        assert!(!read(Formats::BOTH, "FS"));
        assert!(!read(Formats::BOTH, "SA"));
        assert!(read(Formats::NONE, "SA SS AA"));
    }
}
