//! Backfills from elsewhere: steering one that runs, and what one would do.

use super::backfill::of_engine;
use super::session::actor;
use super::{CoordinatorError, Situation};
use crate::backfill::{Engine, Limits};
use crate::database::{Access, Connection, KeyRange, LockTimeout};
use crate::ledger::{EventKind, Ledger, LedgerError, Steering};
use crate::model::{MigrationId, Phase};
use crate::project::{Project, ThrottleRules};

/// Tells a backfill that runs, or that stopped on its way, how to go on. False where there is none.
///
/// # Errors
/// A database or ledger error.
pub async fn steer(
    connection: &mut dyn Connection,
    id: &MigrationId,
    steering: Steering,
) -> Result<bool, LedgerError> {
    let Some(mut ledger) = Ledger::read(connection).await? else {
        return Ok(false);
    };
    let view = ledger.view().await;
    ledger.rollback().await?;
    let is_running = view?
        .applied
        .iter()
        .any(|applied| applied.state.id() == id && applied.state.phase == Phase::Backfilling);
    let recorded = Ledger::backfills(connection).await?;
    if !is_running || !recorded.iter().any(|record| record.number == id.number()) {
        return Ok(false);
    }
    let mut ledger = Ledger::write(connection).await?;
    ledger.stay_here().await?;
    if !ledger.steer(id, steering).await? {
        ledger.rollback().await?;
        return Ok(false);
    }
    let detail = match steering {
        Steering::Pause => serde_json::json!({ "backfill": "pause" }),
        Steering::Resume => serde_json::json!({ "backfill": "resume" }),
        Steering::Pace(pace) => {
            serde_json::json!({ "backfill": "pace", "thousandths": pace })
        }
    };
    ledger
        .append(EventKind::Steered, &actor(), Some(id), &detail)
        .await?;
    ledger.commit().await?;
    Ok(true)
}

/// What a backfill would do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackfillRehearsal {
    /// The keys that are left; none in an empty table.
    pub left: Vec<KeyRange>,
    /// About how many rows the table has.
    pub total: u64,
    /// Keys that an earlier run has passed already.
    pub seen: u64,
    /// What `remaining` returns.
    pub remaining: i64,
    pub throttle: ThrottleRules,
}

/// Looks at what a backfill would go over, without doing it. `None` if there is nothing to look at yet.
///
/// # Errors
/// A database or ledger error, or a key that no range can go over.
pub async fn rehearse_backfill(
    project: &Project,
    id: &MigrationId,
    situation: &Situation,
    connection: &mut dyn Connection,
) -> Result<Option<BackfillRehearsal>, CoordinatorError> {
    let rules = project
        .get(id)
        .and_then(|migration| migration.backfill.as_ref());
    let state = situation.evidence.schema.get(id);
    let (Some(rules), Some(state)) = (rules, state) else {
        return Ok(None);
    };
    if !state.expand_is_done() {
        return Ok(None);
    }
    let dialect = connection.capabilities().dialect;
    let file = project
        .get(id)
        .and_then(|migration| migration.files(dialect).backfill.as_ref());
    let Some(file) = file else {
        return Ok(None);
    };
    let engine = Engine {
        id,
        rules,
        file,
        token: 0,
        limits: Limits {
            lock_timeout: project.config.database.lock_timeout,
            lock_retry_for: project.config.database.lock_retry_for,
        },
    };
    let looked = engine.look_at_key(connection, &[]).await;
    looked.map_err(|error| of_engine(error, id))?;
    let mut applied = situation.view.applied.iter();
    let run = applied
        .find(|applied| applied.state.id() == id)
        .filter(|applied| applied.state.phase == Phase::Backfilling)
        .map(|applied| applied.changed_at);
    let recorded = Ledger::backfills(connection).await?;
    let recorded = recorded
        .into_iter()
        .find(|record| record.number == id.number() && Some(record.run) == run);
    let (left, seen) = match recorded {
        Some(record) => {
            let seen = record.seen();
            let open = record.ranges.into_iter().map(|range| range.left);
            (open.filter(|range| !range.is_done()).collect(), seen)
        }
        None => {
            let whole = engine.whole(connection).await;
            let whole = whole.map_err(|error| of_engine(error, id))?;
            (whole.into_iter().collect(), 0)
        }
    };
    let total = connection.estimate_rows(&rules.table).await?;
    let dialect = connection.capabilities().dialect;
    connection.begin(Access::Read).await?;
    let limit = LockTimeout(project.config.database.lock_timeout);
    connection.limit_lock_waits(limit).await?;
    let remaining = connection.count(rules.remaining.of(dialect)).await;
    connection.rollback().await?;
    Ok(Some(BackfillRehearsal {
        left,
        total,
        seen,
        remaining: remaining?,
        throttle: rules.throttle.clone(),
    }))
}
