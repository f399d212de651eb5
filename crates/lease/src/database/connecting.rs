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
    /// As the primary, for who may see little of the server: that a server which can be written follows another one has to be
    /// known, and not only be likely.
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
    /// How long each transaction waits for a lock, unless it says otherwise; `None` if it waits as long as it takes.
    pub lock_limit: Option<Duration>,
    /// Who is told that a lock was not granted.
    pub asks: Asks,
    /// Which servers will do.
    pub server: Server,
    /// Whose the ledger may be for whoever writes to it.
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
    let servers = target.each_server();
    let until = Instant::now() + limit;
    let mut pause = FIRST_PAUSE;
    let mut full: Option<DatabaseError> = None;
    loop {
        let error = match first_that_serves(&servers, until, options).await {
            Ok(connection) => return Ok(connection),
            Err(error) => error,
        };
        // The last attempt had no time for an answer: that it was full is all that is known.
        if error.kind == ErrorKind::Unreachable
            && Instant::now() >= until
            && let Some(full) = full
        {
            return Err(full.at(target));
        }
        // Somebody will go. Not all who wait may come back at the same moment.
        let wait = pause.mul_f64(0.5 + crate::chance::fraction());
        // An attempt without the time for an answer would only hide why the one before it failed.
        if error.kind != ErrorKind::Full || Instant::now() + wait + limit / 4 >= until {
            return Err(error.at(target));
        }
        tracing::debug!("waiting for a connection to {target}: {error}");
        full = Some(error);
        tokio::time::sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Asks one server after the other, as libpq does: the next one where one cannot be reached, has no connection left or is no
/// primary. What one of them refuses (a password, a name, a connection that is not safe) is said at once: it is no reason to
/// look for a server that is less strict.
async fn first_that_serves(
    servers: &[Target],
    until: Instant,
    options: ConnectOptions,
) -> Result<Box<dyn Connection>, DatabaseError> {
    let mut failed = Vec::new();
    let mut waiting = u32::try_from(servers.len()).unwrap_or(u32::MAX);
    for server in servers {
        // One that does not answer must not take the time of those after it.
        let share = until.saturating_duration_since(Instant::now()) / waiting.max(1);
        waiting = waiting.saturating_sub(1);
        let connected = tokio::time::timeout(share, connect_once(server, options)).await;
        let error = match connected {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => DatabaseError::unreachable(format!(
                "no answer within {} s",
                (share.as_secs_f64() * 10.0).round() / 10.0
            )),
        };
        let Some(host) = server.chosen() else {
            return Err(error);
        };
        if !matches!(
            error.kind,
            ErrorKind::Unreachable | ErrorKind::Full | ErrorKind::Standby
        ) {
            return Err(error.of_host(host));
        }
        failed.push(error.of_host(host));
    }
    Err(of_all(failed))
}

/// What is said where none of several serves: the kind is that of which most may still pass.
fn of_all(failed: Vec<DatabaseError>) -> DatabaseError {
    let kind = [ErrorKind::Full, ErrorKind::Unreachable]
        .into_iter()
        .find(|kind| failed.iter().any(|error| error.kind == *kind))
        .unwrap_or(ErrorKind::Standby);
    let said: Vec<String> = failed.into_iter().map(|error| error.message).collect();
    DatabaseError::new(kind, said.join("; "))
}

/// How long a server without a free connection is left alone before it is asked again: twice as long each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_decides_what_is_said_of_several_servers() {
        let error = |kind| DatabaseError::new(kind, format!("{kind:?}"));
        use ErrorKind::{Full, Standby, Unreachable};
        for (failed, kind) in [
            (vec![Standby, Standby], Standby),
            (vec![Unreachable, Standby], Unreachable),
            (vec![Standby, Full, Unreachable], Full),
        ] {
            let said: Vec<String> = failed.iter().map(|kind| format!("{kind:?}")).collect();
            let all = of_all(failed.into_iter().map(error).collect());
            assert_eq!((all.kind, all.message), (kind, said.join("; ")));
        }
    }
}
