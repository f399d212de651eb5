//! The command line itself.

mod exit_codes;
mod output;
mod scaffold;
mod snapshots;
mod terminal;
mod usage;
