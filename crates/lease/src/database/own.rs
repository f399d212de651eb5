//! How our own sessions are known: by their name, or by their number where a session cannot be named so that others know whose it is.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// How this tool calls itself among the sessions. What the URL or the environment says comes after it: an application may
/// have the same URL, and is not this tool.
pub(super) const APPLICATION_NAME: &str = "phasegate";

static OPEN: Mutex<BTreeSet<i64>> = Mutex::new(BTreeSet::new());

/// One session of this process, as long as it is kept.
#[derive(Debug)]
pub(super) struct OwnSession(i64);

impl OwnSession {
    pub(super) fn new(id: i64) -> Self {
        OPEN.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id);
        Self(id)
    }
}

impl Drop for OwnSession {
    fn drop(&mut self) {
        OPEN.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.0);
    }
}

/// Whether this process has opened the session with this number.
pub(super) fn is_own_session(id: i64) -> bool {
    OPEN.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .contains(&id)
}
