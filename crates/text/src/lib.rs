//! Text that goes out: what others wrote is shown as data, and secrets are not shown at all.
//!
//! A leaf that every module may use, and pure but for one thing: the secrets that this process has met.

pub mod image;
pub mod near;
pub mod secret;
pub mod shown;
