//! What is measured before a contract: the user's queries, and how long no old version was seen.

use std::time::Duration;

use super::error::held_by;
use super::lock::Retry;
use super::needed::needed;
use super::past_return::past_return;
use super::reading::refuse_misread;
use super::rehearsed::unrehearsed;
use super::session::Session;
use super::used::{Eager, look};
use super::{CoordinatorError, Situation};
use crate::database::{Access, Connection, DatabaseError, LockTimeout};
use crate::gate::{Action, Evidence, Facts, Soak, Unrehearsed, Verdict, decide};
use crate::ledger::{Ledger, View};
use crate::model::{Format, Live, MigrationId, MigrationState, Phase, Step};
use crate::project::{Migration, Project};

/// Asks the user's queries, and tries again where a lock on their tables is not granted: a
/// transaction that nobody ends would otherwise be waited for without a word.
pub(super) async fn facts(
    session: &mut Session<'_>,
    id: &MigrationId,
    situation: &Situation,
) -> Result<Option<Facts>, CoordinatorError> {
    let migration = session.orders.migration(id)?;
    let limit = session.orders.lock_limit();
    let unused = session.unused(id).await?;
    let mut retry = Retry::new(session.orders);
    loop {
        let Some(mut ledger) = Ledger::read(session.connection.as_mut()).await? else {
            return Ok(None);
        };
        let connection = ledger.connection().await?;
        connection.limit_lock_waits(limit).await?;
        let session_id = connection.session_id().await?;
        let _watching = retry
            .watch()
            .start(session_id, session.orders.target.clone());
        let (view, evidence) = (&situation.view, &situation.evidence);
        let of = (session.orders.project, migration);
        let facts = measure(of, view, evidence, &mut ledger).await;
        ledger.rollback().await?;
        match facts {
            Err(CoordinatorError::Database(mut error)) if error.is_contention() => {
                let paused = retry.pause().await;
                if let Err((_, holders)) = paused {
                    error.message.push_str(&held_by(&holders));
                    return Err(error.into());
                }
            }
            other => return other.map(|facts| Some(Facts { unused, ..facts })),
        }
    }
}

/// For a contract that nothing else stands in the way of, asks the user's queries as well.
///
/// # Errors
/// A database error, or a query that does not return a number.
pub async fn measure_if_clear(
    project: &Project,
    id: &MigrationId,
    situation: &mut Situation,
    connection: &mut dyn Connection,
) -> Result<(), CoordinatorError> {
    let action = Action::Step {
        step: Step::Contract,
        migration: id.clone(),
    };
    let decision = decide(action, &situation.evidence);
    let migration = project.as_read(id);
    let (Verdict::Go, Some(migration)) = (decision.verdict, migration) else {
        return Ok(());
    };
    let is_over = situation
        .evidence
        .schema
        .get(id)
        .is_none_or(|state| state.phase == Phase::Contracted);
    if is_over {
        return Ok(());
    }
    let limit = LockTimeout(project.config.database.lock_timeout);
    let (view, evidence) = (&situation.view, &situation.evidence);
    let facts = if let Some(mut ledger) = Ledger::read(connection).await? {
        ledger.connection().await?.limit_lock_waits(limit).await?;
        let facts = measure((project, migration), view, evidence, &mut ledger).await;
        ledger.rollback().await?;
        facts?
    } else {
        // Nobody has acted yet, and the queries are asked all the same: the contract will be the first that does.
        connection.begin(Access::Read).await?;
        let facts = match connection.limit_lock_waits(limit).await {
            Ok(()) => ask(migration, view, evidence, connection).await,
            Err(error) => Err(error.into()),
        };
        connection.rollback().await?;
        Facts {
            // Where nothing is recorded, no rehearsal is.
            unrehearsed: project
                .config
                .rehearsal
                .required
                .then_some(Unrehearsed::Never),
            ..facts?
        }
    };
    situation.evidence.facts = facts;
    let look = look(migration, connection, Eager::LooksNow).await?;
    situation.evidence.facts.unused = look.map(|look| look.unused);
    Ok(())
}

/// Asks the user's queries, and works out how long no old version was seen, and whether it was rehearsed.
///
/// Once a statement of the contract was begun that live versions can notice, there is nothing left to
/// ask: all was as it had to be before it, and what the queries look at may be gone.
pub(super) async fn measure(
    (project, migration): (&Project, &Migration),
    view: &View,
    evidence: &Evidence,
    ledger: &mut Ledger<'_>,
) -> Result<Facts, CoordinatorError> {
    if past_return((migration.id(), Some(migration)), Step::Contract, ledger).await? {
        // Of the triggers whoever looks has asked already.
        return Ok(Facts {
            out_of_step: evidence.facts.out_of_step.clone(),
            ..Facts::default()
        });
    }
    let facts = ask(migration, view, evidence, ledger.connection().await?).await?;
    let dialect = ledger.connection().await?.capabilities().dialect;
    Ok(Facts {
        unrehearsed: unrehearsed(project, migration, dialect, ledger).await?,
        ..facts
    })
}

/// Asks the user's queries over this connection.
async fn ask(
    migration: &Migration,
    view: &View,
    evidence: &Evidence,
    connection: &mut dyn Connection,
) -> Result<Facts, CoordinatorError> {
    let id = migration.id();
    let path = migration.manifest.path.display();
    let query_failed = |what: &str, query: &str, mut error: DatabaseError| {
        error.message = format!("`{what}` in {path}: {} ({query})", error.message);
        CoordinatorError::Database(error)
    };
    // Of the triggers and of the server's counters whoever looks has asked already.
    let mut facts = Facts {
        out_of_step: evidence.facts.out_of_step.clone(),
        unused: evidence.facts.unused.clone(),
        ..Facts::default()
    };
    refuse_misread(migration, Step::Contract, connection)?;
    let dialect = connection.capabilities().dialect;
    if let Some(backfill) = &migration.backfill {
        let query = backfill.remaining.of(dialect);
        let count = connection.count(query).await;
        facts.remaining = Some(count.map_err(|error| query_failed("remaining", query, error))?);
    }
    for query in &migration.contract_rules.require {
        let query = query.of(dialect);
        let count = connection.count(query).await;
        let count = count.map_err(|error| query_failed("require", query, error))?;
        facts.require.push((query.to_owned(), count));
    }
    facts.needed = needed(migration, connection).await?;
    if let Some(required) = migration.contract_rules.soak {
        facts.soak = evidence
            .schema
            .get(id)
            .map(|state| soak(required, state, view));
    }
    Ok(facts)
}

/// How long no version that touches the old format was seen.
#[must_use]
pub fn soak(required: Duration, state: &MigrationState, view: &View) -> Soak {
    let seen = view
        .sightings
        .iter()
        .filter(|sighting| {
            // A version that cannot be placed may be an old one.
            sighting.label.version.clone().is_none_or(|version| {
                let who = Live {
                    service: sighting.service.clone(),
                    version,
                };
                state.is_touched_by(&who, Format::Old)
            })
        })
        .map(|sighting| sighting.last_seen_at);
    let mut applied = view.applied.iter();
    let applied = applied.find(|applied| applied.state.id() == state.id());
    let since = seen.max().or(applied.map(|applied| applied.changed_at));
    Soak {
        required_ms: i64::try_from(required.as_millis()).unwrap_or(i64::MAX),
        quiet_ms: since.map_or(0, |since| view.now.saturating_sub(since)),
    }
}
