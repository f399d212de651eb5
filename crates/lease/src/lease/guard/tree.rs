//! The processes that an application consists of: everything that is below its guard.

use std::io;

use rustix::process::{Pid, Signal};

use super::message::{Process, plain};

/// A living process below another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::lease) struct Member {
    pub pid: Pid,
    pub group: i32,
    name: String,
    parent: i32,
    /// When it started: together with its number this is nobody else.
    pub(super) started: u64,
}

impl Member {
    pub(super) fn is_child_of(&self, parent: Pid) -> bool {
        self.parent == parent.as_raw_nonzero().get()
    }

    pub(in crate::lease) fn shown(&self) -> Process {
        Process {
            pid: self.pid.as_raw_nonzero().get(),
            name: plain(&self.name),
        }
    }
}

/// Every living process below `root`; one that has ended and is not yet reaped does not count.
///
/// One that appears while it is looked may be missed: what is missed is found at the next look, as long as
/// `root` has children.
///
/// # Errors
/// Where the system does not list its processes.
#[cfg(target_os = "linux")]
pub(in crate::lease) fn below(root: Pid) -> io::Result<Vec<Member>> {
    let mut rest: Vec<Member> = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let pid = name.to_str().and_then(|name| name.parse().ok());
        // One that ends while it is looked at is gone.
        rest.extend(pid.and_then(Pid::from_raw).and_then(look));
    }
    let mut found = Vec::new();
    let mut parents = vec![root.as_raw_nonzero().get()];
    while let Some(parent) = parents.pop() {
        let (children, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|member| member.parent == parent);
        rest = others;
        parents.extend(
            children
                .iter()
                .map(|child| child.pid.as_raw_nonzero().get()),
        );
        found.extend(children);
    }
    Ok(found)
}

/// Elsewhere there is no such list.
#[cfg(not(target_os = "linux"))]
pub(in crate::lease) fn below(_root: Pid) -> io::Result<Vec<Member>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// `None` if it is not there, or has ended.
#[cfg(target_os = "linux")]
fn look(pid: Pid) -> Option<Member> {
    let stat = std::fs::read(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    // The name may itself hold parentheses and spaces: the last one ends it.
    let (before, after) = stat.rsplit_once(')')?;
    let mut fields = after.split_ascii_whitespace();
    if matches!(fields.next()?, "Z" | "X" | "x") {
        return None;
    }
    Some(Member {
        pid,
        name: before.split_once('(')?.1.to_owned(),
        parent: fields.next()?.parse().ok()?,
        group: fields.next()?.parse().ok()?,
        started: fields.nth(16)?.parse().ok()?,
    })
}

/// Kills one of those that [`below`] has found.
///
/// # Errors
/// Where it may not be signalled; one that is gone is no error.
pub(in crate::lease) fn kill(member: &Member) -> io::Result<()> {
    match send_kill(member) {
        Err(error) if error == rustix::io::Errno::SRCH => Ok(()),
        result => result.map_err(io::Error::from),
    }
}

/// Invariant: never another process that has got the same number meanwhile.
#[cfg(target_os = "linux")]
fn send_kill(member: &Member) -> rustix::io::Result<()> {
    use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
    let Ok(handle) = pidfd_open(member.pid, PidfdFlags::empty()) else {
        // A kernel before 5.3, or it is gone.
        return rustix::process::kill_process(member.pid, Signal::KILL);
    };
    // The handle is of whoever has the number now.
    if look(member.pid).is_some_and(|now| now.started == member.started) {
        pidfd_send_signal(&handle, Signal::KILL)
    } else {
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
fn send_kill(member: &Member) -> rustix::io::Result<()> {
    rustix::process::kill_process(member.pid, Signal::KILL)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_below_is_found_at_any_depth() {
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sh -c 'sleep 1000 & echo $!; wait' & wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        std::io::BufRead::read_line(&mut stdout, &mut line).unwrap();
        let sleep: i32 = line.trim().parse().unwrap();
        let root = Pid::from_child(&child);
        let members = below(root).unwrap();
        let found = members
            .iter()
            .find(|member| member.pid.as_raw_nonzero().get() == sleep)
            .unwrap();
        assert_eq!(found.shown().pid, sleep);
        for member in &members {
            kill(member).unwrap();
        }
        child.wait().unwrap();
        assert!(below(Pid::from_raw(sleep).unwrap()).unwrap().is_empty());
    }
}
