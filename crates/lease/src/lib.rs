//! The right of a process to use a database at its version.
//!
//! [`Lease`] is what an application is about. The modules are for Phasegate's own packages, and no promise.

#![cfg_attr(
    not(all(
        feature = "agent",
        feature = "coordinator",
        feature = "mysql",
        feature = "postgres",
        feature = "sqlite"
    )),
    allow(
        dead_code,
        unused_imports,
        reason = "what databases have in common, one of them may not need"
    )
)]

#[cfg(not(unix))]
compile_error!(
    "phasegate-lease ends its process in time by signals and knows its deadline by a clock that runs through suspend: it is built for \
     Linux and macOS. On Windows, run the application where `migrate agent` can, or call `migrate admit` before it starts"
);

#[cfg(not(any(feature = "mysql", feature = "postgres", feature = "sqlite")))]
compile_error!(
    "which database? Name one of the features `postgres`, `mysql` and `sqlite` of phasegate-lease, or of phasegate"
);

mod chance;
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

#[doc(inline)]
pub use database::{Database, PasswordSource};
#[doc(inline)]
pub use gate::{Blocker, BlockerKind, Decision, Verdict};
#[cfg(feature = "test")]
#[doc(inline)]
pub use lease::test;
#[cfg(feature = "tower")]
#[doc(inline)]
pub use lease::tower;
#[doc(inline)]
pub use lease::{
    AtLoss, Embedded, FailedRenewal, Lease, LeaseBuilder, LeaseConnection, LeaseError, LeaseState,
    Loss,
};
#[doc(inline)]
pub use model::Declaration;
