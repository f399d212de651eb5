//! What coordinators do, one transaction at a time. What each does in it, and in which order, is what
//! `src/coordinator` does; what is decided in it is asked from production.

use phasegate::gate::Verdict;
use phasegate::model::{Phase, Step, Sync};

use super::judge::{Becomes, baton_row};
use super::mutation::Mutation;
use super::rows::{self, Statement};
use super::scenario::Scenario;
use super::state::{Baton, Coordinator, Seen, State, Work, Wrong};

/// How a transaction of a coordinator ended, other than well.
enum Ended {
    /// Its token is not the latest: it is rolled back, and the coordinator gives up.
    Superseded,
    /// The gate did not say go, or the phase was another one.
    Blocked,
}

impl Scenario {
    /// A coordinator takes the lease, looks, and asks whether it may take the step.
    pub fn begin(&self, state: &mut State, who: usize, step: Step) -> Option<()> {
        if baton_row(state.baton).is_held() {
            return None;
        }
        let seen = self.look(state);
        let was = self.present(state).phase;
        let answer = self.ask_from_outside(state, step, seen)?;
        if answer.is_over {
            return None;
        }
        let may_begin = answer.verdict == Verdict::Go
            || step == Step::Contract && state.phase() == Phase::Contracting;
        if !may_begin || step == Step::Backfill && !self.suits(&answer.notes) {
            return None;
        }
        state.left.runs -= 1;
        for other in &mut state.coordinators {
            other.is_current = false;
        }
        state.baton = Baton::Held;
        if step != Step::Expand {
            self.remember(state, seen);
        }
        let back = state.record.as_ref().and_then(|record| record.step_back);
        state.coordinators[who] = Coordinator {
            is_current: true,
            work: match (answer.verdict, back) {
                (Verdict::Go, _) => Work::Decided { step, seen, was },
                // An earlier run may have left its fence up.
                (_, Some(from)) => Work::Lowering { from },
                (_, None) => return None,
            },
        };
        Some(())
    }

    /// As `look` of a contract, or `situation` and `ask` of the others.
    fn ask_from_outside(
        &self,
        state: &State,
        step: Step,
        seen: Seen,
    ) -> Option<super::judge::Answer> {
        let remaining = (step == Step::Contract).then(|| rows::remaining(state));
        let remaining = remaining.filter(|_| self.declaration.parts.backfill);
        Some(self.may_take(self.knowledge(state, Some(seen), remaining), step))
    }

    /// Whether the statement is the one that the gate's notes ask for; its author mends it first where it is not.
    fn suits(&self, notes: &[String]) -> bool {
        let says = |word| notes.iter().any(|note| note.contains(word));
        match self.statement {
            Statement::Overwrites => !says("leave a new format alone"),
            Statement::FillsOnly => !says("has to overwrite"),
        }
    }

    /// What was seen without a lease counts like one that was admitted now.
    fn remember(&self, state: &mut State, seen: Seen) {
        if seen.slots != 0 {
            // When they came nobody knows: perhaps beside any of those that have come since the record.
            let since = state.arrivals.iter().fold(0, |all, live| all | live);
            state.arrive(since | state.leased() | seen.slots);
        }
    }

    /// The next transaction of a coordinator, or its next look.
    pub fn advance(&self, state: &mut State, who: usize) -> Option<()> {
        let before = state.clone();
        let work = state.coordinators[who].work.clone();
        match self.proceed(state, who, work) {
            Ok(next) => {
                let is_over = next == Work::Idle;
                state.coordinators[who].work = next;
                if is_over {
                    self.hand_back(state, who);
                }
            }
            Err(ended) => {
                // Nothing of the transaction is kept.
                *state = before;
                let next = match (ended, &state.coordinators[who].work) {
                    (Ended::Superseded, _) => Work::Idle,
                    (Ended::Blocked, Work::Fenced { from, .. } | Work::Cleared { from, .. }) => {
                        Work::Lowering { from: *from }
                    }
                    (Ended::Blocked, _) => Work::Idle,
                };
                let is_over = next == Work::Idle;
                state.coordinators[who].work = next;
                if is_over {
                    self.hand_back(state, who);
                }
            }
        }
        Some(())
    }

    fn hand_back(&self, state: &mut State, who: usize) {
        if state.coordinators[who].is_current {
            state.baton = Baton::Free;
        }
    }

