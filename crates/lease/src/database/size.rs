//! How large tables are, and how long others have been at work: what a step costs those who use them.

use std::time::Duration;

/// About how much a table holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TableSize {
    /// `None` where nobody has counted yet.
    pub rows: Option<u64>,
    /// With its indexes. Of an embedded database, those of its file.
    pub bytes: u64,
}

/// The transaction that has been open the longest, among those of other clients that can be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenTransaction {
    pub open_for: Duration,
    /// The role, and what its session is called, if that is known.
    pub who: String,
    /// The session, as the server numbers it.
    pub session: i64,
}

/// What was asked about at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// As many as were asked about; `None` for a table that is not there.
    pub tables: Vec<Option<TableSize>>,
    /// `None` where there is none, where others cannot be seen, and where a database has no such thing.
    pub longest: Option<OpenTransaction>,
}

impl TableSize {
    /// A count that is 0 although there is something says that nobody has counted.
    pub(super) fn of(rows: i64, bytes: i64) -> Option<Self> {
        let bytes = u64::try_from(bytes).unwrap_or_default();
        let rows = u64::try_from(rows).unwrap_or_default();
        (bytes > 0 || rows > 0).then_some(Self {
            rows: (rows > 0).then_some(rows),
            bytes,
        })
    }
}

impl OpenTransaction {
    pub(super) fn of(open_for_ms: i64, user: &str, named: &str, session: i64) -> Option<Self> {
        let open_for = Duration::from_millis(u64::try_from(open_for_ms).ok()?);
        let who = match (user, named) {
            ("", "") => "a session".to_owned(),
            ("", named) => named.to_owned(),
            (user, "") => user.to_owned(),
            (user, named) => format!("{user} ({named})"),
        };
        Some(Self {
            open_for,
            who,
            session,
        })
    }
}
