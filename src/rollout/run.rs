//! Carrying out the steps of a rollout.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use super::arrival::Arrival;
use super::back::kept;
use super::halt::Halt;
use super::news::News;
use super::unwell::Unwell;
use super::{RolloutError, action};
use crate::coordinator::{Coordinator, CoordinatorError, Situation};
use crate::gate::{Blocker, Decision};
use crate::interrupt::Interrupt;
use crate::ledger::{BeganRollout, KnownHead, RolloutRecord, RolloutState, RolloutStepState};
use crate::model::{Step, Version};
use crate::planner::PlanAction;
use crate::project::Project;
use crate::span;

/// What a rollout works with.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    pub project: &'a Project,
    /// How long each step may wait: to be allowed, and for the fleet to show it.
    pub timeout: Duration,
    /// Where news is reported to.
    pub report: &'a (dyn Fn(News<'_>) + Send + Sync),
    /// What stops it, as the coordinator that it is given.
    pub interrupt: Interrupt,
}

/// How the work on a rollout ended.
#[derive(Clone, Debug)]
pub enum Ending {
    Done,
    /// The gate does not allow the next step, or did not in time.
    Blocked(PlanAction, Decision),
    /// The fleet did not show a step in time.
    NotThere(PlanAction, Arrival),
    /// A step was made and does not hold: a check says so, or says nothing.
    Unwell(PlanAction, Unwell),
}

/// A rollout at work.
pub struct Rollout<'a> {
    pub(super) coordinator: Coordinator<'a>,
    pub(super) settings: Settings<'a>,
    pub(super) record: RolloutRecord,
    moves: Vec<PlanAction>,
    /// By service and check, the figure before the step that is under way; none after a resumption.
    pub(super) before: BTreeMap<(String, String), f64>,
}

impl<'a> Rollout<'a> {
    /// Records a new rollout with these steps.
    ///
    /// # Errors
    /// [`RolloutError::Open`] where one is open, or a database error.
    pub async fn begin(
        mut coordinator: Coordinator<'a>,
        settings: Settings<'a>,
        goal: &BTreeMap<String, Version>,
        moves: Vec<PlanAction>,
    ) -> Result<Self, RolloutError> {
        let goal = json!(goal);
        let steps: Vec<_> = moves
            .iter()
            .map(|does| (action::as_json(does), 0))
            .collect();
        let began = coordinator
            .record(async |ledger, actor| ledger.begin_rollout(&goal, &steps, actor).await)
            .await;
        let began = match began {
            Ok(BeganRollout::Yes) => Ok(()),
            Ok(BeganRollout::No(open)) => Err(RolloutError::Open(Box::new(open))),
            Err(error) => Err(error.into()),
        };
        if let Err(error) = began {
            coordinator.finish().await?;
            return Err(error);
        }
        Self::of(coordinator, settings).await
    }

    /// Takes up the one that is open.
    ///
    /// # Errors
    /// [`RolloutError::NoneOpen`], or a database error.
    pub async fn resume(
        coordinator: Coordinator<'a>,
        settings: Settings<'a>,
    ) -> Result<Self, RolloutError> {
        Self::of(coordinator, settings).await
    }

    async fn of(
        mut coordinator: Coordinator<'a>,
        settings: Settings<'a>,
    ) -> Result<Self, RolloutError> {
        let record = match open(&mut coordinator).await {
            Ok(record) => record,
            Err(error) => {
                coordinator.finish().await?;
                return Err(error);
            }
        };
        let steps = record.steps.iter();
        let read: Result<Vec<PlanAction>, RolloutError> =
            steps.map(|step| action::read(&step.action)).collect();
        let moves = match read {
            Ok(moves) => moves,
            Err(error) => {
                coordinator.finish().await?;
                return Err(error);
            }
        };
        Ok(Self {
            coordinator: coordinator.waiting(settings.timeout),
            settings,
            record,
            moves,
            before: BTreeMap::new(),
        })
    }

    /// Gives up the open rollout, and instead begins another one with these steps, if there are any.
    ///
    /// # Errors
    /// [`RolloutError::NoneOpen`], or a database error.
    pub async fn abort(
        coordinator: &mut Coordinator<'a>,
        instead: Option<(&BTreeMap<String, Version>, &[PlanAction])>,
    ) -> Result<RolloutRecord, RolloutError> {
        let record = open(coordinator).await?;
        for step in &record.steps {
            // A contract that was interrupted keeps old versions out until it is given up.
            if let Ok(PlanAction::Schema {
                step: Step::Contract,
                migration,
            }) = action::read(&step.action)
                && step.state == RolloutStepState::Begun
            {
                coordinator.give_up(&migration).await?;
            }
        }
        crate::crash::point("rollout.given_up");
        let begun: Option<(_, Vec<_>)> = instead.map(|(goal, moves)| {
            let steps = moves.iter();
            let steps = steps.map(|does| (action::as_json(does), kept(&record, does)));
            (json!(goal), steps.collect())
        });
        coordinator
            .record(async |ledger, actor| {
                ledger
                    .end_rollout(record.id, RolloutState::Aborted, actor)
                    .await?;
                if let Some((goal, steps)) = &begun {
                    ledger.begin_rollout(goal, steps, actor).await?;
                }
                Ok(())
            })
            .await?;
        Ok(record)
    }

