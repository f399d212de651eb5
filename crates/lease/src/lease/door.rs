//! Where instances are let in one after the other, over a connection that is kept: to log in costs a server far more than an
//! admission does, and each of its sessions learns anew where everything is.

use std::time::{Duration, Instant};

use super::admission::{Admission, AdmissionRequest, admit_and_keep, admit_over};
use super::error::LeaseError;
use crate::database::{Connection, Server, Target};
use crate::interrupt::Interrupt;

/// Lets instances in, for whoever does it for many.
///
/// Invariant: a connection is kept only after an admission that was answered. One that fails, or that nobody waits for any more, takes its
/// connection along.
pub struct Door {
    target: Target,
    keep: Duration,
    kept: Option<Kept>,
}

struct Kept {
    connection: Box<dyn Connection>,
    since: Instant,
}

impl Door {
    /// Keeps each connection for `keep` after it was made: so long what was seen of the ledger's tables when it was made is believed. That
    /// it leads to a server that can be written is asked again by each admission. That of an embedded database is never kept: its file
    /// may be another one by the next admission.
    #[must_use]
    pub const fn new(target: Target, keep: Duration) -> Self {
        Self {
            target,
            keep,
            kept: None,
        }
    }

    /// As [`super::admit_within`]. A kept connection that turns out to have broken is replaced within the same time. Should it have
    /// broken just as it committed, the instance is registered twice: the lease that nobody knows of counts as live until it ends.
    ///
    /// # Errors
    /// As of [`super::admit`].
    pub async fn admit(
        &mut self,
        request: &AdmissionRequest,
        limit: Duration,
    ) -> Result<Admission, LeaseError> {
        let began = Instant::now();
        if let Some(mut kept) = self.take(limit).await {
            let done = admit_over(kept.connection.as_mut(), request, limit).await;
            match done {
                Ok(admission) => {
                    self.give_back(kept).await;
                    return Ok(admission);
                }
                Err(error) if error.is_unreachable() || error.is_of_standby() => {}
                Err(error) => return Err(error),
            }
        }
        let since = Instant::now();
        let left = limit.saturating_sub(began.elapsed());
        let asked = admit_and_keep(&self.target, request, left, Interrupt::default()).await;
        let (admission, connection) = asked?;
        self.give_back(Kept { connection, since }).await;
        Ok(admission)
    }

    /// The connection that was kept, if it still leads where instances are let in.
    async fn take(&mut self, limit: Duration) -> Option<Kept> {
        let mut kept = self.kept.take()?;
        if kept.since.elapsed() < self.keep && !kept.connection.is_lost() {
            let look = kept.connection.look_again(Server::Writable);
            // One that does not answer is left without a farewell.
            if tokio::time::timeout(limit, look).await.ok()?.is_ok() {
                return Some(kept);
            }
        }
        kept.connection.close().await;
        None
    }

    async fn give_back(&mut self, kept: Kept) {
        if self.target.path().is_none() && kept.since.elapsed() < self.keep {
            self.kept = Some(kept);
        } else {
            kept.connection.close().await;
        }
    }
}
