//! What an instance does, and what its project says about it.
//!
//! The lease itself is a package of its own ([`phasegate_lease`]), which reads no files: an application that does not name its project
//! builds none of what is here.

mod credentials;
mod history;
mod of_project;

pub use credentials::with_credentials;
pub use history::history_of;
pub use of_project::LeaseBuilderExt;
pub use phasegate_lease::lease::*;
