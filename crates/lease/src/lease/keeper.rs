//! Renews a lease until it is released or lost.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::admission::{Admission, AdmissionRequest, admit_on, begin, begin_for, open, within};
use super::clock::{Moment, milliseconds};
use super::error::LeaseError;
use super::measures;
use super::schedule::{Schedule, jittered};
use super::tenure::{FailedRenewal, Loss, Tenure};
use crate::database::{Connection, Target};
use crate::interrupt::Interrupt;
use crate::ledger::{LeaseId, Renewal};
use crate::model::InstanceState;
use crate::model::LeaseConnection;

/// How long a release may take; what it would end ends by itself anyway.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long whoever drains waits until that is recorded: its work has to be finished whether or not the database answers.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);
const FIRST_RETRY: Duration = Duration::from_millis(250);

/// What a keeper is asked to do.
pub(super) enum KeeperRequest {
    /// Say that the instance is finishing its work.
    Drain(oneshot::Sender<Result<(), LeaseError>>),
    /// End the lease, and with it the keeper.
    Release(oneshot::Sender<Result<(), LeaseError>>),
}

/// Speaks to a [`Keeper`]. When the last one is gone without a release, renewing stops.
#[derive(Clone, Debug)]
pub struct KeeperHandle {
    requests: mpsc::UnboundedSender<KeeperRequest>,
}

impl KeeperHandle {
    /// Records that the instance is finishing its work. It keeps its lease.
    ///
    /// # Errors
    /// [`LeaseError::NotHeld`] after a loss or a release; [`LeaseError::Timeout`] where that is not recorded within a few
    /// seconds, and it will be as soon as the database answers.
    pub async fn draining(&self) -> Result<(), LeaseError> {
        self.ask(KeeperRequest::Drain).await
    }

    /// As [`Self::draining`], without waiting until it is recorded.
    pub fn begin_draining(&self) {
        let (reply, _) = oneshot::channel();
        // A keeper that has ended has nothing to record.
        let _ = self.requests.send(KeeperRequest::Drain(reply));
    }

    /// Ends the lease: the instance uses the database no more. Takes at most a few seconds.
    ///
    /// # Errors
    /// Whatever keeps the database from being told; the lease then ends by itself in its time.
    pub async fn release(&self) -> Result<(), LeaseError> {
        self.ask(KeeperRequest::Release).await
    }

    /// As [`Self::release`], without waiting until it is done.
    pub(super) fn begin_release(&self) {
        let (reply, _) = oneshot::channel();
        // A keeper that has ended has nothing to release.
        let _ = self.requests.send(KeeperRequest::Release(reply));
    }

    async fn ask(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<(), LeaseError>>) -> KeeperRequest,
    ) -> Result<(), LeaseError> {
        let (reply, answer) = oneshot::channel();
        self.requests
            .send(request(reply))
            .map_err(|_| LeaseError::NotHeld)?;
        answer.await.map_err(|_| LeaseError::NotHeld)?
    }
}

/// Who asks, and where it is heard.
pub(super) fn requests() -> (KeeperHandle, mpsc::UnboundedReceiver<KeeperRequest>) {
    let (requests, heard) = mpsc::unbounded_channel();
    (KeeperHandle { requests }, heard)
}

/// Why a keeper renews no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The instance uses the database no more, whether or not the database could be told.
    Released,
    /// Every handle is gone, and the lease runs out in its time.
    Abandoned,
}

/// What one attempt led to.
enum Outcome {
    Renewed {
        asked_at: Moment,
        state: InstanceState,
    },
    Readmitted {
        id: LeaseId,
        asked_at: Moment,
        state: InstanceState,
    },
    Refused(Loss),
}

struct Attempted {
    /// The connection, where it can be used again: never after an error.
    connection: Option<Box<dyn Connection>>,
    outcome: Result<Outcome, LeaseError>,
    took: Duration,
}

type Attempt = Pin<Box<dyn Future<Output = Attempted> + Send>>;

/// Renews one lease over a connection of its own.
pub struct Keeper {
    target: Target,
    request: AdmissionRequest,
    id: LeaseId,
    tenure: Arc<Tenure>,
    requests: mpsc::UnboundedReceiver<KeeperRequest>,
    connection: Option<Box<dyn Connection>>,
    between: LeaseConnection,
    /// The state that the ledger shows.
    recorded: InstanceState,
    /// Who waits until it is recorded that the instance drains, and until when.
    draining: Vec<(Moment, oneshot::Sender<Result<(), LeaseError>>)>,
    renew_at: Moment,
    schedule: Schedule,
    retry_after: Duration,
}

