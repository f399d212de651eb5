//! What can go wrong with a rollout.

use crate::coordinator::CoordinatorError;
use crate::driver::DriverFailure;
use crate::ledger::RolloutRecord;
use crate::planner::PlanAction;

/// An error that stops a rollout, or keeps it from beginning. Both versions can live with the
/// schema as it is then.
#[derive(Debug, thiserror::Error)]
pub enum RolloutError {
    #[error(transparent)]
    Coordinator(#[from] CoordinatorError),
    /// A driver could not do its part.
    #[error("{action} stopped at {step} %: {cause}")]
    Driver {
        action: PlanAction,
        /// Percent of the service that it was called for.
        step: u8,
        cause: DriverFailure,
    },
    #[error("interrupted during: {0}")]
    Interrupted(PlanAction),
    /// One is open already.
    #[error("rollout {} to {} is open", .0.id, .0.goal_in_words())]
    Open(Box<RolloutRecord>),
    #[error("no rollout is open")]
    NoneOpen,
    /// A newer program recorded it, or somebody changed it.
    #[error("a step of the rollout cannot be read: {0}")]
    Unreadable(String),
}

impl RolloutError {
    /// Whether somebody wanted it to stop.
    #[must_use]
    pub fn is_interruption(&self) -> bool {
        match self {
            Self::Interrupted(_) => true,
            Self::Coordinator(error) => error.is_interruption(),
            Self::Driver { cause, .. } => matches!(cause, DriverFailure::Interrupted),
            _ => false,
        }
    }

    /// The same, of this step: where nothing says more, which one was interrupted.
    #[must_use]
    pub(super) fn of_step(self, action: &PlanAction) -> Self {
        match self {
            Self::Coordinator(error @ CoordinatorError::Interrupted { .. }) => {
                Self::Coordinator(error)
            }
            Self::Coordinator(error) if error.is_interruption() => {
                Self::Interrupted(action.clone())
            }
            other => other,
        }
    }

    /// What a user can do about it.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        const RESUME: &str =
            "`migrate rollout resume` goes on from here, `migrate rollout abort` gives it up";
        match self {
            Self::Coordinator(CoordinatorError::Interrupted { .. }) => Some(RESUME.to_owned()),
            Self::Coordinator(error) => error.help(),
            Self::Driver {
                cause: DriverFailure::Failed(_),
                action,
                ..
            } => Some(format!(
                "nothing after this step was begun, and nothing is contracted: the versions of `{action}` \
                 can all live with the schema as it is. See what the driver said, mend it, then {RESUME}"
            )),
            Self::Driver { .. } | Self::Interrupted(_) => Some(RESUME.to_owned()),
            Self::Open(_) => Some(format!("{RESUME}; `migrate rollout status` shows it")),
            Self::NoneOpen => Some("begin one with `migrate rollout --to SERVICE=VERSION`".to_owned()),
            Self::Unreadable(_) => Some(
                "use the version of `migrate` that began it, or give it up with `migrate rollout abort`"
                    .to_owned(),
            ),
        }
    }
}
