//! How far each migration is, and which row kinds may exist in it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::{
    Basis, Behaviour, Declaration, Format, Formats, Keeps, MigrationId, Parts, RowKind, RowKinds,
    Step, Sync, Version,
};

/// How far a migration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Phase {
    Pending,
    /// Expand statements that could not share one transaction are under way.
    Expanding,
    Expanded,
    Backfilling,
    /// Every row has a fresh new format, and no live version can leave one without.
    Backfilled,
    /// No version that touches the old format is admitted any more.
    Contracting,
    Contracted,
    /// No version that touches the new format is admitted any more.
    Reverting,
}

impl Phase {
    const ALL: [Self; 8] = [
        Self::Pending,
        Self::Expanding,
        Self::Expanded,
        Self::Backfilling,
        Self::Backfilled,
        Self::Contracting,
        Self::Contracted,
        Self::Reverting,
    ];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Expanding => "expanding",
            Self::Expanded => "expanded",
            Self::Backfilling => "backfilling",
            Self::Backfilled => "backfilled",
            Self::Contracting => "contracting",
            Self::Contracted => "contracted",
            Self::Reverting => "reverting",
        }
    }

    /// Whether the new format is there for every version to use.
    #[must_use]
    pub const fn expand_is_done(self) -> bool {
        !matches!(self, Self::Pending | Self::Expanding | Self::Reverting)
    }

    /// Whether the old format is gone or about to go.
    #[must_use]
    pub const fn contract_has_begun(self) -> bool {
        matches!(self, Self::Contracting | Self::Contracted)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no phase.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a phase")]
pub struct PhaseError(pub String);

impl FromStr for Phase {
    type Err = PhaseError;

    fn from_str(text: &str) -> Result<Self, PhaseError> {
        Self::ALL
            .into_iter()
            .find(|phase| phase.name() == text)
            .ok_or_else(|| PhaseError(text.chars().take(80).collect()))
    }
}

/// A version of a service that is, or would be, live.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Live {
    pub service: String,
    pub version: Version,
}

impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.service, self.version)
    }
}

/// One migration's part of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationState {
    pub declaration: Declaration,
    pub phase: Phase,
    /// The kinds that may exist as far as recorded; live versions may add to them.
    pub kinds: RowKinds,
}

impl MigrationState {
    /// A migration of which nothing has been applied.
    #[must_use]
    pub fn pending(declaration: Declaration) -> Self {
        let kinds = if declaration.has_old() {
            RowKinds::EMPTY.with(RowKind::ORIGINAL)
        } else {
            RowKinds::EMPTY
        };
        let mut state = Self {
            declaration,
            phase: Phase::Pending,
            kinds,
        };
        if state.expand_is_done() {
            state.kinds = state.kinds_after_expand(&[]);
        }
        state
    }

