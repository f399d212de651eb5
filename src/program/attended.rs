//! Programs that do something while people wait: what they print goes where ours for people goes, and what they start ends with them.

use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::interrupt::Interrupt;
use crate::process::{Group, die_with_parent};

/// How long a program that was asked to stop may take for it.
const GRACE: Duration = Duration::from_secs(10);

/// How often it is said that a program is still at work.
pub const TOLD_EVERY: Duration = Duration::from_secs(30);

/// How a program is waited for.
pub struct Attended<'a> {
    pub timeout: Duration,
    pub told_every: Duration,
    /// What stops it.
    pub interrupt: Interrupt,
    /// Where it is said that it is still at work, in a few words.
    pub progress: &'a (dyn Fn(&str) + Send + Sync),
    pub left: Left,
}

/// What becomes of what a program has left in its process group when it has ended by itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// It would go on without anybody's knowing.
    Ends,
    /// After a call that went well it may be what is deployed. What is left of another would go on beside the next.
    StaysAfterSuccess,
}

/// Why a program did not come to a good end. The words name it.
pub enum Unfinished {
    NotStarted(String),
    Failed(String),
    Interrupted,
}

impl Attended<'_> {
    /// Starts it, and waits until it has ended.
    ///
    /// # Errors
    /// It could not be started, did not end well, took too long, or somebody wanted it to stop.
    pub async fn run(&self, mut command: Command) -> Result<(), Unfinished> {
        let program = command.get_program().to_string_lossy().into_owned();
        // Not through a pipe of ours: what the program leaves running would lose its output, and its life, when the pipe closes.
        command
            .stdin(Stdio::null())
            .stdout(io::stderr())
            .stderr(Stdio::inherit());
        let mut group = Group::for_command(&mut command);
        die_with_parent(&mut command);
        let started = tokio::process::Command::from(command).spawn();
        let mut child = started.map_err(|error| {
            Unfinished::NotStarted(format!("`{program}` cannot be started: {error}"))
        })?;
        group.is_led_by(child.id());
        let began = Instant::now();
        let still_at_work = async {
            loop {
                tokio::time::sleep(self.told_every).await;
                let seconds = began.elapsed().as_secs();
                (self.progress)(&format!("`{program}` has been at work for {seconds} s"));
            }
        };
        let why = tokio::select! {
            status = child.wait() => {
                let ended = ended(&program, status);
                if self.left == Left::Ends || ended.is_err() {
                    group.end();
                }
                return ended;
            }
            () = still_at_work => Unfinished::Interrupted,
            () = tokio::time::sleep(self.timeout) => Unfinished::Failed(format!(
                "`{program}` did not finish within {} s and was stopped, with everything it had started in its process group",
                self.timeout.as_secs_f64()
            )),
            () = self.interrupt.due() => Unfinished::Interrupted,
        };
        group.signal(Signal::TERM);
        // Whether it stops in time makes no difference to what follows.
        let _ = tokio::time::timeout(GRACE, child.wait()).await;
        group.end();
        let _ = child.wait().await;
        Err(why)
    }
}

fn ended(program: &str, status: io::Result<ExitStatus>) -> Result<(), Unfinished> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Unfinished::Failed(format!(
            "`{program}` ended with {status}"
        ))),
        Err(error) => Err(Unfinished::Failed(format!("`{program}`: {error}"))),
    }
}
