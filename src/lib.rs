//! Phasegate: schema migrations that know which application versions are live.
pub mod model;
pub mod project;
pub mod sql;
