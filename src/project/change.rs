//! `[change]` in `migration.toml`, what follows from it for the declaration, and whether the scripts still follow.

mod follow;
mod given;
mod ground;
mod read;
mod replaced;
mod seal;
mod split;
mod standing;
mod writing;

pub(super) use follow::follow;
pub use ground::Ground;
pub(super) use read::{Declared, read};
pub(super) use seal::are_of_one;
pub(super) use standing::{allowed, check, generated};
pub use writing::{DeclaredChange, Rewriting};
