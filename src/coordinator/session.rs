//! A coordinator at work: it holds the coordinator's lease, renews it, and gives it back.

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use super::in_ledger::End;
use super::lock::{LockWatch, Retry};
use super::observe::observe_recorded;
use super::outage::Tally;
use super::{CoordinatorError, Drift, Progress, Purpose, Situation};
use crate::database::{ConnectOptions, Connection, Heard, LockTimeout, Target};
use crate::gate::{Action, Decision, Verdict, decide};
use crate::interrupt::Interrupt;
use crate::ledger::{
    Acquired, CoordinatorRow, EventKind, KnownHead, LeaseRules, Ledger, LedgerError,
};
use crate::model::{MigrationId, MigrationState, Step};
use crate::project::{Migration, Project, Section};

/// How old an observation may be for an expand that follows another at once: so many times as long as it took, because
/// looking at a long history takes a while, and at least and at most so long.
const RECENT: (u32, Duration, Duration) = (20, Duration::from_millis(500), Duration::from_secs(2));

/// What a coordinator works with.
pub struct Options<'a> {
    pub project: &'a Project,
    pub target: &'a Target,
    /// Whether it may make the database.
    pub purpose: Purpose,
    /// What it is doing, as others are told: `expand 0002_x`.
    pub doing: String,
    /// Why missing evidence is to be accepted; recorded.
    pub accept_unknown: Option<String>,
    /// How long to wait for another coordinator, and for what blocks a contract.
    pub wait: Option<Duration>,
    /// The share of the time that a backfill works, in place of the one that is declared.
    pub pace: Option<crate::project::Pace>,
    /// Where progress is reported to.
    pub report: &'a (dyn Fn(Progress) + Send + Sync),
    /// What stops it. A statement at work is cancelled, and what was begun is put in order again.
    pub interrupt: Interrupt,
}

/// A coordinator that holds the lease.
pub struct Coordinator<'a> {
    pub(super) options: Options<'a>,
    pub(super) connection: Box<dyn Connection>,
    pub(super) token: i64,
    pub(super) actor: String,
    /// What was observed last, with what was done since, where many expands follow each other, and until when that
    /// is recent.
    pub(super) known: Option<(Instant, Situation)>,
    /// What the server has said about the script that is being run.
    pub(super) said: Vec<Heard>,
    /// How many batches this coordinator has seen through.
    pub(super) passed: AtomicU64,
    /// How far the backfill was when the command began with it, where it has.
    pub(super) tally: Option<Tally>,
    renewal: tokio::task::JoinHandle<()>,
}

