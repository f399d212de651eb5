//! Observing: files, ledger and fleet, put together for a decision.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::as_applied::judge_reverts;
use super::connecting::writing;
use super::drift::{Changed, drift, flaws_of};
use super::flaws::flaws;
use super::foreseen::{look_at_rehearsals, soaks};
use super::gap::{look_at_sync, record_gaps};
use super::situation::schema;
use super::used::record_uses;
use super::{Situation, past_gate, settled};
use crate::database::{Connection, DatabaseError, ErrorKind, Target};
use crate::fleet;
use crate::gate::{Action, Evidence, Facts, has_too_many_versions};
use crate::ledger::{
    AppliedFile, CoordinatorRow, Counts, Ledger, LedgerError, Named, TELLS_OF_MS, View, Wanted,
};
use crate::model::{LostLedger, Snapshot, Step, Version};
use crate::project::Project;
use crate::sql::Dialect;

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

/// As [`survey`], for a question that may be answered with go: the leases are counted only as far as that takes. `None` where only a
/// look at each of them tells. An answer other than go has to be asked for by [`survey`].
///
/// # Errors
/// As of [`observe`].
pub async fn survey_enough(
    project: &Project,
    action: &Action,
    connection: &mut dyn Connection,
) -> Result<Option<Situation>, LedgerError> {
    if !may_be_enough(project, action) {
        return Ok(None);
    }
    let rules = fleet::lease_rules(&project.config);
    let read = Ledger::survey_enough(connection, &rules, &min_instances(project)).await?;
    let Some(read) = read else {
        return Ok(None);
    };
    let mut situation = situation_of(project, Some(read), connection).await?;
    past_gate::look(project, &mut situation, connection).await?;
    Ok(Some(situation))
}

/// Whether no question about each lease follows: what another source lists is held against each of them, and long after a lease has
/// run out only it tells when that was.
fn may_be_enough(project: &Project, action: &Action) -> bool {
    let soak = match action {
        Action::Step {
            step: Step::Contract,
            migration,
        } => project
            .as_read(migration)
            .and_then(|migration| migration.contract_rules.soak),
        _ => None,
    };
    let told = Duration::from_millis(TELLS_OF_MS.unsigned_abs());
    project.config.fleet.others().next().is_none() && soak.is_none_or(|soak| soak < told)
}

async fn survey_recorded(
    project: &Project,
    connection: &mut dyn Connection,
) -> Result<Situation, LedgerError> {
    let rules = fleet::lease_rules(&project.config);
    let read = Ledger::survey(connection, &rules).await?;
    let mut situation = situation_of(project, read, connection).await?;
    look_at_rehearsals(project, &mut situation, connection).await?;
    Ok(situation)
}

/// What is known by what was read of the ledger, if there is one.
async fn situation_of(
    project: &Project,
    read: Option<(View, Vec<AppliedFile>)>,
    connection: &mut dyn Connection,
) -> Result<Situation, LedgerError> {
    let has_ledger = read.is_some();
    let (view, files) = read.unwrap_or_else(|| (empty_view(), Vec::new()));
    let dialect = connection.capabilities().dialect;
    let snapshot = Snapshot {
        taken_at: view.now,
        ..Snapshot::default()
    };
    let mut situation = observe_with(project, view, snapshot, &files, dialect);
    situation.has_ledger = has_ledger;
    if !situation.is_enough {
        // Nobody is asked for an answer that is given by other files.
        return Ok(situation);
    }
    situation.evidence.snapshot =
        fleet::observe(&project.config, &situation.view, connection).await;
    if connection.interrupt().is_due() {
        // What a source has not said because of it is no evidence.
        return Err(DatabaseError::interrupted().into());
    }
    situation.evidence.lost = lost(project, &situation.view, connection).await?;
    judge_changes(project, &mut situation, connection).await?;
    situation.evidence.facts.paused = Ledger::paused(connection, &situation.view).await?;
    if situation.view.coordinator.is_rolling_out() {
        situation.evidence.rolling = rolling(connection).await?;
    }
    look_at_sync(project, &mut situation, connection).await?;
    Ok(situation)
}

/// Whether the ledger was lost, as what is there says. Nothing is asked where it tells of anything that was applied.
async fn lost(
    project: &Project,
    view: &View,
    connection: &mut dyn Connection,
) -> Result<Option<LostLedger>, LedgerError> {
    if !view.is_blank() {
        return Ok(None);
    }
    let made = project.made(connection.capabilities().dialect);
    Ledger::was_lost(connection, view, &made).await
}

/// Judges files that differ from what was applied by what the ledger has kept of that.
async fn judge_changes(
    project: &Project,
    situation: &mut Situation,
    connection: &mut dyn Connection,
) -> Result<(), LedgerError> {
    let mut drift = situation.drift.iter();
    if drift.any(|drift| matches!(drift.what, Changed::Script(_))) {
        super::same_script::forgive(project, &mut situation.drift, connection).await?;
    }
    judge_reverts(project, situation, connection).await?;
    let changed = flaws_of(&situation.drift);
    situation.evidence.flaws.splice(0..0, changed);
    Ok(())
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
    record_uses(project, &situation.view, connection).await?;
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
    let lost = situation.evidence.lost.take();
    *situation = observe_with(project, view, snapshot, &files, dialect);
    judge_changes(project, situation, connection).await?;
    situation.past_gate = past_gate;
    past_gate::count(situation);
    situation.evidence.rolling = rolling;
    situation.evidence.facts.paused = paused;
    situation.evidence.lost = lost;
    look_at_rehearsals(project, situation, connection).await?;
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

/// Whether a look tells of sources other than the leases, that are or were there.
pub(super) fn has_shown_anything(situation: &Situation) -> bool {
    let memory = &situation.view.memory;
    let snapshot = &situation.evidence.snapshot;
    let mut sources = snapshot.sources.iter();
    let is_about_others = sources.any(|source| !source.is_of_leases())
        || !memory.looked.is_empty()
        || !memory.seen.is_empty();
    // A look that nobody believes is as one that failed, and to write it down would take its time.
    is_about_others && !has_too_many_versions(snapshot)
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

/// How many instances of each service have to be seen.
fn min_instances(project: &Project) -> Wanted {
    let services = project.config.services.iter();
    services
        .map(|(name, service)| (name.clone(), service.min_instances))
        .collect()
}

/// The numbers of the migrations whose expand holds nothing of rows, by the files.
fn holding_nothing(project: &Project, dialect: Dialect) -> BTreeSet<u64> {
    let migrations = project.migrations.iter();
    let holding = migrations.filter(|migration| migration.files(dialect).holds_nothing());
    holding.map(|migration| migration.id().number()).collect()
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
    let schema = schema(project, &view, dialect);
    let contracts = soaks(project, &schema, &view);
    let min_instances = min_instances(project);
    let facts = Facts {
        at_work: view.coordinator.at_work(),
        holding_nothing: holding_nothing(project, dialect),
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
    let mut flaws = flaws(project, &view, dialect);
    let is_enough = settled::is_enough(project, &view, files, dialect);
    if !is_enough {
        flaws.push(settled::unjudged());
    }
    Situation {
        view,
        evidence: Evidence {
            schema,
            snapshot,
            min_instances,
            facts,
            contracts,
            rolling: BTreeMap::new(),
            moved: moved.map(|moved| (moved, all_renew)),
            flaws,
            lost: None,
        },
        drift,
        past_gate: Vec::new(),
        rules: fleet::lease_rules(&project.config),
        has_ledger: true,
        is_enough,
        is_news_of_sync: false,
    }
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
        counts: Counts::All,
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
