//! The integration tests: one binary, so that the crate and its dependencies are linked once and every test shares one
//! throwaway PostgreSQL server.

#[macro_use]
mod support;

mod architecture;
mod crash;
mod example;
mod harness;
mod lease;
