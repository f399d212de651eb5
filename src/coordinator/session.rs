//! A coordinator's session: its connection and its lease, which it holds, renews and gives back. docs/protocol.md tells what the
//! lease is for.

use std::time::{Duration, Instant};

use super::lock::{LockWatch, Retry};
use super::orders::{Options, Orders};
use super::{CoordinatorError, Progress, Purpose};
use crate::database::{ConnectOptions, Connection, Heard, LockTimeout, Made, Target};
use crate::ledger::{Acquired, CoordinatorRow, EventKind, KnownHead, Ledger, LedgerError};
use crate::model::MigrationId;
use crate::project::LONGEST_COORDINATOR_LEASE;

/// Who holds the coordinator's lease, and what with.
pub(super) struct Session<'a> {
    pub orders: Orders<'a>,
    pub connection: Box<dyn Connection>,
    /// Checked in every transaction that changes something: whoever has taken over has another one.
    pub token: i64,
    /// Who acts, as the log has it.
    pub actor: String,
    /// What the server has said about the script that is being run.
    pub said: Vec<Heard>,
    /// Whether the lists leave out what a fence was to keep out.
    pub has_closed_lists: bool,
    renewal: tokio::task::JoinHandle<()>,
}

impl<'a> Session<'a> {
    /// Connects, creates the ledger where there is none, and takes the coordinator's lease.
    ///
    /// A lease that is not renewed is waited for until it ends, and no longer than [`patience`]: its holder is gone. One
    /// that is renewed is waited for as long as `options.wait` says.
    ///
    /// # Errors
    /// [`CoordinatorError::Held`] where another coordinator is at work, or a database error.
    pub(super) async fn start(options: &Options<'a>) -> Result<Self, CoordinatorError> {
        let orders = Orders::of(options);
        let project = orders.project;
        let mut connection =
            super::connect(project, orders.target, options.purpose, orders.interrupt).await?;
        let actor = actor();
        let lease = project.config.fleet.coordinator_lease;
        let (purpose, dialect) = (options.purpose, connection.capabilities().dialect);
        // Whoever adopts a database means what is there.
        let made = || match purpose {
            Purpose::Adopt => Vec::new(),
            _ => project.made(dialect),
        };
        let claim = Claim {
            actor: &actor,
            doing: &options.doing,
            lease,
            limit: orders.lock_limit(),
            target: orders.target,
            made: &made,
        };
        let began = Instant::now();
        let mut seen: Option<Seen> = None;
        let mut retry = Retry::new(orders);
        let token = loop {
            // Who is in the way is asked once somebody is.
            let watch = retry.watch();
            let given_up = seen.as_ref().and_then(|seen| seen.given_up(lease));
            let attempt = acquire(connection.as_mut(), &claim, given_up, &watch);
            match retry.telling(attempt).await {
                Err(error) => {
                    connection.rollback().await?;
                    retry.after_ledger(error).await?;
                }
                Ok(Acquired::Yes { token, .. }) => break token,
                Ok(Acquired::No(row)) => {
                    // Only what is locked is given up; another coordinator is waited for as long as it works.
                    retry = Retry::new(orders);
                    let is_renewed = seen
                        .as_ref()
                        .is_some_and(|seen| !row.is_unchanged_since(&seen.first));
                    let waited_long = began.elapsed() >= orders.wait.unwrap_or_default();
                    if is_renewed && waited_long {
                        connection.close().await;
                        return Err(CoordinatorError::Held(row));
                    }
                    let pause = until_it_ends(&row);
                    match &mut seen {
                        Some(seen) => seen.again(row),
                        None => {
                            let at_most = patience(lease, &row);
                            let row = seen.insert(Seen::new(row)).first.clone();
                            orders.report(Progress::WaitingForCoordinator { row, at_most });
                        }
                    }
                    tokio::time::sleep(pause).await;
                }
            }
        };
        crate::crash::point("coordinator.acquired");
        let renewal = tokio::spawn(renew(orders.target.clone(), token, lease));
        let mut session = Self {
            orders,
            connection,
            token,
            actor,
            said: Vec::new(),
            has_closed_lists: false,
            renewal,
        };
        // From here on whatever ends it gives the lease back.
        let mut prepared = Ledger::complete(session.connection.as_mut()).await;
        if prepared.is_ok() {
            prepared = Ledger::settle(session.connection.as_mut()).await;
        }
        // What was said about the ledger's own tables is about no script.
        let _ours = session.connection.heard();
        match prepared {
            Ok(()) => Ok(session),
            Err(error) => {
                if let Err(second) = session.finish().await {
                    tracing::warn!("the coordinator's lease could not be given back: {second}");
                }
                Err(error.into())
            }
        }
    }

