//! Observing: files, ledger and fleet, put together for a decision.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::as_applied::judge_reverts;
use super::drift::{Changed, Drift, drift};
use super::flaws::flaws;
use super::gap::{look_at_sync, record_gaps};
use super::past_gate::{self, PastGate};
use crate::database::{
    Asks, ConnectOptions, Connection, DatabaseError, ErrorKind, LockTimeout, Owners, Target,
};
use crate::fleet;
use crate::gate::{Evidence, Facts};
use crate::interrupt::Interrupt;
use crate::ledger::{
    AppliedFile, CoordinatorRow, LEASES, LeaseRules, Ledger, LedgerError, Named, View,
};
use crate::model::{MigrationId, MigrationState, Schema, Snapshot, Step, Version};
use crate::project::{Broken, Project};
use crate::sql::Dialect;

/// Everything that is known at one moment.
#[derive(Clone, Debug)]
pub struct Situation {
    pub view: View,
    pub evidence: Evidence,
    pub drift: Vec<Drift>,
    /// What somebody did with another migration tool without asking here.
    pub past_gate: Vec<PastGate>,
    /// How the project wants leases to be read.
    rules: LeaseRules,
    /// Whether the database has a ledger at all.
    pub has_ledger: bool,
    /// Whether something is to be written down of what keeps formats in step.
    pub(super) is_news_of_sync: bool,
}

/// How long a question waits for whoever writes to an embedded database.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To answer a question.
    Ask,
    /// To act on a database that is there: an embedded one that is not is a mistyped path.
    Act,
    /// To act, and to make an embedded database that is not there: it is that of a new project.
    Begin,
}

/// Connects to the project's database, with what stops the statements there.
///
/// # Errors
/// Whatever keeps it from being reached.
pub async fn connect(
    project: &Project,
    target: &Target,
    purpose: Purpose,
    interrupt: Interrupt,
) -> Result<Box<dyn Connection>, DatabaseError> {
    connect_as(project, target, purpose, (Owners::Trusted, interrupt)).await
}

/// As [`connect`], for whoever writes down what a look has shown and nothing else: the ledger may be somebody
/// else's, as it is for an instance.
///
/// # Errors
/// As of [`connect`].
pub async fn connect_to_record(
    project: &Project,
    target: &Target,
    interrupt: Interrupt,
) -> Result<Box<dyn Connection>, DatabaseError> {
    connect_as(project, target, Purpose::Ask, (Owners::One, interrupt)).await
}

async fn connect_as(
    project: &Project,
    target: &Target,
    purpose: Purpose,
    (owners, interrupt): (Owners, Interrupt),
) -> Result<Box<dyn Connection>, DatabaseError> {
    let config = &project.config.database;
    let defaults = ConnectOptions::default();
    let (asks, busy_timeout) = match purpose {
        Purpose::Act | Purpose::Begin => (Asks::No, config.busy_timeout),
        Purpose::Ask => (Asks::Yes, config.busy_timeout.min(LONGEST_WAIT)),
    };
    let options = ConnectOptions {
        busy_timeout,
        create: purpose == Purpose::Begin,
        lock_limit: Some(config.lock_timeout),
        owners,
        interrupt,
        asks,
        ..defaults
    };
    crate::database::connect(target, options).await
}

impl Situation {
    /// The changed files that stand in the way of a step: what the gate says and what the command does.
    #[must_use]
    pub fn drift_before(&self, step: Step, id: &MigrationId) -> Vec<Drift> {
        let mut drift = self.drift.clone();
        drift.retain(|drift| drift.stops(step, id));
        drift
    }

    /// Adds the names of a few instances to each version that holds leases.
    ///
    /// # Errors
    /// A database or ledger error.
    pub async fn name_examples(
        &mut self,
        connection: &mut dyn Connection,
    ) -> Result<(), LedgerError> {
        if let Some(mut ledger) = Ledger::read(connection).await? {
            ledger.judge_by(&self.rules);
            let groups = &mut self.evidence.snapshot.groups;
            ledger.name_examples(groups, self.view.now).await?;
            ledger.rollback().await?;
        }
        Ok(())
    }
}

/// Reads the ledger and asks every source. Never writes.
///
/// # Errors
/// A database or ledger error; a source that fails is part of the snapshot.
pub async fn observe(
    project: &Project,
    connection: &mut dyn Connection,
) -> Result<Situation, LedgerError> {
    let mut situation = survey(project, connection).await?;
    situation.name_examples(connection).await?;
    Ok(situation)
}

/// As [`observe`], for a coordinator at work: by what is recorded alone.
pub(super) async fn observe_recorded(
    project: &Project,
    connection: &mut dyn Connection,
) -> Result<Situation, LedgerError> {
    let mut situation = survey_recorded(project, connection).await?;
    situation.name_examples(connection).await?;
    Ok(situation)
}

