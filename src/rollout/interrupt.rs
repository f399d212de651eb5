//! Ctrl-C and SIGTERM, between the start of a rollout and its end.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Hears that the user, or the system, wants the rollout to stop.
pub(super) struct Interrupt {
    /// None where the runtime cannot listen: then a signal ends the process as it always did.
    signals: Option<(Signal, Signal)>,
}

impl Interrupt {
    pub(super) fn listen() -> Self {
        let interrupt = signal(SignalKind::interrupt());
        let terminate = signal(SignalKind::terminate());
        Self {
            signals: interrupt.ok().zip(terminate.ok()),
        }
    }

    /// Returns when one was sent.
    pub(super) async fn heard(&mut self) {
        match &mut self.signals {
            Some((interrupt, terminate)) => {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }
            None => std::future::pending().await,
        }
    }

    /// Waits; returns whether it was interrupted meanwhile.
    pub(super) async fn pause(&mut self, pause: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(pause) => false,
            () = self.heard() => true,
        }
    }
}
