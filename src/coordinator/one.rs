//! StatementRun statement of a script that runs without a transaction around it.

use super::recheck::Recheck;
use super::script::Run;
use crate::ledger::StepState;
use crate::sql::{ObjectKind, Statement, Verb};

/// StatementRun statement, and how far it is.
pub(super) struct StatementRun<'o, 'r> {
    pub run: &'o Run<'r>,
    pub index: usize,
    pub statement: &'o Statement,
    pub state: Option<StepState>,
    pub expanded: Expanded,
    pub recheck: Option<&'o (dyn Recheck + Sync)>,
}

/// How far the expand has come that a revert undoes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expanded {
    /// Also where it is no revert that runs.
    Whole,
    /// It stopped on the way: some of what it makes was never there.
    InPart,
}

/// The index that it builds while others write, if it does.
pub(super) fn builds_index(statement: &Statement) -> Option<&crate::sql::Object> {
    statement.object.as_ref().filter(|object| {
        object.kind == ObjectKind::Index && object.verb == Verb::Create && object.concurrently
    })
}
