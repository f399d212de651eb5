//! Ctrl-C, SIGTERM and SIGHUP: listened to once for the whole program, and handed down to whatever runs or waits.
//!
//! A connection that knows of it begins no statement any more once a signal came, and has the one at work cancelled at the
//! server. So an interruption comes up as an error of that statement, from wherever it is, and nobody has to ask for it.
//!
//! Invariant: what puts things back in order holds it off: a commit, a rollback, a fence that is lowered, a lease that is
//! given back.

#[cfg(feature = "agent")]
mod listen;
#[cfg(feature = "agent")]
pub use listen::Ending;

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::watch;

/// Whether the user, or the system, wants the program to stop. By default nobody ever does.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interrupt(Option<&'static Heard>);

#[derive(Debug)]
struct Heard {
    is_heard: AtomicBool,
    /// How many are at something that has to come to its end.
    held_off: AtomicUsize,
    /// How many are at something that leaves nothing behind, and does not look up.
    at_once: AtomicUsize,
    changed: watch::Sender<()>,
}

impl Interrupt {
    /// Whether anybody listens at all.
    #[must_use]
    pub const fn is_listening(self) -> bool {
        self.0.is_some()
    }

    /// Whether a signal came and nothing holds it off.
    #[must_use]
    pub fn is_due(self) -> bool {
        self.0.is_some_and(|heard| {
            heard.is_heard.load(Ordering::SeqCst) && heard.held_off.load(Ordering::SeqCst) == 0
        })
    }

    /// Returns when it is due.
    pub async fn due(self) {
        let Some(heard) = self.0 else {
            return pending().await;
        };
        let mut changes = heard.changed.subscribe();
        while !self.is_due() {
            if changes.changed().await.is_err() {
                return pending().await;
            }
        }
    }

    /// Waits, but no longer than until it is due; returns whether it is.
    pub async fn pause(self, pause: Duration) -> bool {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = self.due() => {}
        }
        self.is_due()
    }

    /// Holds it off until the answer goes out of scope, for what must come to its end.
    pub fn hold_off(self) -> Kept {
        Kept::begin(self.0, |heard| &heard.held_off)
    }

    /// Until the answer goes out of scope, the first signal ends the process, for a long computation that leaves nothing
    /// behind. One that has come already ends it now.
    pub fn at_once(self) -> Kept {
        let kept = Kept::begin(self.0, |heard| &heard.at_once);
        if let Some(heard) = self.0 {
            // The listener looks again.
            heard.changed.send_replace(());
        }
        kept
    }
}

/// What lasts until it goes out of scope.
#[must_use]
pub struct Kept(Option<(&'static Heard, &'static AtomicUsize)>);

impl Kept {
    fn begin(
        heard: Option<&'static Heard>,
        counter: fn(&'static Heard) -> &'static AtomicUsize,
    ) -> Self {
        let counted = heard.map(|heard| (heard, counter(heard)));
        if let Some((_, counter)) = counted {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        Self(counted)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some((heard, counter)) = self.0 {
            counter.fetch_sub(1, Ordering::SeqCst);
            heard.changed.send_replace(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard() -> (Interrupt, &'static Heard) {
        let heard: &'static Heard = Box::leak(Box::new(Heard {
            is_heard: AtomicBool::new(false),
            held_off: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            changed: watch::Sender::new(()),
        }));
        (Interrupt(Some(heard)), heard)
    }

    #[test]
    fn it_is_due_when_it_was_heard_and_nothing_holds_it_off() {
        let (interrupt, heard) = heard();
        assert!(!interrupt.is_due());
        let outer = interrupt.hold_off();
        heard.is_heard.store(true, Ordering::SeqCst);
        assert!(!interrupt.is_due());
        let inner = interrupt.hold_off();
        drop(outer);
        assert!(!interrupt.is_due());
        drop(inner);
        assert!(interrupt.is_due());
        assert!(!Interrupt::default().is_due());
    }

    #[tokio::test]
    async fn whoever_waits_is_woken() {
        let (interrupt, heard) = heard();
        let kept = interrupt.hold_off();
        let waiting = tokio::spawn(interrupt.due());
        heard.is_heard.store(true, Ordering::SeqCst);
        heard.changed.send_replace(());
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        drop(kept);
        waiting.await.unwrap();
        assert!(interrupt.pause(Duration::from_secs(3600)).await);
        assert!(!Interrupt::default().pause(Duration::from_millis(1)).await);
    }
}
