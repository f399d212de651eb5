//! Admission: an instance registers before it touches data, or does not start.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::clock::{Moment, milliseconds};
use super::error::LeaseError;
use super::past::{History, count, shown};
use super::session_name::session_name;
use crate::database::{
    Asks, ConnectOptions, Connection, ErrorKind, LockTimeout, Made, Owners, Server, Target, connect,
};
use crate::gate::{Action, Decision, Evidence, Facts, Flaw, OutOfStep, Verdict, decide};
use crate::interrupt::Interrupt;
use crate::ledger::{Asker, LeaseId, LeaseRules, Ledger, LedgerError, NewLease, Touched, View};
use crate::model::{
    Declaration, InstanceState, Live, MigrationId, MigrationState, Phase, Schema, Shown, Snapshot,
    Version,
};

/// How long an admission may take before it is given up: it waits for phase changes to end.
pub(super) fn longest_admission() -> Duration {
    crate::crash::limit("PHASEGATE_ADMISSION_SECONDS", Duration::from_secs(30))
}

/// An instance that wants to start.
#[derive(Clone, Debug)]
pub struct AdmissionRequest {
    pub service: String,
    /// The version as the instance calls it; an alias or a commit id.
    pub label: String,
    pub version: Version,
    pub instance: String,
    pub lease: Duration,
    pub renew: Duration,
    /// How long an instance of the service has to have stayed, where the project says it.
    pub min_ready: Option<Duration>,
    pub state: InstanceState,
    /// Migrations from local files; those that the ledger does not know yet count as pending.
    pub pending: Vec<Declaration>,
    /// What cannot be read of the newest files: where the ledger knows nothing of it, whether the version may start is unknown. Empty for
    /// whoever decides by the ledger and the files that could be read.
    pub unread: Vec<Flaw>,
    /// The newest migration of which there are files beside the code that is to start; `None` where there are none, and where `pending`
    /// comes from elsewhere.
    pub brought: Option<MigrationId>,
    /// What their expands make on this database: where it is there and no ledger tells of it, the ledger was lost. Empty where
    /// their scripts are not known.
    pub made: Vec<(MigrationId, Made)>,
    /// The sources other than the leases that the project is known to have: where there is one, the end of a lease
    /// that nobody renews does not say that its instance is gone.
    pub sources: Vec<String>,
    /// The history of another migration tool, where one carries out steps of the project and its files are here.
    pub history: Option<Arc<dyn History>>,
    /// How the leases of others are read and their versions placed, as far as the project is known.
    pub rules: LeaseRules,
}

/// What became of an admission.
#[derive(Clone, Debug)]
pub enum Admission {
    Admitted {
        id: LeaseId,
        decision: Decision,
        /// A moment before the lease was asked for; the holder's deadline counts from here.
        asked_at: Moment,
    },
    /// Nothing was registered.
    Refused(Decision),
}

/// Asks for a lease, in one transaction that is serialised against phase changes.
///
/// # Errors
/// A database that cannot be reached or used, and an admission that takes longer than half a minute.
pub async fn admit(target: &Target, request: &AdmissionRequest) -> Result<Admission, LeaseError> {
    admit_unless(target, request, Interrupt::default()).await
}

/// As [`admit`], unless it is interrupted before anything is kept.
///
/// # Errors
/// As of [`admit`].
pub async fn admit_unless(
    target: &Target,
    request: &AdmissionRequest,
    interrupt: Interrupt,
) -> Result<Admission, LeaseError> {
    admit_within(longest_admission(), target, request, interrupt).await
}

/// As [`admit_unless`], for whoever waits no longer than this: a lock that is held is named before.
///
/// # Errors
/// As of [`admit`].
pub async fn admit_within(
    limit: Duration,
    target: &Target,
    request: &AdmissionRequest,
    interrupt: Interrupt,
) -> Result<Admission, LeaseError> {
    let (admission, connection) = admit_and_keep(target, request, limit, interrupt).await?;
    connection.close().await;
    Ok(admission)
}