/// As [`observe`], without naming instances: enough for a decision, and quicker.
///
/// # Errors
/// As of [`observe`].
pub async fn survey(
    project: &Project,
    connection: &mut dyn Connection,
) -> Result<Situation, LedgerError> {
    let mut situation = survey_recorded(project, connection).await?;
    past_gate::look(project, &mut situation, connection).await?;
    Ok(situation)
}

async fn survey_recorded(
    project: &Project,
    connection: &mut dyn Connection,
) -> Result<Situation, LedgerError> {
    let rules = fleet::lease_rules(&project.config);
    let read = Ledger::survey(connection, &rules).await?;
    let has_ledger = read.is_some();
    let (view, files) = read.unwrap_or_else(|| (empty_view(), Vec::new()));
    let snapshot = fleet::observe(&project.config, &view, connection).await;
    if connection.interrupt().is_due() {
        // What a source has not said because of it is no evidence.
        return Err(DatabaseError::interrupted().into());
    }
    let mut situation = observe_with(
        project,
        view,
        snapshot,
        &files,
        connection.capabilities().dialect,
    );
    situation.has_ledger = has_ledger;
    if situation
        .drift
        .iter()
        .any(|drift| matches!(drift.what, Changed::Script(_)))
    {
        super::same_script::forgive(project, &mut situation.drift, connection).await?;
    }
    judge_reverts(project, &mut situation, connection).await?;
    situation.evidence.facts.paused = Ledger::paused(connection, &situation.view).await?;
    if situation.view.coordinator.is_rolling_out() {
        situation.evidence.rolling = rolling(connection).await?;
    }
    look_at_sync(project, &mut situation, connection).await?;
    Ok(situation)
}

/// What the open rollout is replacing; nothing where this user may not look, or the ledger is from before
/// there were rollouts.
async fn rolling(
    connection: &mut dyn Connection,
) -> Result<BTreeMap<String, Version>, LedgerError> {
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(BTreeMap::new());
    };
    let last = ledger.last_rollout().await;
    ledger.rollback().await?;
    match last {
        Ok(last) => Ok(last.map_or_else(BTreeMap::new, |rollout| rollout.rolling())),
        Err(LedgerError::Database(error))
            if matches!(error.kind, ErrorKind::NoTable | ErrorKind::Permission) =>
        {
            Ok(BTreeMap::new())
        }
        Err(error) => Err(error),
    }
}

/// Remembers what a look has shown of sources other than the leases, and then rests on what is remembered. Nothing is
/// written where there is no ledger yet, because no row kinds are either.
///
/// # Errors
/// As of [`observe`].
pub async fn record(
    project: &Project,
    connection: &mut dyn Connection,
    situation: &mut Situation,
) -> Result<(), LedgerError> {
    if !situation.has_ledger {
        return Ok(());
    }
    if situation.is_news_of_sync {
        record_gaps(project, situation, connection).await?;
    }
    if !has_shown_anything(situation) {
        return Ok(());
    }
    Ledger::complete(connection).await?;
    let services = project.config.services.keys().cloned().collect();
    let mut ledger = writing(project, connection).await?;
    ledger
        .record_look(&situation.evidence.snapshot, &services)
        .await?;
    ledger.commit().await?;
    let Some((view, files)) = Ledger::survey(connection, &situation.rules).await? else {
        return Ok(());
    };
    let snapshot = view.refresh(&situation.evidence.snapshot);
    let dialect = connection.capabilities().dialect;
    let rolling = std::mem::take(&mut situation.evidence.rolling);
    let paused = std::mem::take(&mut situation.evidence.facts.paused);
    let past_gate = std::mem::take(&mut situation.past_gate);
    *situation = observe_with(project, view, snapshot, &files, dialect);
    situation.past_gate = past_gate;
    past_gate::count(situation);
    situation.evidence.rolling = rolling;
    situation.evidence.facts.paused = paused;
    look_at_sync(project, situation, connection).await
}

/// Counts versions that the gate has let through like ones that have come: whoever asked is about to start them.
///
/// # Errors
/// As of [`observe`].
pub async fn record_deploy(
    project: &Project,
    connection: &mut dyn Connection,
    candidates: &[(Named, Version)],
) -> Result<(), LedgerError> {
    let mut ledger = writing(project, connection).await?;
    ledger.record_deploy(candidates).await?;
    ledger.commit().await
}

pub(super) async fn writing<'c>(
    project: &Project,
    connection: &'c mut dyn Connection,
) -> Result<Ledger<'c>, LedgerError> {
    let mut ledger = Ledger::write(connection).await?;
    ledger.judge_by(&fleet::lease_rules(&project.config));
    let limit = LockTimeout(project.config.database.lock_timeout);
    ledger.connection().await?.limit_lock_waits(limit).await?;
    Ok(ledger)
}

