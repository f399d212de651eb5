//! What a question is about, and whether its look is written down.

/// A version of a service, as somebody calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub service: String,
    pub label: String,
}

/// Whether what a look has shown is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Record {
    #[default]
    Nothing,
    /// Whom the sources show, and what was let through.
    Look,
}
