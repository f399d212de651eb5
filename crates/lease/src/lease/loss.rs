//! What happens to a process whose lease is lost.

use std::fmt;
use std::sync::Arc;

use super::tenure::Loss;

/// What is done to a process when its lease is lost.
///
/// ```
/// use phasegate_lease::{AtLoss, Lease, LeaseBuilder};
///
/// /// Of a process that ends its work by itself, and in time.
/// fn that_only_reports(url: &str) -> LeaseBuilder {
///     Lease::builder(url, "web", "1.2.0").at_loss(AtLoss::Report)
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtLoss {
    /// SIGTERM, and SIGKILL before the database lets the lease end.
    #[default]
    Terminate,
    /// Nothing but a line on standard error: the process asks [`Lease::is_valid`](super::Lease::is_valid) or waits for
    /// [`Lease::lost`](super::Lease::lost), and stops using the database by itself. Whether it does, and in time, nobody sees to.
    Report,
}

/// The same, and what only its holder knows.
#[derive(Clone, Default)]
pub(super) enum OnLoss {
    #[default]
    Terminate,
    Call(Arc<dyn Fn(&Loss) + Send + Sync>),
    Report,
}

impl fmt::Debug for OnLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "Terminate",
            Self::Call(_) => "Call",
            Self::Report => "Report",
        })
    }
}
