//! Points at which a test can end the process as `kill -9` would. Compiled out of release builds.

/// Ends the process here if `PHASEGATE_CRASH_AT` names this point, or the how-manieth point passed
/// it is.
#[cfg(debug_assertions)]
pub fn point(name: &str) {
    use std::sync::atomic::{AtomicU64, Ordering};

    static PASSED: AtomicU64 = AtomicU64::new(0);
    let passed = PASSED.fetch_add(1, Ordering::Relaxed) + 1;
    let Ok(wanted) = std::env::var("PHASEGATE_CRASH_AT") else {
        return;
    };
    if wanted == name || wanted.parse() == Ok(passed) {
        tracing::warn!("crash point {passed}, {name}");
        let _ =
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        loop {
            std::thread::park();
        }
    }
}

#[cfg(not(debug_assertions))]
pub fn point(_name: &str) {}
