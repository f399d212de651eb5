//! A statement that is at work when the program is interrupted: it is cancelled at the server, and its end is waited for.
//!
//! Invariant: no statement is left half-way while its connection is used again. One that does not end in time takes its
//! connection along, see [`Connection::is_lost`](super::Connection::is_lost).

use std::fmt::Display;
use std::pin::pin;
use std::time::{Duration, Instant};

use super::{DatabaseError, ErrorKind, INTERRUPTED};
use crate::interrupt::Interrupt;

/// How long a statement that was cancelled at a server may take to end.
pub(super) const BOUND: Duration = Duration::from_secs(10);
/// How long one request to cancel it may take.
const LONGEST_REQUEST: Duration = Duration::from_secs(5);
/// A request may come before the server has begun the statement.
const BETWEEN_REQUESTS: Duration = Duration::from_millis(300);

/// What stops the statements of a connection.
#[derive(Debug, Default)]
pub(super) struct Stop {
    pub interrupt: Interrupt,
    /// A statement was left at work.
    pub is_lost: bool,
    /// Whether what is sent now has to come to its end.
    is_ending: bool,
}

impl Stop {
    pub(super) fn new(interrupt: Interrupt) -> Self {
        Self {
            interrupt,
            ..Self::default()
        }
    }

    /// Until [`Self::ended`] nothing is interrupted.
    pub(super) const fn ending(&mut self) {
        self.is_ending = true;
    }

    pub(super) const fn ended(&mut self) {
        self.is_ending = false;
    }

    /// What stops what is sent now.
    pub(super) fn now(&self) -> Interrupt {
        if self.is_ending {
            Interrupt::default()
        } else {
            self.interrupt
        }
    }

    /// Sends what has not begun, unless nothing is sent any more, and has it cancelled when it is interrupted.
    pub(super) async fn watch<T, E: Display, F: Future<Output = Result<(), E>>>(
        &mut self,
        bound: Duration,
        sending: impl Future<Output = T>,
        cancel: impl Fn() -> F,
    ) -> Result<T, DatabaseError> {
        if self.is_lost {
            return Err(DatabaseError::unreachable("the connection is closed"));
        }
        let interrupt = self.now();
        if interrupt.is_due() {
            return Err(DatabaseError::interrupted());
        }
        let ended = stoppable(interrupt, bound, sending, cancel).await;
        self.is_lost = ended.is_err();
        ended
    }
}

/// Waits for what is `running`, and has it cancelled with `cancel` when it is interrupted. The error says that it did not
/// end within `bound`, and why.
async fn stoppable<T, E: Display, F: Future<Output = Result<(), E>>>(
    interrupt: Interrupt,
    bound: Duration,
    running: impl Future<Output = T>,
    cancel: impl Fn() -> F,
) -> Result<T, DatabaseError> {
    let mut running = pin!(running);
    tokio::select! {
        biased;
        done = &mut running => return Ok(done),
        () = interrupt.due() => {}
    }
    let began = Instant::now();
    let mut ended = None;
    loop {
        let mut asking = pin!(tokio::time::timeout(LONGEST_REQUEST, cancel()));
        // Also where it has ended meanwhile: a request on its way could meet the statement that comes next.
        let asked = loop {
            tokio::select! {
                done = &mut running, if ended.is_none() => ended = Some(done),
                asked = &mut asking => break asked,
            }
        };
        if let Some(done) = ended {
            return Ok(done);
        }
        if let Ok(done) = tokio::time::timeout(BETWEEN_REQUESTS, &mut running).await {
            return Ok(done);
        }
        if began.elapsed() >= bound {
            let why = match asked {
                Ok(Ok(())) => "it did not end".to_owned(),
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer".to_owned(),
            };
            return Err(DatabaseError::new(
                ErrorKind::Interrupted,
                format!(
                    "{INTERRUPTED}; the statement could not be cancelled within {} s ({why}), and may go on at the server until it ends",
                    bound.as_secs()
                ),
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_interrupted_is_waited_for() {
        let never = Interrupt::default();
        let cancel = || std::future::ready(Err::<(), _>("nobody asked for it"));
        let running = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            7
        };
        assert_eq!(stoppable(never, BOUND, running, cancel).await, Ok(7));
    }
}
