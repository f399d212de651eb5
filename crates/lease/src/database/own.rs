//! The sessions of this process, where a session cannot be named so that others know whose it is.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

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
