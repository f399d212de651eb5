//! What can go wrong while a step is carried out.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use crate::backfill::FailedBatch;
use crate::database::{DatabaseError, ErrorKind, LockHolder};
use crate::ledger::{CoordinatorRow, LedgerError};
use crate::model::{MigrationId, Phase};
use crate::project::ScriptFile;

use super::lists::Unrenewed;
use super::{Drift, way_out};

/// An error that ends a step. Nothing is half-applied, unless the message says so.
#[derive(Debug, thiserror::Error)]
pub enum CoordinatorError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Another coordinator is at work.
    #[error("{} is at work: {}", .0.holder, .0.doing)]
    Held(CoordinatorRow),
    #[error("{0}")]
    Script(Box<ScriptFailure>),
    /// A lock that a statement needs was not granted, however often it was asked for.
    #[error(
        "{path}:{line}: a lock was not granted within {waited_s} s of trying{}",
        held_by(.holders)
    )]
    Locked {
        path: String,
        line: usize,
        waited_s: u64,
        holders: Vec<LockHolder>,
    },
    /// What had to be recorded, or looked at together with that, was locked by somebody else.
    #[error(
        "the ledger could not be written within {waited_s} s of trying, because of a lock{} ({cause})",
        held_by(.holders)
    )]
    LedgerLocked {
        cause: Box<DatabaseError>,
        waited_s: u64,
        holders: Vec<LockHolder>,
    },
    #[error("{}", drift_message(.0))]
    Drift(Vec<Drift>),
    /// A statement that ran outside of a transaction was interrupted, and the catalogue does not
    /// tell whether it took effect.
    #[error(
        "{path}:{line}: this statement was begun and never finished, and the catalogue does not tell whether it took effect{seen}: {statement}"
    )]
    Unresolved {
        migration: MigrationId,
        path: String,
        line: usize,
        position: i64,
        statement: String,
        /// What the catalogue shows, after a colon; empty where it shows nothing.
        seen: String,
    },
    /// The statement of a coordinator that is gone has not ended.
    #[error(
        "{path}:{line}: this statement still runs in session {}, for a coordinator that is gone; waited {waited_s} s",
        listed(.sessions)
    )]
    StillRunning {
        path: String,
        line: usize,
        waited_s: u64,
        sessions: Vec<i64>,
    },
    /// The database does not accept what a backfill does to a row.
    #[error("{0}")]
    Batch(Box<FailedBatch>),
    /// A backfill cannot go along the key that is declared.
    #[error("{migration}: {why}")]
    Key { migration: MigrationId, why: String },
    /// Something else changed the migration meanwhile.
    #[error("{migration} has become {phase} meanwhile, so nothing more was done")]
    Moved {
        migration: MigrationId,
        phase: Phase,
    },
    /// The user, or the system, wanted it to stop.
    #[error("interrupted; {kept}")]
    Interrupted {
        /// What is kept, and what is not.
        kept: String,
        /// The command that goes on.
        next: String,
    },
    /// The connection broke on the way.
    #[error("{cause}")]
    Lost {
        cause: Box<DatabaseError>,
        /// What of the step is kept.
        kept: String,
    },
    /// A step failed behind its fence, which could not be lowered.
    #[error("{cause}")]
    Fenced {
        cause: Box<Self>,
        /// That it stays up, why, and what to do.
        stays: String,
    },
    /// Another migration tool did not do what it was asked for, or cannot be asked.
    #[error("{message}")]
    Runner {
        message: String,
        /// What is left of it, and what to do.
        help: String,
    },
    /// Who lets instances in by a list may let in what a fence keeps out.
    #[error("{0}")]
    Lists(#[from] Unrenewed),
    #[error("the files of {0} are not in this project, though the database has it")]
    NoFiles(MigrationId),
    /// The project was read less than whole, so that there are no scripts to run.
    #[error("no step is taken by files of which nobody has judged the scripts")]
    Unjudged,
}

/// A statement that the database refused.
#[derive(Debug)]
pub struct ScriptFailure {
    /// Relative to the project's root.
    pub path: PathBuf,
    pub text: Arc<str>,
    /// Where in the file.
    pub span: Range<usize>,
    pub line: usize,
    pub cause: DatabaseError,
    /// What the state is now, and what to do.
    pub help: String,
}

impl std::fmt::Display for ScriptFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.cause)
    }
}

impl CoordinatorError {
    /// Whether somebody wanted it to stop.
    #[must_use]
    pub fn is_interruption(&self) -> bool {
        match self {
            Self::Interrupted { .. } => true,
            Self::Database(error) | Self::Ledger(LedgerError::Database(error)) => {
                error.kind == ErrorKind::Interrupted
            }
            Self::Script(failure) => failure.cause.kind == ErrorKind::Interrupted,
            _ => false,
        }
    }

    /// Whether somebody has to say whether a statement took effect.
    pub(super) fn is_unresolved(&self) -> bool {
        match self {
            Self::Unresolved { .. } => true,
            Self::Fenced { cause, .. } => cause.is_unresolved(),
            _ => false,
        }
    }

