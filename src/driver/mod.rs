//! What replaces the instances of a service: each driver is one file, with its settings, how they are read, what it does, and
//! its tests.
//!
//! A new driver is one new file and one row in [`KINDS`].

mod command;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod manual;
mod steps;

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;

use crate::interrupt::Interrupt;
use crate::model::Version;
use crate::row::Row;

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

/// How far a call came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shifted {
    /// As far as was asked.
    Done,
    /// What it rolls waits by itself before that, and goes on once a call says that this was watched.
    Holds(Hold),
}

/// A place where something waits to be told to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// About how many percent of the service are of the new version there.
    pub step: u8,
    /// Which place that is, for the driver.
    pub at: String,
}

/// Why a driver did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DriverFailure {
    #[error("{0}")]
    Failed(String),
    #[error("interrupted while the driver was at work; it was stopped")]
    Interrupted,
}

/// What a driver is called with.
#[derive(Clone, Copy)]
pub struct Called<'a> {
    /// The project's directory.
    pub root: &'a Path,
    /// The URL of the database, which nobody is given who has not asked for it.
    pub database_url: Option<&'a str>,
    /// What stops it.
    pub interrupt: Interrupt,
    /// Where it held before, and nobody minds that it goes on.
    pub watched: Option<&'a Hold>,
    /// Where it says how far it is, in a few words.
    pub progress: &'a (dyn Fn(&str) + Send + Sync),
}

/// Replaces the instances of a service. It lives as long as the project that names it.
#[async_trait]
pub trait Driver: Debug + Send + Sync {
    /// How far each call goes, in percent; rising, and 100 at the end.
    fn steps(&self) -> &[u8];

    /// Does it, or has it done; that the fleet shows it is for others to see. Where it holds, checks and the gate are asked before it
    /// is called again.
    ///
    /// # Errors
    /// Why it was not done.
    async fn shift(&self, shift: &Shift<'_>, called: &Called<'_>)
    -> Result<Shifted, DriverFailure>;

    /// Whether an earlier call has begun something for the service that the last one has to end, whatever the fleet shows.
    async fn is_unfinished(&self, _service: &str) -> bool {
        false
    }

    /// What somebody has to do by hand, where this driver does nothing itself.
    fn instruction(&self, _shift: &Shift<'_>) -> Option<String> {
        None
    }
}

/// The kinds of drivers that a project may name.
pub const KINDS: &[Kind] = &[
    command::KIND,
    #[cfg(feature = "kubernetes")]
    kubernetes::KIND,
    manual::KIND,
];

/// A kind of drivers.
pub struct Kind {
    /// What it is called in migrate.toml.
    pub kind: &'static str,
    /// Makes a driver as its row says; `None` where it cannot be made, which was said.
    pub read: fn(&mut dyn Row) -> Option<Arc<dyn Driver>>,
}

/// What stands where no driver is named.
#[must_use]
pub fn usual() -> Arc<dyn Driver> {
    Arc::new(manual::Manual)
}
