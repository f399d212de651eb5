//! Whoever lets instances in by a list gets a new one before a fence goes up, and after a step.
//!
//! Invariant: no fence goes up while a list may let in what it keeps out. The other way round nothing is lost: a list that is too narrow
//! refuses an instance, and says what to do.

use super::lists::Unrenewed;
use super::session::Session;
use super::way_in::Ready;
use super::{CoordinatorError, Outcome, Progress};
use crate::model::{Live, Step};

impl Session<'_> {
    /// Has every list leave out what the fence of a step keeps out. Before it goes up: whoever is let in by an older list afterwards would be
    /// seen by nobody.
    pub(super) async fn close_lists(
        &mut self,
        step: Step,
        ready: &Ready,
    ) -> Result<(), CoordinatorError> {
        if self.orders.project.config.policies.is_empty() {
            return Ok(());
        }
        let lists = self.orders.lists.ok_or_else(|| Unrenewed {
            message:
                "[policy] in migrate.toml names a list, and this build of migrate cannot renew it"
                    .to_owned(),
            help: "build it with the feature `serve`".to_owned(),
        })?;
        let mut evidence = ready.situation.evidence.clone();
        let begun = ready.state.begun(step, &[]);
        if let Some(state) = evidence.schema.get_mut(begun.id()) {
            *state = begun;
        }
        let services = &self.orders.project.config.services;
        let mut live = evidence.snapshot.live();
        live.retain(|one| services.contains_key(&one.service));
        self.has_closed_lists = true;
        lists.renew(&evidence, &live).await?;
        self.orders.report(Progress::Settling);
        let interrupt = self.orders.interrupt;
        let settled = lists.settled(interrupt).await;
        settled.map_err(|error| match interrupt.is_due() {
            true => CoordinatorError::Interrupted {
                kept: "nothing was begun, while the API servers took a new list over".to_owned(),
                next: "run the same command again".to_owned(),
            },
            false => error.into(),
        })
    }

    /// Writes the lists as things are now, with whoever is wanted among them. Why that did not go, if it did not.
    pub(super) async fn open_lists(&mut self, wanted: &[Live]) -> Option<String> {
        self.has_closed_lists = false;
        if self.orders.project.config.policies.is_empty() {
            return None;
        }
        let lists = self.orders.lists?;
        let _kept = self.orders.interrupt.hold_off();
        let renewed = match self.observe().await {
            Ok(now) => lists.renew(&now.evidence, wanted).await,
            Err(error) => Err(Unrenewed {
                message: error.to_string(),
                help: String::new(),
            }),
        };
        let Unrenewed { message, help } = renewed.err()?;
        let help = match help.is_empty() {
            true => String::new(),
            false => format!("{help}; "),
        };
        Some(format!(
            "the list of the cluster's policy is an older one ({message}), so that it may refuse what may start: {help}`migrate kubernetes policy` prints it as it is now"
        ))
    }

    /// After a step: what may start has changed. A step that was blocked, or failed, has changed it only if it had closed the lists.
    pub(super) async fn lists_after(&mut self, taken: &mut Result<Vec<Outcome>, CoordinatorError>) {
        let is_done = |one: &Outcome| matches!(one, Outcome::Done(_));
        let has_changed = taken.as_ref().is_ok_and(|all| all.iter().any(is_done));
        if !has_changed && !self.has_closed_lists {
            return;
        }
        let Some(why) = self.open_lists(&[]).await else {
            return;
        };
        let last = taken.as_mut().ok().and_then(|all| all.last_mut());
        match last {
            Some(Outcome::Done(done)) => done.notes.push(why),
            Some(Outcome::Blocked(decision)) => decision.notes.push(why),
            Some(Outcome::Already { .. }) | None => tracing::warn!("{why}"),
        }
    }
}
