//! How our own sessions are known, also to other processes: each holds a lock that is named after its number, and nobody but
//! the holder of a number can hold it under that number. It needs no right, and is gone with the session.

/// What the lock of a session is called, for an expression of its number.
fn lock(id: &str) -> String {
    format!("CONCAT('phasegate:', {id})")
}

/// An expression that takes the lock of the session that evaluates it. Clusters refuse it.
pub(super) fn mark() -> String {
    format!("GET_LOCK({}, 0)", lock("CONNECTION_ID()"))
}

/// An expression for whether the session of this number is of this program.
pub(super) fn is_marked(id: &str) -> String {
    format!("coalesce(IS_USED_LOCK({}) = {id}, 0)", lock(id))
}

/// Whether others can see that a session is ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Marked {
    Yes,
    No,
}
