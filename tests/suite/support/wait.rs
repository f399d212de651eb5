//! Waiting for a condition instead of for time to pass.

use std::time::{Duration, Instant};

/// How long a test waits for something that is bound to happen. Generous, because a loaded machine is no failure.
pub const GENEROUS: Duration = Duration::from_secs(150);

const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

/// Asks until there is an answer, or says that there was none in time.
pub fn poll<T>(timeout: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(answer) = condition() {
            return Some(answer);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(BETWEEN_LOOKS);
    }
}

/// Asks until there is an answer; fails the test, at the caller's line, if there is none in time.
#[track_caller]
pub fn eventually<T>(timeout: Duration, condition: impl FnMut() -> Option<T>) -> T {
    match poll(timeout, condition) {
        Some(answer) => answer,
        None => panic!("the condition was still not met after {timeout:?}"),
    }
}

/// Lets a random time pass, for what has to hold at any moment.
pub fn jitter(at_most: Duration) {
    let most = u64::try_from(at_most.as_millis()).unwrap_or(u64::MAX);
    std::thread::sleep(Duration::from_millis(fastrand::u64(0..=most)));
}
