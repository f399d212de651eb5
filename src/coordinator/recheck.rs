//! What is asked again inside the transaction that makes a change.

use super::CoordinatorError;
use super::lock::Failed;
use crate::gate::{Decision, Verdict};
use crate::ledger::Ledger;

/// What is asked again inside the transaction that makes the change.
#[async_trait::async_trait]
pub(super) trait Recheck {
    /// The gate's answer from inside the transaction; anything but go gives it up.
    async fn decide(&self, ledger: &mut Ledger<'_>) -> Result<Decision, CoordinatorError>;
}

/// How running a script ended.
pub(super) enum Ran {
    Done {
        statements: u64,
    },
    /// The recheck did not say go; nothing was changed.
    Blocked(Decision),
}

/// `Some(decision)` if the recheck does not say go.
pub(super) async fn ask_again(
    ledger: &mut Ledger<'_>,
    recheck: Option<&(dyn Recheck + Sync)>,
) -> Result<Option<Decision>, CoordinatorError> {
    let Some(recheck) = recheck else {
        return Ok(None);
    };
    let decision = recheck.decide(ledger).await?;
    Ok((decision.verdict != Verdict::Go).then_some(decision))
}

/// Its queries meet the same locks as the statements, and are tried again like them.
pub(super) fn of_recheck(error: CoordinatorError, index: usize) -> Failed {
    match error {
        CoordinatorError::Database(error) => Failed::At(index, error),
        other => Failed::Otherwise(other),
    }
}
