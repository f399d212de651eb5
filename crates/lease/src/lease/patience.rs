//! How long an application waits for what may pass by itself before it has its lease.

use std::time::Duration;

use tokio::sync::oneshot;

use super::admission::{Admission, AdmissionRequest, admit_and_keep, longest_admission};
use super::clock::Moment;
use super::error::{LeaseError, passes};
use super::schedule::jittered;
use crate::database::{Connection, Database, Target};
use crate::interrupt::Interrupt;

/// For how long what may pass by itself is waited for, and by whom.
pub(super) struct Patience<'a, T> {
    until: Moment,
    pause: Duration,
    ready: &'a mut oneshot::Sender<Result<T, LeaseError>>,
}

impl<'a, T> Patience<'a, T> {
    const FIRST_PAUSE: Duration = Duration::from_millis(100);
    const LONGEST_PAUSE: Duration = Duration::from_secs(2);

    /// Where nobody waits, what stands against it at first is the answer.
    pub(super) fn new(
        wait: Option<Duration>,
        ready: &'a mut oneshot::Sender<Result<T, LeaseError>>,
    ) -> Self {
        Self {
            until: Moment::now() + wait.unwrap_or_default(),
            pause: Self::FIRST_PAUSE,
            ready,
        }
    }

    /// How long one attempt may take.
    fn limit(&self, wait: Option<Duration>) -> Duration {
        const SHORTEST: Duration = Duration::from_millis(500);
        let longest = longest_admission();
        match wait {
            None => longest,
            Some(_) => Moment::now().until(self.until).max(SHORTEST).min(longest),
        }
    }

    /// Waits until it is time to ask again; not where the time is up, or nobody waits any more.
    async fn lasts(&mut self) -> bool {
        let sleep = jittered(self.pause);
        if Moment::now().until(self.until) <= sleep {
            return false;
        }
        self.pause = (self.pause * 2).min(Self::LONGEST_PAUSE);
        tokio::select! {
            () = tokio::time::sleep(sleep) => true,
            () = self.ready.closed() => false,
        }
    }
}

/// Where the database is, as soon as that can be said.
pub(super) async fn target_within<T>(
    database: Database,
    patience: &mut Patience<'_, T>,
) -> Result<Target, LeaseError> {
    loop {
        match database.clone().target().await {
            Err(error) if error.is_passing() && patience.lasts().await => {
                tracing::info!("asking again where the database is: {error}");
            }
            target => return Ok(target?),
        }
    }
}

/// Asks again while what stands against it may pass, and as long as somebody waits for the answer.
pub(super) async fn admit_within<T>(
    target: &Target,
    request: &AdmissionRequest,
    wait: Option<Duration>,
    patience: &mut Patience<'_, T>,
) -> Result<(Admission, Box<dyn Connection>), LeaseError> {
    loop {
        let limit = patience.limit(wait);
        match admit_and_keep(target, request, limit, Interrupt::default()).await {
            Err(error) if error.is_passing() && patience.lasts().await => {
                tracing::info!("asking for the lease again: {error}");
            }
            Ok((Admission::Refused(decision), connection))
                if passes(&decision) && patience.lasts().await =>
            {
                connection.close().await;
            }
            asked => return asked,
        }
    }
}
