//! Sources of live instances beside the leases: each is one file, with its settings, how they are read, how it is asked,
//! and its tests.
//!
//! A new source is one new file and one row in [`KINDS`]. What all sources say together is put together in `fleet`.

mod command;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod pattern;
#[cfg(feature = "http")]
mod prometheus;
mod sessions;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use command::read_lines;
#[cfg(feature = "kubernetes")]
pub use kubernetes::{ALL as ALL_NAMESPACES, NAME_LABEL, Pods, Rule};
pub use pattern::Pattern;

use crate::database::Session;
use crate::interrupt::Interrupt;
use crate::model::{About, InstanceState};
use crate::row::Row;

/// The kinds of sources that a project may name.
pub const KINDS: &[Kind] = &[
    command::KIND,
    #[cfg(feature = "http")]
    http::KIND,
    #[cfg(feature = "kubernetes")]
    kubernetes::KIND,
    #[cfg(feature = "http")]
    prometheus::KIND,
    sessions::KIND,
];

/// A kind of sources.
pub struct Kind {
    /// What it is called in migrate.toml.
    pub kind: &'static str,
    /// Makes a source as its row says; `None` where it cannot be made, which was said.
    pub read: fn(&mut dyn Row) -> Option<Named>,
    /// What to do where two rows make sources of one name.
    pub twice: &'static str,
}

/// A source, and what it is called in reports.
#[derive(Clone, Debug)]
pub struct Named {
    pub name: String,
    pub source: Arc<dyn Source>,
}

/// One instance, as a source names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    pub service: String,
    pub instance: String,
    /// As the source calls it. Which version that is, is for all sources found out in one way.
    pub label: String,
    pub state: InstanceState,
    /// The image that it runs, where the source says that.
    pub image: Option<String>,
    /// What it was made from calls the version, where the source says that: a label of its own may have been changed since.
    pub template: Option<String>,
    /// How old the source's knowledge of it is, in milliseconds.
    pub age_ms: u64,
    /// What else the source tells of it.
    pub about: Option<About>,
}

/// What every database can keep of a name, in characters.
const LONGEST_NAME: usize = 255;

/// Instances of one source: far more than any fleet has.
const MOST_INSTANCES: usize = 100_000;

/// What a source said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Observation {
    pub instances: Vec<Instance>,
    /// What a reader should know about the answer.
    pub notes: Vec<String>,
}

/// Why a source could not say anything that can be relied on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SourceFailure(pub String);

/// What a source may have to know of the project when it is asked.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// Whether the project has a service of this name.
    pub is_service: &'a (dyn Fn(&str) -> bool + Sync),
    /// The sessions of the database, for a source that reads their names; or why there is no list of them.
    pub sessions: Result<&'a [Session], &'a str>,
    /// The URL of the database, which nobody is given who has not asked for it.
    pub database_url: Option<&'a str>,
    /// Whoever waits for an answer gives up when this is due.
    pub interrupt: Interrupt,
}

impl Asked<'_> {
    /// What `look` comes to, unless nobody waits for it any more.
    async fn unless_interrupted(
        &self,
        look: impl Future<Output = Result<Observation, SourceFailure>>,
    ) -> Result<Observation, SourceFailure> {
        tokio::select! {
            observation = look => observation,
            () = self.interrupt.due() => Err(SourceFailure("was not waited for: interrupted".to_owned())),
        }
    }
}

/// Somewhere live instances are learnt from. It lives as long as the project that names it, is asked together with the others,
/// and may be asked again before it has answered.
#[async_trait]
pub trait Source: Debug + Send + Sync {
    /// Lists every live instance that the source knows of.
    ///
    /// # Errors
    /// Whatever makes the list incomplete or doubtful: then there is no list.
    async fn observe(&self, asked: &Asked<'_>) -> Result<Observation, SourceFailure>;

    /// How long it may take. It sees to that itself, and is given up a moment later if it does not.
    fn timeout(&self) -> Duration;

    /// How old what it says about an instance may be, in milliseconds.
    fn max_age_ms(&self) -> u64 {
        u64::MAX
    }

    /// Whether it tells all there is of this service: what it does not list is not there.
    fn covers(&self, _service: &str) -> bool {
        true
    }

    /// Whether what it calls serving has been tried: then no other source knows better.
    fn tells_readiness(&self) -> bool {
        false
    }

    /// How it reads pods, if that is what it does.
    #[cfg(feature = "kubernetes")]
    fn reading_of_pods(&self) -> Option<&Pods> {
        None
    }

    /// How it reads the names of database sessions, if that is what it does.
    fn session_names(&self) -> Option<&Pattern> {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::KINDS;

    #[test]
    fn each_kind_has_a_name_of_its_own() {
        let names: BTreeSet<&str> = KINDS.iter().map(|kind| kind.kind).collect();
        assert_eq!(names.len(), KINDS.len());
        // It is read together with the ledger, and no source is asked for it.
        assert!(!names.contains("leases"));
    }
}
