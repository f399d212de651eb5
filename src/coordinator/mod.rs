//! Observe → decide → act → record, for one step of one migration at a time.
//!
//! Invariant: nothing here decides. What is safe is for [`crate::gate`] to say; this module brings
//! it the evidence, carries out what was allowed and records it.
//!
//! A [`Coordinator`] has a `Session` (the connection and the lease), which has `Orders` (project, target and options, which nothing
//! changes). Each step is a function over the session: `expand`, `backfill`, `contract` and `revert` share the way in (`way_in`), the
//! fence and the way out (`fence`), and what is asked again inside the transaction of the change (`recheck`). How a script is run is in
//! `run`, `in_one` and `one_by_one`. docs/protocol.md tells it from the outside.

mod as_applied;
mod as_it_is;
mod autocommit_failure;
mod backfill;
mod between_steps;
mod by_runner;
mod catalogue;
mod change;
mod column_rights;
mod connecting;
mod contract;
mod counters;
mod done_past;
mod drift;
mod error;
mod expand;
mod facts;
mod failed;
mod fence;
mod filling;
mod flaws;
mod foreseen;
mod forget;
mod gap;
mod grouped;
mod guard;
mod in_ledger;
mod in_one;
mod interrupted;
mod invalid_index;
mod lists;
mod lock;
mod looking;
mod needed;
mod new_database;
mod observe;
mod one;
mod one_by_one;
mod one_recorded;
mod orders;
mod outage;
mod own_statements;
mod past_gate;
mod past_return;
mod progress;
mod reading;
mod recent;
mod recheck;
mod rehearsed;
mod renewal;
mod repair;
mod resume;
mod revert;
mod rows_repaired;
mod run;
mod said;
mod same_script;
mod schemas_renamed;
mod script;
mod session;
mod settled;
mod situation;
mod steer;
mod sync;
mod take;
mod tally;
mod together;
mod traced;
mod unreached;
mod unworkable;
mod used;
mod uses;
mod way_in;
mod weighed;

use std::time::Duration;

pub use as_it_is::RecordedAsItIs;
pub use connecting::{Purpose, connect, connect_to_record};
pub use counters::{AtWork, Counted};
pub use done_past::{PastDone, PastGate};
pub use drift::{Changed, Drift, way_out};
pub(crate) use error::ASKS_SOMEBODY;
pub use error::{CoordinatorError, ScriptFailure};
pub use facts::{measure_if_clear, soak};
pub use flaws::flaws_on_paper;
pub use foreseen::look_at_needs;
pub use forget::{Admitted, Forgotten, Which, forget};
pub use lists::{Lists, Unrenewed};
pub use new_database::Part;
pub use observe::{
    is_nothing_yet, nothing_yet, observe, observe_with, record, record_deploy, survey,
    survey_enough,
};
pub use orders::Options;
pub use progress::{IndexFate, Progress};
pub use rehearsed::{Rehearsed, record_rehearsal};
pub use repair::{Recorded, Repaired, present};
pub use resume::Answer;
pub use rows_repaired::RowsRepaired;
pub use schemas_renamed::schemas_renamed;
pub use situation::Situation;
pub use steer::{BackfillRehearsal, rehearse_backfill, steer};
pub use take::Coordinator;
pub use used::remember_uses;
pub use uses::{Uses, uses};
pub use weighed::{Weighed, weighed};

use crate::gate::Decision;
use crate::model::{MigrationId, Step};

/// How a step ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out.
    Done(Done),
    /// There was nothing to do.
    Already {
        migration: MigrationId,
        step: Step,
        note: String,
    },
    /// It is not safe now; nothing was changed.
    Blocked(Decision),
}

/// What was carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Done {
    pub migration: MigrationId,
    pub step: Step,
    /// Statements run, or batches of a backfill.
    pub statements: u64,
    /// Rows changed by a backfill.
    pub rows: u64,
    /// Keys that a backfill went over.
    pub keys: u64,
    pub took: Duration,
    /// What whoever did it should know.
    pub notes: Vec<String>,
}