/// Whether there is a source other than the leases, or was one.
pub(super) fn has_shown_anything(situation: &Situation) -> bool {
    let memory = &situation.view.memory;
    let mut sources = situation.evidence.snapshot.sources.iter();
    sources.any(|source| source.name != LEASES)
        || !memory.looked.is_empty()
        || !memory.seen.is_empty()
}

/// What is known of a database that does not exist yet.
#[must_use]
pub fn nothing_yet(project: &Project, dialect: Dialect) -> Situation {
    let view = empty_view();
    let snapshot = Snapshot {
        taken_at: view.now,
        sources: vec![view.lease_report()],
        ..Snapshot::default()
    };
    let mut situation = observe_with(project, view, snapshot, &[], dialect);
    situation.has_ledger = false;
    situation
}

/// Puts together what has been read already.
#[must_use]
pub fn observe_with(
    project: &Project,
    view: View,
    snapshot: Snapshot,
    files: &[AppliedFile],
    dialect: Dialect,
) -> Situation {
    let schema = schema(project, &view);
    let min_instances = project
        .config
        .services
        .iter()
        .map(|(name, service)| (name.clone(), service.min_instances))
        .collect();
    let facts = Facts {
        at_work: view.coordinator.at_work(),
        ..Facts::default()
    };
    let drift = drift(project, &view, files, dialect);
    // As long as it takes until whoever runs has missed three renewals.
    let all_renew = u64::try_from(project.config.fleet.renew.as_millis()).unwrap_or(u64::MAX);
    let all_renew = all_renew.saturating_mul(3);
    let moved = view.moved.filter(|moved| {
        let noticed = moved.noticed_ms_ago;
        noticed.is_none_or(|ago| ago < all_renew)
    });
    let flaws = flaws(project, &view, dialect);
    Situation {
        view,
        evidence: Evidence {
            schema,
            snapshot,
            min_instances,
            facts,
            rolling: BTreeMap::new(),
            moved: moved.map(|moved| (moved, all_renew)),
            flaws,
        },
        drift,
        past_gate: Vec::new(),
        rules: fleet::lease_rules(&project.config),
        has_ledger: true,
        is_news_of_sync: false,
    }
}

/// What the ledger knows, and everything else of the project as pending. Of files that are not in order, as far as what
/// they declare is certain: the rest is among the flaws.
pub(super) fn schema(project: &Project, view: &View) -> Schema {
    let mut states: Vec<MigrationState> = Vec::new();
    for applied in &view.applied {
        let mut state = applied.state.clone();
        // Later phases may be written after the earlier ones were applied.
        if let Some(migration) = project.get(state.id()) {
            let was_expanded = state.declaration.parts.expand;
            state.declaration.parts = migration.declaration.parts;
            // What was applied was there, whether or not its file still is.
            state.declaration.parts.expand |= was_expanded;
            state.declaration.fill = migration.declaration.fill;
            state
                .declaration
                .description
                .clone_from(&migration.declaration.description);
        } else if let Some(read) = project.flaws.of(state.id()).and_then(Broken::declared) {
            let (recorded, read) = (&mut state.declaration.parts, read.parts);
            recorded.backfill |= read.backfill;
            recorded.contract |= read.contract;
            recorded.revert |= read.revert;
        }
        states.push(state);
    }
    let applied: BTreeSet<&MigrationId> = view.applied.iter().map(|a| a.state.id()).collect();
    for declaration in project.declarations() {
        if !applied.contains(&declaration.id) {
            states.push(MigrationState::pending(declaration.clone()));
        }
    }
    Schema::new(states).under(project.config.order)
}

/// What a database without a ledger knows.
fn empty_view() -> View {
    View {
        now: jiff::Timestamp::now().as_millisecond(),
        applied: Vec::new(),
        sightings: Vec::new(),
        arrivals: crate::ledger::Arrivals::Kept(Vec::new()),
        memory: crate::ledger::Memory::default(),
        remembered: Vec::new(),
        groups: Vec::new(),
        settling: Vec::new(),
        twins: Vec::new(),
        ending: Vec::new(),
        moved: None,
        coordinator: CoordinatorRow {
            token: 0,
            holder: String::new(),
            doing: String::new(),
            expires_at: 0,
            now: 0,
        },
    }
}

/// Whether a connection error means only that there is nothing yet, as for a file not created.
#[must_use]
pub fn is_nothing_yet(error: &DatabaseError, target: &Target) -> bool {
    error.kind == ErrorKind::NoDatabase && target.path().is_some()
}
