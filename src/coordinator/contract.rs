//! Contract: the old format is removed, once nothing depends on it and nothing can come back.

use std::time::{Duration, Instant};

use super::change::{Becomes, Move};
use super::fence::{FromInside, RecheckRules};
use super::in_ledger::End;
use super::past_return::past_return;
use super::script::{Progress, Ran, Run, seen_elsewhere};
use super::session::Coordinator;
use super::{CoordinatorError, Done, Outcome, Situation};
use crate::gate::{Decision, Verdict};
use crate::model::{MigrationId, MigrationState, Phase, Step};
use crate::project::Recheck;

/// How long nothing is asked while something is waited for.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

impl Coordinator<'_> {
    pub(super) async fn contract(&mut self, id: &MigrationId) -> Result<Outcome, CoordinatorError> {
        let began = Instant::now();
        let situation = match self.wait_unfenced(id, began).await? {
            Clear::Go(situation) => situation,
            Clear::Ended(outcome) => return Ok(outcome),
        };
        let Some(state) = situation.evidence.schema.get(id).cloned() else {
            return Err(CoordinatorError::NoFiles(id.clone()));
        };
        let ended = match self.raise_fence(&state, &situation, Step::Contract).await {
            Ok(()) => self.remove_fenced(id, began).await,
            Err(error) => Err(error),
        };
        self.leave_fence(Step::Contract, id, ended).await
    }

    /// Looks until nothing stands in the way, as long as the user waits. Without a fence: whatever is live may come back
    /// meanwhile.
    async fn wait_unfenced(
        &mut self,
        id: &MigrationId,
        began: Instant,
    ) -> Result<Clear, CoordinatorError> {
        loop {
            let (situation, decision) = match self.look(id).await {
                Ok(found) => found,
                Err(error) => {
                    self.bridge(error, began).await?;
                    continue;
                }
            };
            let Some(state) = situation.evidence.schema.get(id) else {
                return Err(CoordinatorError::NoFiles(id.clone()));
            };
            if state.phase == Phase::Contracted {
                let note = decision.notes.join("; ");
                return Ok(Clear::Ended(Outcome::Already {
                    migration: id.clone(),
                    step: Step::Contract,
                    note,
                }));
            }
            if decision.verdict == Verdict::Go {
                return Ok(Clear::Go(Box::new(situation)));
            }
            // An earlier run may have left its fence up.
            let blocked = Ok(Outcome::Blocked(decision.clone()));
            let blocked = self.leave_fence(Step::Contract, id, blocked).await?;
            if !decision.waits_for_live_versions() || !self.has_time_left(began) {
                return Ok(Clear::Ended(blocked));
            }
            self.report(Progress::Waiting(decision));
            self.options.interrupt.pause(BETWEEN_LOOKS).await;
        }
    }

    /// Behind the fence: looks again, waits for who came just before it, and removes the old format.
    ///
    /// Invariant: only what is seen from behind the fence counts. Before it, one more could have come.
    async fn remove_fenced(
        &mut self,
        id: &MigrationId,
        began: Instant,
    ) -> Result<Outcome, CoordinatorError> {
        crate::crash::point("contract.fenced");
        loop {
            let mut situation = match self.look_fenced(id).await {
                Ok(situation) => situation,
                Err(error) => {
                    self.bridge(error, began).await?;
                    continue;
                }
            };
            let Some(fenced) = situation.evidence.schema.get(id).cloned() else {
                return Err(CoordinatorError::NoFiles(id.clone()));
            };
            if fenced.phase != Phase::Contracting {
                return Err(CoordinatorError::Moved {
                    migration: id.clone(),
                    phase: fenced.phase,
                });
            }
            // What `remaining` and `require` count is asked inside the transaction.
            let mut decision = self.ask(Step::Contract, id, &situation);
            if decision.verdict == Verdict::Go {
                decision = self.checked(id, &mut situation, decision).await?;
            }
            if decision.verdict == Verdict::Go {
                match self.remove_old(id, &fenced, &situation).await? {
                    Ran::Done { statements } => {
                        return Ok(Outcome::Done(Done {
                            migration: id.clone(),
                            step: Step::Contract,
                            statements,
                            rows: 0,
                            keys: 0,
                            took: began.elapsed(),
                            notes: Vec::new(),
                        }));
                    }
                    Ran::Blocked(found) => decision = found,
                }
            }
            if !decision.waits_for_live_versions() || !self.has_time_left(began) {
                return Ok(Outcome::Blocked(decision));
            }
            self.report(Progress::Waiting(decision));
            self.options.interrupt.pause(BETWEEN_LOOKS).await;
        }
    }

    /// What a contract would do now, without doing it.
    ///
    /// # Errors
    /// A database or ledger error.
    pub async fn rehearse_contract(
        &mut self,
        id: &MigrationId,
    ) -> Result<Decision, CoordinatorError> {
        self.look(id).await.map(|(_, decision)| decision)
    }

    /// Everything, with the user's queries once nothing else stands in the way: they may be costly.
    async fn look(&mut self, id: &MigrationId) -> Result<(Situation, Decision), CoordinatorError> {
        let mut situation = self.situation_before(Step::Contract, id).await?;
        self.remember_seen(id, &situation).await?;
        let mut decision = self.ask(Step::Contract, id, &situation);
        if decision.verdict == Verdict::Go {
            let Some(facts) = self.facts(id, &situation).await? else {
                return Ok((situation, decision));
            };
            situation.evidence.facts = facts;
            decision = self.ask(Step::Contract, id, &situation);
        }
        Ok((situation, decision))
    }

    /// The fleet and the ledger from behind the fence.
    async fn look_fenced(&mut self, id: &MigrationId) -> Result<Situation, CoordinatorError> {
        let situation = self.observe().await?;
        self.remember_seen(id, &situation).await?;
        Ok(situation)
    }

    async fn remember_seen(
        &mut self,
        id: &MigrationId,
        situation: &Situation,
    ) -> Result<(), CoordinatorError> {
        let overridden = self.overridden(Step::Contract, id, situation);
        self.record_override(&overridden, id).await
    }

    /// A restart or a failover of the database is no reason to give up a long wait.
    async fn bridge(
        &mut self,
        error: CoordinatorError,
        began: Instant,
    ) -> Result<(), CoordinatorError> {
        if !error.is_passing() || !self.has_time_left(began) {
            return Err(error);
        }
        self.report(Progress::Unreachable(error.to_string()));
        self.options.interrupt.pause(BETWEEN_LOOKS).await;
        self.reconnect().await;
        Ok(())
    }

    /// Goes over every row once more, where the migration demands it. From behind the fence, because nothing that
    /// writes the old format starts there any more.
    async fn checked(
        &mut self,
        id: &MigrationId,
        situation: &mut Situation,
        decision: Decision,
    ) -> Result<Decision, CoordinatorError> {
        let migration = self.migration(id)?;
        if migration.contract_rules.check == Recheck::No {
            return Ok(decision);
        }
        let is_past_return = self
            .in_ledger(async |ledger| {
                let found = past_return((id, Some(migration)), Step::Contract, ledger).await?;
                Ok(End::GiveUp(found))
            })
            .await?;
        // A part of the old format is gone already: there is nothing left to ask.
        if is_past_return {
            return Ok(decision);
        }
        situation.evidence.facts.check = self.check_of(migration).await?;
        Ok(self.ask(Step::Contract, id, situation))
    }

    async fn remove_old(
        &mut self,
        id: &MigrationId,
        state: &MigrationState,
        situation: &Situation,
    ) -> Result<Ran, CoordinatorError> {
        let dialect = self.connection.capabilities().dialect;
        let Some(file) = &self.migration(id)?.files(dialect).contract else {
            return Err(CoordinatorError::NoFiles(id.clone()));
        };
        let others = seen_elsewhere(&situation.evidence.snapshot);
        let change = Move {
            others: &others,
            ..Move::new(state, Becomes::After(Step::Contract))
        };
        let recheck = FromInside {
            step: Step::Contract,
            id,
            situation,
            coordinator: RecheckRules::of(self),
        };
        self.run_script(Run {
            step: Step::Contract,
            file,
            change,
            recheck: Some(&recheck),
        })
        .await
    }

    fn has_time_left(&self, began: Instant) -> bool {
        self.options.wait.is_some_and(|wait| began.elapsed() < wait)
    }
}

/// How a wait without a fence ended.
enum Clear {
    /// Nothing stands in the way, by this.
    Go(Box<Situation>),
    Ended(Outcome),
}
