//! A transaction that concerns the ledger alone, tried again while another session holds its rows; whoever holds them is named.

use super::CoordinatorError;
use super::lock::{LockWatch, Retry};
use super::session::Session;
use crate::ledger::{Ledger, LedgerError};

/// How a transaction ends.
pub(super) enum End<T> {
    Commit(T),
    /// Nothing of it is kept.
    GiveUp(T),
}

impl Session<'_> {
    /// Does `work` in a transaction of its own, and once more where a lock was not granted: it may run several times,
    /// and what it has done takes effect once at most.
    pub(super) async fn in_ledger<T>(
        &mut self,
        work: impl AsyncFn(&mut Ledger<'_>) -> Result<End<T>, CoordinatorError>,
    ) -> Result<T, CoordinatorError> {
        let mut retry = Retry::new(self.orders);
        loop {
            let watch = retry.watch();
            let attempt = self.attempt_in_ledger(&work, &watch);
            let error = match retry.telling(attempt).await {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            let gave_up = self.connection.rollback().await;
            let cause = match error {
                CoordinatorError::Database(cause)
                | CoordinatorError::Ledger(LedgerError::Database(cause))
                    if cause.is_contention() =>
                {
                    cause
                }
                error => {
                    if let Err(second) = gave_up {
                        tracing::debug!("giving up a transaction: {second}");
                    }
                    return Err(error);
                }
            };
            gave_up?;
            retry.after_ledger(cause.into()).await?;
        }
    }

    async fn attempt_in_ledger<T>(
        &mut self,
        work: &impl AsyncFn(&mut Ledger<'_>) -> Result<End<T>, CoordinatorError>,
        watch: &LockWatch,
    ) -> Result<T, CoordinatorError> {
        let limit = self.orders.lock_limit();
        let target = self.orders.target.clone();
        let rules = self.orders.lease_rules();
        let mut ledger = Ledger::write(self.connection.as_mut()).await?;
        ledger.judge_by(&rules);
        let connection = ledger.connection().await?;
        connection.limit_lock_waits(limit).await?;
        let mut _watching = None;
        if watch.is_retry {
            _watching = Some(watch.start(connection.session_id().await?, target));
        }
        match work(&mut ledger).await? {
            End::Commit(done) => {
                ledger.commit().await?;
                Ok(done)
            }
            End::GiveUp(done) => {
                ledger.rollback().await?;
                Ok(done)
            }
        }
    }
}
