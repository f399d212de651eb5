//! What an instance does: it registers before it touches data, renews, and stops itself in time.
//!
//! Two promises hold the model together. An instance that runs has a lease that the database
//! counts, so no phase change overlooks it; and an instance whose lease may have run out is dead.
//! The second one is kept by the holder alone, on its own clock: see [`Deadline`] and [`Tenure`].

mod admission;
#[cfg(feature = "agent")]
pub mod agent;
mod blocking;
mod builder;
#[cfg(feature = "agent")]
mod child;
mod clock;
mod credentials;
mod deadline;
mod door;
mod embedded;
mod error;
#[cfg(feature = "agent")]
mod guard;
mod held;
mod keeper;
mod known;
mod loss;
mod measures;
mod names;
mod past;
mod patience;
#[cfg(feature = "agent")]
mod rest;
mod schedule;
mod session_name;
#[cfg(feature = "agent")]
mod status;
mod stopper;
mod tenure;
#[cfg(feature = "test")]
pub mod test;
#[cfg(feature = "tower")]
pub mod tower;
pub mod under_agent;
mod validity;

pub use crate::model::LeaseConnection;
pub use admission::{
    Admission, AdmissionRequest, admit, admit_unless, admit_within, evidence, give_back,
};
pub use builder::LeaseBuilder;
pub use clock::Moment;
pub use credentials::password_of_environment;
pub use deadline::{Deadline, Terms};
pub use door::Door;
pub use embedded::Embedded;
pub use error::LeaseError;
pub use held::{Lease, LeaseState};
pub use keeper::{Ended, Keeper, KeeperHandle};
pub use known::{Asked, Known};
pub use loss::AtLoss;
pub use past::History;
pub use session_name::session_name;
pub use tenure::{FailedRenewal, Held, Loss, Tenure};