    fn proceed(&self, state: &mut State, who: usize, work: Work) -> Result<Work, Ended> {
        match work {
            Work::Idle => Err(Ended::Superseded),
            Work::Decided { step, seen, was } => self.take_up(state, who, step, seen, was),
            Work::Fenced { step, from, seen } => self.look_from_behind(state, step, from, seen),
            Work::Cleared {
                step: Step::Contract,
                seen,
                ..
            } if self.in_statements => {
                self.recheck(state, Step::Contract, seen)?;
                self.commit(state, who)?;
                Ok(Work::Removing { seen })
            }
            Work::Cleared { step, seen, .. } => {
                self.take_away(state, who, step, seen)?;
                Ok(Work::Idle)
            }
            Work::Removing { seen } => {
                if state.tables.old {
                    self.remove_old(state);
                    self.commit(state, who)?;
                    return Ok(Work::Removing { seen });
                }
                self.record(state, Some(seen), Becomes::After(Step::Contract));
                self.commit(state, who)?;
                Ok(Work::Idle)
            }
            Work::Lowering { from } => {
                let has_run = state.phase() == Phase::Contracting && !state.tables.old;
                let stays = has_run && self.mutation != Mutation::LoweredHalfway;
                if matches!(state.phase(), Phase::Contracting | Phase::Reverting) && !stays {
                    self.record(state, None, Becomes::GivenUp(from));
                    if let Some(record) = &mut state.record
                        && self.mutation == Mutation::BackWhoeverCame
                    {
                        record.phase = from;
                    }
                    self.commit(state, who)?;
                }
                Ok(Work::Idle)
            }
            Work::Ranging => {
                // The last key is fixed: every row of this moment is due.
                state.rows.iter_mut().for_each(|row| row.due = true);
                Ok(Work::Batching)
            }
            Work::Batching => self.batch(state, who),
            Work::Counted => {
                let seen = self.look(state);
                let may = self.ask_from_outside(state, Step::Backfill, seen);
                match may {
                    Some(answer) if answer.verdict == Verdict::Go => Ok(Work::Finishing { seen }),
                    _ => Err(Ended::Blocked),
                }
            }
            Work::Finishing { seen } => {
                let is_checked = self.mutation != Mutation::BackfillDoneRegardless;
                if is_checked {
                    self.check_phase(state, Phase::Backfilling)?;
                    self.recheck(state, Step::Backfill, seen)?;
                }
                self.record(state, Some(seen), Becomes::After(Step::Backfill));
                self.commit(state, who)?;
                Ok(Work::Idle)
            }
        }
    }

    /// The first transaction after the gate has said go.
    fn take_up(
        &self,
        state: &mut State,
        who: usize,
        step: Step,
        seen: Seen,
        was: Phase,
    ) -> Result<Work, Ended> {
        match step {
            Step::Expand if self.in_statements => self.expand_by_statements(state, who, seen, was),
            Step::Expand => {
                if state.tables.new {
                    state.wrong = Some(Wrong::Twice);
                }
                self.add_new(state);
                self.install_sync(state);
                self.record(state, Some(seen), Becomes::After(Step::Expand));
                self.commit(state, who)?;
                Ok(Work::Idle)
            }
            Step::Backfill => {
                let present = self.present(state).phase;
                if present == Phase::Backfilling {
                    return Ok(if state.cursor {
                        Work::Batching
                    } else {
                        Work::Ranging
                    });
                }
                let ranged = self.mutation == Mutation::BackfillBegunUnchecked;
                if !ranged {
                    self.recheck(state, Step::Backfill, seen)?;
                    let inside = self.ask_from_outside(state, Step::Backfill, seen);
                    if !inside.is_some_and(|answer| self.suits(&answer.notes)) {
                        return Err(Ended::Blocked);
                    }
                }
                self.record(state, Some(seen), Becomes::Begun(Step::Backfill));
                state.cursor = false;
                state.rows.iter_mut().for_each(|row| row.due = false);
                self.commit(state, who)?;
                Ok(Work::Ranging)
            }
            Step::Contract if self.mutation == Mutation::FenceAfterCheck => Ok(Work::Cleared {
                step,
                from: was,
                seen,
            }),
            Step::Contract | Step::Revert => {
                let fence = match step {
                    Step::Contract => Phase::Contracting,
                    _ => Phase::Reverting,
                };
                let from = if state.phase() == fence {
                    let back = state.record.as_ref().and_then(|record| record.step_back);
                    back.unwrap_or(fence)
                } else {
                    let former = self.record(state, Some(seen), Becomes::Begun(step));
                    self.commit(state, who)?;
                    match self.mutation {
                        Mutation::BackWhoeverCame => was,
                        _ => former,
                    }
                };
                Ok(Work::Fenced { step, from, seen })
            }
        }
    }

    /// An expand whose statements cannot share a transaction: each is recorded, and found done by the next run.
    fn expand_by_statements(
        &self,
        state: &mut State,
        who: usize,
        seen: Seen,
        was: Phase,
    ) -> Result<Work, Ended> {
        let again = Work::Decided {
            step: Step::Expand,
            seen,
            was,
        };
        if state.phase() == Phase::Pending {
            self.record(state, None, Becomes::Begun(Step::Expand));
        } else if !state.tables.new {
            self.add_new(state);
        } else if !state.tables.synced && self.declaration.sync != Sync::None {
            self.install_sync(state);
        } else {
            self.record(state, Some(seen), Becomes::After(Step::Expand));
            self.commit(state, who)?;
            return Ok(Work::Idle);
        }
        self.commit(state, who)?;
        Ok(again)
    }

