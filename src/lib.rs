//! Phasegate: schema migrations that know which application versions are live.

pub mod backfill;
#[doc(hidden)]
pub mod cli;
pub mod coordinator;
mod crash;
pub mod database;
pub mod fleet;
pub mod gate;
pub mod lease;
pub mod ledger;
pub mod model;
pub mod planner;
pub mod project;
pub mod sql;

pub use lease::{Lease, LeaseBuilder, LeaseError};
