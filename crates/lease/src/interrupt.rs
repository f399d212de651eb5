//! Ctrl-C, SIGTERM and SIGHUP: listened to once for the whole program, and handed down to whatever runs or waits.
//!
//! A connection that knows of it begins no statement any more once a signal came, and has the one at work cancelled at the
//! server. So an interruption comes up as an error of that statement, from wherever it is, and nobody has to ask for it.
//!
//! Invariant: what puts things back in order holds it off: a commit, a rollback, a fence that is lowered, a lease that is
//! given back.

use std::future::pending;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

/// The exit code of an interrupted command, whichever signal it was.
pub const EXIT_CODE: u8 = 130;

/// Signals that come so soon after the first are the same wish: a terminal that closes sends several.
const SAME_WISH: Duration = Duration::from_millis(300);

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
    /// Listens from here on. The first signal makes it due, the second ends the process. `ending` says that the process is
    /// being ended by the first, see [`Self::at_once`].
    ///
    /// On a thread of its own, so that it is heard while the program computes. What was started with a signal ignored
    /// (`nohup`) goes on ignoring it.
    #[must_use]
    pub fn listen(ending: impl Fn() + Send + 'static) -> Self {
        let heard: &'static Heard = Box::leak(Box::new(Heard {
            is_heard: AtomicBool::new(false),
            held_off: AtomicUsize::new(0),
            at_once: AtomicUsize::new(0),
            changed: watch::Sender::new(()),
        }));
        let (ready, is_ready) = mpsc::channel();
        let thread = std::thread::Builder::new().name("signals".to_owned());
        let listening = thread.spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_io()
                .build();
            let Ok(runtime) = runtime else { return };
            runtime.block_on(async {
                let mut signals = Signals::listen();
                let _ = ready.send(());
                heard.follow(&mut signals, &ending).await;
            });
        });
        // Without a thread a signal ends the process, as it always did.
        if listening.is_ok() {
            let _ = is_ready.recv();
        }
        Self(Some(heard))
    }

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

impl Heard {
    async fn follow(&self, signals: &mut Signals, ending: &dyn Fn()) {
        let mut changes = self.changed.subscribe();
        let mut first: Option<Instant> = None;
        loop {
            tokio::select! {
                () = signals.next() => match first {
                    None => {
                        first = Some(Instant::now());
                        self.is_heard.store(true, Ordering::SeqCst);
                        self.changed.send_replace(());
                    }
                    Some(at) if at.elapsed() < SAME_WISH => {}
                    Some(_) => std::process::exit(EXIT_CODE.into()),
                },
                changed = changes.changed() => if changed.is_err() {
                    return;
                },
            }
            if first.is_some() && self.at_once.load(Ordering::SeqCst) > 0 {
                ending();
                std::process::exit(EXIT_CODE.into());
            }
        }
    }
}

/// The signals that ask for an end, but those that were ignored when the program began.
struct Signals(Vec<Signal>);

impl Signals {
    fn listen() -> Self {
        let ignored = ignored();
        let kinds = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ];
        let heeded = kinds.into_iter().filter(|kind| {
            let bit = u32::try_from(kind.as_raw_value() - 1).unwrap_or(u32::MAX);
            ignored.checked_shr(bit).unwrap_or(0) & 1 == 0
        });
        Self(heeded.filter_map(|kind| signal(kind).ok()).collect())
    }

    async fn next(&mut self) {
        std::future::poll_fn(|context| {
            let mut came = false;
            for signal in &mut self.0 {
                came |= signal.poll_recv(context).is_ready();
            }
            if came {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

/// The signals that this process ignores, a bit each; none where the system does not tell.
fn ignored() -> u64 {
    let mut text = String::new();
    let read = std::fs::File::open("/proc/self/status")
        .and_then(|mut file| file.read_to_string(&mut text));
    if read.is_err() {
        return 0;
    }
    let mask = text.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0)
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