impl<'a> Coordinator<'a> {
    /// Connects, creates the ledger where there is none, and takes the coordinator's lease.
    ///
    /// A lease that is not renewed is waited for until it ends: its holder is gone. One that is
    /// renewed is waited for as long as `options.wait` says.
    ///
    /// # Errors
    /// [`CoordinatorError::Held`] where another coordinator is at work, or a database error.
    pub async fn start(options: Options<'a>) -> Result<Self, CoordinatorError> {
        let project = options.project;
        let mut connection =
            super::connect(project, options.target, options.purpose, options.interrupt).await?;
        let actor = actor();
        let lease = project.config.fleet.coordinator_lease;
        let claim = Claim {
            actor: &actor,
            doing: &options.doing,
            lease,
            limit: LockTimeout(project.config.database.lock_timeout),
            target: options.target,
        };
        let began = Instant::now();
        let mut first_seen: Option<CoordinatorRow> = None;
        let mut retry = Retry::new(project, options.interrupt);
        let token = loop {
            // Who is in the way is asked once somebody is.
            let watch = retry.watch();
            let waiting = (options.report, options.target);
            let attempt = acquire(connection.as_mut(), &claim, &watch);
            match retry.telling(waiting, attempt).await {
                Err(error) => {
                    connection.rollback().await?;
                    retry.after_ledger(options.report, error).await?;
                }
                Ok(Acquired::Yes { token, .. }) => break token,
                Ok(Acquired::No(row)) => {
                    // Only what is locked is given up; another coordinator is waited for as long as it works.
                    retry = Retry::new(project, options.interrupt);
                    let is_renewed = first_seen.as_ref().is_some_and(|first| {
                        (first.token, first.expires_at) != (row.token, row.expires_at)
                    });
                    let waited_long = began.elapsed() >= options.wait.unwrap_or_default();
                    if is_renewed && waited_long {
                        connection.close().await;
                        return Err(CoordinatorError::Held(row));
                    }
                    let pause = until_it_ends(&row);
                    if first_seen.is_none() {
                        (options.report)(Progress::WaitingForCoordinator(row.clone()));
                        first_seen = Some(row);
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        };
        crate::crash::point("coordinator.acquired");
        let renewal = tokio::spawn(renew(options.target.clone(), token, lease));
        let mut coordinator = Self {
            options,
            connection,
            token,
            actor,
            known: None,
            said: Vec::new(),
            passed: AtomicU64::new(0),
            tally: None,
            renewal,
        };
        // From here on whatever ends it gives the lease back.
        let mut prepared = Ledger::complete(coordinator.connection.as_mut()).await;
        if prepared.is_ok() {
            prepared = Ledger::settle(coordinator.connection.as_mut()).await;
        }
        // What was said about the ledger's own tables is about no script.
        let _ours = coordinator.connection.heard();
        match prepared {
            Ok(()) => Ok(coordinator),
            Err(error) => {
                if let Err(second) = coordinator.finish().await {
                    tracing::warn!("the coordinator's lease could not be given back: {second}");
                }
                Err(error.into())
            }
        }
    }

    /// Connects again after the connection broke. Where that fails too, the broken one stays, and
    /// the next thing done with it says so.
    pub(super) async fn reconnect(&mut self) {
        let Options {
            project,
            target,
            interrupt,
            ..
        } = self.options;
        match super::connect(project, target, Purpose::Act, interrupt).await {
            Ok(connection) => {
                std::mem::replace(&mut self.connection, connection)
                    .close()
                    .await
            }
            Err(error) => tracing::debug!("connecting again: {error}"),
        }
    }

    /// Gives the lease back and closes the connection. Returns where the log ends.
    ///
    /// # Errors
    /// A database error; then the lease ends by itself.
    pub async fn finish(mut self) -> Result<KnownHead, CoordinatorError> {
        let _kept = self.options.interrupt.hold_off();
        self.renewal.abort();
        let _ = (&mut self.renewal).await;
        let mut released = self.release().await;
        if let Err(error) = &released
            && (error.is_passing() || self.connection.is_lost())
        {
            tracing::debug!("giving the lease back: {error}");
            self.reconnect().await;
            released = self.release().await;
        }
        self.connection.close().await;
        released
    }

    async fn release(&mut self) -> Result<KnownHead, CoordinatorError> {
        // An error may have left a transaction open.
        self.connection.rollback().await?;
        let limit = LockTimeout(self.project().config.database.lock_timeout);
        let mut ledger = Ledger::write(self.connection.as_mut()).await?;
        // Asked once: the lease ends by itself, and whoever waits for this command wants to know how it went.
        ledger.unsent().limit_lock_waits(limit).await?;
        // Whatever this command has recorded is in it.
        let head = ledger.head_at_begin().cloned().unwrap_or_default();
        ledger.release_coordinator(self.token).await?;
        ledger.commit().await?;
        Ok(head)
    }

    /// Reads everything, and stops where an applied file was changed.
    pub(super) async fn situation(&mut self) -> Result<Situation, CoordinatorError> {
        let situation = self.observe().await?;
        let drift = situation.drift.clone();
        unchanged(drift).map(|()| situation)
    }

    /// Reads everything, and stops where a file was changed that stands in the way of this step. Asked before a fence is
    /// raised, and not behind it: what is done behind a fence may make a changed file matter.
    pub(super) async fn situation_before(
        &mut self,
        step: Step,
        id: &MigrationId,
    ) -> Result<Situation, CoordinatorError> {
        let situation = self.observe().await?;
        unchanged(situation.drift_before(step, id)).map(|()| situation)
    }

    pub(super) async fn observe(&mut self) -> Result<Situation, CoordinatorError> {
        let mut situation =
            observe_recorded(self.options.project, self.connection.as_mut()).await?;
        self.record_look(&situation).await?;
        if self.record_gaps(&situation).await? {
            situation = observe_recorded(self.options.project, self.connection.as_mut()).await?;
        }
        if situation.view.coordinator.token == self.token {
            // Whoever is at work is this very command: it does not wait for itself.
            situation.evidence.facts.at_work = None;
        }
        Ok(situation)
    }

    /// As [`Self::situation`], or what the expand before has left, where that was observed a moment ago: looking
    /// at a long history anew for each of many expands would take longer than the expands themselves.
    ///
    /// Invariant: what could have changed since is read in the transaction of the change. Phases change under
    /// this coordinator's token only, which is checked there, and leases are read there anew.
    pub(super) async fn recent_situation(
        &mut self,
    ) -> Result<(Instant, Situation), CoordinatorError> {
        match self.known.take() {
            Some(known) if Instant::now() < known.0 => Ok(known),
            _ => {
                let began = Instant::now();
                let situation = self.situation().await?;
                let (times, least, most) = RECENT;
                let recent = began.elapsed().saturating_mul(times).clamp(least, most);
                Ok((began + recent, situation))
            }
        }
    }

    /// Keeps a situation for the expand after this one, which has made `state` of its migration.
    pub(super) fn keep(&mut self, until: Instant, mut situation: Situation, state: MigrationState) {
        if let Some(known) = situation.evidence.schema.get_mut(state.id()) {
            *known = state;
            self.known = Some((until, situation));
        }
    }

    /// Asks the gate, and accepts missing evidence where that was asked for.
    pub(super) fn ask(&self, step: Step, id: &MigrationId, situation: &Situation) -> Decision {
        let action = Action::Step {
            step,
            migration: id.clone(),
        };
        let decision = decide(action, &situation.evidence);
        if self.options.accept_unknown.is_some() {
            decision.accepting_unknown()
        } else {
            decision
        }
    }

    /// The gate's answer without regard to missing evidence, to see what an override covers.
    pub(super) fn overridden(
        &self,
        step: Step,
        id: &MigrationId,
        situation: &Situation,
    ) -> Vec<String> {
        if self.options.accept_unknown.is_none() {
            return Vec::new();
        }
        let action = Action::Step {
            step,
            migration: id.clone(),
        };
        decide(action, &situation.evidence)
            .blockers
            .into_iter()
            .filter(|blocker| blocker.verdict() == Verdict::Unknown)
            .map(|blocker| blocker.message())
            .collect()
    }

    pub(super) const fn project(&self) -> &'a Project {
        self.options.project
    }

    /// How the leases are read that its transactions look at again: a version that the project knows by another name
    /// has to count there as it did when the step was decided on.
    pub(super) fn lease_rules(&self) -> LeaseRules {
        crate::fleet::lease_rules(&self.project().config)
    }

    pub(super) fn report(&self, progress: Progress) {
        (self.options.report)(progress);
    }

    /// The files of a migration, whether or not they are in order: the gate has said of which steps they are.
    pub(super) fn migration(&self, id: &MigrationId) -> Result<&'a Migration, CoordinatorError> {
        self.options
            .project
            .as_read(id)
            .ok_or_else(|| CoordinatorError::NoFiles(id.clone()))
    }

    /// Remembers what this look has shown of sources other than the leases. In a transaction of its own, because it
    /// holds whatever becomes of the step.
    ///
    /// A version that never registered counts like one that was admitted: what it writes widens the row kinds,
    /// and may undo a backfill, even if it is gone at the next look. When it came nobody knows.
    async fn record_look(&mut self, situation: &Situation) -> Result<(), CoordinatorError> {
        // By settings that cannot be read nobody tells what a look has not shown.
        let is_doubtful = self.project().config.is_doubtful(Section::Fleet);
        if is_doubtful || !super::observe::has_shown_anything(situation) {
            return Ok(());
        }
        let look = &situation.evidence.snapshot;
        let services = self.project().config.services.keys().cloned().collect();
        self.in_ledger(async |ledger| {
            ledger.record_look(look, &services).await?;
            Ok(End::Commit(()))
        })
        .await
    }

    /// Records what an override covered. In a transaction of its own, because it holds whatever becomes of the step.
    pub(super) async fn record_override(
        &mut self,
        overridden: &[String],
        id: &MigrationId,
    ) -> Result<(), CoordinatorError> {
        if overridden.is_empty() {
            return Ok(());
        }
        let reason = self.options.accept_unknown.clone().unwrap_or_default();
        let actor = self.actor.clone();
        self.in_ledger(async |ledger| {
            let detail = serde_json::json!({ "reason": reason, "accepted": overridden });
            ledger
                .append(EventKind::Override, &actor, Some(id), &detail)
                .await?;
            Ok(End::Commit(()))
        })
        .await
    }
}

/// Who wants to be the coordinator.
struct Claim<'c> {
    actor: &'c str,
    doing: &'c str,
    lease: Duration,
    /// How long the row may be waited for at a time.
    limit: LockTimeout,
    target: &'c Target,
}

