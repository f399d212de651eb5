//! The integration tests: one binary, so that the crate and its dependencies are linked once and every test shares one
//! throwaway PostgreSQL server.

#[macro_use]
mod support;

mod apart;
mod architecture;
mod asked;
mod attacker;
mod backfill;
mod change;
mod cli;
mod completed;
mod conformance;
mod crash;
mod documents;
mod door;
mod errors;
mod evidence;
mod example;
mod faults;
mod fleet;
mod forget;
mod fuzz;
mod gate;
mod grants;
mod harness;
mod history;
mod http;
mod interrupts;
mod kinds;
mod kubernetes;
mod lease;
mod light;
mod log;
mod mariadb;
mod ordered;
mod outage;
mod outward;
mod phases;
mod plan;
mod pooler;
mod prepare;
mod protocol;
mod races;
mod rehearse;
mod rolling;
mod rollout;
mod rules;
mod runners;
mod serve;
mod sessions;
mod speed;
mod transactions;
mod tried;
mod unaccounted;
mod whatever_the_files;
