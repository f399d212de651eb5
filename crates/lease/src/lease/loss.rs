//! What happens to a process whose lease is lost.

use std::fmt;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use super::clock::Moment;
use super::keeper::{Ended, Keeper};
use super::tenure::{Loss, Tenure};
use crate::text::{secret, shown::shown};

/// What is done to a process when its lease is lost.
///
/// ```
/// use phasegate_lease::{AtLoss, Lease, LeaseBuilder};
///
/// /// Of a process that ends its work by itself, and in time.
/// fn that_only_reports(url: &str) -> LeaseBuilder {
///     Lease::builder(url, "web", "1.2.0").at_loss(AtLoss::Report)
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtLoss {
    /// SIGTERM, and SIGKILL before the database lets the lease end.
    #[default]
    Terminate,
    /// Nothing but a line on standard error: the process asks [`Lease::is_valid`](super::Lease::is_valid) or waits for
    /// [`Lease::lost`](super::Lease::lost), and stops using the database by itself. Whether it does, and in time, nobody sees to.
    Report,
}

/// The same, and what only its holder knows.
#[derive(Clone, Default)]
pub(super) enum OnLoss {
    #[default]
    Terminate,
    Call(Arc<dyn Fn(&Loss) + Send + Sync>),
    Report,
}

impl fmt::Debug for OnLoss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Terminate => "Terminate",
            Self::Call(_) => "Call",
            Self::Report => "Report",
        })
    }
}

/// How long a process that panics has to end by itself, with the code of a panic.
const PANIC: Duration = Duration::from_millis(250);

/// Keeps a lease, and does what was chosen where that fails.
pub(super) async fn watch_over(
    keeper: Keeper,
    tenure: &Tenure,
    on_loss: OnLoss,
    delivered: &AtomicBool,
) {
    let keeping = keeper.run();
    tokio::pin!(keeping);
    let mut abandoned = false;
    let is_report = matches!(on_loss, OnLoss::Report);
    let mut on_loss = Some(on_loss);
    loop {
        // Invariant: the deadline comes before anything else. It may be long after the last look.
        let now = Moment::now();
        let held = tenure.look(now);
        // Who has not received it has not begun to use the database.
        if let Some(loss) = held.loss
            && delivered.load(Ordering::Acquire)
        {
            if now >= held.deadline.kill_at() && !is_report {
                last_words(&format!(
                    "killing this process, which did not stop in time: {loss}"
                ));
                signal_self(Signal::KILL);
            } else if let Some(chosen) = on_loss.take() {
                if loss == Loss::Panicked {
                    tokio::time::sleep(PANIC).await;
                }
                obey(chosen, loss);
            }
        }
        tokio::select! {
            ended = &mut keeping, if !abandoned => match ended {
                Ended::Released => return,
                Ended::Abandoned => abandoned = true,
            },
            () = tokio::time::sleep(tenure.nap(now, None)) => {}
        }
    }
}

fn obey(chosen: OnLoss, loss: Loss) {
    match chosen {
        OnLoss::Terminate => terminate(&loss),
        OnLoss::Report => last_words(&format!(
            "{loss}: this process must not use the database any more"
        )),
        OnLoss::Call(callback) => {
            let reason = loss.clone();
            // It may block, and must not keep the kill from coming.
            let told = std::thread::Builder::new()
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
    last_words(&format!("stopping this process: {loss}; {}", loss.help()));
    signal_self(Signal::TERM);
}

/// Says why this process ends, also where nobody has set up a log.
fn last_words(text: &str) {
    tracing::error!("{text}");
    if !tracing::dispatcher::has_been_set() {
        // What a server said may stand in it, and is data.
        let text = secret::masked_own(text);
        let text = shown(&text);
        // Where standard error is closed there is nobody to tell.
        let _ = writeln!(std::io::stderr().lock(), "phasegate: {text}");
    }
}

fn signal_self(signal: Signal) {
    if let Err(error) = rustix::process::kill_process(rustix::process::getpid(), signal) {
        tracing::error!("cannot stop this process: {error}");
    }
}
