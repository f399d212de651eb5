//! What makes a backfill wait: signals that are too high or cannot be read, and somebody who asked it to.
//!
//! Invariant: a signal that cannot be read counts as too high.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::hold::{Hold, Signal};
use super::pace::Meter;
use super::{BackfillError, Engine, Report};
use crate::database::{
    Access, ConnectOptions, Connection, DatabaseError, LockTimeout, Server, StatementTimeout,
    Target,
};
use crate::ledger::{DesiredState, Ledger, LedgerError};
use crate::project::Pace;

/// How old an answer may be that says that a batch may begin.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often those who look from elsewhere are told how it gets on.
const BEAT_EVERY: Duration = Duration::from_secs(2);
/// How often a reason is told again in which only numbers have changed.
const TELL_EVERY: Duration = Duration::from_secs(10);
/// A signal that takes longer is one that cannot be read.
const SIGNAL_TIMEOUT: Duration = Duration::from_secs(5);

/// Decides whether the next batch may begin, for all workers together.
pub(super) struct Throttle<'t> {
    engine: Engine<'t>,
    replicas: Vec<Result<Target, DatabaseError>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    looked: Option<Instant>,
    beaten: Option<Instant>,
    held: Option<Hold>,
    told: Option<Instant>,
    pace: Option<Pace>,
    watching: Vec<Option<Box<dyn Connection>>>,
    meter: Meter,
    rate: u64,
}

impl<'t> Throttle<'t> {
    pub(super) fn new(engine: Engine<'t>, replicas: Vec<Result<Target, DatabaseError>>) -> Self {
        let mut state = State::default();
        state.watching.resize_with(replicas.len(), || None);
        Self {
            engine,
            replicas,
            state: Mutex::new(state),
        }
    }

    /// Takes note of how many keys have been passed; returns keys a second.
    pub(super) async fn passed(&self, at: Duration, seen: u64) -> u64 {
        let mut state = self.state.lock().await;
        state.rate = state.meter.mark(at, seen);
        state.rate
    }

