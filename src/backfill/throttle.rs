//! What makes a backfill wait: signals that are too high or cannot be read, and somebody who asked it to.
//!
//! Invariant: a signal that cannot be read counts as too high.

use std::time::{Duration, Instant};

use tokio::sync::Mutex;

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
    held: Option<String>,
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
            Some(DesiredState::Paused) => Some(format!(
                "paused; `migrate backfill resume {}` lets it go on",
                self.engine.id
            )),
            _ => self.signal(state, connection).await,
        };
        let has_changed = is_another(held.as_deref(), state.held.as_deref());
        let is_old = state.told.is_none_or(|at| at.elapsed() >= TELL_EVERY);
        if has_changed || (is_old && held != state.held) {
            report(match &held {
                Some(reason) => Report::Held(reason.clone()),
                None => Report::Released,
            });
            state.told = Some(Instant::now());
        }
        state.held = held;
        let is_due = state.beaten.is_none_or(|at| at.elapsed() >= BEAT_EVERY);
        if has_changed || (is_due && state.beaten.is_some()) {
            let rate = if state.held.is_some() { 0 } else { state.rate };
            let reason = state.held.clone().unwrap_or_default();
            self.beat(connection, rate, &reason).await?;
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
    async fn signal(&self, state: &mut State, connection: &mut dyn Connection) -> Option<String> {
        let rules = &self.engine.rules.throttle;
        if let Some((query, limit)) = &rules.query
            && let Some(reason) = above("`throttle`", *limit, self.ask(connection, query).await)
        {
            return Some(reason);
        }
        if let Some(limit) = rules.active_sessions {
            let found = connection.active_sessions().await;
            let reason = above("the number of sessions at work", limit, found);
            if reason.is_some() {
                return reason;
            }
        }
        let limit = rules.replica_lag?;
        if self.replicas.is_empty() {
            return behind("the replicas", limit, connection.replica_lag().await);
        }
        for (place, watched) in self.replicas.iter().zip(&mut state.watching) {
            let (name, found) = match place {
                Ok(target) => (target.to_string(), lag_of(target, watched).await),
                Err(error) => ("a replica".to_owned(), Err(error.clone())),
            };
            let reason = behind(&name, limit, found);
            if reason.is_some() {
                return reason;
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

/// Whether it waits for something else than before, and not only for longer.
fn is_another(reason: Option<&str>, before: Option<&str>) -> bool {
    let words = |reason: &str| reason.replace(|c: char| c.is_ascii_digit(), "");
    reason.map(words) != before.map(words)
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

fn above(what: &str, limit: i64, found: Result<i64, DatabaseError>) -> Option<String> {
    match found {
        Ok(value) if value <= limit => None,
        Ok(value) => Some(format!("{what} is {value}, and may be {limit}")),
        Err(error) => Some(format!("{what} cannot be read, so it waits: {error}")),
    }
}

fn behind(who: &str, limit: Duration, found: Result<Duration, DatabaseError>) -> Option<String> {
    match found {
        Ok(lag) if lag <= limit => None,
        Ok(lag) => Some(format!(
            "{who}: behind by {:.1} s, and may be by {:.1} s",
            lag.as_secs_f64(),
            limit.as_secs_f64()
        )),
        Err(error) => Some(format!(
            "{who}: how far behind cannot be told, so it waits: {error}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::ErrorKind;

    #[test]
    fn a_reason_is_told_once() {
        assert!(!is_another(None, None));
        assert!(is_another(Some("behind by 1.0 s"), None));
        assert!(is_another(None, Some("behind by 1.0 s")));
        assert!(!is_another(
            Some("behind by 12.5 s"),
            Some("behind by 1.0 s")
        ));
        assert!(is_another(Some("paused"), Some("behind by 1.0 s")));
    }

    #[test]
    fn what_cannot_be_read_holds() {
        let unreadable = || DatabaseError::new(ErrorKind::Statement, "no such thing");
        assert_eq!(above("x", 3, Ok(3)), None);
        assert_eq!(above("x", 3, Ok(4)).unwrap(), "x is 4, and may be 3");
        assert!(
            above("x", 3, Err(unreadable()))
                .unwrap()
                .contains("cannot be read")
        );
        let second = Duration::from_secs(1);
        assert_eq!(behind("r", second, Ok(second)), None);
        assert!(
            behind("r", second, Ok(second * 2))
                .unwrap()
                .contains("2.0 s")
        );
        assert!(
            behind("r", second, Err(unreadable()))
                .unwrap()
                .contains("no such thing")
        );
    }
}