/// Ends a lease that nobody wants any more.
///
/// # Errors
/// Whatever keeps the database from being told; the lease then ends by itself in its time.
pub async fn give_back(target: &Target, id: &LeaseId) -> Result<(), LeaseError> {
    const LIMIT: Duration = Duration::from_secs(5);
    let release = async {
        let mut connection = open(target, LIMIT, Interrupt::default()).await?;
        let mut ledger = begin(connection.as_mut(), LIMIT).await?;
        ledger.release(id).await?;
        ledger.commit().await?;
        connection.close().await;
        Ok(())
    };
    within(LIMIT, "the release of the lease", release).await
}

/// As [`admit_unless`]; answers the connection as well, which the renewals may go on with.
pub(super) async fn admit_and_keep(
    target: &Target,
    request: &AdmissionRequest,
    limit: Duration,
    interrupt: Interrupt,
) -> Result<(Admission, Box<dyn Connection>), LeaseError> {
    super::names::check(&request.service, &request.label, &request.instance)?;
    let attempt = async {
        let mut connection = open(target, limit, interrupt).await?;
        let admission = admit_explained(connection.as_mut(), request, limit).await?;
        Ok((admission, connection))
    };
    within(limit, "the admission", attempt).await
}

/// As [`admit_within`], on a connection that is there. After an error it is not to be used.
pub(super) async fn admit_over(
    connection: &mut dyn Connection,
    request: &AdmissionRequest,
    limit: Duration,
) -> Result<Admission, LeaseError> {
    super::names::check(&request.service, &request.label, &request.instance)?;
    let attempt = admit_explained(connection, request, limit);
    within(limit, "the admission", attempt).await
}

async fn admit_explained(
    connection: &mut dyn Connection,
    request: &AdmissionRequest,
    limit: Duration,
) -> Result<Admission, LeaseError> {
    match admit_on(connection, request, limit).await {
        Ok(admission) => Ok(admission),
        Err(LeaseError::Ledger(LedgerError::Missing(lost))) => {
            let evidence = Evidence {
                lost: Some(lost),
                ..Evidence::default()
            };
            Ok(Admission::Refused(decide(action(request), &evidence)))
        }
        // The transaction ends with the connection.
        Err(error) => Err(explain(error, connection).await),
    }
}

/// Says so where a right is lacking because the ledger still has to be created.
async fn explain(error: LeaseError, connection: &mut dyn Connection) -> LeaseError {
    match error {
        LeaseError::Ledger(LedgerError::Database(error))
            if error.kind == ErrorKind::Permission && has_no_ledger(connection).await =>
        {
            LeaseError::NoLedger(error)
        }
        other => other,
    }
}

async fn has_no_ledger(connection: &mut dyn Connection) -> bool {
    connection.rollback().await.is_ok() && matches!(Ledger::read(connection).await, Ok(None))
}

/// Runs `attempt` for at most `limit`. Whatever it holds, a connection above all, ends with it.
pub(super) async fn within<T>(
    limit: Duration,
    what: &'static str,
    attempt: impl Future<Output = Result<T, LeaseError>>,
) -> Result<T, LeaseError> {
    tokio::time::timeout(limit, attempt)
        .await
        .unwrap_or_else(|_| {
            Err(LeaseError::Timeout {
                what,
                seconds: limit.as_secs().max(1),
            })
        })
}

/// How long a lock is waited for by what may take `limit`: whoever holds it can only be named before all of it is given up.
/// In whole seconds, because some servers count in them.
fn for_locks(limit: Duration) -> Duration {
    let most = limit * 4 / 5;
    match most.as_secs() {
        0 => most,
        seconds => Duration::from_secs(seconds),
    }
}

pub(super) async fn open(
    target: &Target,
    limit: Duration,
    interrupt: Interrupt,
) -> Result<Box<dyn Connection>, LeaseError> {
    let defaults = ConnectOptions::default();
    let for_locks = for_locks(limit);
    let options = ConnectOptions {
        busy_timeout: defaults.busy_timeout.min(for_locks),
        connect_timeout: defaults.connect_timeout.min(limit),
        // A file that is not there is a mistyped path: created empty, it would admit anything.
        create: false,
        lock_limit: Some(for_locks),
        asks: Asks::Yes,
        owners: Owners::One,
        server: Server::Writable,
        interrupt,
    };
    Ok(connect(target, options).await?)
}

