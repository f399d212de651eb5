//! How a connection is made, whatever the database.

use std::time::{Duration, Instant};

use super::schemes::connect_once;
use super::{Connection, DatabaseError, ErrorKind, Owners, Target};
use crate::interrupt::Interrupt;

/// Whether a connection is for a question, which somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asks {
    /// A lock that is not granted is asked for again, by whoever acts.
    No,
    /// A lock that is not granted ends the question, and the error names who holds it where that can be told.
    Yes,
}

/// Which servers a connection may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// What others follow, or nobody: what it holds is all that there is.
    Primary,
    /// One that can be written, which shows that somebody takes it for the primary.
    Writable,
    /// One that follows another as well, for instance to look how far behind it is.
    Any,
}

/// How a connection is to be made.
#[derive(Clone, Copy, Debug)]
pub struct ConnectOptions {
    /// How long a busy SQLite database is waited for.
    pub busy_timeout: Duration,
    /// Whether a database file that does not exist is created.
    pub create: bool,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long each transaction waits for a lock, unless it says otherwise; none where it waits as long as it takes.
    pub lock_limit: Option<Duration>,
    /// Who is told that a lock was not granted.
    pub asks: Asks,
    /// Which servers will do.
    pub server: Server,
    /// Whose the ledger may be, once something is written to it.
    pub owners: Owners,
    /// What stops connecting, and then the statements.
    pub interrupt: Interrupt,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            busy_timeout: Duration::from_secs(30),
            create: false,
            connect_timeout: Duration::from_secs(10),
            lock_limit: None,
            asks: Asks::No,
            server: Server::Primary,
            owners: Owners::One,
            interrupt: Interrupt::default(),
        }
    }
}

/// Connects to the database behind `target`.
///
/// # Errors
/// Whatever keeps it from being reached or used; the password is in no message.
pub async fn connect(
    target: &Target,
    options: ConnectOptions,
) -> Result<Box<dyn Connection>, DatabaseError> {
    // One that is half made is given up: nothing was done there.
    tokio::select! {
        connected = connect_in_time(target, options) => connected,
        () = options.interrupt.due() => Err(DatabaseError::interrupted()),
    }
}

async fn connect_in_time(
    target: &Target,
    options: ConnectOptions,
) -> Result<Box<dyn Connection>, DatabaseError> {
    let target = target.current().await?;
    let target = target.as_ref();
    let limit = target
        .connect_timeout()
        .map_or(options.connect_timeout, |limit| {
            limit.min(options.connect_timeout)
        });
    let began = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let left = limit.saturating_sub(began.elapsed());
        let connected = tokio::time::timeout(left, connect_once(target, options)).await;
        match connected {
            // Somebody will go. Not all who wait may come back at the same moment.
            Ok(Err(error)) if error.kind == ErrorKind::Full => {
                let wait = pause.mul_f64(0.5 + crate::chance::fraction());
                if began.elapsed() + wait >= limit {
                    return Err(error.at(target));
                }
                tracing::debug!("waiting for a connection to {target}: {error}");
                tokio::time::sleep(wait).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Ok(connected) => return connected.map_err(|error| error.at(target)),
            Err(_) => {
                let error = DatabaseError::unreachable(format!(
                    "no answer within {} s",
                    limit.as_secs_f64()
                ));
                return Err(error.at(target));
            }
        }
    }
}

/// How long a server without a free connection is left alone before it is asked again: twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