    fn look_from_behind(
        &self,
        state: &mut State,
        step: Step,
        from: Phase,
        before: Seen,
    ) -> Result<Work, Ended> {
        if self.mutation == Mutation::NoRecheckAfterFence {
            return Ok(Work::Cleared {
                step,
                from,
                seen: before,
            });
        }
        let seen = self.look(state);
        if step == Step::Contract {
            let answer = self.ask_from_outside(state, step, seen);
            self.remember(state, seen);
            if answer.is_none_or(|answer| answer.verdict != Verdict::Go) {
                return Err(Ended::Blocked);
            }
        }
        Ok(Work::Cleared { step, from, seen })
    }

    /// The transaction that takes a format away.
    fn take_away(
        &self,
        state: &mut State,
        who: usize,
        step: Step,
        seen: Seen,
    ) -> Result<(), Ended> {
        let is_unchecked = matches!(
            self.mutation,
            Mutation::NoRecheckAfterFence | Mutation::FenceAfterCheck
        );
        if !is_unchecked {
            self.recheck(state, step, seen)?;
        }
        if self.mutation == Mutation::FenceAfterCheck && step == Step::Contract {
            self.record(state, Some(seen), Becomes::Begun(step));
        }
        match step {
            Step::Contract => {
                if !state.tables.old {
                    state.wrong = Some(Wrong::Twice);
                }
                self.remove_old(state);
            }
            _ => {
                if !state.tables.new {
                    state.wrong = Some(Wrong::Twice);
                }
                state.tables.new = false;
                state.rows.iter_mut().for_each(|row| {
                    row.new = None;
                    row.due = false;
                });
                state.reverted = true;
            }
        }
        state.tables.synced = false;
        self.record(state, Some(seen), Becomes::After(step));
        self.commit(state, who)
    }

    fn remove_old(&self, state: &mut State) {
        state.tables.old = false;
        state.tables.synced = false;
        state.rows.iter_mut().for_each(|row| row.old = None);
    }

    fn batch(&self, state: &mut State, who: usize) -> Result<Work, Ended> {
        if let Some(at) = state.rows.iter().position(|row| row.due) {
            if self.mutation != Mutation::BackfillDoneRegardless {
                self.check_phase(state, Phase::Backfilling)?;
            }
            rows::backfill(&mut state.rows[at], self.statement);
            state.cursor = true;
            self.commit(state, who)?;
            return Ok(Work::Batching);
        }
        if rows::remaining(state) > 0 {
            self.record(state, None, Becomes::GivenUp(Phase::Expanded));
            self.commit(state, who)?;
            return Ok(Work::Idle);
        }
        Ok(Work::Counted)
    }

    /// Asks the gate inside the transaction: the leases as they are, everything else as it was last seen.
    fn recheck(&self, state: &State, step: Step, seen: Seen) -> Result<(), Ended> {
        match self.ask_from_outside(state, step, seen) {
            Some(answer) if answer.verdict == Verdict::Go => Ok(()),
            _ => Err(Ended::Blocked),
        }
    }

    fn check_phase(&self, state: &State, phase: Phase) -> Result<(), Ended> {
        if self.present(state).phase == phase {
            Ok(())
        } else {
            Err(Ended::Blocked)
        }
    }

    /// The end of every transaction that changes something: the token is looked at, and the row locked.
    fn commit(&self, state: &mut State, who: usize) -> Result<(), Ended> {
        let token = i64::from(state.coordinators[who].is_current);
        let may = baton_row(state.baton).is_of(token);
        if !may && self.mutation != Mutation::TokenUnchecked {
            return Err(Ended::Superseded);
        }
        if !state.coordinators[who].is_current {
            state.wrong = Some(Wrong::Superseded);
        }
        Ok(())
    }

    fn add_new(&self, state: &mut State) {
        state.tables.new = true;
        // A column that is computed, or has a default, or a view: every row has it at once.
        if self.fills_by_itself() && !self.in_statements {
            state.rows.iter_mut().for_each(|row| row.new = row.old);
        }
    }

    fn install_sync(&self, state: &mut State) {
        state.tables.synced = self.declaration.sync != Sync::None;
        if self.fills_by_itself() {
            state.rows.iter_mut().for_each(|row| row.new = row.old);
        }
    }

    fn fills_by_itself(&self) -> bool {
        self.declaration.sync.refreshes_new() && !self.declaration.parts.backfill
    }
}
