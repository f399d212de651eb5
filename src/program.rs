//! Programs that are asked something: without what leads into the database, and bounded in time and output.

use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::interrupt::Interrupt;
use crate::process::{signal_group, without_credentials};
use crate::text::secret;
use crate::text::shown::shortened;

mod attended;

pub use attended::{Attended, Left, TOLD_EVERY, Unfinished};

/// More than any fleet's list needs; a program that prints without end must not fill the memory.
const MAX_OUTPUT: u64 = 64 * 1024 * 1024;

/// Characters of what it says about its failure.
const LONGEST_REASON: usize = 500;

/// A program, and how it is asked.
#[derive(Clone, Copy)]
pub struct Program<'p> {
    /// The program and its arguments.
    pub run: &'p [String],
    /// What of the environment that leads into the database it is given.
    pub env: &'p [String],
    /// Variables of ours.
    pub variables: &'p [(String, String)],
    /// The URL of the database, for whoever has asked for it.
    pub database_url: Option<&'p str>,
    pub timeout: Duration,
    pub interrupt: Interrupt,
}

/// Why a program gave no answer. The words name it; secrets in them are masked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// It said no: it ended with something else than 0.
    #[error("{0}")]
    Ended(String),
    /// It could not be asked, or did not come to its end.
    #[error("{0}")]
    Failed(String),
}

impl Program<'_> {
    /// What it has printed on standard output, once it has ended with 0. Past its time it is ended with all that it has started in
    /// its process group.
    ///
    /// # Errors
    /// Why there is no such answer.
    pub async fn output(&self) -> Result<String, Unanswered> {
        use Unanswered::Failed;
        let Some((program, arguments)) = self.run.split_first() else {
            return Err(Failed("`run` is empty".into()));
        };
        let mut command = std::process::Command::new(program);
        command.args(arguments);
        without_credentials(&mut command, self.env, self.database_url);
        for (name, value) in self.variables {
            command.env(name, value);
        }
        let mut child = tokio::process::Command::from(command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| Failed(format!("`{program}` cannot be started: {error}")))?;
        let group = child.id();
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let finishing = async {
            let (stdout, stderr) = tokio::join!(read(stdout), read(stderr));
            (stdout, stderr, child.wait().await)
        };
        let finished = tokio::select! {
            finished = finishing => Ok(finished),
            () = tokio::time::sleep(self.timeout) => Err(format!(
                "did not finish within {} s",
                self.timeout.as_secs_f64()
            )),
            () = self.interrupt.due() => Err("was not waited for: interrupted".to_owned()),
        };
        let (stdout, stderr, status) = match finished {
            Ok(finished) => finished,
            Err(why) => {
                if let Some(group) = group {
                    signal_group(group, Signal::KILL);
                }
                return Err(Failed(format!("`{program}` {why}")));
            }
        };
        let status = status.map_err(|error| Failed(format!("`{program}`: {error}")))?;
        // Whoever prints without end is ended by that, and how says nothing.
        if let Err(why @ Unread::TooLong) = &stdout {
            return Err(Failed(format!("the output of `{program}`: {why}")));
        }
        if !status.success() {
            let said = stderr.unwrap_or_default();
            let said = said.trim().lines().next_back().unwrap_or_default();
            // It may have printed what it was given, and this gets into the log.
            let said = secret::masked(&shortened(said, LONGEST_REASON)).into_owned();
            return Err(Unanswered::Ended(format!(
                "`{program}` ended with {status}: {said}"
            )));
        }
        stdout.map_err(|error| Failed(format!("the output of `{program}`: {error}")))
    }
}

/// Why the output of a program cannot be used.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error("it is longer than {} MiB, and no more of it was read", MAX_OUTPUT >> 20)]
    TooLong,
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error(transparent)]
    Failed(#[from] std::io::Error),
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> Result<String, Unread> {
    let Some(pipe) = pipe else {
        return Ok(String::new());
    };
    let mut bytes = Vec::new();
    pipe.take(MAX_OUTPUT).read_to_end(&mut bytes).await?;
    if bytes.len() as u64 >= MAX_OUTPUT {
        return Err(Unread::TooLong);
    }
    String::from_utf8(bytes).map_err(|_| Unread::NotUtf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_prints_without_end_is_told_so() {
        let run = ["yes".to_owned()];
        let program = Program {
            run: &run,
            env: &[],
            variables: &[],
            database_url: None,
            timeout: Duration::from_secs(600),
            interrupt: Interrupt::default(),
        };
        let why = program.output().await.unwrap_err().to_string();
        let said = "the output of `yes`: it is longer than 64 MiB, and no more of it was read";
        assert_eq!(why, said);
    }
}
