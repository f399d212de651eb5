//! What each phase does, refuses and leaves behind, through the command.

mod backfill;
mod chained;
mod contract;
mod edited;
mod expand;
mod kinds;
mod order;
mod repaired;
mod revert;
mod status;
mod together;
