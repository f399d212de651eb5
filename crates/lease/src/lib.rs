//! The right of a process to use a database at its version.
//!
//! [`Lease`] is what an application is about. The modules are for Phasegate's own packages, and no promise.
//!
//! ```no_run
//! use phasegate_lease::{Lease, LeaseError};
//!
//! fn main() -> Result<(), LeaseError> {
//!     // Refused means that this version must not start now.
//!     let lease = Lease::builder("sqlite://shop.db", "web", env!("CARGO_PKG_VERSION")).acquire_blocking()?;
//!     while lease.is_valid() {
//!         // one unit of work
//! #       break;
//!     }
//!     Ok(())
//! }
//! ```

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

// Elsewhere the clock may stand still while the machine is suspended, and a holder would go on past its lease.
#[cfg(not(any(target_os = "linux", target_os = "macos")))]
compile_error!(
    "phasegate-lease ends its process in time by signals and knows its deadline by a clock that runs through suspend: it is built for \
     Linux and macOS. On other systems, run the application where `migrate agent` can, or call `migrate admit` before it starts"
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
/// ```
/// use phasegate_lease::Blocker;
///
/// fn log(blocker: &Blocker) {
///     eprintln!("{}: {}", blocker.kind().name(), blocker.message());
///     eprintln!("what to do: {}", blocker.help());
///     eprintln!("{} instances, such as {}", blocker.seen.instances, blocker.seen.examples.join(", "));
/// }
/// ```
#[doc(inline)]
pub use gate::Blocker;
/// ```
/// use phasegate_lease::{BlockerKind, Decision};
///
/// /// Whether the deployment came before its migration.
/// fn came_too_early(refused: &Decision) -> bool {
///     let mut kinds = refused.blockers.iter().map(|blocker| blocker.kind());
///     kinds.any(|kind| kind == BlockerKind::ExpandFirst)
/// }
/// ```
#[doc(inline)]
pub use gate::BlockerKind;
/// ```
/// use phasegate_lease::{Decision, LeaseError, Verdict};
///
/// /// Whether it is worth while to ask again, though nobody does anything.
/// fn passes(refused: &LeaseError) -> bool {
///     match refused {
///         LeaseError::Refused(decision) => decision.verdict == Verdict::Hold,
///         other => other.is_passing(),
///     }
/// }
/// ```
#[doc(inline)]
pub use gate::{Decision, Verdict};
/// ```
/// use phasegate_lease::{Lease, LeaseBuilder, LeaseConnection};
///
/// /// Where connections are scarce and a login is cheap, as through a pooler.
/// fn asked(url: &str) -> LeaseBuilder {
///     Lease::builder(url, "web", "1.2.0").connection(LeaseConnection::Short)
/// }
/// ```
#[doc(inline)]
pub use lease::LeaseConnection;
#[cfg(feature = "test")]
#[doc(inline)]
pub use lease::test;
#[cfg(feature = "tower")]
#[doc(inline)]
pub use lease::tower;
#[doc(inline)]
pub use lease::{
    AtLoss, Embedded, FailedRenewal, Lease, LeaseBuilder, LeaseError, LeaseState, Loss,
};
/// ```
/// use phasegate_lease::{Declaration, Lease, LeaseBuilder, LeaseError};
///
/// /// As `phasegate_build::read` writes them, wherever the application has them from.
/// fn asked(url: &str, declared: &str) -> Result<LeaseBuilder, serde_json::Error> {
///     let migrations: Vec<Declaration> = serde_json::from_str(declared)?;
///     Ok(Lease::builder(url, "web", "1.2.0").pending(migrations))
/// }
/// ```
#[doc(inline)]
pub use model::Declaration;
