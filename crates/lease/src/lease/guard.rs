//! A process between the agent and its application, which lives as long as either of them.
//!
//! Everything that the application starts is below it, also what puts itself into the background: the kernel gives
//! it whatever has lost its parent. So the agent knows when nothing is left, and when the agent is killed, the guard
//! kills all of it, whoever it runs as by then. When the guard is killed, the agent does.
//!
//! It also knows until when the application may run, and kills it then, should the agent stand still.

mod message;
mod tree;
mod watch;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, WaitOptions};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};

use super::child::Group;
use super::clock::Moment;
use super::error::LeaseError;
use crate::process::Ours;

pub(super) use message::{Left, Order, Process, Report, Scope};
use watch::Program;

/// The guard of an application that is not started yet.
#[derive(Debug)]
pub struct Guard {
    pid: Pid,
    ours: Ours,
    link: UnixStream,
    program: Program,
}

impl Guard {
    /// Makes the guard of a program with its arguments, which is to name its database sessions so, and finds this in its
    /// environment besides. The process splits
    /// in two for it, and must not have started a thread.
    ///
    /// # Errors
    /// Where what it promises cannot be kept: the program would run as somebody whom this process may not signal, or
    /// the system does not show its processes.
    pub fn split_off(
        command: Vec<OsString>,
        session_name: String,
        environment: Vec<(&'static str, Option<OsString>)>,
    ) -> Result<Self, LeaseError> {
        let unguarded = |reason: String| Err(LeaseError::Unguarded { reason });
        if let Some(reason) = out_of_reach(&command) {
            return unguarded(reason);
        }
        if cfg!(target_os = "linux") && tree::below(rustix::process::getpid()).is_err() {
            return unguarded(
                "/proc cannot be read here, so what the application starts could not be found"
                    .into(),
            );
        }
        let group = Group::here();
        let program = Program {
            command,
            session_name,
            environment,
            group,
        };
        adopt_orphans()?;
        let (link, other) = UnixStream::pair()?;
        match crate::process::fork()? {
            Some(pid) => Ok(Self {
                pid,
                ours: crate::process::ours(pid),
                link,
                program,
            }),
            None => {
                drop(link);
                // A signal to the agent's group, a SIGKILL above all, must not hit both of them.
                if group == Group::Own {
                    // It has just been made, and leads nothing.
                    let _ = rustix::process::setpgid(None, None);
                }
                // Both are for whoever looks at the processes, or for orphans; without them the first fall
                // to the agent, which has the same right.
                let _ = adopt_orphans();
                crate::process::set_name(c"phasegate-guard");
                let code = watch::run(&program, other);
                crate::process::end_at_once(code)
            }
        }
    }

    pub(super) fn group(&self) -> Group {
        self.program.group
    }

    /// Starts the application, which may run until `until`.
    ///
    /// # Errors
    /// [`LeaseError::Command`] where it cannot be started.
    pub(super) async fn start(self, until: Moment) -> Result<Application, LeaseError> {
        self.link.set_nonblocking(true)?;
        let reports = tokio::net::UnixStream::from_std(self.link.try_clone()?)?;
        let mut application = Application {
            guard: self.pid,
            _ours: self.ours,
            link: self.link,
            reports: BufReader::new(reports).lines(),
            until,
        };
        application.tell(Order::Start(until));
        let command = self.program.command.into_iter().next().unwrap_or_default();
        let failed = |source| Err(LeaseError::Command { command, source });
        match application.heard().await {
            Some(Report::Started(_)) => Ok(application),
            Some(Report::Failed(number)) => failed(io::Error::from_raw_os_error(number)),
            _ => failed(io::Error::other("the process that guards it was killed")),
        }
    }
}

/// A running application, and whatever it has started.
pub(super) struct Application {
    guard: Pid,
    _ours: Ours,
    link: UnixStream,
    reports: Lines<BufReader<tokio::net::UnixStream>>,
    /// The moment that the guard knows.
    until: Moment,
}

impl Application {
    /// What the guard says next; none once it is gone. Nothing is lost where this is dropped.
    pub(super) async fn heard(&mut self) -> Option<Report> {
        loop {
            let line = self.reports.next_line().await.ok().flatten()?;
            if let Some(report) = Report::parse(&line) {
                return Some(report);
            }
        }
    }

