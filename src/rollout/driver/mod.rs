//! What replaces the instances of a service. A new driver is one new file, and one row here.

mod command;
mod manual;

use async_trait::async_trait;

use crate::interrupt::Interrupt;
use crate::model::Version;
use crate::project::{DriverConfig, Project};

/// One thing asked of a driver: that so much of a service runs a version.
///
/// It may be asked again after a crash in the middle, so a driver has to bear that.
#[derive(Clone, Copy, Debug)]
pub struct Shift<'a> {
    pub service: &'a str,
    /// What ran when the step was planned; empty where nothing of the service did.
    pub from: &'a [Version],
    pub to: &'a Version,
    /// Percent of the service that is to run `to`: 100 means that all other versions go.
    pub step: u8,
}

/// Why a driver did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriverFailure {
    #[error("{0}")]
    Failed(String),
    #[error("interrupted while the driver was at work; it was stopped")]
    Interrupted,
}

/// Replaces the instances of a service.
#[async_trait]
pub(super) trait Driver: Send {
    /// How far each call goes, in percent; rising, and 100 at the end.
    fn steps(&self) -> &[u8];

    /// Does it, or has it done; that the fleet shows it is for others to see.
    async fn shift(&mut self, shift: &Shift<'_>, interrupt: Interrupt)
    -> Result<(), DriverFailure>;

    /// What somebody has to do by hand, where this driver does nothing itself.
    fn instruction(&self, _shift: &Shift<'_>) -> Option<String> {
        None
    }
}

/// The driver that `project` names for a service.
pub(super) fn driver(project: &Project, service: &str) -> Box<dyn Driver> {
    match project.config.driver(service) {
        DriverConfig::Manual => Box::new(manual::Manual),
        DriverConfig::Command {
            run,
            timeout,
            steps,
            env,
        } => Box::new(command::Command::new(project, run, *timeout, steps, env)),
    }
}
