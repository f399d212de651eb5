//! What happens between the steps: one that was made holds for a while, and somebody watches.
//!
//! Invariant: nothing goes on past a check that does not say that all is well. Going back is not watched: it is the way out.

use std::time::Instant;

use futures_util::future::join_all;

use super::RolloutError;
use super::halt::Halt;
use super::news::News;
use super::run::Rollout;
use super::unwell::Unwell;
use crate::analysis::{Asked, Reading};
use crate::driver::Shift;
use crate::model::Version;
use crate::planner::PlanAction;
use crate::span;

impl Rollout<'_> {
    /// What the figures are before the first step: what comes is compared with them.
    pub(super) async fn measure_before(&mut self, shift: &Shift<'_>) {
        if is_way_back(shift) {
            return;
        }
        for reading in self.readings(shift).await {
            self.remember(shift, &reading);
        }
    }

    /// Lets a step hold for as long as the project says, and asks every check meanwhile; once at least.
    pub(super) async fn bake(
        &mut self,
        shift: &Shift<'_>,
        action: &PlanAction,
    ) -> Result<(), Halt> {
        let rules = &self.settings.project.config.rollout;
        let is_watched = rules.checks.iter().any(|check| check.is_for(shift.service));
        if is_way_back(shift) || (rules.bake.is_zero() && !is_watched) {
            return Ok(());
        }
        let span = span::part("hold", shift.service, shift.step);
        span::within(span, self.hold(shift, action)).await
    }

    async fn hold(&mut self, shift: &Shift<'_>, action: &PlanAction) -> Result<(), Halt> {
        let rules = &self.settings.project.config.rollout;
        let began = Instant::now();
        loop {
            let left = rules.bake.saturating_sub(began.elapsed());
            let readings = self.readings(shift).await;
            if self.settings.interrupt.is_due() {
                return Err(RolloutError::Interrupted(action.clone()).into());
            }
            if readings.iter().any(|reading| reading.bad.is_some()) {
                return Err(Halt::Unwell(Unwell {
                    step: shift.step,
                    readings,
                }));
            }
            (self.settings.report)(News::Holds {
                step: shift.step,
                left,
                readings: &readings,
            });
            if left.is_zero() {
                readings
                    .iter()
                    .for_each(|reading| self.remember(shift, reading));
                return Ok(());
            }
            self.rest(left.min(rules.every), action).await?;
        }
    }

    /// Asks every check of the service at the same moment.
    async fn readings(&self, shift: &Shift<'_>) -> Vec<Reading> {
        let project = self.settings.project;
        let to = shift.to.to_string();
        let asked = Asked {
            service: shift.service,
            to: &to,
            step: shift.step,
            database_url: project.config.database_url.as_deref(),
            interrupt: self.settings.interrupt,
        };
        let checks = project.config.rollout.checks.iter();
        let checks = checks.filter(|check| check.is_for(shift.service));
        let before = &self.before;
        join_all(checks.map(|check| {
            let key = (shift.service.to_owned(), check.name.clone());
            let before = before.get(&key).copied();
            async move { check.read(&asked, before).await }
        }))
        .await
    }

    fn remember(&mut self, shift: &Shift<'_>, reading: &Reading) {
        if let Some(figure) = reading.figure {
            let key = (shift.service.to_owned(), reading.check.clone());
            self.before.insert(key, figure);
        }
    }
}

/// Whether every version that is replaced is newer.
pub(super) fn is_way_back(shift: &Shift<'_>) -> bool {
    !shift.from.is_empty() && shift.from.iter().all(|from: &Version| from > shift.to)
}