    #[must_use]
    pub fn id(&self) -> &MigrationId {
        &self.declaration.id
    }

    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete_with(self.declaration.parts)
    }

    /// As [`Self::is_complete`], if it had these parts.
    #[must_use]
    pub const fn is_complete_with(&self, parts: Parts) -> bool {
        match self.phase {
            Phase::Contracted => true,
            Phase::Backfilled => !parts.contract,
            Phase::Expanded => !parts.contract && !parts.backfill,
            Phase::Pending => !parts.expand && !parts.backfill && !parts.contract,
            _ => false,
        }
    }

    /// Whether the new format is there, or there is none to wait for.
    #[must_use]
    pub const fn expand_is_done(&self) -> bool {
        self.phase.expand_is_done()
            || !self.declaration.parts.expand && matches!(self.phase, Phase::Pending)
    }

    /// Whether `step` has nothing left to do while these versions are live.
    #[must_use]
    pub fn has_taken(&self, step: Step, live: &[Live]) -> bool {
        match step {
            Step::Expand => self.phase.expand_is_done(),
            Step::Backfill => match self.phase {
                // A writer that nobody admitted may have undone it.
                Phase::Backfilled => self.reachable(live).all_new_fresh(),
                Phase::Contracting | Phase::Contracted => self.declaration.parts.backfill,
                _ => false,
            },
            Step::Contract => self.phase == Phase::Contracted,
            Step::Revert => self.phase == Phase::Pending,
        }
    }

    /// The state as it was before a fence kept versions out or a backfill promised anything: what
    /// runs unseen may have started then.
    pub(crate) fn before_any_fence(&self) -> Self {
        let phase = match self.phase {
            Phase::Backfilling | Phase::Backfilled | Phase::Contracting | Phase::Reverting => {
                Phase::Expanded
            }
            other => other,
        };
        Self {
            phase,
            ..self.clone()
        }
    }

    /// What each live version may do with this migration's formats.
    pub fn behaviours<'a>(
        &'a self,
        live: impl IntoIterator<Item = &'a Live>,
    ) -> impl Iterator<Item = (&'a Live, Behaviour)> {
        live.into_iter().flat_map(move |who| {
            self.declaration
                .behaviours(&who.service, &who.version)
                .into_iter()
                .map(move |behaviour| (who, behaviour))
        })
    }

    /// Every row kind that may exist while these versions are live.
    #[must_use]
    pub fn reachable<'a>(&self, live: impl IntoIterator<Item = &'a Live>) -> RowKinds {
        let writes: Vec<_> = live
            .into_iter()
            .flat_map(|who| self.writes_of(who))
            .collect();
        self.synced_writes(&writes)
    }

    /// What a live version may write now.
    ///
    /// Where expand is not done, one that may be the code of before is that: it runs although the new format is not
    /// there. Read as new code it would have written past a sync that was not there either.
    pub(super) fn writes_of(&self, who: &Live) -> Vec<Formats> {
        let does = self.declaration.behaviours(&who.service, &who.version);
        let is_before = !self.expand_is_done()
            && matches!(self.phase, Phase::Pending | Phase::Expanding)
            && does.iter().any(|one| !one.touches(Format::New));
        let is_missing = self.new_cannot_be_written();
        let does = does.into_iter();
        does.filter(|one| !is_before || !one.touches(Format::New))
            .map(|one| Formats {
                new: one.writes.new && !is_missing,
                ..one.writes
            })
            .collect()
    }

    /// Whether nothing can be in the new format yet, whoever is live: expand makes the room for it. A version that came too early fails, or
    /// waits; it has left no rows that the versions before it could not read, and they may be gone back to.
    ///
    /// Not so where the new format is one more value of what is there (`to-new` and nothing to fill): whether the database kept it out
    /// before expand is not known.
    fn new_cannot_be_written(&self) -> bool {
        let declaration = &self.declaration;
        let is_of_what_is_there = declaration.sync == Sync::ToNew && !declaration.parts.backfill;
        self.phase == Phase::Pending && !self.expand_is_done() && !is_of_what_is_there
    }

    pub(super) fn synced_writes(&self, writes: &[Formats]) -> RowKinds {
        self.syncs().iter().fold(self.kinds, |kinds, sync| {
            let extended = writes.iter().map(|written| sync.extend(*written));
            kinds.closure(extended, self.declaration.rows)
        })
    }

    /// The syncs that may be there in this phase, one after the other.
    pub(super) fn syncs(&self) -> Vec<Sync> {
        let declared = self.declaration.sync;
        // Statement by statement, expand goes from no sync to sync, and revert the other way: what
        // was written before the turn is followed by what is written after it, never mixed.
        match self.phase {
            Phase::Pending if !self.expand_is_done() => vec![Sync::None],
            Phase::Expanding => vec![Sync::None, declared],
            Phase::Reverting => vec![declared, Sync::None],
            _ => vec![declared],
        }
    }

    /// Whether a row's new format may be stale, so that a backfill has to overwrite it.
    #[must_use]
    pub fn backfill_must_overwrite<'a>(&self, live: impl IntoIterator<Item = &'a Live>) -> bool {
        self.reachable(live)
            .iter()
            .any(|kind| kind.new == super::Freshness::Stale)
    }

    /// Whether a row may have, or may get while the backfill runs, a new format that its old one
    /// must not overwrite.
    #[must_use]
    pub fn backfill_must_only_fill<'a>(&self, live: impl IntoIterator<Item = &'a Live>) -> bool {
        let kinds = self.reachable(live);
        let during = Self {
            phase: Phase::Backfilling,
            kinds,
            declaration: self.declaration.clone(),
        };
        let may_spoil_old = |service: &String, version| {
            let alone = [Live {
                service: service.clone(),
                version,
            }];
            !during.reachable(&alone).all_old_fresh() && during.breaches(&alone).is_empty()
        };
        let overwrites = kinds.iter().any(|kind| kind.new == super::Freshness::Stale);
        !overwrites
            && (!kinds.all_old_fresh()
                || self.declaration.services.keys().any(|service| {
                    Declaration::representatives(service, [&self.declaration])
                        .into_iter()
                        .any(|version| may_spoil_old(service, version))
                }))
    }

    /// Whether any live version touches `format`.
    #[must_use]
    pub fn is_touched_by(&self, who: &Live, format: Format) -> bool {
        self.declaration
            .behaviours(&who.service, &who.version)
            .into_iter()
            .any(|behaviour| behaviour.touches(format))
    }
}

