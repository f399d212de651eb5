//! Something that was done past the gate, and how it is told.

pub use crate::model::PastDone;
use crate::model::{Live, MigrationId, Step};

/// Something that was done past the gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastGate {
    pub migration: MigrationId,
    /// The step that the revisions carry out.
    pub step: Step,
    pub done: PastDone,
    /// The kind of the tool.
    pub runner: &'static str,
    pub revisions: Vec<String>,
    /// When, as the tool's history says it; `None` if it does not.
    pub at: Option<String>,
    /// The live versions that meet a schema which they cannot use.
    pub hurts: Vec<Live>,
}

impl PastGate {
    /// Whether live versions may meet what they cannot use: it is more than something to be recorded.
    #[must_use]
    pub fn takes_away(&self) -> bool {
        self.done.is_as(self.step).is_some()
    }

    /// Whether the expand of this migration was taken back.
    #[must_use]
    pub fn is_undone_expand(&self, id: &MigrationId) -> bool {
        self.migration == *id && (self.step, self.done) == (Step::Expand, PastDone::TakenBack)
    }

    #[must_use]
    pub fn message(&self) -> String {
        let (names, id) = (self.revisions.join("`, `"), &self.migration);
        let many = if self.revisions.len() == 1 {
            "revision"
        } else {
            "revisions"
        };
        let was = if self.revisions.len() == 1 {
            "was"
        } else {
            "were"
        };
        let at = self
            .at
            .as_ref()
            .map_or_else(String::new, |at| format!(" at {at}"));
        let hurts: Vec<String> = self
            .hurts
            .iter()
            .map(|live| format!("{} {}", live.service, live.version))
            .collect();
        let hurts = hurts.join(", ");
        let (format, who) = match self.step {
            Step::Expand | Step::Backfill => ("new", "needs what is gone"),
            _ => ("old", "uses what is gone"),
        };
        let live = match self.hurts.as_slice() {
            [] => format!("no live version of the {format} format is known"),
            [_] => format!("{hurts} is live and {who}"),
            _ => format!("{hurts} are live, and each {who}"),
        };
        match (self.step, self.done) {
            (Step::Expand, PastDone::Applied) => format!(
                "{id}: the {many} `{names}` {was} applied outside of Phasegate{at}, by the history of {}; {id} is not recorded as expanded",
                self.runner
            ),
            (_, PastDone::Applied) => format!(
                "{id}: the {many} `{names}` {was} applied outside of Phasegate{at}, past its gate, by the history of {}: {live}",
                self.runner
            ),
            (_, PastDone::TakenBack) => format!(
                "{id}: the {many} `{names}` {was} applied, and the history of {} does not have it any more: {live}",
                self.runner
            ),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn help(&self) -> String {
        let id = &self.migration;
        match (self.step, self.done) {
            (Step::Expand, PastDone::Applied) => {
                format!("`migrate expand {id}` records it, and runs nothing again")
            }
            (_, PastDone::Applied) => format!(
                "start none of the old versions, and replace those that are live; then `migrate contract {id}` records it, and runs nothing again"
            ),
            (Step::Expand, PastDone::TakenBack) if self.hurts.is_empty() => format!(
                "either have {tool} apply it again, and until then start no version that needs it; or let it go: once {tool} has taken back all of \
                 {id}, `migrate revert {id}` records that and runs nothing, and `migrate expand {id}` has {tool} apply it again",
                tool = self.runner
            ),
            (_, PastDone::TakenBack) => format!(
                "have {} apply it again; until then the versions that need it may not start",
                self.runner
            ),
        }
    }
}
