//! Phasegate: schema migrations that know which application versions are live.
pub mod gate;
pub mod model;
pub mod database;
pub mod ledger;
pub mod sql;
