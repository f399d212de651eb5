//! The right of a process to use a database at its version.
//!
//! [`Lease`] is what an application is about. The modules are for Phasegate's own packages, and no promise.

#[doc(hidden)]
pub mod crash;
#[doc(hidden)]
pub mod database;
#[doc(hidden)]
pub mod interrupt;
#[doc(hidden)]
pub mod lease;
#[doc(hidden)]
pub mod ledger;
#[doc(hidden)]
pub mod process;

use phasegate_model::{gate, model};
use phasegate_sql as sql;
use phasegate_text as text;

pub use lease::{Lease, LeaseBuilder, LeaseError};