/// Begins to write to the ledger, in something that may take `limit`.
pub(super) async fn begin(
    connection: &mut dyn Connection,
    limit: Duration,
) -> Result<Ledger<'_>, LeaseError> {
    bounded(Ledger::write(connection).await?, limit).await
}

/// As [`begin`], for whoever holds a lease or asks for one: no ledger is made where one was lost.
pub(super) async fn begin_for<'c>(
    request: &AdmissionRequest,
    connection: &'c mut dyn Connection,
    limit: Duration,
) -> Result<Ledger<'c>, LeaseError> {
    let made = || request.made.clone();
    let ledger = Ledger::write_unless_lost(connection, &made).await?;
    bounded(ledger, limit).await
}

async fn bounded(mut ledger: Ledger<'_>, limit: Duration) -> Result<Ledger<'_>, LeaseError> {
    ledger
        .connection()
        .await?
        .limit_lock_waits(LockTimeout(for_locks(limit)))
        .await?;
    Ok(ledger)
}

/// As [`admit`], on a connection that is there. After an error the connection is not to be used but for another transaction.
pub(super) async fn admit_on(
    connection: &mut dyn Connection,
    request: &AdmissionRequest,
    limit: Duration,
) -> Result<Admission, LeaseError> {
    let seen = shown(request.history.as_deref(), connection).await;
    let admission = admit_beside(connection, request, &seen, limit).await?;
    if matches!(admission, Admission::Admitted { .. }) || seen.is_empty() {
        return Ok(admission);
    }
    // A step may have ended between the look at that history and the one at the ledger.
    let again = shown(request.history.as_deref(), connection).await;
    if again == seen {
        return Ok(admission);
    }
    admit_beside(connection, request, &again, limit).await
}

async fn admit_beside(
    connection: &mut dyn Connection,
    request: &AdmissionRequest,
    seen: &[Shown],
    limit: Duration,
) -> Result<Admission, LeaseError> {
    let mut ledger = begin_for(request, connection, limit).await?;
    ledger.judge_by(&request.rules);
    ledger.stay_here().await?;
    ledger.find_out_where_from().await?;
    ledger.lock_admissions().await?;
    let versions = ledger.view_of_versions().await?;
    if let Some(lost) = ledger.lost(&versions, &request.made).await? {
        ledger.rollback().await?;
        return Err(LedgerError::Missing(lost).into());
    }
    let mut judged = Judged::of(&mut ledger, versions, request, seen).await?;
    if judged.decision.verdict != Verdict::Go {
        // Why, is told by how many and by whom.
        let whole = ledger.view().await?;
        judged = Judged::of(&mut ledger, whole, request, seen).await?;
    }
    let Judged {
        view,
        mut evidence,
        decision,
        past,
    } = judged;
    if decision.verdict != Verdict::Go {
        ledger
            .name_examples(&mut evidence.snapshot.groups, view.now)
            .await?;
        ledger.rollback().await?;
        evidence.facts.paused = Ledger::paused(connection, &view).await?;
        let mut decision = decide(action(request), &evidence);
        decision.notes.extend(past);
        return Ok(Admission::Refused(decision));
    }
    let asked_at = Moment::now();
    let id = ledger.register(&new_lease(request), &view).await?;
    ledger.commit().await?;
    Ok(Admission::Admitted {
        id,
        decision,
        asked_at,
    })
}

/// What the gate says of an admission, and by what.
struct Judged {
    view: View,
    evidence: Evidence,
    decision: Decision,
    /// What was done past the gate.
    past: Vec<String>,
}

impl Judged {
    async fn of(
        ledger: &mut Ledger<'_>,
        mut view: View,
        request: &AdmissionRequest,
        seen: &[Shown],
    ) -> Result<Self, LeaseError> {
        view.remembered = view.recall(&Asker::Door {
            sources: &request.sources,
        });
        let mut evidence = evidence(view.clone(), &request.pending);
        evidence.facts.brought.clone_from(&request.brought);
        let applied: BTreeSet<&MigrationId> = view.applied.iter().map(|a| a.state.id()).collect();
        // What is applied is told by the ledger.
        let unread = request.unread.iter();
        let unread = unread.filter(|flaw| flaw.migration().is_none_or(|id| !applied.contains(id)));
        evidence.flaws = unread.cloned().collect();
        look_at_sync(ledger, &view, &mut evidence).await?;
        let past = count(seen, &mut evidence);
        let decision = decide(action(request), &evidence);
        Ok(Self {
            view,
            evidence,
            decision,
            past,
        })
    }
}

/// What keeps formats in step may have gone, or be another than it was, since a command looked at it: then it is judged here as that
/// command will judge it, which writes it down.
async fn look_at_sync(
    ledger: &mut Ledger<'_>,
    view: &View,
    evidence: &mut Evidence,
) -> Result<(), LeaseError> {
    let known = ledger.in_step().await?;
    if known.is_empty() {
        return Ok(());
    }
    let now = ledger.connection().await?.trigger_marks().await?;
    let seen = view.seen_ever();
    for known in known {
        let missed = known.missed.clone().map(Touched::Gone);
        let Some(touched) = missed.or_else(|| known.touched(&now)) else {
            continue;
        };
        let id = known
            .of(evidence.schema.migrations())
            .map(|state| state.id().clone());
        // While a contract takes the old format away, its own statements take the triggers.
        let state = id.and_then(|id| evidence.schema.get_mut(&id));
        let Some(state) = state.filter(|state| state.phase != Phase::Contracting) else {
            continue;
        };
        *state = state.out_of_step(&seen);
        if let Touched::Gone(what) = touched {
            evidence.facts.out_of_step.push(OutOfStep {
                migration: state.id().clone(),
                what,
            });
        }
    }
    Ok(())
}

fn action(request: &AdmissionRequest) -> Action {
    Action::Deploy(vec![Live {
        service: request.service.clone(),
        version: request.version.clone(),
    }])
}

fn new_lease(request: &AdmissionRequest) -> NewLease {
    let stored = |duration| i64::try_from(milliseconds(duration)).unwrap_or(i64::MAX);
    NewLease {
        service: request.service.clone(),
        label: request.label.clone(),
        version: request.version.clone(),
        instance: request.instance.clone(),
        session_name: session_name(&request.service, &request.label, &request.instance),
        state: request.state,
        lease_ms: stored(request.lease),
        renew_ms: stored(request.renew),
    }
}

/// What an admission rests on: the ledger, the leases, and migrations that only the files know.
#[must_use]
pub fn evidence(view: View, pending: &[Declaration]) -> Evidence {
    let sources = vec![view.lease_report()];
    let facts = Facts {
        at_work: view.coordinator.at_work(),
        ..Facts::default()
    };
    let mut states: Vec<MigrationState> = view
        .applied
        .into_iter()
        .map(|applied| applied.state)
        .collect();
    // By its whole name: of two branches that took one number, only one was applied.
    let mut carried: BTreeMap<&MigrationId, &Declaration> =
        pending.iter().map(|here| (&here.id, here)).collect();
    for state in &mut states {
        // The ledger does not keep it.
        if let Some(here) = carried.remove(state.id()) {
            state.declaration.fill = here.fill;
        }
    }
    states.extend(carried.into_values().cloned().map(MigrationState::pending));
    Evidence {
        schema: Schema::new(states),
        snapshot: Snapshot {
            taken_at: view.now,
            sources,
            groups: view.groups,
            remembered: view.remembered,
            settling: view.settling,
            twins: view.twins,
            ending: view.ending,
            ..Snapshot::default()
        },
        facts,
        ..Evidence::default()
    }
}