async fn acquire(
    connection: &mut dyn Connection,
    claim: &Claim<'_>,
    watch: &LockWatch,
) -> Result<Acquired, LedgerError> {
    let Claim { actor, doing, .. } = *claim;
    let mut ledger = Ledger::write(connection).await?;
    let connection = ledger.connection().await?;
    connection.limit_lock_waits(claim.limit).await?;
    // Asked inside the transaction: behind a pooler, each may be in another session.
    let session = connection.session_id().await?;
    let _watching = watch.start(session, claim.target.clone());
    let holder = format!("{actor} (process {})", std::process::id());
    let acquired = ledger
        .acquire_coordinator(&holder, doing, milliseconds(claim.lease))
        .await?;
    if let Acquired::Yes {
        token,
        after: Some(previous),
    } = &acquired
    {
        let detail = serde_json::json!({ "after": previous, "token": token });
        ledger
            .append(EventKind::Takeover, actor, None, &detail)
            .await?;
    }
    ledger.commit().await?;
    Ok(acquired)
}

/// Renews the lease until it is aborted. Failing is harmless: the token is checked before every
/// commit, so the worst is that somebody else takes over.
async fn renew(target: Target, token: i64, lease: Duration) {
    let options = ConnectOptions {
        busy_timeout: lease / 10,
        ..ConnectOptions::default()
    };
    let mut connection: Option<Box<dyn Connection>> = None;
    loop {
        tokio::time::sleep(lease / 4).await;
        let mut current = match connection.take() {
            Some(current) => current,
            None => match crate::database::connect(&target, options).await {
                Ok(current) => current,
                Err(error) => {
                    tracing::debug!("the coordinator's lease could not be renewed: {error}");
                    continue;
                }
            },
        };
        match renew_once(current.as_mut(), token, lease).await {
            Ok(true) => connection = Some(current),
            Ok(false) => return,
            Err(error) => tracing::debug!("the coordinator's lease could not be renewed: {error}"),
        }
    }
}

