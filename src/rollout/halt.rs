//! Why a step of a rollout did not come to its end.

use super::RolloutError;
use super::arrival::Arrival;
use super::unwell::Unwell;
use crate::gate::Decision;

/// Why a step did not come to its end.
pub(super) enum Halt {
    Blocked(Decision),
    NotThere(Arrival),
    Unwell(Unwell),
    Error(RolloutError),
}

impl<E: Into<RolloutError>> From<E> for Halt {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}
