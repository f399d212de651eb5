//! A change of phase, recorded together with its event.

use super::CoordinatorError;
use super::in_ledger::End;
use super::session::Session;
use crate::ledger::{
    Entry, EventKind, Ledger, LedgerError, Locked, PhaseChange, seal_of_declaration,
};
use crate::model::{Declaration, Live, MigrationState, Phase, Step};

/// Moves a migration to a new phase inside an open transaction, with its event. Returns the phase
/// that it leaves.
///
/// Invariant: the caller commits right after; the admissions and the coordinator's lease are locked from here on, so
/// the row kinds recorded take every version into account that was ever admitted, and nobody takes over.
pub(super) async fn move_to(
    ledger: &mut Ledger<'_>,
    token: i64,
    actor: &str,
    change: PhaseTransition<'_>,
) -> Result<Phase, LedgerError> {
    let id = change.state.id();
    let locked = match change.entry {
        Entry::New => ledger.lock_and_run(id, change.others, token, &[]).await?,
        Entry::Known => ledger.lock_and_view(id, token).await?,
    };
    record_move(ledger, locked, actor, change).await
}

impl Session<'_> {
    /// Records a change of phase in a transaction of its own.
    pub(super) async fn change_phase(
        &mut self,
        change: PhaseTransition<'_>,
    ) -> Result<(), CoordinatorError> {
        let (token, actor) = (self.token, self.actor.clone());
        self.in_ledger(async |ledger| {
            move_to(ledger, token, &actor, change.clone()).await?;
            Ok(End::Commit(()))
        })
        .await
    }
}

/// As [`move_to`], with what was seen under the lock.
pub(super) async fn record_move(
    ledger: &mut Ledger<'_>,
    locked: Locked,
    actor: &str,
    change: PhaseTransition<'_>,
) -> Result<Phase, LedgerError> {
    let live = locked.view.live_with(change.others);
    let left = record_one(ledger, &locked, &live, actor, change).await?;
    ledger.go_on(&locked.view, &live, locked.seq);
    Ok(left)
}

/// As [`record_move`], for several migrations of which nothing is recorded yet; `others` are those of each change.
pub(super) async fn record_moves<'m>(
    ledger: &mut Ledger<'_>,
    locked: Locked,
    actor: &str,
    others: &[Live],
    changes: impl IntoIterator<Item = PhaseTransition<'m>>,
) -> Result<(), LedgerError> {
    let live = locked.view.live_with(others);
    for change in changes {
        record_one(ledger, &locked, &live, actor, change).await?;
    }
    ledger.go_on(&locked.view, &live, locked.seq);
    Ok(())
}

async fn record_one(
    ledger: &mut Ledger<'_>,
    Locked { seq, view }: &Locked,
    live: &[Live],
    actor: &str,
    change: PhaseTransition<'_>,
) -> Result<Phase, LedgerError> {
    let state = view.present(change.state);
    let recorded = view
        .applied
        .iter()
        .find(|applied| applied.state.id() == state.id());
    if let Some(applied) = recorded
        && applied.recorded_phase != applied.state.phase
    {
        let detail = serde_json::json!({ "from": applied.recorded_phase.name(), "to": applied.state.phase.name() });
        ledger
            .append(EventKind::BackfillUndone, actor, Some(state.id()), &detail)
            .await?;
    }
    let after = change.becomes.of(&state, live);
    ledger.record_phase(PhaseChange {
        entry: recorded.map_or(Entry::New, |_| Entry::Known),
        declaration: &after.declaration,
        phase: after.phase,
        kinds: after.kinds,
        seq: *seq,
        step_back: change.way_back.to(state.phase),
    })?;
    let mut detail = change.detail;
    if let Some(object) = detail.as_object_mut() {
        object.insert("from".into(), state.phase.name().into());
        object.insert("to".into(), after.phase.name().into());
        if after.phase != Phase::Pending {
            // So that the log tells when what is recorded is edited.
            let declaration = ledger_text(&after.declaration)?;
            object.insert("kinds".into(), after.kinds.to_string().into());
            object.insert("declared".into(), seal_of_declaration(&declaration).into());
        }
    }
    ledger
        .append(EventKind::Phase, actor, Some(state.id()), &detail)
        .await?;
    Ok(state.phase)
}

/// A declaration as the ledger stores it.
fn ledger_text(declaration: &Declaration) -> Result<String, LedgerError> {
    serde_json::to_string(declaration).map_err(|error| LedgerError::Damaged(error.to_string()))
}

/// A change of phase.
#[derive(Clone)]
pub(super) struct PhaseTransition<'m> {
    /// What is recorded by now. `New` spares looking, and fails where it is not true.
    pub entry: Entry,
    /// The state as it was when the step was decided on.
    pub state: &'m MigrationState,
    /// Versions that sources other than the leases saw.
    pub others: &'m [Live],
    pub becomes: Becomes<'m>,
    /// Whether the phase that is left is recorded as the one to go back to: it may not be the one
    /// that the step was decided in, because a version admitted since may have undone a backfill.
    pub way_back: WayBack,
    /// More for the event; an object.
    pub detail: serde_json::Value,
}

impl<'m> PhaseTransition<'m> {
    /// Of a migration that is recorded, by the leases alone, with no way back.
    pub fn new(state: &'m MigrationState, becomes: Becomes<'m>) -> Self {
        Self {
            entry: Entry::Known,
            state,
            others: &[],
            becomes,
            way_back: WayBack::None,
            detail: serde_json::json!({}),
        }
    }
}

/// What a migration becomes, from what it is and whoever is live under the lock.
#[derive(Clone, Copy)]
pub(super) enum Becomes<'m> {
    Begun(Step),
    After(Step),
    /// The phase before a fence, or before a step that is not gone on with.
    GivenUp(Phase),
    /// Nothing kept its formats in step for a while; these may have written meanwhile.
    OutOfStep(&'m [Live]),
    /// Somebody has repaired its rows, while these may have gone on writing.
    RowsRepaired(&'m [Live]),
}

impl Becomes<'_> {
    fn of(self, state: &MigrationState, live: &[Live]) -> MigrationState {
        match self {
            Self::Begun(step) => state.begun(step, live),
            Self::After(step) => state.after(step, live),
            Self::GivenUp(to) => state.given_up(to, live),
            Self::OutOfStep(seen) => state.out_of_step(&[seen, live].concat()),
            Self::RowsRepaired(seen) => state.rows_repaired(&[seen, live].concat()),
        }
    }
}

/// Whether a change of phase can be taken back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum WayBack {
    Kept,
    None,
    /// What is recorded stays.
    As(Option<Phase>),
}

impl WayBack {
    fn to(self, phase: Phase) -> Option<Phase> {
        match self {
            Self::Kept => Some(phase),
            Self::None => None,
            Self::As(recorded) => recorded,
        }
    }
}
