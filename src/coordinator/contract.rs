//! Contract: the old format is removed, once nothing depends on it and nothing can come back.

use std::time::{Duration, Instant};

use super::fence::{FromInside, RecheckRules};
use super::script::{Progress, Ran, Run, seen_elsewhere};
use super::session::{Coordinator, Move, WayBack};
use super::{CoordinatorError, Done, Outcome, Situation};
use crate::database::{DatabaseError, ErrorKind, LockTimeout};
use crate::gate::{Decision, Facts, Soak, Verdict};
use crate::ledger::{Ledger, View};
use crate::model::{Format, Live, MigrationId, MigrationState, Phase, Schema, Step};
use crate::project::Migration;

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
        let may_wait = self.options.wait.is_some() && decision.verdict != Verdict::Refuse;
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
                match self.remove_old(id, &fenced, &situation).await {
                    Ok(Ran::Done { statements }) => {
                        return Ok(Outcome::Done(Done {
                            migration: id.clone(),
                            step: Step::Contract,
                            statements,
                            rows: 0,
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
            if !self.has_time_left(began) || decision.verdict == Verdict::Refuse {
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

    /// Asks the user's queries, and tries again where a lock on their tables is not granted: a
    /// transaction that nobody ends would otherwise be waited for without a word.
    async fn facts(
        &mut self,
        id: &MigrationId,
        situation: &Situation,
    ) -> Result<Option<Facts>, CoordinatorError> {
        let migration = self.migration(id)?;
        let config = &self.project().config.database;
        let (limit, bound) = (LockTimeout(config.lock_timeout), config.lock_retry_for);
        let began = Instant::now();
        for attempt in 1.. {
            let Some(mut ledger) = Ledger::read(self.connection.as_mut()).await? else {
                break;
            };
            ledger.connection().limit_lock_waits(limit).await?;
            let schema = &situation.evidence.schema;
            let facts = measure(migration, id, &situation.view, schema, &mut ledger).await;
            ledger.rollback().await?;
            match facts {
                Err(CoordinatorError::Database(error))
                    if error.kind == ErrorKind::Locked && began.elapsed() < bound =>
                {
                    let holders = Vec::new();
                    self.report(Progress::LockRetry { attempt, holders });
                    let pause = Duration::from_millis(fastrand::u64(200..800));
                    tokio::time::sleep(pause).await;
                }
                other => return other.map(Some),
            }
        }
        Ok(None)
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

    async fn step_back(
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

/// Asks the user's queries, and works out how long no old version was seen.
///
/// Once statements of the contract have run, all of them or one by one, there is nothing left to
/// ask: all was as it had to be before the first, and what the queries look at may be gone.
pub(super) async fn measure(
    migration: &Migration,
    id: &MigrationId,
    view: &View,
    schema: &Schema,
    ledger: &mut Ledger<'_>,
) -> Result<Facts, CoordinatorError> {
    let query_failed = |what: &str, error: DatabaseError| {
        let mut error = error;
        error.message = format!(
            "`{what}` in {}: {}",
            migration.manifest.path.display(),
            error.message
        );
        CoordinatorError::Database(error)
    };
    let mut facts = Facts {
        coordinator: None,
        ..Facts::default()
    };
    let begun = ledger.steps(id, Step::Contract.name()).await?;
    if !begun.is_empty() {
        return Ok(facts);
    }
    if let Some(backfill) = &migration.backfill {
        let count = ledger.connection().count(&backfill.remaining).await;
        facts.remaining = Some(count.map_err(|error| query_failed("remaining", error))?);
    }
    for query in &migration.contract_rules.require {
        let count = ledger.connection().count(query).await;
        facts.require.push((
            query.clone(),
            count.map_err(|error| query_failed("require", error))?,
        ));
    }
    if let Some(required) = migration.contract_rules.soak {
        facts.soak = schema.get(id).map(|state| soak(required, state, view));
    }
    Ok(facts)
}

/// How long no version that touches the old format was seen.
#[must_use]
pub fn soak(required: Duration, state: &MigrationState, view: &View) -> Soak {
    let seen = view
        .sightings
        .iter()
        .filter(|sighting| {
            // A version that cannot be placed may be an old one.
            sighting.label.version.clone().is_none_or(|version| {
                let who = Live {
                    service: sighting.service.clone(),
                    version,
                };
                state.is_touched_by(&who, Format::Old)
            })
        })
        .map(|sighting| sighting.last_seen_at);
    let mut applied = view.applied.iter();
    let applied = applied.find(|applied| applied.state.id() == state.id());
    let since = seen.max().or(applied.map(|applied| applied.changed_at));
    Soak {
        required_ms: i64::try_from(required.as_millis()).unwrap_or(i64::MAX),
        quiet_ms: since.map_or(0, |since| view.now.saturating_sub(since)),
    }
}
