//! The signals themselves, for a program that is nothing but a command.

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use super::{Heard, Interrupt};

/// Signals that come so soon after the first are the same wish: a terminal that closes sends several.
const SAME_WISH: Duration = Duration::from_millis(300);

/// Why the process is to end now, and not when its command has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The first signal, while nothing is under way that has to be put back in order: see [`Interrupt::at_once`].
    AtOnce,
    /// A second signal.
    Insisted,
}

impl Interrupt {
    /// Listens from here on. The first signal makes it due. Where the process is to end without further ado, `end` is called,
    /// and ends it: how, and with which code, is for the program to say.
    ///
    /// On a thread of its own, so that it is heard while the program computes. What was started with a signal ignored
    /// (`nohup`) goes on ignoring it.
    #[must_use]
    pub fn listen(end: impl Fn(Ending) + Send + 'static) -> Self {
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
                heard.follow(&mut signals, &end).await;
            });
        });
        // Without a thread a signal ends the process, as it always did.
        if listening.is_ok() {
            let _ = is_ready.recv();
        }
        Self(Some(heard))
    }
}

impl Heard {
    async fn follow(&self, signals: &mut Signals, end: &dyn Fn(Ending)) {
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
                    Some(_) => end(Ending::Insisted),
                },
                changed = changes.changed() => if changed.is_err() {
                    return;
                },
            }
            if first.is_some() && self.at_once.load(Ordering::SeqCst) > 0 {
                end(Ending::AtOnce);
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
