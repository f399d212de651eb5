//! What keeps an application from getting or keeping its lease.

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::path::PathBuf;

use crate::database::{DatabaseError, ErrorKind};
use crate::gate::{Decision, Verdict};
use crate::ledger::LedgerError;
use crate::model::VersionError;
use crate::text::shown::shown;

/// An error while asking for a lease, or keeping it.
///
/// A `main` that returns it is ended with its `Debug`. That is what it says to people, with what to do in a line of its own.
///
/// ```no_run
/// use phasegate_lease::{Lease, LeaseError};
///
/// fn start() {
///     match Lease::builder("sqlite://shop.db", "web", "1.2.0").acquire_blocking() {
///         Ok(lease) => serve(&lease),
///         Err(LeaseError::Refused(decision)) => {
///             for blocker in &decision.blockers {
///                 eprintln!("{} ({})", blocker.message(), blocker.help());
///             }
///             std::process::exit(decision.verdict.exit_code().into());
///         }
///         Err(error) if error.is_locked() => eprintln!("somebody holds the ledger: {error}"),
///         Err(error) if error.is_passing() => eprintln!("worth another try: {error}"),
///         Err(error) => eprintln!("{error}: {}", error.help().unwrap_or_default()),
///     }
/// }
/// # fn serve(_: &Lease) {}
/// ```
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum LeaseError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger is created by whoever comes first, and the instance may not create it.
    #[error("this database has no ledger yet, and this user cannot create it: {0}")]
    NoLedger(DatabaseError),
    /// The gate's answer; nothing was registered.
    #[error("{}", describe(.0))]
    Refused(Box<Decision>),
    /// The files of the project cannot be used; in words.
    #[error("{0}")]
    Project(String),
    #[error(transparent)]
    Version(#[from] VersionError),
    /// It cannot be given as it was asked for.
    #[error("{}", shown(reason))]
    Terms { reason: String },
    #[error("{what} was not done within {seconds} s")]
    Timeout { what: &'static str, seconds: u64 },
    /// `migrate agent` runs this process, and holds the lease of its instance.
    #[error(
        "`migrate agent` runs this process and holds its lease, as the instance `{}` of {}: with a second lease it would count as two",
        shown(instance),
        shown(service)
    )]
    UnderAgent { service: String, instance: String },
    /// The lease was lost or given back before.
    #[error("the lease is not held any more")]
    NotHeld,
    #[error("cannot start `{}`: {source}", command.display())]
    Command {
        command: OsString,
        source: std::io::Error,
    },
    /// The application would outlive its agent, or its lease.
    #[error("the application cannot be stopped when its lease ends, and is not started: {reason}")]
    Unguarded { reason: String },
    /// The socket that says how a lease stands cannot be made.
    #[error("cannot make the socket `{}`: {why}", path.display())]
    StatusSocket { path: PathBuf, why: String },
    #[error("cannot keep a lease on this system: {0}")]
    System(#[from] std::io::Error),
}

impl fmt::Debug for LeaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match self.help() {
            Some(help) => write!(f, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl LeaseError {
    /// What a user can do about it, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        match self {
            _ if self.is_locked() => Some(LOCKED),
            Self::Database(error) => error.help(),
            Self::Ledger(error) => error.help(),
            Self::NoLedger(_) => Some(
                "run `migrate expand` once with the coordinator's rights; docs/grants.md lists what an instance needs afterwards",
            ),
            Self::Project(_) => Some("`migrate check` shows where they are"),
            Self::Version(_) => {
                Some("write it as MAJOR.MINOR.PATCH, or name it under [services.NAME] aliases")
            }
            Self::Timeout { .. } => Some(
                "the database may be slow or changing its schema; see `migrate status`, and try again",
            ),
            Self::Command { .. } => {
                Some("check its path and its permissions; the lease was released")
            }
            Self::StatusSocket { .. } => Some(
                "name a path in a directory that is there and that this user may write to, of at most 100 characters, for example \
                 `--status-socket run/web-1.sock`; nothing was started",
            ),
            Self::Unguarded { .. } => Some(
                "start the agent with the rights that the application will have, or with more: `sudo migrate agent … -- CMD`; mount /proc",
            ),
            Self::UnderAgent { .. } => Some(
                "start it without the agent; or ask for no lease, and hear from the agent how its lease stands (docs/library.md). What is an \
                 instance of its own, such as a worker that this process starts, is started without PHASEGATE_INSTANCE in its environment",
            ),
            Self::Refused(_) | Self::Terms { .. } | Self::NotHeld | Self::System(_) => None,
        }
    }

