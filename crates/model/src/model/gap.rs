//! Rows that were written past the sync of their migration, and what a human's word about them changes.

use super::{
    Declaration, Formats, Freshness, Live, MigrationState, Phase, RowKind, RowKinds, Sync,
};

impl MigrationState {
    /// The state after a time of unknown length in which nothing kept its formats in step: those who were seen since expand have
    /// written past the sync, and so may a version have that writes the old format alone.
    #[must_use]
    pub fn out_of_step(&self, seen: &[Live]) -> Self {
        let mut alone = self.before_any_fence();
        alone.declaration.sync = Sync::None;
        let declaration = &alone.declaration;
        let declared = declaration.services.keys().flat_map(|service| {
            Declaration::representatives(service, [declaration])
                .into_iter()
                .flat_map(move |version| declaration.behaviours(service, &version))
                .map(|behaviour| behaviour.writes)
        });
        let past_it = declared.filter(|writes| writes.old && !writes.new);
        let theirs = alone
            .behaviours(seen)
            .map(|(_, behaviour)| behaviour.writes);
        let writes: Vec<Formats> = past_it.chain(theirs).collect();
        let kinds = self.kinds.closure(writes, declaration.rows);
        let is_undone =
            matches!(self.phase, Phase::Backfilling | Phase::Backfilled) && !kinds.all_new_fresh();
        Self {
            phase: if is_undone {
                Phase::Expanded
            } else {
                self.phase
            },
            kinds,
            declaration: self.declaration.clone(),
        }
    }

    /// Whether rows may exist of which no statement could tell which format is right, or rows without a fresh new format that
    /// nothing fills.
    #[must_use]
    pub fn rows_are_in_doubt(&self, live: &[Live]) -> bool {
        let kinds = self.reachable(live);
        let is_stale = |kind: RowKind| kind.new == Freshness::Stale;
        let is_old_doubtful = |kind: RowKind| kind.old != Freshness::Fresh;
        let either = kinds.iter().any(is_stale) && kinds.iter().any(is_old_doubtful);
        let is_filled = self.declaration.parts.backfill || kinds.all_new_fresh();
        self.declaration.has_old() && self.declaration.has_new() && (either || !is_filled)
    }

    /// The state once both formats of every row were compared and made to agree, while these versions went on.
    #[must_use]
    pub fn rows_repaired(&self, live: &[Live]) -> Self {
        let repaired = Self {
            kinds: RowKinds::EMPTY.with(RowKind::BOTH_FRESH),
            ..self.clone()
        };
        let kinds = repaired.reachable(live);
        let is_filled = self.phase == Phase::Backfilled && kinds.all_new_fresh();
        Self {
            phase: if is_filled {
                self.phase
            } else {
                Phase::Expanded
            },
            kinds,
            ..repaired
        }
    }
}
