//! Programs that this one starts, and their process groups.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::process::{Pid, Signal};

/// Sends a signal to a program that leads a group of its own, and to whatever it has started.
pub fn signal_group(leader: u32, signal: Signal) {
    if let Some(group) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        // It may have ended by itself just now.
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

/// Lets the kernel kill the program when this one is gone, however that ended. Not inherited by
/// what the program starts itself.
///
/// The kernel goes by the thread that starts it: that one has to live as long.
#[cfg(target_os = "linux")]
pub fn die_with_parent(command: &mut Command) {
    let parent = rustix::process::getpid();
    let prepare = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // It may have ended between the fork and the line above.
        if rustix::process::getppid() != Some(parent) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        Ok(())
    };
    // SAFETY: between fork and exec it makes two system calls and neither allocates nor locks.
    #[allow(unsafe_code, reason = "there is no safe way to set this in a child")]
    unsafe {
        command.pre_exec(prepare);
    }
}

/// Elsewhere the kernel has no such thing.
#[cfg(not(target_os = "linux"))]
pub fn die_with_parent(_command: &mut Command) {}
