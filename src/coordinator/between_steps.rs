//! Between the steps of a rollout: the coordinator observes the fleet, records what the rollout did, and abandons a step.

use std::time::{Duration, Instant};

use super::fence::lower_fence;
use super::session::Session;
use super::take::Coordinator;
use super::{CoordinatorError, Progress, Situation};
use crate::ledger::{Ledger, LedgerError};
use crate::model::{Live, MigrationId, Step};

impl Coordinator<'_> {
    /// Waits this long for what blocks a contract.
    #[must_use]
    pub const fn waiting(mut self, wait: Duration) -> Self {
        self.session.orders.wait = Some(wait);
        self
    }

    /// Writes to the ledger beside the steps, under this coordinator's token. What `write` does
    /// must bear being done again: where the connection breaks while it is committed, it is.
    ///
    /// # Errors
    /// [`LedgerError::Superseded`] where another coordinator has taken over, or a database error
    /// that lasted as long as the coordinator's lease.
    pub async fn record<T>(
        &mut self,
        write: impl AsyncFn(&mut Ledger<'_>, &str) -> Result<T, LedgerError>,
    ) -> Result<T, CoordinatorError> {
        // It is short, and what it says was done.
        let _kept = self.session.orders.interrupt.hold_off();
        let began = Instant::now();
        loop {
            match self.session.record_once(&write).await {
                Ok(written) => return Ok(written),
                Err(error)
                    if error.is_passing()
                        && began.elapsed()
                            < self.session.orders.project.config.fleet.coordinator_lease =>
                {
                    self.session
                        .orders
                        .report(Progress::Unreachable(error.to_string()));
                    tokio::time::sleep(Duration::from_millis(500)).await;
                    self.session.reconnect().await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What is known now, with every source asked. Where the connection broke, it is made anew for
    /// the next time.
    ///
    /// # Errors
    /// A database or ledger error, or an applied file that was changed.
    pub async fn look_around(&mut self) -> Result<Situation, CoordinatorError> {
        let looked = self.session.situation().await;
        if let Err(error) = &looked
            && error.is_passing()
        {
            self.session.reconnect().await;
        }
        looked
    }

    /// As [`Self::look_around`], whether or not applied files were changed: for whoever only shows it.
    ///
    /// # Errors
    /// A database or ledger error.
    pub async fn look_whatever_the_files(&mut self) -> Result<Situation, CoordinatorError> {
        self.session.observe().await
    }

    /// Has the lists take in these, beside what may start now. Why they do not, if they do not: whoever goes by a list refuses them then.
    pub async fn list(&mut self, wanted: &[Live]) -> Option<String> {
        self.session.open_lists(wanted).await
    }

    /// Lowers the fence that an interrupted contract has left up, unless statements
    /// behind it have run.
    ///
    /// # Errors
    /// A database or ledger error.
    pub async fn give_up(&mut self, id: &MigrationId) -> Result<(), CoordinatorError> {
        let _kept = self.session.orders.interrupt.hold_off();
        lower_fence(&mut self.session, Step::Contract, id)
            .await
            .map(drop)
    }
}

impl Session<'_> {
    async fn record_once<T>(
        &mut self,
        write: impl AsyncFn(&mut Ledger<'_>, &str) -> Result<T, LedgerError>,
    ) -> Result<T, LedgerError> {
        let rules = self.orders.lease_rules();
        let mut ledger = Ledger::write(self.connection.as_mut()).await?;
        ledger.judge_by(&rules);
        let written = async {
            let written = write(&mut ledger, &self.actor).await?;
            ledger.fence(self.token).await?;
            Ok(written)
        }
        .await;
        match written {
            Ok(written) => {
                ledger.commit().await?;
                Ok(written)
            }
            Err(error) => {
                if let Err(second) = ledger.rollback().await {
                    tracing::debug!("giving up a transaction: {second}");
                }
                Err(error)
            }
        }
    }
}
