//! The application that an agent runs.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::sync::oneshot;

use super::error::LeaseError;

/// Whose process group the application is in.
///
/// At a terminal it stays in the agent's, so that it may read from the terminal and job control works;
/// what is typed there (Ctrl-C) reaches it from the kernel. Everywhere else it leads a group of its
/// own, so that it hears of each signal once and its helpers can be stopped together with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Group {
    Terminal,
    Own,
}

impl Group {
    pub(super) fn here() -> Self {
        let foreground = rustix::termios::tcgetpgrp(io::stdin());
        if foreground.is_ok_and(|group| group == rustix::process::getpgrp()) {
            Self::Terminal
        } else {
            Self::Own
        }
    }

    /// Whether the kernel itself sends the application this signal when it is typed.
    pub(super) fn is_typed(self, signal: Signal) -> bool {
        self == Self::Terminal && matches!(signal, Signal::INT | Signal::QUIT)
    }
}

/// A running application.
pub(super) struct Application {
    pid: Pid,
    group: Group,
    /// Locked while its process number may be used: once it is reaped, that number may be another's.
    is_there: Arc<Mutex<bool>>,
    exited: oneshot::Receiver<io::Result<ExitStatus>>,
}

impl Application {
    /// Starts `command`, whose first part is the program, and has it name its database sessions.
    ///
    /// # Errors
    /// [`LeaseError::Command`] where it cannot be started.
    pub(super) async fn start(
        command: &[OsString],
        group: Group,
        session_name: &str,
    ) -> Result<Self, LeaseError> {
        let (program, arguments) = command.split_first().ok_or_else(|| LeaseError::Terms {
            reason: "there is no command to run".into(),
        })?;
        let failed = |source| LeaseError::Command {
            command: program.clone(),
            source,
        };
        let mut prepared = Command::new(program);
        prepared.args(arguments);
        super::session_name::name_sessions(&mut prepared, session_name);
        if group == Group::Own {
            prepared.process_group(0);
        }
        // Otherwise it would go on without anybody renewing its lease.
        crate::process::die_with_parent(&mut prepared);
        let (started, start) = oneshot::channel();
        let (exits, exited) = oneshot::channel();
        let is_there = Arc::new(Mutex::new(true));
        let reaped = Arc::clone(&is_there);
        // On Linux the application is killed when the thread that started it ends: so this one
        // lives exactly as long as the application, whatever runtime the agent runs on.
        std::thread::Builder::new()
            .name("phasegate-child".into())
            .spawn(move || {
                let mut child = match prepared.spawn() {
                    Ok(child) => child,
                    Err(error) => {
                        // The receiver waits for exactly this.
                        let _ = started.send(Err(error));
                        return;
                    }
                };
                let _ = started.send(Ok(Pid::from_child(&child)));
                // Nobody may ask any more: the agent is about to end.
                let _ = exits.send(reap(&mut child, &reaped));
            })
            .map_err(failed)?;
        let pid = start
            .await
            .map_err(|_| failed(io::ErrorKind::Other.into()))?
            .map_err(failed)?;
        Ok(Self {
            pid,
            group,
            is_there,
            exited,
        })
    }

    /// Waits for its exit.
    pub(super) async fn exited(&mut self) -> io::Result<ExitStatus> {
        (&mut self.exited)
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::Other.into()))
    }

    /// Sends a signal to the application, not to what it has started. One that has exited hears nothing.
    pub(super) fn signal(&self, signal: Signal) {
        let is_there = self.is_there.lock().unwrap_or_else(PoisonError::into_inner);
        if *is_there && let Err(error) = rustix::process::kill_process(self.pid, signal) {
            tracing::warn!(
                "cannot send signal {} to the application: {error}",
                signal.as_raw()
            );
        }
    }

    /// Kills the application, and its group where that is its own.
    pub(super) fn kill(&self) {
        self.signal(Signal::KILL);
        if self.group == Group::Own {
            // As good as certain to be empty already, which is an error here.
            let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        }
    }

    /// Whether processes of its group are left, after it has exited itself.
    pub(super) fn left_something(&self) -> bool {
        self.group == Group::Own && rustix::process::test_kill_process_group(self.pid).is_ok()
    }
}

fn reap(child: &mut Child, is_there: &Mutex<bool>) -> io::Result<ExitStatus> {
    let id = WaitId::Pid(Pid::from_child(child));
    // It stays a zombie until nobody can be about to send it a signal.
    while let Err(error) =
        rustix::process::waitid(id.clone(), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
    {
        if error != rustix::io::Errno::INTR {
            break;
        }
    }
    let mut is_there = is_there.lock().unwrap_or_else(PoisonError::into_inner);
    *is_there = false;
    child.wait()
}

/// The code that stands for an exit, as in a shell: 128 and the signal's number where one ended it.
pub(super) fn exit_code(status: ExitStatus) -> i32 {
    status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or_default())
}
