//! Points at which a test can end the process as `kill -9` would, or make it stand still, and limits that a test can
//! shorten. Compiled out of release builds.

use std::time::Duration;

/// Ends the process here if `PHASEGATE_CRASH_AT` names this point, or the ordinal of the point passed
/// it is; stops it, until it is continued, if `PHASEGATE_PAUSE_AT` does. `PHASEGATE_SHOW_POINTS` names each point passed.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use rustix::process::{Signal, getpid, kill_process};
    use std::sync::atomic::{AtomicU64, Ordering};

    static PASSED: AtomicU64 = AtomicU64::new(0);
    let passed = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
    if std::env::var_os("PHASEGATE_SHOW_POINTS").is_some() {
        tracing::warn!("passing point {name}");
    }
    let is_wanted_by = |variable: &str| {
        std::env::var(variable).is_ok_and(|wanted| wanted == name || wanted.parse() == Ok(passed))
    };
    if is_wanted_by("PHASEGATE_CRASH_AT") {
        tracing::warn!("crash point {passed}, {name}");
        let _ = kill_process(getpid(), Signal::KILL);
        loop {
            std::thread::park();
        }
    }
    if is_wanted_by("PHASEGATE_PAUSE_AT") {
        tracing::warn!("pause at point {passed}, {name}");
        let _ = kill_process(getpid(), Signal::STOP);
    }
}

#[cfg(not(debug_assertions))]
pub fn point(_name: &str) {}

/// A limit of `usual` length, or of as many seconds as this variable says.
#[cfg(debug_assertions)]
pub fn limit(variable: &str, usual: Duration) -> Duration {
    let seconds = std::env::var(variable).ok();
    let seconds = seconds.and_then(|text| text.parse().ok());
    seconds.map_or(usual, Duration::from_secs)
}

#[cfg(not(debug_assertions))]
pub fn limit(_variable: &str, usual: Duration) -> Duration {
    usual
}
