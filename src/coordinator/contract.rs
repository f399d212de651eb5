//! Contract: the old format is removed, once nothing depends on it and nothing can come back.

use std::time::{Duration, Instant};

use super::change::{Move, WayBack};
use super::fence::{FromInside, RecheckRules};
use super::script::{Progress, Ran, Run, seen_elsewhere};
use super::session::Coordinator;
use super::{CoordinatorError, Done, Outcome, Situation};
use crate::gate::{Decision, Verdict};
use crate::ledger::Entry;
use crate::model::{Live, MigrationId, MigrationState, Phase, Step};
use crate::project::Recheck;

impl Coordinator<'_> {
    pub(super) async fn contract(&mut self, id: &MigrationId) -> Result<Outcome, CoordinatorError> {
        let began = Instant::now();
        let (mut situation, mut decision) = self.look(id).await?;
        let Some(state) = situation.evidence.schema.get(id).cloned() else {
            return Err(CoordinatorError::NoFiles(id.clone()));
        };
        if state.phase == Phase::Contracted {
            let note = decision.notes.join("; ");
            return Ok(Outcome::Already {
                migration: id.clone(),
                step: Step::Contract,
                note,
            });
        }
        let may_wait = self.options.wait.is_some() && decision.waits_for_live_versions();
        if decision.verdict != Verdict::Go && !may_wait {
            // An earlier run may have left its fence up.
            self.step_back(&state, &situation).await?;
            return Ok(Outcome::Blocked(decision));
        }
        let from = self.raise_fence(&state, &situation, Step::Contract).await?;
        crate::crash::point("contract.fenced");
        loop {
            // Only what is seen from behind the fence counts: before it, one more could have come.
            (situation, decision) = match self.look(id).await {
                Ok(found) => found,
                // A restart or a failover of the database is no reason to give up a long wait.
                Err(error) if error.is_passing() && self.has_time_left(began) => {
                    self.report(Progress::Unreachable(error.to_string()));
                    if self.pause_or_interrupt().await {
                        return Err(CoordinatorError::Interrupted(format!(
                            "the fence of {id} is still up: old versions cannot start until \
                             `migrate contract {id}` is run again"
                        )));
                    }
                    self.reconnect().await;
                    continue;
                }
                Err(error) => {
                    let fenced = MigrationState {
                        phase: Phase::Contracting,
                        ..state
                    };
                    return Err(self.lower_fence_after(error, &fenced, from).await);
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
            if decision.verdict == Verdict::Go {
                decision = match self.checked(id, &mut situation, decision).await {
                    Ok(decision) => decision,
                    Err(error) => {
                        return Err(self.lower_fence_after(error, &fenced, from).await);
                    }
                };
            }
            if decision.verdict == Verdict::Go {
                match self.remove_old(id, &fenced, &situation).await {
                    Ok(Ran::Done { statements }) => {
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
                    Ok(Ran::Blocked(found)) => decision = found,
                    Err(error) => {
                        return Err(self.lower_fence_after(error, &fenced, from).await);
                    }
                }
            }
            if !self.has_time_left(began) || !decision.waits_for_live_versions() {
                self.lower_fence(&fenced, from).await?;
                return Ok(Outcome::Blocked(decision));
            }
            self.report(Progress::Waiting(decision.clone()));
            if self.pause_or_interrupt().await {
                self.lower_fence(&fenced, from).await?;
                return Err(CoordinatorError::Interrupted(format!(
                    "the contract of {id} was given up, and old versions may start again"
                )));
            }
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

    async fn look(&mut self, id: &MigrationId) -> Result<(Situation, Decision), CoordinatorError> {
        let mut situation = self.situation().await?;
        let overridden = self.overridden(Step::Contract, id, &situation);
        self.remember(&situation.evidence.snapshot, &overridden, id)
            .await?;
        let mut decision = self.ask(Step::Contract, id, &situation);
        if decision.verdict == Verdict::Go {
            // The user's queries may be costly: they are asked when nothing else stands in the way.
            let Some(facts) = self.facts(id, &situation).await? else {
                return Ok((situation, decision));
            };
            situation.evidence.facts = facts;
            decision = self.ask(Step::Contract, id, &situation);
        }
        Ok((situation, decision))
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
        // Where `remaining` was not asked either, a part of the old format is gone already: there is nothing left to ask.
        let is_past_return = situation.evidence.facts.remaining.is_none();
        if migration.contract_rules.check == Recheck::No || is_past_return {
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
        let becomes = |state: &MigrationState, live: &[Live]| state.after(Step::Contract, live);
        let change = Move {
            entry: Entry::Known,
            state,
            others: &others,
            becomes: &becomes,
            way_back: WayBack::None,
            detail: serde_json::json!({}),
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

    pub(super) async fn step_back(
        &mut self,
        state: &MigrationState,
        situation: &Situation,
    ) -> Result<(), CoordinatorError> {
        let applied = situation
            .view
            .applied
            .iter()
            .find(|applied| applied.state.id() == state.id());
        match applied.and_then(|applied| applied.step_back) {
            Some(to) if state.phase == Phase::Contracting => self.lower_fence(state, to).await,
            _ => Ok(()),
        }
    }

    fn has_time_left(&self, began: Instant) -> bool {
        self.options.wait.is_some_and(|wait| began.elapsed() < wait)
    }

    /// Waits a moment; returns whether the user wants it to end.
    async fn pause_or_interrupt(&self) -> bool {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        ) else {
            tokio::time::sleep(Duration::from_secs(1)).await;
            return false;
        };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => false,
            _ = interrupt.recv() => true,
            _ = terminate.recv() => true,
        }
    }
}
