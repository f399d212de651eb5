//! A database in which nothing is yet: where an expand waits for the contract of an earlier migration, that need not wait for anybody.
//!
//! Invariant: this holds only where not one table or view was there before the first expand of the same run. A ledger without
//! migrations is not enough: another tool may have carried the database so far.

use super::orders::Accepts;
use super::take::Coordinator;
use super::{CoordinatorError, Outcome};
use crate::database::Access;
use crate::ledger::LedgerError;
use crate::model::{Basis, MigrationId, Phase, Step};

/// Why nothing has to be seen before these contracts; recorded.
const REASON: &str = "nothing was in this database before its first expand";

/// A part of what expands everything.
pub enum Part {
    Take(Vec<MigrationId>),
    /// Backfill and contract of one that a later one waits for.
    BringToItsEnd(MigrationId),
}

impl Coordinator<'_> {
    /// What expands these migrations, in their order.
    ///
    /// # Errors
    /// A database error.
    pub async fn parts_of_expand(
        &mut self,
        ids: Vec<MigrationId>,
    ) -> Result<Vec<Part>, CoordinatorError> {
        let dialect = self.session.connection.capabilities().dialect;
        let bases = self.session.orders.project.bases.of(dialect);
        let waits = ids.iter().any(|id| bases.contains_key(id));
        if !waits || !self.is_new().await? {
            return Ok(vec![Part::Take(ids)]);
        }
        let mut parts = Vec::new();
        let mut together = Vec::new();
        let mut ended: Vec<&MigrationId> = Vec::new();
        for id in ids {
            let before_it = |basis: &&Basis| basis.from == Step::Expand;
            for basis in bases.get(&id).into_iter().flatten().filter(before_it) {
                let earlier = &basis.migration;
                if ended.contains(&earlier) {
                    continue;
                }
                ended.push(earlier);
                parts.push(Part::Take(std::mem::take(&mut together)));
                parts.push(Part::BringToItsEnd(earlier.clone()));
            }
            together.push(id);
        }
        parts.push(Part::Take(together));
        Ok(parts)
    }

    /// Whether nothing is in this database but the ledger.
    async fn is_new(&mut self) -> Result<bool, CoordinatorError> {
        let situation = self.session.situation().await?;
        let mut states = situation.evidence.schema.migrations().iter();
        if states.any(|state| state.phase != Phase::Pending) {
            return Ok(false);
        }
        let connection = self.session.connection.as_mut();
        let prefix = connection.capabilities().ledger_prefix.clone();
        connection
            .begin(Access::Read)
            .await
            .map_err(LedgerError::from)?;
        let inventory = connection.inventory().await;
        connection.rollback().await.map_err(LedgerError::from)?;
        let mut relations = inventory.map_err(LedgerError::from)?.relations.into_iter();
        Ok(relations.all(|relation| relation.name.starts_with(prefix.as_ref())))
    }

    /// Backfill and contract of one migration in a new database. Who is seen to use the old format is in the way of it as everywhere;
    /// that nobody is seen is no wonder. A source that says nothing may hide a live fleet here as well: that of all other databases.
    ///
    /// # Errors
    /// As of [`Self::take`].
    pub async fn bring_to_its_end(
        &mut self,
        id: &MigrationId,
    ) -> Result<Vec<Outcome>, CoordinatorError> {
        let ordered = self.session.orders.accepts;
        if ordered == Accepts::Nothing {
            self.session.orders.accepts = Accepts::NobodyYet(REASON);
        }
        let taken = Box::pin(self.backfill_and_contract(id)).await;
        self.session.orders.accepts = ordered;
        taken
    }

    async fn backfill_and_contract(
        &mut self,
        id: &MigrationId,
    ) -> Result<Vec<Outcome>, CoordinatorError> {
        let parts = self.session.orders.migration(id)?.declaration.parts;
        let mut outcomes = Vec::new();
        for (step, is_there) in [
            (Step::Backfill, parts.backfill),
            (Step::Contract, parts.contract),
        ] {
            if !is_there {
                continue;
            }
            let outcome = self.take(step, id).await?;
            let is_blocked = matches!(outcome, Outcome::Blocked(_));
            outcomes.push(outcome);
            if is_blocked {
                break;
            }
        }
        Ok(outcomes)
    }
}