    /// Tells the guard until when the application may run, where that has changed.
    pub(super) fn may_run_until(&mut self, until: Moment) {
        if self.until != until {
            self.until = until;
            self.tell(Order::Deadline(until));
        }
    }

    /// A guard that is gone hears nothing, and then [`Self::heard`] says so.
    pub(super) fn tell(&self, order: Order) {
        let _ = (&self.link).write_all(order.line().as_bytes());
    }

    /// Kills everything of the application.
    pub(super) fn kill(&self) {
        self.tell(Order::Kill(Scope::Everything));
        // The guard may have been stopped, and does not hear it.
        for member in tree::below(self.guard).unwrap_or_default() {
            // Where that is not allowed, the guard says so.
            let _ = tree::kill(&member);
        }
    }

    /// Kills what a guard that is gone has left to this process. Whether nothing is left.
    pub(super) async fn kill_orphans(&self) -> bool {
        const PATIENCE: Duration = Duration::from_secs(5);
        let until = Moment::now() + PATIENCE;
        loop {
            crate::process::reap_strangers();
            let members = tree::below(rustix::process::getpid()).unwrap_or_default();
            let is_left = members.iter().filter(|member| member.pid != self.guard);
            let left: Vec<_> = is_left.collect();
            if left.is_empty() || Moment::now() >= until {
                return left.is_empty();
            }
            for member in left {
                let _ = tree::kill(member);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        // Collects the guard, if it has ended.
        let _ = rustix::process::waitpid(Some(self.guard), WaitOptions::NOHANG);
    }
}

/// Lets the kernel give this process whatever loses its parent below it.
#[cfg(target_os = "linux")]
fn adopt_orphans() -> io::Result<()> {
    Ok(rustix::process::set_child_subreaper(Some(
        rustix::process::getpid(),
    ))?)
}

/// Elsewhere the first process of all gets them.
#[cfg(not(target_os = "linux"))]
fn adopt_orphans() -> io::Result<()> {
    Ok(())
}

/// Why a program would run as somebody whom this process may not signal.
fn out_of_reach(command: &[OsString]) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    let path = found(command.first()?)?;
    let metadata = std::fs::metadata(&path).ok()?;
    let me = rustix::process::geteuid().as_raw();
    becomes_another(metadata.mode(), metadata.uid(), me).then(|| {
        format!(
            "`{}` runs as another user (it is set-user-ID), whose processes this one may not stop",
            path.display()
        )
    })
}

/// Whether a program of this mode and owner makes of `me` somebody else, and `me` is not root, who may signal all.
const fn becomes_another(mode: u32, owner: u32, me: u32) -> bool {
    const SET_USER: u32 = 0o4000;
    mode & SET_USER != 0 && owner != me && me != 0
}

/// Where a program is found, as the system looks for it.
fn found(program: &OsString) -> Option<PathBuf> {
    let path = Path::new(program);
    if path.components().count() > 1 {
        return Some(path.to_owned());
    }
    let directories = std::env::var_os("PATH")?;
    std::env::split_paths(&directories)
        .map(|directory| directory.join(path))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_somebody_else_is_out_of_reach() {
        assert!(becomes_another(0o104_755, 0, 1000));
        for (mode, owner, me) in [
            (0o100_755, 0, 1000),
            (0o104_755, 0, 0),
            (0o104_755, 1000, 1000),
        ] {
            assert!(!becomes_another(mode, owner, me));
        }
        assert_eq!(found(&"./here".into()), Some("./here".into()));
        assert!(found(&"sh".into()).is_some());
        assert_eq!(out_of_reach(&["sh".into()]), None);
    }
}
