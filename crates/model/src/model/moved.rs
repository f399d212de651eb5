//! A ledger that came to another server: a replica was promoted, or a backup restored.

/// What was committed last on the server before may be missing, and leases with it. Their holders register anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// How old the last thing is that is recorded, in milliseconds; `None` if nothing is.
    pub last_ms_ago: Option<u64>,
    /// How long ago the first command came here that acts, in milliseconds; `None` if none has.
    pub noticed_ms_ago: Option<u64>,
}