    /// What is recorded of it, as of the last step recorded.
    #[must_use]
    pub const fn record(&self) -> &RolloutRecord {
        &self.record
    }

    /// Takes every step that is left, until one cannot be taken. Why it stops is recorded.
    ///
    /// # Errors
    /// A driver that failed, an interruption, a database error.
    pub async fn run(&mut self) -> Result<Ending, RolloutError> {
        self.say(String::new()).await?;
        for at in 0..self.moves.len() {
            let is_done =
                self.record.steps.get(at).map(|step| step.state) == Some(RolloutStepState::Done);
            let Some(action) = self.moves.get(at).filter(|_| !is_done).cloned() else {
                continue;
            };
            (self.settings.report)(News::Begins {
                number: at + 1,
                total: self.moves.len(),
                step: &action,
            });
            let halt = match self.take(at, &action).await {
                Ok(()) => continue,
                Err(halt) => halt,
            };
            return match halt {
                Halt::Blocked(decision) => {
                    let first = decision.blockers.first();
                    let why =
                        first.map_or_else(|| "it is not safe now".to_owned(), Blocker::message);
                    self.say(format!("{action}: {why}")).await?;
                    Ok(Ending::Blocked(action, decision))
                }
                Halt::NotThere(arrival) => {
                    self.say(format!("{action}: {arrival}")).await?;
                    Ok(Ending::NotThere(action, arrival))
                }
                Halt::Unwell(unwell) => {
                    self.say(format!("{action}, {}", unwell.in_words())).await?;
                    Ok(Ending::Unwell(action, unwell))
                }
                Halt::Error(error) => {
                    let error = error.of_step(&action);
                    if let Err(second) = self.say(error.to_string()).await {
                        tracing::warn!("that it stopped could not be recorded: {second}");
                    }
                    Err(error)
                }
            };
        }
        let id = self.record.id;
        self.coordinator
            .record(async |ledger, actor| ledger.end_rollout(id, RolloutState::Done, actor).await)
            .await?;
        self.record.state = RolloutState::Done;
        Ok(Ending::Done)
    }

    /// What the fleet and the schema are now.
    ///
    /// # Errors
    /// A database or ledger error.
    pub async fn look_around(&mut self) -> Result<Situation, CoordinatorError> {
        self.coordinator.look_around().await
    }

    /// Gives the coordinator's lease back.
    ///
    /// # Errors
    /// A database error; then the lease ends by itself.
    pub async fn finish(self) -> Result<KnownHead, CoordinatorError> {
        self.coordinator.finish().await
    }

    async fn take(&mut self, at: usize, action: &PlanAction) -> Result<(), Halt> {
        let reached = self.record.steps.get(at).map_or(0, |step| step.reached);
        self.mark(at, (RolloutStepState::Begun, reached)).await?;
        match action {
            PlanAction::Schema { step, migration } => {
                self.schema(*step, migration, action).await?;
                self.mark(at, (RolloutStepState::Done, 0)).await?;
            }
            PlanAction::Roll { service, from, to } => {
                let span = span::roll(service, &to.to_string());
                let rolled = self.roll(at, (service, from, to), action);
                span::within(span, rolled).await?;
                self.mark(at, (RolloutStepState::Done, 100)).await?;
            }
        }
        Ok(())
    }

    /// Records how far a step has come.
    pub(super) async fn mark(
        &mut self,
        at: usize,
        becomes: (RolloutStepState, u8),
    ) -> Result<(), Halt> {
        let id = self.record.id;
        let position = i64::try_from(at + 1).unwrap_or(i64::MAX);
        let does = self.moves.get(at).map(ToString::to_string);
        let does = does.unwrap_or_default();
        self.coordinator
            .record(async |ledger, actor| {
                ledger
                    .record_rollout_step(id, position, becomes, (&does, actor))
                    .await
            })
            .await?;
        if let Some(step) = self.record.steps.get_mut(at) {
            (step.state, step.reached) = becomes;
        }
        Ok(())
    }

    /// Records why it stops, or that it goes on.
    async fn say(&mut self, why: String) -> Result<(), RolloutError> {
        let id = self.record.id;
        self.coordinator
            .record(async |ledger, actor| ledger.record_rollout_stop(id, &why, actor).await)
            .await?;
        self.record.stopped = why;
        Ok(())
    }
}

async fn open(coordinator: &mut Coordinator<'_>) -> Result<RolloutRecord, RolloutError> {
    let last = coordinator
        .record(async |ledger, _| ledger.last_rollout().await)
        .await?;
    last.filter(|last| last.state == RolloutState::Open)
        .ok_or(RolloutError::NoneOpen)
}
