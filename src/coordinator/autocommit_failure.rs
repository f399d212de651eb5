//! What is said of a statement that ran outside of a transaction and did not come to its end.

use super::catalogue::{self, Found};
use super::error::failure;
use super::invalid_index::{drop_left, left_invalid};
use super::lock::TIME_LIMIT;
use super::one::StatementRun;
use super::one_recorded::forget_autocommit;
use super::script::{one_line, position};
use super::session::Session;
use super::{CoordinatorError, interrupted};
use crate::database::{DatabaseError, ErrorKind};

/// What is to be said of a statement that failed, once it is known what it left behind.
pub(super) async fn autocommit_failure(
    session: &mut Session<'_>,
    one: &StatementRun<'_, '_>,
    error: DatabaseError,
) -> Result<CoordinatorError, CoordinatorError> {
    const BEFORE: &str = "the statements before it are done and recorded, and this one";
    const MEND: &str = "Mend what it complains about, then run the same command again";
    let kept = session.orders.interrupt.hold_off();
    let (id, step) = (one.run.change.state.id(), one.run.step);
    let is_interrupted = error.kind == ErrorKind::Interrupted;
    let path = one.run.file.path.display();
    let place = format!("{path}:{}", one.statement.line);
    let of_time = match error.kind {
        ErrorKind::Timeout => format!(" ({TIME_LIMIT})"),
        _ => String::new(),
    };
    let said = |left: &str, next: &str| {
        if is_interrupted {
            return CoordinatorError::Interrupted {
                kept: format!("{place}: {BEFORE} {left}"),
                next: match next {
                    MEND => interrupted::next(step, id),
                    next => next.to_owned(),
                },
            };
        }
        let help = format!("{BEFORE} {left}. {next}{of_time}");
        failure(one.run.file, one.index, error.clone(), help)
    };
    if error.kind == ErrorKind::Unreachable || session.connection.is_lost() {
        return Ok(said(
            "may have taken effect or not",
            "Run the same command again: it finds out",
        ));
    }
    if let Some(object) = left_invalid(session, one).await? {
        drop(kept);
        let name = &object.name;
        let left = match drop_left(session, object).await {
            Ok(()) => {
                forget_autocommit(session, one).await?;
                format!("is not. The index `{name}` that it left invalid is dropped again")
            }
            // It stays recorded as begun: a fence stays up for as long as the index refuses anything.
            Err(error) => format!(
                "is not. The index `{name}` is left invalid, and a unique one goes on refusing values that are there already: it could \
                 not be dropped ({error}). The next run drops it and builds it again"
            ),
        };
        return Ok(said(&left, MEND));
    }
    match catalogue::look_up(session.connection.as_mut(), one.statement).await? {
        Found::NotApplied => {
            forget_autocommit(session, one).await?;
            Ok(said("is not", MEND))
        }
        Found::Applied(_) => Ok(said(
            "has taken effect all the same, by the catalogue",
            "Run the same command again: it goes on after it",
        )),
        Found::Between(_) | Found::Unknown => Ok(said(
            "may have done a part of its work",
            &format!(
                "Look what it did, then say so with `migrate resolve {id} --step {} --applied` or `--not-applied`, \
                 and run the same command again",
                position(one.index)
            ),
        )),
    }
}

pub(super) fn there_already(one: &StatementRun<'_, '_>, seen: &[String]) -> CoordinatorError {
    let message = format!("its result is there before it has run: {}", seen.join(", "));
    failure(
        one.run.file,
        one.index,
        DatabaseError::new(ErrorKind::Statement, message),
        "the statements before it are done and recorded, and this one was not run. Something other than this migration \
         did its work: undo that, or take the statement out of the file if that is what the schema should be. Where it was this \
         migration, the ledger that told so was lost, or left out of a restore: docs/stuck.md"
            .to_owned(),
    )
}

/// Of the revert of an expand that stopped on the way: what the statement takes away is there in part.
pub(super) fn never_made(one: &StatementRun<'_, '_>, seen: &[String]) -> CoordinatorError {
    let message = format!(
        "a part of what it takes away is not there: {}",
        seen.join(", ")
    );
    failure(
        one.run.file,
        one.index,
        DatabaseError::new(ErrorKind::Statement, message),
        "the statements before it are done and recorded, and this one was not run. Expand stopped before it had made all of it: \
         write a statement for each thing in place of this one, in this file, and run the same command again: what is not there is passed over"
            .to_owned(),
    )
}

pub(super) fn unresolved(one: &StatementRun<'_, '_>, seen: &str) -> CoordinatorError {
    CoordinatorError::Unresolved {
        migration: one.run.change.state.id().clone(),
        path: one.run.file.path.display().to_string(),
        line: one.statement.line,
        position: position(one.index),
        statement: one_line(&one.statement.text),
        seen: seen.to_owned(),
    }
}