impl Keeper {
    /// A keeper for the lease `id`, which was admitted upon `request`.
    #[must_use]
    pub fn new(
        target: Target,
        request: AdmissionRequest,
        id: LeaseId,
        tenure: Arc<Tenure>,
    ) -> (Self, KeeperHandle) {
        let (handle, requests) = requests();
        let mut schedule = Schedule::new(tenure.terms().renew(), request.min_ready);
        let now = Moment::now();
        schedule.begin(now);
        let keeper = Self {
            target,
            recorded: request.state,
            request,
            id,
            renew_at: schedule.next(now, now),
            schedule,
            tenure,
            requests,
            connection: None,
            between: LeaseConnection::default(),
            draining: Vec::new(),
            retry_after: FIRST_RETRY,
        };
        measures::held(&keeper.request.service, keeper.tenure.left(now));
        (keeper, handle)
    }

    /// What becomes of the connection between two renewals; and the one of the admission, to go on with.
    #[must_use]
    pub(super) fn over(
        mut self,
        between: LeaseConnection,
        connection: Box<dyn Connection>,
    ) -> Self {
        self.between = between;
        if between == LeaseConnection::Kept {
            self.connection = Some(connection);
        }
        self
    }

    /// Renews until the lease is released, or until every handle is gone. After a loss it renews
    /// no more and only waits for the release.
    pub async fn run(mut self) -> Ended {
        let mut attempt: Option<Attempt> = None;
        let mut is_lost = false;
        loop {
            // Invariant: the deadline comes before anything else. It may be long after the last look.
            let now = Moment::now();
            if self.tenure.look(now).loss.is_some() {
                if !is_lost {
                    measures::lost(&self.request.service);
                }
                is_lost = true;
                attempt = None;
                self.draining.clear();
            } else if attempt.is_none() && now >= self.renew_at {
                attempt = Some(self.attempt());
            }
            self.give_up_waiting(now);
            let due = attempt.is_none().then_some(self.renew_at);
            let nap = self.tenure.nap(now, due);
            tokio::select! {
                request = self.requests.recv() => match request {
                    Some(KeeperRequest::Drain(reply)) => {
                        self.request.state = InstanceState::Draining;
                        self.draining.push((now + DRAIN_TIMEOUT, reply));
                        self.renew_at = now;
                    }
                    Some(KeeperRequest::Release(reply)) => {
                        measures::over(&self.request.service);
                        let released = self.release(attempt).await;
                        // Whoever asked may not wait for the answer.
                        let _ = reply.send(released);
                        return Ended::Released;
                    }
                    None => {
                        if !is_lost && self.tenure.loss().is_some() {
                            measures::lost(&self.request.service);
                        }
                        return Ended::Abandoned;
                    }
                },
                attempted = poll(&mut attempt) => {
                    attempt = None;
                    self.conclude(attempted);
                }
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    /// Answers those who have waited long enough.
    fn give_up_waiting(&mut self, now: Moment) {
        for (_, reply) in self.draining.extract_if(.., |(until, _)| *until <= now) {
            // Whoever asked may not wait for the answer.
            let _ = reply.send(Err(LeaseError::Timeout {
                what: "recording that the instance finishes its work",
                seconds: DRAIN_TIMEOUT.as_secs(),
            }));
        }
    }

    /// Begins one attempt to renew.
    fn attempt(&mut self) -> Attempt {
        let (target, request, id) = (self.target.clone(), self.request.clone(), self.id.clone());
        let kept = self.connection.take();
        let between = self.between;
        let recorded = self.recorded;
        let limit = self.tenure.terms().patience();
        Box::pin(async move {
            let began = Moment::now();
            let attempt = async {
                // One that was kept may have been closed meanwhile, by a server, a pooler or, without a word, a firewall:
                // that says nothing of the database. What was done over it and not confirmed can be done again.
                let half = limit / 2;
                let mut left = limit;
                if let Some(mut kept) = kept {
                    left = half;
                    let renewal = renew(kept.as_mut(), &request, &id, recorded, half);
                    match within(half, "the renewal", renewal).await {
                        Ok(outcome) => return Ok((kept, outcome)),
                        // Who waits for somebody over one connection waits over the next one as well.
                        Err(error) if error.is_passing() && !error.is_locked() => {
                            tracing::debug!("renewing over a new connection: {error}");
                        }
                        Err(error) => return Err(error),
                    }
                }
                let mut connection = open(&target, left, Interrupt::default()).await?;
                let outcome = renew(connection.as_mut(), &request, &id, recorded, left).await?;
                Ok((connection, outcome))
            };
            let attempted = within(limit, "the renewal", attempt).await;
            let took = began.until(Moment::now());
            match attempted {
                Ok((connection, outcome)) => {
                    let connection = if between == LeaseConnection::Kept {
                        Some(connection)
                    } else {
                        connection.close().await;
                        None
                    };
                    Attempted {
                        connection,
                        outcome: Ok(outcome),
                        took,
                    }
                }
                Err(error) => Attempted {
                    connection: None,
                    outcome: Err(error),
                    took,
                },
            }
        })
    }

    fn conclude(&mut self, attempted: Attempted) {
        let now = Moment::now();
        self.connection = attempted.connection;
        let service = self.request.service.as_str();
        let became = match &attempted.outcome {
            Ok(Outcome::Renewed { .. }) => measures::Attempt::Renewed,
            Ok(Outcome::Readmitted { .. }) => measures::Attempt::Readmitted,
            Ok(Outcome::Refused(_)) => measures::Attempt::Refused,
            Err(_) => measures::Attempt::Failed,
        };
        measures::attempted(service, became, attempted.took);
        let outcome = match attempted.outcome {
            Ok(outcome) => outcome,
            Err(error) => {
                let left = self.tenure.failed(FailedRenewal::of(&error), now);
                measures::left(service, left);
                tracing::warn!(
                    service,
                    seconds_left = left.as_secs(),
                    "the lease could not be renewed: {error}"
                );
                self.renew_at = now + jittered(self.retry_after);
                self.retry_after = (self.retry_after * 2).min(self.tenure.terms().renew());
                return;
            }
        };
        let (asked_at, state) = match outcome {
            Outcome::Renewed { asked_at, state } => (asked_at, state),
            Outcome::Readmitted {
                id,
                asked_at,
                state,
            } => {
                tracing::warn!(
                    service,
                    "the database did not know the lease any more; the instance was admitted anew"
                );
                self.id = id;
                // What it has proved was of the lease that is gone.
                self.schedule.begin(now);
                (asked_at, state)
            }
            Outcome::Refused(loss) => {
                self.tenure.lose(loss, now);
                return;
            }
        };
        self.recorded = state;
        if !self.tenure.renewed(asked_at, now) {
            return;
        }
        tracing::debug!(service, "the lease was renewed");
        measures::held(service, self.tenure.left(now));
        self.retry_after = FIRST_RETRY;
        self.renew_at = self.schedule.next(asked_at, now);
        if self.recorded == self.request.state {
            for (_, reply) in self.draining.drain(..) {
                // Whoever asked may not wait for the answer.
                let _ = reply.send(Ok(()));
            }
        } else {
            self.renew_at = now;
        }
    }

    /// Ends the lease; an attempt that is under way comes first, because it may be registering anew.
    async fn release(&mut self, attempt: Option<Attempt>) -> Result<(), LeaseError> {
        let release = async {
            if let Some(attempt) = attempt {
                let attempted = attempt.await;
                self.conclude(attempted);
            }
            if let Some(kept) = self.connection.take()
                && end(kept, &self.id, RELEASE_TIMEOUT / 2).await.is_ok()
            {
                return Ok(());
            }
            let connection = open(&self.target, RELEASE_TIMEOUT, Interrupt::default()).await?;
            end(connection, &self.id, RELEASE_TIMEOUT).await
        };
        within(RELEASE_TIMEOUT, "the release of the lease", release).await
    }
}

/// Ends a lease; to end one that has ended is no error.
async fn end(
    mut connection: Box<dyn Connection>,
    id: &LeaseId,
    limit: Duration,
) -> Result<(), LeaseError> {
    let release = async {
        let mut ledger = begin(connection.as_mut(), limit).await?;
        ledger.release(id).await?;
        ledger.commit().await?;
        Ok(())
    };
    within(limit, "the release of the lease", release).await?;
    connection.close().await;
    Ok(())
}

async fn poll(attempt: &mut Option<Attempt>) -> Attempted {
    match attempt {
        Some(attempt) => attempt.await,
        None => std::future::pending().await,
    }
}

async fn renew(
    connection: &mut dyn Connection,
    request: &AdmissionRequest,
    id: &LeaseId,
    recorded: InstanceState,
    limit: Duration,
) -> Result<Outcome, LeaseError> {
    let lease_ms = i64::try_from(milliseconds(request.lease)).unwrap_or(i64::MAX);
    let state = request.state;
    let mut ledger = begin_for(request, connection, limit).await?;
    let asked_at = Moment::now();
    match ledger.renew(id, lease_ms).await? {
        Renewal::Renewed => {
            if state != recorded {
                ledger.set_lease_state(id, state).await?;
            }
            ledger.commit().await?;
            return Ok(Outcome::Renewed { asked_at, state });
        }
        // Gone: the database was restored or failed over to an older state. Expired, while our own
        // deadline still lasts: its clock was set forward. What was decided in the meantime did not
        // count this instance, so the whole check comes again; a fleet need not stop for it.
        Renewal::Gone | Renewal::Expired => ledger.rollback().await?,
    }
    // Where the ledger was lost, that is an error, and asked again: until its deadline an instance goes on.
    Ok(match admit_on(connection, request, limit).await? {
        Admission::Admitted { id, asked_at, .. } => Outcome::Readmitted {
            id,
            asked_at,
            state,
        },
        Admission::Refused(decision) => Outcome::Refused(Loss::Refused(Box::new(decision))),
    })
}
