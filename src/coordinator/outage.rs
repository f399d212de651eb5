//! A backfill goes on over lost connections: a restart of the server, a failover, a pooler that is replaced.
//!
//! Invariant: nothing is guessed about the batch that was at work. Each is committed together with its checkpoint, so
//! whether the last commit took effect is read from the ledger, like everything else, by beginning again from there.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::session::Session;
use super::tally::{Filled, Tally};
use super::{CoordinatorError, Done, Outcome, Progress, backfill};
use crate::database::{DatabaseError, ErrorKind};
use crate::ledger::{Ledger, LedgerError};
use crate::model::{MigrationId, Step};

/// A connection that is lost.
struct Outage {
    since: Instant,
    /// How many batches had passed by then.
    passed: u64,
}

/// The backfill, begun again from what is recorded whenever the connection was lost, as long as somebody answers within
/// `lock_retry_for`.
pub(super) async fn backfill_over_outages(
    session: &mut Session<'_>,
    filled: &mut Filled,
    id: &MigrationId,
) -> Result<Outcome, CoordinatorError> {
    let began = Instant::now();
    filled.before = None;
    let mut outage: Option<Outage> = None;
    loop {
        let error = match backfill::run(session, filled, id).await {
            Ok(outcome) if outage.is_none() => return Ok(outcome),
            Ok(outcome) => return in_sum(session, filled.before, outcome, began).await,
            Err(error) => error,
        };
        let Some(cause) = lost(session, &error) else {
            return Err(error);
        };
        let passed = filled.passed.load(Ordering::Relaxed);
        // What breaks again and again without getting on is one outage.
        let since = match &outage {
            Some(outage) if outage.passed == passed => outage.since,
            _ => Instant::now(),
        };
        outage = Some(Outage { since, passed });
        connect_again(session, since, cause).await?;
    }
}

/// What an error says of a connection that was lost; `None` if it says something else.
fn lost(session: &Session<'_>, error: &CoordinatorError) -> Option<DatabaseError> {
    // A file has no connection that could be lost.
    if session.orders.target.path().is_some() {
        return None;
    }
    match error {
        CoordinatorError::Database(cause)
        | CoordinatorError::Ledger(LedgerError::Database(cause))
            if matches!(
                cause.kind,
                ErrorKind::Unreachable | ErrorKind::Full | ErrorKind::Standby
            ) =>
        {
            Some(cause.clone())
        }
        _ => None,
    }
}

/// Connects again, with growing pauses between the attempts.
async fn connect_again(
    session: &mut Session<'_>,
    since: Instant,
    mut cause: DatabaseError,
) -> Result<(), CoordinatorError> {
    let bound = session.orders.project.config.database.lock_retry_for;
    for attempt in 1_u32.. {
        let waited = since.elapsed();
        if waited >= bound {
            let so_long = format!("{} (tried for {} s)", cause.message, waited.as_secs());
            cause.message = so_long;
            return Err(cause.into());
        }
        session
            .orders
            .report(Progress::Unreachable(cause.to_string()));
        // Jitter, because many may have lost theirs at the same moment.
        let pause = 500 * u64::from(attempt.min(10)) + fastrand::u64(0..500);
        let pause = Duration::from_millis(pause).min(bound.saturating_sub(waited));
        let interrupt = session.orders.interrupt;
        interrupt.pause(pause).await;
        if interrupt.is_due() {
            return Err(DatabaseError::interrupted().into());
        }
        let (project, target) = (session.orders.project, session.orders.target);
        match super::connect(project, target, super::Purpose::Act, interrupt).await {
            Ok(connection) => {
                std::mem::replace(&mut session.connection, connection)
                    .close()
                    .await;
                return Ok(());
            }
            // The one that follows may be promoted yet.
            Err(error) if error.is_passing() || error.kind == ErrorKind::Standby => cause = error,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// The outcome of a backfill that lost its connection on the way, with what was done before that.
async fn in_sum(
    session: &mut Session<'_>,
    before: Option<Tally>,
    outcome: Outcome,
    began: Instant,
) -> Result<Outcome, CoordinatorError> {
    let note = "the connection was lost on the way, and it went on from what is recorded";
    match (outcome, before) {
        (Outcome::Done(mut done), _) => {
            done.took = began.elapsed();
            done.notes.push(note.to_owned());
            Ok(Outcome::Done(done))
        }
        // It was at its end, and only the answer was lost.
        (
            Outcome::Already {
                migration,
                step: Step::Backfill,
                ..
            },
            Some(begun),
        ) => {
            let records = Ledger::backfills(session.connection.as_mut()).await?;
            let mut records = records.into_iter();
            let record = records.find(|record| record.number == migration.number());
            let done = record.map_or(Tally::default(), |record| Tally::of(&record).since(begun));
            Ok(Outcome::Done(Done {
                migration,
                step: Step::Backfill,
                statements: done.batches,
                rows: done.changed,
                keys: done.seen,
                took: began.elapsed(),
                notes: vec![note.to_owned()],
            }))
        }
        (outcome, _) => Ok(outcome),
    }
}
