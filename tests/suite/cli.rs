//! The command line itself.

mod scaffold;
mod snapshots;
mod usage;