    /// Whether somebody kept something locked for too long.
    #[must_use]
    pub const fn is_locked(&self) -> bool {
        matches!(
            self,
            Self::Database(error) | Self::Ledger(LedgerError::Database(error))
                if matches!(error.kind, ErrorKind::Locked)
        )
    }

    /// Whether the database did not answer, or the connection broke.
    pub(super) const fn is_unreachable(&self) -> bool {
        matches!(
            self,
            Self::Database(error) | Self::Ledger(LedgerError::Database(error))
                if matches!(error.kind, ErrorKind::Unreachable)
        )
    }

    /// Whether the server follows another one, so that nothing was written there.
    pub(super) const fn is_of_standby(&self) -> bool {
        matches!(
            self,
            Self::Database(error) | Self::Ledger(LedgerError::Database(error))
                if matches!(error.kind, ErrorKind::Standby)
        )
    }

    /// Whether trying again may help without anybody doing anything.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Database(error) => error.is_passing(),
            Self::Ledger(error) => error.is_passing(),
            Self::Timeout { .. } => true,
            Self::Refused(decision) => passes(decision),
            _ => false,
        }
    }
}

/// What to do about somebody who keeps the ledger locked.
const LOCKED: &str = "a step of `migrate` that is at work (see `migrate status`) ends by itself, and so does a backup; a transaction that \
     somebody has left open does not: end its session. Then start this again";

/// Whether what stands against it passes by itself.
pub(super) fn passes(decision: &Decision) -> bool {
    decision.verdict == Verdict::Hold
}

/// A decision other than go, with every blocker and what to do about it.
pub(super) fn describe(decision: &Decision) -> String {
    let mut text = match decision.verdict {
        Verdict::Go => "it may start".to_owned(),
        Verdict::Hold => "it may not start yet".to_owned(),
        Verdict::Refuse => "it may not start".to_owned(),
        Verdict::Unknown => "whether it may start cannot be known".to_owned(),
    };
    for (index, blocker) in decision.blockers.iter().enumerate() {
        text.push_str(if index == 0 { ": " } else { "; " });
        text.push_str(&blocker.message());
        let seen = &blocker.seen;
        if !seen.examples.is_empty() {
            let more = if seen.instances > seen.examples.len() as u64 {
                ", …"
            } else {
                ""
            };
            // Writing to a String cannot fail.
            let _ = write!(text, " [{}{more}]", seen.examples.join(", "));
        }
        let _ = write!(text, " (help: {})", blocker.help());
    }
    for note in &decision.notes {
        let _ = write!(text, "; {note}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_main_ends_with_reads_as_a_message() {
        let error = LeaseError::Database(DatabaseError::new(ErrorKind::Authentication, "no"));
        let ended = format!("{:?}", Box::<dyn std::error::Error>::from(error));
        assert_eq!(
            ended,
            "no\n  help: docs/files.md says where the password is taken from, and what each server may ask for"
        );
        assert_eq!(
            format!("{:?}", LeaseError::NotHeld),
            "the lease is not held any more"
        );
    }

    #[test]
    fn what_was_asked_for_is_shown_as_data() {
        let reason = "the service `web\nx` is not named".to_owned();
        assert_eq!(
            LeaseError::Terms { reason }.to_string(),
            "the service `web\\nx` is not named"
        );
    }
}
