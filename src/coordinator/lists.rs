//! Those who let instances in by a list, and ask nobody.

use crate::gate::Evidence;
use crate::interrupt::Interrupt;
use crate::model::Live;

/// The lists of a project, wherever they are kept.
#[async_trait::async_trait]
pub trait Lists: Send + Sync {
    /// Writes them by this evidence; `wanted` have to be among what is listed.
    ///
    /// # Errors
    /// Why they are not as they should be.
    async fn renew(&self, evidence: &Evidence, wanted: &[Live]) -> Result<(), Unrenewed>;

    /// Waits until everybody goes by what was written last, and looks whether it is still there.
    ///
    /// # Errors
    /// That it is not, or that nobody says so.
    async fn settled(&self, interrupt: Interrupt) -> Result<(), Unrenewed>;
}

/// Why a list was not renewed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unrenewed {
    pub message: String,
    pub help: String,
}
