//! Phasegate: schema migrations that know which application versions are live.

pub mod sql;
