//! Programs that this one starts, and their process groups.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::ffi::OsStr;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, WaitOptions};

mod behind;
mod group;
mod sign;
mod split;

pub use behind::{Behind, End, behind};
pub use group::Group;
#[cfg(test)]
pub(crate) use sign::ONE_SIGN;
pub use sign::Sign;
pub(crate) use split::Here;
#[cfg(test)]
pub(crate) use split::holds_in_a_child;

/// Sends a signal to a program that leads a group of its own, and to whatever it has started.
pub fn signal_group(leader: u32, signal: Signal) {
    if let Some(group) = i32::try_from(leader).ok().and_then(Pid::from_raw) {
        // It may have ended by itself just now.
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

/// What of the environment leads into the database: it is not handed on without being asked for.
fn is_credential(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    matches!(
        &*name,
        "DATABASE_URL" | "DATABASE_URL_FILE" | "DATABASE_PASSWORD_FILE" | "MYSQL_PWD"
    ) || name.starts_with("PG")
}

/// The names of what in the environment leads into the database.
#[must_use]
pub fn credentials() -> Vec<String> {
    let names = std::env::vars_os().map(|(name, _)| name);
    let credentials = names.filter(|name| is_credential(name));
    credentials
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

/// The environment of a program that works for this one: all of it, but what leads into the database only where `asked` names
/// it. `DATABASE_URL` is then that of the database that this command works on, wherever it was named.
pub fn without_credentials(command: &mut Command, asked: &[String], database_url: Option<&str>) {
    for (name, _) in std::env::vars_os() {
        let is_asked = asked.iter().any(|asked| OsStr::new(asked) == name);
        if is_credential(&name) && !is_asked {
            command.env_remove(name);
        }
    }
    if let Some(url) = database_url
        && asked.iter().any(|asked| asked == "DATABASE_URL")
    {
        command.env("DATABASE_URL", url);
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

/// Splits the process in two; none in the new one. Of the threads only this one goes on there, so another one may
/// have left anything locked for ever.
///
/// # Errors
/// Where there is another thread, and where the system makes no process.
pub fn fork() -> io::Result<Option<Pid>> {
    // Elsewhere it cannot be told.
    if let Ok(threads) = std::fs::read_dir("/proc/self/task")
        && threads.count() > 1
    {
        return Err(io::Error::other("this process has started threads already"));
    }
    // SAFETY: there is no other thread, whose locks the new process would wait for.
    #[allow(unsafe_code, reason = "there is no safe way to split a process")]
    let pid = unsafe { libc::fork() };
    if pid < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(Pid::from_raw(pid))
}

/// Ends the process without anything that would happen at its usual end, which is its other half's to do.
pub fn end_at_once(code: i32) -> ! {
    // SAFETY: it ends the process, and nothing else.
    #[allow(unsafe_code, reason = "there is no safe function for this")]
    unsafe {
        libc::_exit(code)
    }
}

/// How the process is called where processes are listed.
pub fn set_name(name: &CStr) {
    #[cfg(target_os = "linux")]
    // Only for people.
    let _ = rustix::thread::set_name(name);
    #[cfg(not(target_os = "linux"))]
    let _ = name;
}

/// The children that somebody in this process waits for.
static OURS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// A child that [`reap_strangers`] leaves to whoever holds this.
#[derive(Debug)]
pub struct Ours(u32);

impl Drop for Ours {
    fn drop(&mut self) {
        OURS.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.0);
    }
}

/// Starts a program whose end somebody here waits for.
///
/// # Errors
/// Where it cannot be started.
#[cfg(feature = "password-command")]
pub fn spawn(command: &mut tokio::process::Command) -> io::Result<(tokio::process::Child, Ours)> {
    // Held meanwhile: it may have ended before its number is known.
    let mut ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
    let child = command.spawn()?;
    let pid = child.id().unwrap_or_default();
    ours.insert(pid);
    Ok((child, Ours(pid)))
}

/// Leaves a child that is there already to whoever holds the answer.
pub fn ours(pid: Pid) -> Ours {
    let pid = pid.as_raw_nonzero().get().unsigned_abs();
    OURS.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(pid);
    Ours(pid)
}

/// Collects children that have ended and were not started here: the first process of a container, and one that adopts
/// orphans, is given those of others.
pub fn reap_strangers() {
    let ours = OURS.lock().unwrap_or_else(PoisonError::into_inner);
    while let Some(ended) = some_that_ended() {
        // One of ours hides those after it until it is collected: they come next time.
        if ours.contains(&ended.as_raw_nonzero().get().unsigned_abs()) {
            return;
        }
        let _ = rustix::process::waitpid(Some(ended), WaitOptions::NOHANG);
    }
}

/// A child that has ended and is not collected yet.
fn some_that_ended() -> Option<Pid> {
    // SAFETY: a structure of numbers, for which zero is a value.
    #[allow(unsafe_code, reason = "there is no safe call that says which it is")]
    let mut found: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: it writes to the structure above and to nothing else, and that is read as what it has written.
    #[allow(unsafe_code, reason = "there is no safe call that says which it is")]
    let pid = unsafe {
        if libc::waitid(libc::P_ALL, 0, &raw mut found, flags) != 0 {
            return None;
        }
        found.si_pid()
    };
    Pid::from_raw(pid)
}
