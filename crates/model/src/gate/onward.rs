//! Where a migration goes on that cannot go back.

use crate::model::Declaration;

/// What comes after the phase that a migration is in, for whoever cannot go back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward {
    Contract,
    /// It has none.
    Nothing,
}

impl Onward {
    pub(super) fn of(declaration: &Declaration) -> Self {
        if declaration.parts.contract {
            Self::Contract
        } else {
            Self::Nothing
        }
    }
}
