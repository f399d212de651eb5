//! Phases that another migration tool carries out, with the real tools. `sh tests/run.sh` installs them.

mod adopt;
mod changed;
mod elsewhere;
mod examples;
mod filled;
mod half;
mod liquibase;
mod matrix;
mod node;
mod others;
mod prisma;
mod projects;
mod rails;
mod steps;
mod trouble;
mod undone;