    /// Connects again after the connection broke. Where that fails too, the broken one stays, and
    /// the next thing done with it says so.
    pub(super) async fn reconnect(&mut self) {
        let Orders {
            project,
            target,
            interrupt,
            ..
        } = self.orders;
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
    pub(super) async fn finish(mut self) -> Result<KnownHead, CoordinatorError> {
        let _kept = self.orders.interrupt.hold_off();
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
        let limit = self.orders.lock_limit();
        let mut ledger = Ledger::write(self.connection.as_mut()).await?;
        // Asked once: the lease ends by itself, and whoever waits for this command wants to know how it went.
        ledger.unsent().limit_lock_waits(limit).await?;
        // Whatever this command has recorded is in it.
        let head = ledger.head_at_begin().cloned().unwrap_or_default();
        ledger.release_coordinator(self.token).await?;
        ledger.commit().await?;
        Ok(head)
    }
}

/// Another coordinator's lease, as it was seen.
struct Seen {
    first: CoordinatorRow,
    last: CoordinatorRow,
    /// Since when it stands as it stood last, by this process's own clock.
    since: Instant,
}

impl Seen {
    fn new(row: CoordinatorRow) -> Self {
        Self {
            first: row.clone(),
            last: row,
            since: Instant::now(),
        }
    }

    fn again(&mut self, row: CoordinatorRow) {
        if !row.is_unchanged_since(&self.last) {
            self.since = Instant::now();
        }
        self.last = row;
    }

    /// The lease, where nobody has renewed it for so long that its holder is gone. Its own end may be far off: the clock
    /// of the server may have been ahead when it was written.
    fn given_up(&self, lease: Duration) -> Option<&CoordinatorRow> {
        (self.since.elapsed() >= patience(lease, &self.last)).then_some(&self.last)
    }
}

/// How long another coordinator's lease may stand without being renewed: until it ends, if it is one that a `coordinator_lease` can
/// have given it, as the other one may have been started with another; otherwise twice what ours lasts. Whoever comes back
/// after it finds another token.
fn patience(lease: Duration, row: &CoordinatorRow) -> Duration {
    const USUAL: Duration = Duration::from_secs(15);
    let twice = lease.max(USUAL).saturating_mul(2);
    let left = until(row);
    if left > LONGEST_COORDINATOR_LEASE {
        twice
    } else {
        twice.max(left)
    }
}

/// How long it still lasts, by the server's clock.
fn until(row: &CoordinatorRow) -> Duration {
    let left = u64::try_from(row.expires_at.saturating_sub(row.now)).unwrap_or_default();
    Duration::from_millis(left)
}

/// Who wants to be the coordinator.
struct Claim<'c> {
    actor: &'c str,
    doing: &'c str,
    lease: Duration,
    /// How long the row may be waited for at a time.
    limit: LockTimeout,
    target: &'c Target,
    /// What is there already where a ledger was lost.
    made: &'c (dyn Fn() -> Vec<(MigrationId, Made)> + Sync),
}

async fn acquire(
    connection: &mut dyn Connection,
    claim: &Claim<'_>,
    given_up: Option<&CoordinatorRow>,
    watch: &LockWatch,
) -> Result<Acquired, LedgerError> {
    let Claim { actor, doing, .. } = *claim;
    let mut ledger = Ledger::write_unless_lost(connection, claim.made).await?;
    let connection = ledger.connection().await?;
    connection.limit_lock_waits(claim.limit).await?;
    // Asked inside the transaction: behind a pooler, each may be in another session.
    let session = connection.session_id().await?;
    let _watching = watch.start(session, claim.target.clone());
    let holder = format!("{actor} (process {})", std::process::id());
    let acquired = ledger
        .acquire_coordinator(&holder, doing, milliseconds(claim.lease), given_up)
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
    until(row).clamp(Duration::from_millis(1), Duration::from_millis(200))
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
