//! Everything that is known at one moment.

use std::collections::BTreeSet;

use super::Drift;
use super::done_past::PastGate;
use crate::database::Connection;
use crate::gate::Evidence;
use crate::ledger::{LeaseRules, Ledger, LedgerError, View};
use crate::model::{Live, MigrationId, MigrationState, Schema, Snapshot, Step};
use crate::project::{Broken, Project};
use crate::sql::Dialect;

/// Everything that is known at one moment.
#[derive(Clone, Debug)]
pub struct Situation {
    pub view: View,
    pub evidence: Evidence,
    pub drift: Vec<Drift>,
    /// What somebody did with another migration tool without asking here.
    pub past_gate: Vec<PastGate>,
    /// How the project wants leases to be read.
    pub(super) rules: LeaseRules,
    /// Whether the database has a ledger at all.
    pub has_ledger: bool,
    /// Whether the files were read as far as this takes: by a project that was not read whole, only where nothing is left to do.
    pub is_enough: bool,
    /// Whether something is to be written down of what keeps formats in step.
    pub(super) is_news_of_sync: bool,
}

impl Situation {
    /// The changed files that stand in the way of a step: what the gate says and what the command does.
    #[must_use]
    pub fn drift_before(&self, step: Step, id: &MigrationId) -> Vec<Drift> {
        let mut drift = self.drift.clone();
        drift.retain(|drift| drift.stops(step, id));
        drift
    }

    /// Adds the names of a few instances to each version that holds leases.
    ///
    /// # Errors
    /// A database or ledger error.
    pub async fn name_examples(
        &mut self,
        connection: &mut dyn Connection,
    ) -> Result<(), LedgerError> {
        if let Some(mut ledger) = Ledger::read(connection).await? {
            ledger.judge_by(&self.rules);
            let groups = &mut self.evidence.snapshot.groups;
            ledger.name_examples(groups, self.view.now).await?;
            ledger.rollback().await?;
        }
        Ok(())
    }
}

/// The versions that sources other than the leases see.
pub(super) fn seen_elsewhere(snapshot: &Snapshot) -> Vec<Live> {
    let mut others = snapshot.clone();
    others.groups.retain(|group| !group.is_leased());
    others.live()
}

/// What the ledger knows, and everything else of the project as pending. Of files that are not in order, as far as what
/// they declare is certain: the rest is among the flaws.
pub(super) fn schema(project: &Project, view: &View, dialect: Dialect) -> Schema {
    let mut states: Vec<MigrationState> = Vec::new();
    for applied in &view.applied {
        let mut state = applied.state.clone();
        // Later phases may be written after the earlier ones were applied.
        if let Some(migration) = project.get(state.id()) {
            let was_expanded = state.declaration.parts.expand;
            state.declaration.parts = migration.declaration.parts;
            // What was applied was there, whether or not its file still is.
            state.declaration.parts.expand |= was_expanded;
            state.declaration.fill = migration.declaration.fill;
            state
                .declaration
                .description
                .clone_from(&migration.declaration.description);
        } else if let Some(read) = project.flaws.of(state.id()).and_then(Broken::declared) {
            let (recorded, read) = (&mut state.declaration.parts, read.parts);
            recorded.backfill |= read.backfill;
            recorded.contract |= read.contract;
            recorded.revert |= read.revert;
        }
        states.push(state);
    }
    let applied: BTreeSet<&MigrationId> = view.applied.iter().map(|a| a.state.id()).collect();
    for declaration in project.declarations() {
        if !applied.contains(&declaration.id) {
            states.push(MigrationState::pending(declaration.clone()));
        }
    }
    Schema::new(states)
        .under(project.config.order)
        .building_on(project.bases.of(dialect))
}
