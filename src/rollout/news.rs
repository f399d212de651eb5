//! What happens during a rollout, for whoever shows it.

use std::time::Duration;

use super::arrival::Arrival;
use crate::analysis::Reading;
use crate::coordinator::{CoordinatorError, Done};
use crate::driver::Shift;
use crate::gate::Decision;
use crate::planner::PlanAction;

/// What happens during a rollout.
#[derive(Clone, Copy)]
pub enum News<'n> {
    /// A step begins. `number` counts from 1.
    Begins {
        number: usize,
        total: usize,
        step: &'n PlanAction,
    },
    /// The driver is called.
    Calls(Shift<'n>),
    /// The driver says how far it is.
    Tells(&'n str),
    /// Somebody else has to do this.
    Asks(&'n str),
    /// The gate does not allow it yet.
    Held(&'n Decision),
    /// The fleet does not show it yet.
    Comes(&'n Arrival),
    /// A step holds, and all is well; `left` is how long it still has to.
    Holds {
        /// Percent of the service that runs the new version.
        step: u8,
        left: Duration,
        readings: &'n [Reading],
    },
    /// The database or a source could not be asked.
    Unreachable(&'n CoordinatorError),
    /// A schema step was carried out.
    Carried(&'n Done),
    /// There was nothing to do for a step, for this reason.
    Already(&'n str),
    /// The fleet shows what a step was to bring about.
    Arrived(&'n Arrival),
}
