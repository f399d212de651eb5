//! The command line itself.

mod output;
mod scaffold;
mod snapshots;
mod usage;