/// How long another coordinator's lease is left alone before it is looked at again: no longer than it can last.
fn until_it_ends(row: &CoordinatorRow) -> Duration {
    let left = u64::try_from(row.expires_at.saturating_sub(row.now)).unwrap_or_default();
    Duration::from_millis(left.clamp(1, 200))
}

async fn renew_once(
    connection: &mut dyn Connection,
    token: i64,
    lease: Duration,
) -> Result<bool, LedgerError> {
    let mut ledger = Ledger::write(connection).await?;
    // A renewal that queues up for long would stand between others and the one whom they wait for.
    ledger
        .unsent()
        .limit_lock_waits(LockTimeout(lease / 4))
        .await?;
    let renewed = ledger.renew_coordinator(token, milliseconds(lease)).await?;
    // Past the crash points: how often it is renewed is chance, and would number them anew each time.
    ledger.connection().await?.commit().await?;
    Ok(renewed)
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Who is acting, for the event log: user and host.
pub(super) fn actor() -> String {
    let user = whoami::username().unwrap_or_else(|_| "unknown".into());
    let system = rustix::system::uname();
    format!("{user}@{}", system.nodename().to_string_lossy())
}

fn unchanged(mut drift: Vec<Drift>) -> Result<(), CoordinatorError> {
    drift.dedup();
    if drift.is_empty() {
        return Ok(());
    }
    Err(CoordinatorError::Drift(drift))
}
