//! Taking one step, or several that go together: what is told of it, and what is remembered.

use super::failed::remember_failure;
use super::interrupted::told;
use super::orders::Options;
use super::outage::backfill_over_outages;
use super::reading::refuse_misread;
use super::recent::Recent;
use super::session::Session;
use super::tally::Filled;
use super::together::expand_together;
use super::traced;
use super::{CoordinatorError, Outcome, contract, expand, revert};
use crate::ledger::KnownHead;
use crate::model::{MigrationId, Step};
use crate::project::Depth;
use crate::span::{self, Instrument as _};

/// A coordinator at work: it holds the lease, and takes one step after the other.
pub struct Coordinator<'a> {
    pub(super) session: Session<'a>,
    recent: Recent,
    filled: Filled,
}

impl<'a> Coordinator<'a> {
    /// Connects, makes the ledger if there is none, and takes the coordinator's lease.
    ///
    /// A lease that is not renewed is waited for until it ends: its holder is gone. One that is
    /// renewed is waited for as long as `options.wait` says.
    ///
    /// # Errors
    /// [`CoordinatorError::Held`] if another coordinator is at work, or a database error.
    pub async fn start(options: Options<'a>) -> Result<Self, CoordinatorError> {
        if options.project.depth != Depth::Whole {
            return Err(CoordinatorError::Unjudged);
        }
        Ok(Self {
            session: span::within(span::lease(), Session::start(&options)).await?,
            recent: Recent::default(),
            filled: Filled::default(),
        })
    }

    /// Gives the lease back and closes the connection. Returns where the log ends.
    ///
    /// # Errors
    /// A database error; then the lease ends by itself.
    pub async fn finish(self) -> Result<KnownHead, CoordinatorError> {
        self.session.finish().await
    }
}

impl Coordinator<'_> {
    /// Carries out one step.
    ///
    /// # Errors
    /// Whatever kept it from being carried out; see [`CoordinatorError`].
    pub async fn take(
        &mut self,
        step: Step,
        id: &MigrationId,
    ) -> Result<Outcome, CoordinatorError> {
        let span = span::step(step.name());
        let taking = async {
            let mut taken = self.take_one(step, id).await.map(|outcome| vec![outcome]);
            self.session.lists_after(&mut taken).await;
            taken
        };
        let taken = taking.instrument(span.clone()).await;
        traced::tell(&span, id, taken.as_deref());
        match taken?.pop() {
            Some(outcome) => Ok(outcome),
            None => Err(CoordinatorError::NoFiles(id.clone())),
        }
    }

    async fn take_one(
        &mut self,
        step: Step,
        id: &MigrationId,
    ) -> Result<Outcome, CoordinatorError> {
        if step != Step::Expand {
            self.recent.forget();
        }
        if let Some(migration) = self.session.orders.project.as_read(id) {
            refuse_misread(migration, step, self.session.connection.as_ref())?;
        }
        let taken = match step {
            Step::Expand => expand::run(&mut self.session, &mut self.recent, id).await,
            Step::Backfill => backfill_over_outages(&mut self.session, &mut self.filled, id).await,
            Step::Contract => contract::run(&mut self.session, id).await,
            Step::Revert => revert::run(&mut self.session, id).await,
        };
        let told = told(&mut self.session, taken, step, id).await;
        remember_failure(&mut self.session, &told, step, id).await;
        told
    }

    /// Carries out one step of the first of these migrations, and of those after it that can share its transaction. One
    /// outcome for each, and at least one where there is a migration.
    ///
    /// # Errors
    /// As of [`Self::take`].
    pub async fn take_first(
        &mut self,
        step: Step,
        ids: &[MigrationId],
    ) -> Result<Vec<Outcome>, CoordinatorError> {
        match (step, ids) {
            (_, []) => Ok(Vec::new()),
            (Step::Expand, [id, ..]) => {
                let span = span::step(step.name());
                let taking = async {
                    let mut taken = self.expand_first(id, ids).await;
                    self.session.lists_after(&mut taken).await;
                    taken
                };
                let taken = taking.instrument(span.clone()).await;
                traced::tell(&span, id, taken.as_deref());
                taken
            }
            (_, [id, ..]) => Ok(vec![self.take(step, id).await?]),
        }
    }

    async fn expand_first(
        &mut self,
        id: &MigrationId,
        ids: &[MigrationId],
    ) -> Result<Vec<Outcome>, CoordinatorError> {
        let taken = expand_together(&mut self.session, &mut self.recent, ids).await;
        match told(&mut self.session, taken, Step::Expand, id).await {
            Ok(outcomes) => Ok(outcomes),
            Err(error) => {
                let failed = Err(error);
                remember_failure(&mut self.session, &failed, Step::Expand, id).await;
                failed.map(|outcome| vec![outcome])
            }
        }
    }
}
