//! Leases that the tests hold themselves.

use phasegate::{AtLoss, Database, Lease, LeaseBuilder};

/// As `Lease::builder`, except that a test that fails while it holds its lease ends alone: a part of a process that panics has
/// lost its lease, which ends the process by default, and with it every other test.
pub fn of_test(
    database: impl Into<Database>,
    service: impl Into<String>,
    version: impl Into<String>,
) -> LeaseBuilder {
    Lease::builder(database, service, version).at_loss(AtLoss::Report)
}
