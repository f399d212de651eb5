//! Whether a process is still the one in which something began, or was split off from it since.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

/// How often this process was split off, counted from the first that has asked.
static SPLITS: AtomicU32 = AtomicU32::new(0);

/// The process in which something began. A copy of its memory, which `fork` makes, is another one; what it starts as a program
/// does not have that memory.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Here(u32);

impl Here {
    pub(crate) fn now() -> Self {
        static HEARD: Once = Once::new();
        HEARD.call_once(hear_of_splits);
        Self(SPLITS.load(Ordering::Relaxed))
    }

    /// One load: nobody writes there but a process that has just begun.
    #[inline]
    pub(crate) fn is_here(self) -> bool {
        SPLITS.load(Ordering::Relaxed) == self.0
    }
}

/// Called in the new process before anything else; it may do nothing that waits for another thread.
extern "C" fn split_off() {
    SPLITS.fetch_add(1, Ordering::Relaxed);
}

fn hear_of_splits() {
    #[allow(unsafe_code, reason = "there is no safe function for this")]
    // SAFETY: the function touches an atomic number and nothing else.
    let refused = unsafe { libc::pthread_atfork(None, None, Some(split_off)) };
    if refused != 0 {
        tracing::warn!(
            "a process that is split off from this one will not be told that it has no lease"
        );
    }
}

/// Whether it holds in a process that is split off from this one. It may do nothing there that waits for another thread.
#[cfg(test)]
pub(crate) fn holds_in_a_child(check: impl FnOnce() -> bool) -> bool {
    // SAFETY: what `check` does in the child waits for no other thread, and the child ends behind it.
    #[allow(unsafe_code, reason = "there is no safe way to split a process")]
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "{}", std::io::Error::last_os_error());
    if child == 0 {
        super::end_at_once(i32::from(!check()));
    }
    let mut status = 0;
    // SAFETY: the number is that of a child of this thread's own, and `status` is there to be written.
    #[allow(unsafe_code, reason = "nothing else waits for one process alone")]
    let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!(ended, child);
    libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
}

#[cfg(test)]
mod tests {
    use std::sync::PoisonError;

    use super::*;
    use crate::process::ONE_SIGN;

    #[test]
    fn a_process_that_is_split_off_is_another_one() {
        let _alone = ONE_SIGN.lock().unwrap_or_else(PoisonError::into_inner);
        let here = Here::now();
        assert!(here.is_here());
        assert!(holds_in_a_child(|| !here.is_here() && Here::now().is_here()));
        assert!(!holds_in_a_child(|| here.is_here()));
        assert!(here.is_here());
    }
}
