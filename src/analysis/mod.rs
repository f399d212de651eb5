//! What is asked while a step of a rollout holds, and before the next one: each kind of measure is one file, with its settings,
//! how they are read, how it is asked, and its tests.
//!
//! A new kind is one new file and one row in [`KINDS`]. What a figure may be is decided in `limits`.

mod command;
#[cfg(feature = "http")]
mod http;
mod limits;
#[cfg(feature = "http")]
mod prometheus;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::interrupt::Interrupt;
use crate::row::Row;
pub use limits::Limits;

/// The kinds of measures that a project may name.
pub const KINDS: &[Kind] = &[
    command::KIND,
    #[cfg(feature = "http")]
    http::KIND,
    #[cfg(feature = "http")]
    prometheus::KIND,
];

/// A kind of measures.
pub struct Kind {
    /// What it is called in migrate.toml.
    pub kind: &'static str,
    /// Whether it always gives a figure: then it wants limits.
    pub has_figure: bool,
    /// Makes a measure as its row says; `None` where it cannot be made, which was said.
    pub read: fn(&mut dyn Row) -> Option<Arc<dyn Measure>>,
}

/// The keys of a row that say what its figure may be.
const LIMITS: [&str; 3] = ["max", "min", "max_increase"];

/// Whether a row wants a figure.
fn has_limits(row: &dyn Row) -> bool {
    LIMITS.iter().any(|key| row.has(key))
}

/// What a measure is asked with.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    pub service: &'a str,
    /// The version that comes.
    pub to: &'a str,
    /// Percent of the service that runs it.
    pub step: u8,
    /// The URL of the database, which nobody is given who has not asked for it.
    pub database_url: Option<&'a str>,
    pub interrupt: Interrupt,
}

/// Something that tells how a service does.
#[async_trait]
pub trait Measure: Debug + Send + Sync {
    /// The figure; `None` if all is well and there is none.
    ///
    /// # Errors
    /// That all is not well, or that it cannot be known.
    async fn measure(&self, asked: &Asked<'_>) -> Result<Option<f64>, Bad>;
}

/// Why a measure does not say that all is well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// It says that something is wrong.
    Wrong(String),
    /// It says nothing.
    Unknown(String),
}

/// Something that is asked while a step holds.
#[derive(Clone, Debug)]
pub struct Check {
    pub name: String,
    /// The service whose steps it is for; `None` for all of them.
    pub service: Option<String>,
    pub limits: Limits,
    pub measure: Arc<dyn Measure>,
}

/// What a check has shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub check: String,
    pub figure: Option<f64>,
    /// The figure before the step.
    pub before: Option<f64>,
    pub limits: Limits,
    /// Why the step does not hold.
    pub bad: Option<Bad>,
}

/// How often something that says nothing is asked again before that counts, and after how long.
const TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_secs(2);

impl Check {
    /// Asks once. What says nothing is asked a few times: a server that is restarted stops no rollout.
    pub async fn read(&self, asked: &Asked<'_>, before: Option<f64>) -> Reading {
        let mut answer = self.measure.measure(asked).await;
        for _ in 1..TRIES {
            if !matches!(answer, Err(Bad::Unknown(_))) || asked.interrupt.pause(BETWEEN_TRIES).await
            {
                break;
            }
            answer = self.measure.measure(asked).await;
        }
        let (figure, bad) = match answer {
            Ok(Some(figure)) => (Some(figure), self.limits.judge(figure, before).err()),
            Ok(None) => (None, None),
            Err(bad) => (None, Some(bad)),
        };
        Reading {
            check: self.name.clone(),
            figure,
            before,
            limits: self.limits,
            bad,
        }
    }

    /// Whether it is asked about the steps of this service.
    #[must_use]
    pub fn is_for(&self, service: &str) -> bool {
        self.service.as_deref().is_none_or(|only| only == service)
    }
}

impl Reading {
    /// In one line, for people: `errors 0.021 (at most 0.01; 0.001 before)`.
    #[must_use]
    pub fn in_words(&self) -> String {
        match (&self.bad, self.figure) {
            (Some(Bad::Unknown(why)), _) => format!("{} cannot be known: {why}", self.check),
            (Some(Bad::Wrong(why)), None) => format!("{} is not well: {why}", self.check),
            (_, Some(figure)) => {
                let limits = self.limits.in_words(self.before);
                format!("{} {figure}{limits}", self.check)
            }
            (None, None) => format!("{} is well", self.check),
        }
    }
}
