//! One step of a rollout: asked of the gate, taken, and waited for.

use std::time::{Duration, Instant};

use super::RolloutError;
use super::arrival::Arrival;
use super::bake::is_way_back;
use super::halt::Halt;
use super::news::News;
use super::run::Rollout;
use crate::coordinator::Outcome;
use crate::driver::{Called, Hold, Shift, Shifted};
use crate::gate::{Action, Verdict, decide};
use crate::ledger::RolloutStepState;
use crate::model::{Live, MigrationId, Step, Version};
use crate::planner::PlanAction;
use crate::span;

impl Rollout<'_> {
    pub(super) async fn schema(
        &mut self,
        step: Step,
        id: &MigrationId,
        action: &PlanAction,
    ) -> Result<(), Halt> {
        let patience = Patience::new(self.settings.timeout);
        for attempt in 0.. {
            match self.coordinator.take(step, id).await {
                Ok(Outcome::Done(done)) => {
                    (self.settings.report)(News::Carried(&done));
                    return Ok(());
                }
                Ok(Outcome::Already { note, .. }) => {
                    (self.settings.report)(News::Already(&note));
                    return Ok(());
                }
                Ok(Outcome::Blocked(decision)) => {
                    if !decision.waits_for_live_versions() || patience.is_over() {
                        return Err(Halt::Blocked(decision));
                    }
                    (self.settings.report)(News::Held(&decision));
                }
                Err(error) if error.is_passing() && !patience.is_over() => {
                    (self.settings.report)(News::Unreachable(&error));
                    // Connects again.
                    let _ = self.coordinator.look_around().await;
                }
                Err(error) => return Err(error.into()),
            }
            self.pause(attempt, action).await?;
        }
        Ok(())
    }

    pub(super) async fn roll(
        &mut self,
        at: usize,
        (service, from, to): (&str, &[Version], &Version),
        action: &PlanAction,
    ) -> Result<(), Halt> {
        let project = self.settings.project;
        let driver = project.config.driver(service);
        let reached = self.record.steps.get(at).map_or(0, |step| step.reached);
        let shift = |step| Shift {
            service,
            from,
            to,
            step,
        };
        let mut is_there = false;
        // Somebody may have rolled it out by hand, or the last run may have stopped just here.
        if let Ok(situation) = self.coordinator.look_around().await {
            let arrival = Arrival::judged(&situation.evidence, service, to);
            // Where nothing runs, nothing shows that anybody has: the driver is what knows the new version from now on.
            is_there = arrival.is_complete() && arrival.serving > 0;
            // What the driver was told on the way forward it may still be trying, though the fleet shows nothing of it.
            let has_to_be_told = reached < 100 && is_way_back(&shift(reached));
            if is_there && !has_to_be_told && !driver.is_unfinished(service).await {
                (self.settings.report)(News::Arrived(&arrival));
                return self.bake(&shift(100), action).await;
            }
        }
        if reached == 0 {
            self.measure_before(&shift(0)).await;
        } else if reached < 100 && !is_there {
            // It may have been stopped while it held.
            self.bake(&shift(reached), action).await?;
        }
        let left: Vec<u8> = driver
            .steps()
            .iter()
            .copied()
            .filter(|step| *step > reached && (!is_there || *step == 100))
            .collect();
        let mut left = left.into_iter();
        let mut next = left.next();
        let mut watched: Option<Hold> = None;
        while let Some(step) = next {
            let span = span::part("wait for the gate", service, step);
            span::within(span, self.wait_for_the_gate(service, to, action)).await?;
            if self.settings.interrupt.is_due() {
                return Err(RolloutError::Interrupted(action.clone()).into());
            }
            let candidate = Live {
                service: service.to_owned(),
                version: to.clone(),
            };
            if let Some(why) = self.coordinator.list(&[candidate]).await {
                (self.settings.report)(News::Tells(&why));
            }
            self.coordinator
                .record(async |ledger, _| ledger.record_order(service, to).await)
                .await?;
            crate::crash::point("rollout.driver");
            let shift = shift(step);
            match driver.instruction(&shift) {
                Some(text) => (self.settings.report)(News::Asks(&text)),
                None => (self.settings.report)(News::Calls(shift)),
            }
            let report = self.settings.report;
            let called = Called {
                root: &project.root,
                database_url: project.config.database_url.as_deref(),
                interrupt: self.settings.interrupt,
                watched: watched.as_ref(),
                progress: &|text| report(News::Tells(text)),
            };
            let span = span::part("driver", service, step);
            let shifted = span::within(span, driver.shift(&shift, &called)).await;
            let shifted = shifted.map_err(|cause| RolloutError::Driver {
                action: action.clone(),
                step,
                cause,
            })?;
            if let Shifted::Holds(hold) = shifted {
                let step = hold.step;
                self.bake(&Shift { step, ..shift }, action).await?;
                watched = Some(hold);
                continue;
            }
            next = left.next();
            crate::crash::point("rollout.driven");
            self.mark(at, (RolloutStepState::Begun, step)).await?;
            // At the last one the fleet has to show it first.
            if step < 100 {
                self.bake(&shift, action).await?;
            }
        }
        let span = span::part("wait for the fleet", service, 100);
        let arrived = span::within(span, self.wait_for_the_fleet(service, to, action)).await;
        if let Err(Halt::NotThere(_)) = &arrived {
            // What the driver said of its last call is not believed: it is called again next time.
            let before_last = driver.steps().iter().rev().nth(1).copied();
            let reached = before_last.unwrap_or(0);
            self.mark(at, (RolloutStepState::Begun, reached)).await?;
        }
        arrived?;
        self.bake(&shift(100), action).await
    }

    /// Waits until instances of the new version may start beside those that run.
    async fn wait_for_the_gate(
        &mut self,
        service: &str,
        to: &Version,
        action: &PlanAction,
    ) -> Result<(), Halt> {
        let patience = Patience::new(self.settings.timeout);
        for attempt in 0.. {
            match self.coordinator.look_around().await {
                Ok(situation) => {
                    let candidate = Live {
                        service: service.to_owned(),
                        version: to.clone(),
                    };
                    let decision = decide(Action::Deploy(vec![candidate]), &situation.evidence);
                    match decision.verdict {
                        Verdict::Go => return Ok(()),
                        _ if !decision.waits_for_live_versions() => {
                            return Err(Halt::Blocked(decision));
                        }
                        _ if patience.is_over() => return Err(Halt::Blocked(decision)),
                        _ => (self.settings.report)(News::Held(&decision)),
                    }
                }
                Err(error) if error.is_passing() && !patience.is_over() => {
                    (self.settings.report)(News::Unreachable(&error));
                }
                Err(error) => return Err(error.into()),
            }
            self.pause(attempt, action).await?;
        }
        Ok(())
    }

    /// Waits until the fleet shows the new version, and no other.
    async fn wait_for_the_fleet(
        &mut self,
        service: &str,
        to: &Version,
        action: &PlanAction,
    ) -> Result<(), Halt> {
        let patience = Patience::new(self.settings.timeout);
        for attempt in 0.. {
            match self.coordinator.look_around().await {
                Ok(situation) => {
                    let arrival = Arrival::judged(&situation.evidence, service, to);
                    if arrival.is_complete() {
                        (self.settings.report)(News::Arrived(&arrival));
                        return Ok(());
                    }
                    if patience.is_over() {
                        return Err(Halt::NotThere(arrival));
                    }
                    (self.settings.report)(News::Comes(&arrival));
                }
                Err(error) if error.is_passing() && !patience.is_over() => {
                    (self.settings.report)(News::Unreachable(&error));
                }
                Err(error) => return Err(error.into()),
            }
            self.pause(attempt, action).await?;
        }
        Ok(())
    }

    async fn pause(&mut self, attempt: u32, action: &PlanAction) -> Result<(), Halt> {
        let pause = Duration::from_millis(200) * (1 + attempt.min(9));
        self.rest(pause, action).await
    }

    /// Waits, unless somebody wants it to stop.
    pub(super) async fn rest(&mut self, pause: Duration, action: &PlanAction) -> Result<(), Halt> {
        if self.settings.interrupt.pause(pause).await {
            return Err(RolloutError::Interrupted(action.clone()).into());
        }
        Ok(())
    }
}

/// How long something is waited for.
struct Patience {
    began: Instant,
    timeout: Duration,
}

impl Patience {
    fn new(timeout: Duration) -> Self {
        Self {
            began: Instant::now(),
            timeout,
        }
    }

    fn is_over(&self) -> bool {
        self.began.elapsed() >= self.timeout
    }
}
