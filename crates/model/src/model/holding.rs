//! How an instance holds what it has.

/// What an instance does with its connection to the database between two renewals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaseConnection {
    /// It is kept: one connection an instance, and a login only where that one is lost.
    #[default]
    Kept,
    /// It is closed: a login for each renewal.
    Short,
}
