//! Stops this process, or does what was chosen instead, when its lease is lost.
//!
//! On a thread of its own, which waits for nobody: whoever renews speaks to the database and to the application's log, and what
//! an application does there may take for ever, or panic.

use std::io::{self, Write as _};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use rustix::process::Signal;

use super::clock::Moment;
use super::loss::OnLoss;
use super::measures;
use super::tenure::{Loss, Tenure};
use crate::process::end_at_once;
use crate::text::{secret, shown::shown};

/// How long a process that panics has to end by itself, with the code of a panic.
const PANIC: Duration = Duration::from_millis(250);
/// How long the last words may take before a signal is sent without them.
const WORDS: Duration = Duration::from_millis(250);
/// How a process ends that a SIGKILL does not end.
const KILLED: i32 = 137;

/// A lease whose loss is waited for.
pub(super) struct Watched {
    pub service: String,
    pub tenure: Arc<Tenure>,
    pub on_loss: OnLoss,
    /// Whether the process has received it: who has not has not begun to use the database.
    pub delivered: Arc<AtomicBool>,
}

/// What is said to a stopper by whoever renews the lease. If that one ends without a word, it has panicked.
pub(super) enum Said {
    Admitted(Box<Watched>),
    Released,
}

/// A thread that stops this process in time, as soon as it is told of a lease.
///
/// # Errors
/// Where the system makes no thread.
pub(super) fn start() -> io::Result<Sender<Said>> {
    let (say, said) = mpsc::channel();
    thread::Builder::new()
        .name("phasegate-stop".into())
        .spawn(move || {
            // Where nothing was admitted there is nothing to lose.
            if let Ok(Said::Admitted(watched)) = said.recv() {
                watch(*watched, &said);
            }
        })?;
    Ok(say)
}

fn watch(watched: Watched, said: &Receiver<Said>) {
    let Watched {
        service,
        tenure,
        on_loss,
        delivered,
    } = watched;
    let is_report = matches!(on_loss, OnLoss::Report);
    let mut on_loss = Some(on_loss);
    let mut is_kept = true;
    loop {
        // Invariant: the deadline comes before anything else. It may be long after the last look.
        let now = Moment::now();
        let held = tenure.look(now);
        if let Some(loss) = held.loss
            && delivered.load(Ordering::Acquire)
        {
            if now >= held.deadline.kill_at() && !is_report {
                // What was said at the SIGTERM is not said again at any price.
                let most = match on_loss.take() {
                    Some(_) => WORDS,
                    None => WORDS.min(tenure.terms().margin() / 2),
                };
                kill(&loss, most);
            } else if let Some(chosen) = on_loss.take() {
                if loss == Loss::Panicked {
                    thread::sleep(PANIC);
                }
                obey(chosen, loss);
            } else if is_report && !is_kept {
                return;
            }
        }
        let nap = tenure.nap(now, None);
        if !is_kept {
            thread::sleep(nap);
            continue;
        }
        match said.recv_timeout(nap) {
            Ok(_) => return,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                is_kept = false;
                if tenure.lose(Loss::Panicked, Moment::now()) {
                    // Whoever renewed can count it no more.
                    let service = service.clone();
                    aside(WORDS, move || measures::lost(&service));
                }
            }
        }
    }
}

fn obey(chosen: OnLoss, loss: Loss) {
    match chosen {
        OnLoss::Terminate => terminate(&loss),
        OnLoss::Report => say(
            format!("{loss}: this process must not use the database any more"),
            WORDS,
        ),
        OnLoss::Call(callback) => {
            let reason = loss.clone();
            // It may block, and must not keep the kill from coming.
            let told = thread::Builder::new()
                .name("phasegate-lost".into())
                .spawn(move || {
                    if catch_unwind(AssertUnwindSafe(|| callback(&loss))).is_err() {
                        terminate(&loss);
                    }
                });
            if told.is_err() {
                terminate(&reason);
            }
        }
    }
}

fn terminate(loss: &Loss) {
    say(
        format!("stopping this process: {loss}; {}", loss.help()),
        WORDS,
    );
    signal_self(Signal::TERM);
}

fn kill(loss: &Loss, most: Duration) -> ! {
    say(
        format!("killing this process, which did not stop in time: {loss}"),
        most,
    );
    signal_self(Signal::KILL);
    // The first process of a container has no signal done to it from within, not even this one.
    end_at_once(KILLED)
}

/// Does something of the application's on another thread, and waits for it no longer than `most`.
fn aside(most: Duration, what: impl FnOnce() + Send + 'static) {
    let (doing, done) = mpsc::channel::<()>();
    let begun = thread::Builder::new()
        .name("phasegate-said".into())
        .spawn(move || {
            let _doing = doing;
            what();
        });
    // Without a thread for it, what follows matters more.
    if begun.is_ok() {
        let _ = done.recv_timeout(most);
    }
}

/// Says why this process ends, also where nobody has set up a log. Where nobody reads it, it is not waited for.
fn say(text: String, most: Duration) {
    aside(most, move || {
        let logged = || tracing::error!("{text}");
        let is_logged =
            tracing::dispatcher::has_been_set() && catch_unwind(AssertUnwindSafe(logged)).is_ok();
        if !is_logged {
            // What a server said may stand in it, and is data.
            let text = secret::masked_own(&text);
            let text = shown(&text);
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(io::stderr().lock(), "phasegate: {text}");
        }
    });
}

fn signal_self(signal: Signal) {
    // To send a signal to oneself cannot fail; where it does, the end comes at the deadline all the same.
    let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
}
