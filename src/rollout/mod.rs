//! Rollouts: a plan carried out, step by step, with whatever replaces the instances.
//!
//! The steps are fixed when a rollout begins and recorded before and after each is taken, under
//! the coordinator's token. So it can stop at any moment, by itself or by force, and go on from
//! there on any machine.
//!
//! Invariant: nothing here decides. Each step is asked of the gate again when its turn comes, and
//! a rollout that is not allowed to go on stops where every live version can live.

mod action;
mod arrival;
mod back;
mod bake;
mod error;
mod halt;
mod news;
mod run;
mod step;
mod unwell;

pub use action::{as_json, read as read_action};
pub use arrival::{Arrival, Missing, in_words};
pub use back::{ordered, told_last};
pub use error::RolloutError;
pub use news::News;
pub use run::{Ending, Rollout, Settings};
pub use unwell::Unwell;
