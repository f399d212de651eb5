//! Answers to questions, without acting: for the command line and for whoever else asks.
//!
//! An [`Asker`] is asked many times, over one connection as long as that is good; [`ask`] asks once. Neither knows of
//! arguments, a terminal or the end of a process: what could not be answered is an [`AskError`], or an answer that says
//! *unknown*. `docs/protocol.md` tells what an answer rests on.

mod asker;
mod details;
mod error;
mod fleet;
mod horizon;
pub mod json;
mod log;
mod looked;
mod looking;
mod moment;
mod past_gate;
mod place;
mod plan_json;
mod planned;
mod planning;
mod question;
mod remarks;
mod rollout;
mod startable;
mod status;
mod surveying;
mod trouble;
mod wanted;
mod weighed;
pub mod words;

pub use asker::{Asker, NO_FILE, find_among, tells_something};
pub use details::details;
pub use error::AskError;
pub use fleet::{about, touched};
pub use horizon::range;
pub use json::by_service;
pub use log::{Events, length, moment};
pub use looked::Looked;
pub use place::{candidate, placed};
pub use planned::{Goal, Planned, RefusedStep, Start, Until};
pub use planning::plan_on_paper;
pub use question::{Answer, Log, Question};
pub use rollout::{arrival_json, as_json as rollout_json, waits_for};
pub use startable::{Startable, Unlisted, startable};
pub use status::{Next, Status, in_the_way, which_asks};
pub use trouble::{Trouble, under_way, way_out};
pub use wanted::{Record, Wanted};

use std::time::Duration;

use crate::database::Target;
use crate::interrupt::Interrupt;
use crate::project::Project;

/// Answers one question, over a connection of its own.
///
/// # Errors
/// What keeps the question from being understood, or from being answered at all. A database that cannot be reached is no
/// error: the answer is that nothing is known.
pub async fn ask(
    project: &Project,
    target: &Target,
    question: &Question,
    interrupt: Interrupt,
) -> Result<Answer, AskError> {
    let mut asker = Asker::new(target.clone(), interrupt, Duration::ZERO);
    asker.ask(project, question).await
}
