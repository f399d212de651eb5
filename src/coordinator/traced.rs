//! What a trace says of the steps that a coordinator takes.

use super::{CoordinatorError, Outcome};
use crate::gate::{Action, Decision};
use crate::model::MigrationId;
use crate::span::{End, ended};
use tracing::Span;

/// How a step of one migration, or of several at once, has ended.
pub(super) fn tell(span: &Span, asked: &MigrationId, taken: Result<&[Outcome], &CoordinatorError>) {
    if span.is_disabled() {
        return;
    }
    let outcomes = match taken {
        Ok(outcomes) => outcomes,
        Err(error) => {
            span.record("phasegate.migration", asked.as_str());
            ended(span, End::Failed(kind(error)));
            return;
        }
    };
    let names = outcomes.iter().filter_map(of).map(MigrationId::as_str);
    let names: Vec<&str> = names.collect();
    span.record("phasegate.migration", names.join(", "));
    let done = outcomes.iter().filter_map(|one| match one {
        Outcome::Done(done) => Some(done),
        Outcome::Already { .. } | Outcome::Blocked(_) => None,
    });
    let (statements, rows) = done.fold((0_u64, 0_u64), |(statements, rows), one| {
        (
            statements.saturating_add(one.statements),
            rows.saturating_add(one.rows),
        )
    });
    span.record("phasegate.statements", statements);
    span.record("phasegate.rows", rows);
    let blocked = outcomes.iter().find_map(|one| match one {
        Outcome::Blocked(decision) => Some(decision),
        Outcome::Done(_) | Outcome::Already { .. } => None,
    });
    match blocked {
        Some(decision) => {
            span.record("phasegate.blockers", blockers(decision));
            ended(span, End::Verdict(decision.verdict.name()));
        }
        None => ended(span, End::Verdict("go")),
    }
}

fn of(outcome: &Outcome) -> Option<&MigrationId> {
    match outcome {
        Outcome::Done(done) => Some(&done.migration),
        Outcome::Already { migration, .. } => Some(migration),
        Outcome::Blocked(decision) => match &decision.action {
            Action::Step { migration, .. } => Some(migration),
            Action::Deploy(_) => None,
        },
    }
}

/// The kinds of what is in the way, each once.
fn blockers(decision: &Decision) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for blocker in &decision.blockers {
        let kind = blocker.kind().name();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds.join(", ")
}

/// What kind of error it is. Its words may hold what is in the rows.
fn kind(error: &CoordinatorError) -> &'static str {
    match error {
        CoordinatorError::Database(_) => "database",
        CoordinatorError::Ledger(_) => "ledger",
        CoordinatorError::Held(_) => "held",
        CoordinatorError::Script(_) => "statement",
        CoordinatorError::Locked { .. } | CoordinatorError::LedgerLocked { .. } => "locked",
        CoordinatorError::Drift(_) => "drift",
        CoordinatorError::Unresolved { .. } => "unresolved",
        CoordinatorError::StillRunning { .. } => "still_running",
        CoordinatorError::Batch(_) => "batch",
        CoordinatorError::Key { .. } => "key",
        CoordinatorError::Moved { .. } => "moved",
        CoordinatorError::Interrupted { .. } => "interrupted",
        CoordinatorError::Lost { .. } => "lost",
        CoordinatorError::Fenced { cause, .. } => kind(cause),
        CoordinatorError::Runner { .. } => "runner",
        CoordinatorError::Lists(_) => "lists",
        CoordinatorError::NoFiles(_) => "no_files",
        CoordinatorError::Unjudged => "unjudged",
    }
}