    /// Waits until the next batch may begin, or `is_over` says that none will. Returns the pace to keep.
    pub(super) async fn admit(
        &self,
        connection: &mut dyn Connection,
        report: &(dyn Fn(Report) + Send + Sync),
        is_over: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Pace, BackfillError> {
        loop {
            let mut state = self.state.lock().await;
            let is_fresh = state.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY);
            if !is_fresh {
                self.look(&mut state, connection, report).await?;
            }
            if state.held.is_none() || is_over() {
                return Ok(state.pace.unwrap_or(self.engine.rules.pace));
            }
            drop(state);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn look(
        &self,
        state: &mut State,
        connection: &mut dyn Connection,
        report: &(dyn Fn(Report) + Send + Sync),
    ) -> Result<(), BackfillError> {
        let control = match Ledger::read(connection).await? {
            Some(mut ledger) => {
                let control = ledger.control(self.engine.id).await;
                ledger.rollback().await?;
                Some(control?)
            }
            None => None,
        };
        state.pace = control
            .and_then(|control| control.pace)
            .map(Pace::from_thousandths);
        let held = match control.map(|control| control.desired) {
            Some(DesiredState::Paused) => Some(Hold::Paused(self.engine.id.clone())),
            _ => self.signal(state, connection).await,
        };
        let has_changed = match (&held, &state.held) {
            (Some(held), Some(before)) => held.is_another(before),
            (None, None) => false,
            _ => true,
        };
        let is_old = state.told.is_none_or(|at| at.elapsed() >= TELL_EVERY);
        if has_changed || (is_old && held != state.held) {
            report(match &held {
                Some(hold) => Report::Held(hold.clone()),
                None => Report::Released,
            });
            state.told = Some(Instant::now());
        }
        state.held = held;
        let is_due = state.beaten.is_none_or(|at| at.elapsed() >= BEAT_EVERY);
        if has_changed || (is_due && state.beaten.is_some()) {
            let rate = if state.held.is_some() { 0 } else { state.rate };
            let held = state.held.as_ref().map(Hold::to_string);
            self.beat(connection, rate, &held.unwrap_or_default())
                .await?;
            state.beaten = Some(Instant::now());
        }
        // The first is due after a while: a short run needs none.
        state.beaten.get_or_insert_with(Instant::now);
        state.looked = Some(Instant::now());
        Ok(())
    }

    async fn beat(
        &self,
        connection: &mut dyn Connection,
        rate: u64,
        held: &str,
    ) -> Result<(), LedgerError> {
        let mut ledger = Ledger::write(connection).await?;
        ledger.beat(self.engine.id, rate, held).await?;
        // Past the crash points: how often this happens is chance, and would number them anew each time.
        ledger.connection().await?.commit().await?;
        Ok(())
    }

    /// Why the next batch has to wait; `None` if it need not.
    async fn signal(&self, state: &mut State, connection: &mut dyn Connection) -> Option<Hold> {
        let rules = &self.engine.rules.throttle;
        if let Some((query, limit)) = &rules.query
            && let Some(hold) = above(Signal::Query, *limit, self.ask(connection, query).await)
        {
            return Some(hold);
        }
        if let Some(limit) = rules.active_sessions {
            let found = connection.active_sessions().await;
            let hold = above(Signal::Sessions, limit, found);
            if hold.is_some() {
                return hold;
            }
        }
        let limit = rules.replica_lag?;
        if self.replicas.is_empty() {
            return behind(Signal::Replicas, limit, connection.replica_lag().await);
        }
        for (place, watched) in self.replicas.iter().zip(&mut state.watching) {
            let (who, found) = match place {
                Ok(target) => (
                    Signal::Replica(target.to_string()),
                    lag_of(target, watched).await,
                ),
                Err(error) => (Signal::UnknownReplica, Err(error.clone())),
            };
            let hold = behind(who, limit, found);
            if hold.is_some() {
                return hold;
            }
        }
        None
    }

    async fn ask(
        &self,
        connection: &mut dyn Connection,
        query: &str,
    ) -> Result<i64, DatabaseError> {
        connection.begin(Access::Read).await?;
        let asked = async {
            let limit = LockTimeout(self.engine.limits.lock_timeout);
            connection.limit_lock_waits(limit).await?;
            connection
                .limit_statements(StatementTimeout(SIGNAL_TIMEOUT))
                .await?;
            connection.count(query).await
        }
        .await;
        // It only read; and a broken connection shows in what comes next.
        let _ = connection.rollback().await;
        asked
    }
}

async fn lag_of(
    target: &Target,
    watched: &mut Option<Box<dyn Connection>>,
) -> Result<Duration, DatabaseError> {
    let mut connection = match watched.take() {
        Some(connection) => connection,
        None => {
            let options = ConnectOptions {
                connect_timeout: SIGNAL_TIMEOUT,
                server: Server::Any,
                ..ConnectOptions::default()
            };
            crate::database::connect(target, options).await?
        }
    };
    let lag = connection.replica_lag().await;
    if lag.is_ok() {
        *watched = Some(connection);
    }
    lag
}

fn above(signal: Signal, most: i64, found: Result<i64, DatabaseError>) -> Option<Hold> {
    match found {
        Ok(found) if found <= most => None,
        Ok(found) => Some(Hold::Above {
            signal,
            found,
            most,
        }),
        Err(error) => Some(unreadable(signal, &error)),
    }
}

fn behind(who: Signal, most: Duration, found: Result<Duration, DatabaseError>) -> Option<Hold> {
    match found {
        Ok(lag) if lag <= most => None,
        Ok(lag) => Some(Hold::Behind { who, lag, most }),
        Err(error) => Some(unreadable(who, &error)),
    }
}

fn unreadable(signal: Signal, error: &DatabaseError) -> Hold {
    Hold::Unreadable {
        signal,
        error: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::ErrorKind;

    #[test]
    fn what_cannot_be_read_holds() {
        let error = || DatabaseError::new(ErrorKind::Statement, "no such thing");
        let above = |found| above(Signal::Query, 3, found).map(|hold| hold.to_string());
        assert_eq!(above(Ok(3)), None);
        assert_eq!(above(Ok(4)).unwrap(), "`throttle` is 4, and may be 3");
        let unreadable = above(Err(error())).unwrap();
        assert!(
            unreadable.contains("`throttle` cannot be read"),
            "{unreadable}"
        );
        let second = Duration::from_secs(1);
        let behind = |found| behind(Signal::Replicas, second, found).map(|hold| hold.to_string());
        assert_eq!(behind(Ok(second)), None);
        let late = behind(Ok(second * 2)).unwrap();
        assert_eq!(late, "the replicas: behind by 2.0 s, and may be by 1.0 s");
        let unreadable = behind(Err(error())).unwrap();
        assert!(unreadable.contains("no such thing"), "{unreadable}");
    }
}