/// Whether a migration may be expanded although one of a higher number is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sequence {
    /// It may, and that is said.
    #[default]
    Any,
    Strict,
}

/// Every migration, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    migrations: Vec<MigrationState>,
    order: Sequence,
    /// What migrations build on, as their files tell now: nothing of it is recorded.
    bases: BTreeMap<MigrationId, Vec<Basis>>,
}

impl Schema {
    /// Invariant: the migrations are in the order of their numbers.
    #[must_use]
    pub fn new(mut migrations: Vec<MigrationState>) -> Self {
        migrations.sort_by(|a, b| a.id().cmp(b.id()));
        Self {
            migrations,
            order: Sequence::Any,
            bases: BTreeMap::new(),
        }
    }

    /// The same, where these migrations build on earlier ones.
    #[must_use]
    pub fn building_on(mut self, bases: BTreeMap<MigrationId, Vec<Basis>>) -> Self {
        self.bases = bases;
        self
    }

    /// What `id` builds on and is to be contracted before this step of it, and is not yet. One that cannot be contracted is
    /// waited for by nobody.
    pub fn open_bases<'a>(
        &'a self,
        id: &MigrationId,
        step: Step,
    ) -> impl Iterator<Item = &'a Basis> {
        let bases = self.bases.get(id).map_or(&[][..], Vec::as_slice);
        bases.iter().filter(move |basis| {
            basis.from <= step
                && self.get(&basis.migration).is_some_and(|state| {
                    let is_there =
                        state.phase != Phase::Pending || !basis.keeps.begins_with_expand();
                    state.declaration.parts.contract && state.phase != Phase::Contracted && is_there
                })
        })
    }

    /// A later migration that is expanded and has made something else of what the contract of this one, which has nothing
    /// to expand, is to define: it came into the project afterwards.
    pub fn passed_by<'a>(&'a self, state: &MigrationState) -> Option<(&'a MigrationId, &'a Keeps)> {
        if state.phase != Phase::Pending {
            return None;
        }
        let passed = |later: &'a MigrationState| {
            let bases = self.bases.get(later.id())?;
            let basis = bases.iter().find(|basis| {
                basis.migration == *state.id()
                    && basis.from == Step::Expand
                    && matches!(basis.keeps, Keeps::Definition { .. })
            })?;
            (later.phase != Phase::Pending).then_some((later.id(), &basis.keeps))
        };
        self.migrations.iter().find_map(passed)
    }

    /// The same, under this order.
    #[must_use]
    pub const fn under(mut self, order: Sequence) -> Self {
        self.order = order;
        self
    }

    #[must_use]
    pub const fn order(&self) -> Sequence {
        self.order
    }

    /// The last migration that was applied here before this one, and comes after it on a new database; `None` if this one is
    /// expanded, or where its turn is now.
    #[must_use]
    pub fn applied_before_its_turn(&self, id: &MigrationId) -> Option<&MigrationState> {
        let state = self.get(id)?;
        if state.phase != Phase::Pending || !state.declaration.parts.expand {
            return None;
        }
        self.migrations.iter().rev().find(|other| {
            other.id() > id && other.declaration.parts.expand && other.phase != Phase::Pending
        })
    }

    #[must_use]
    pub fn migrations(&self) -> &[MigrationState] {
        &self.migrations
    }

    #[must_use]
    pub fn get(&self, id: &MigrationId) -> Option<&MigrationState> {
        let at = self.position(id)?;
        self.migrations.get(at)
    }

    pub fn get_mut(&mut self, id: &MigrationId) -> Option<&mut MigrationState> {
        let at = self.position(id)?;
        self.migrations.get_mut(at)
    }

    fn position(&self, id: &MigrationId) -> Option<usize> {
        let found = self.migrations.binary_search_by(|state| state.id().cmp(id));
        found.ok()
    }
}
