//! What the server is asked to work out before anything is made.

/// One thing that has to be possible, in statements that change nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// What is worked out, for whoever has to mend it.
    pub what: String,
    /// It cannot be done where each of these fails.
    pub queries: Vec<String>,
}

impl Trial {
    pub(super) fn of(what: String, query: String) -> Self {
        Self {
            what,
            queries: vec![query],
        }
    }
}