    /// Whether trying again may help without anybody doing anything.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Database(error) => error.is_passing(),
            Self::Ledger(error) => error.is_passing(),
            Self::Batch(failed) => failed.cause.is_passing(),
            Self::LedgerLocked { .. } | Self::Lost { .. } => true,
            _ => false,
        }
    }

    /// What to do next, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Database(error) => error.help().map(ToOwned::to_owned),
            Self::Ledger(error) => error.help().map(ToOwned::to_owned),
            Self::Held(row) => Some(format!(
                "wait for it with --wait, or until its lease ends in {} s if it is gone",
                row.ends_in_seconds()
            )),
            Self::Script(failure) => Some(failure.help.clone()),
            Self::Locked { holders, .. } => Some(format!(
                "nothing was changed; end the sessions that hold the lock{}, or run the command again at a quieter time",
                how_to_end(holders)
            )),
            Self::LedgerLocked { holders, .. } if holders.is_empty() => Some(
                "run the same command again when whoever writes to the database has ended; it goes on from what is recorded"
                    .into(),
            ),
            Self::LedgerLocked { holders, .. } => Some(format!(
                "a transaction stands still, or takes long. If whoever began it is gone, end its session{}; then run the \
                 same command again, which goes on from what is recorded",
                how_to_end(holders)
            )),
            Self::Drift(drift) => Some(way_out(drift)),
            Self::Unresolved { migration, position, .. } => Some(format!(
                "{ASKS_SOMEBODY}, and where it did a part, finish that by hand or undo it; then say so: \
                 `migrate resolve {migration} --step {position} --applied` or `--not-applied`"
            )),
            Self::StillRunning { .. } => Some(
                "let it end, or end the session; then run the same command again, which goes on where it left off".into(),
            ),
            Self::Batch(failed) => Some(failed.help()),
            Self::Key { migration, .. } => Some(format!(
                "`table` and `key` stand under [backfill] in migration.toml; mend them or the table, and run `migrate backfill \
                 {migration}` again"
            )),
            Self::Moved { .. } => Some("see what happened with `migrate log`, then run the command again".into()),
            Self::Interrupted { next, .. } => Some(next.clone()),
            Self::Lost { kept, .. } => Some(format!(
                "the connection was lost; {kept}: run the same command again, which goes on from what is recorded"
            )),
            Self::Fenced { cause, stays } => Some(match cause.help() {
                Some(help) => format!("{help}. Mind that {stays}"),
                None => stays.clone(),
            }),
            Self::Runner { help, .. } => Some(help.clone()),
            Self::Lists(unrenewed) => Some(unrenewed.help.clone()),
            Self::NoFiles(_) => Some("use a checkout that has them".into()),
            Self::Unjudged => Some("read the project whole".into()),
        }
    }
}

/// How the way out begins that somebody has to look for first. It is recorded behind what happened, because no run of the
/// same command finds out.
pub(crate) const ASKS_SOMEBODY: &str = "look whether it took effect";

/// An error of the statement at `index`, which is shown in its file.
pub(super) fn failure(
    file: &ScriptFile,
    index: usize,
    cause: DatabaseError,
    help: String,
) -> CoordinatorError {
    let (mut span, line) = file
        .script
        .statements
        .get(index)
        .map_or((0..0, 1), |statement| {
            (statement.span.clone(), statement.line)
        });
    if let (Some(position), Some(statement)) = (cause.position, file.script.statements.get(index)) {
        // The database counts characters from 1; a span counts bytes.
        let offset = statement
            .text
            .char_indices()
            .nth(position.saturating_sub(1));
        if let Some((offset, _)) = offset {
            let word = statement.text.get(offset..).unwrap_or_default();
            let length = word
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(word.len())
                .max(1);
            let start = span.start.saturating_add(offset);
            span = start..start.saturating_add(length).min(file.text.len());
        }
    }
    CoordinatorError::Script(Box::new(ScriptFailure {
        path: file.path.clone(),
        text: Arc::clone(&file.text),
        span,
        line,
        cause,
        help,
    }))
}

fn listed(sessions: &[i64]) -> String {
    let ids: Vec<String> = sessions.iter().map(ToString::to_string).collect();
    ids.join(", ")
}

/// The statements that end these sessions, in brackets.
fn how_to_end(holders: &[LockHolder]) -> String {
    let known = holders.iter().filter_map(|holder| holder.end.as_ref());
    let statements: Vec<String> = known.map(|end| format!("`{end}`")).collect();
    if statements.is_empty() {
        return String::new();
    }
    format!(" ({})", statements.join(", "))
}

pub(super) fn held_by(holders: &[LockHolder]) -> String {
    if holders.is_empty() {
        return String::new();
    }
    let names: Vec<&str> = holders
        .iter()
        .map(|holder| holder.description.as_str())
        .collect();
    format!("; it is held by {}", names.join("; "))
}

fn drift_message(drift: &[Drift]) -> String {
    let lines: Vec<String> = drift.iter().map(ToString::to_string).collect();
    lines.join("; ")
}
