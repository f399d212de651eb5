//! A program that replaces the instances: a script, or the command of a rollout tool.

use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Signal;

use super::{Driver, DriverFailure, Shift};
use crate::interrupt::Interrupt;
use crate::process::{die_with_parent, signal_group, without_credentials};
use crate::project::Project;

/// How long a program that was asked to stop may take for it.
const GRACE: Duration = Duration::from_secs(10);

pub(super) struct Command {
    run: Vec<String>,
    timeout: Duration,
    steps: Vec<u8>,
    root: PathBuf,
    /// What of the environment that leads into the database it is given.
    env: Vec<String>,
    database_url: Option<String>,
}

impl Command {
    pub(super) fn new(
        project: &Project,
        run: &[String],
        timeout: Duration,
        steps: &[u8],
        env: &[String],
    ) -> Self {
        Self {
            run: run.to_vec(),
            timeout,
            steps: steps.to_vec(),
            root: project.root.clone(),
            env: env.to_vec(),
            database_url: project.config.database_url.clone(),
        }
    }
}

#[async_trait]
impl Driver for Command {
    fn steps(&self) -> &[u8] {
        &self.steps
    }

    async fn shift(
        &mut self,
        shift: &Shift<'_>,
        interrupt: Interrupt,
    ) -> Result<(), DriverFailure> {
        let values = values(shift);
        let parts: Vec<String> = self.run.iter().map(|part| fill(part, &values)).collect();
        let Some((program, arguments)) = parts.split_first() else {
            return Err(DriverFailure::Failed("`run` names no program".into()));
        };
        let mut command = std::process::Command::new(program);
        command.args(arguments).current_dir(&self.root);
        without_credentials(&mut command, &self.env, self.database_url.as_deref());
        for (name, value) in &values {
            command.env(format!("PHASEGATE_{}", name.to_uppercase()), value);
        }
        let cannot_start =
            |error| DriverFailure::Failed(format!("`{program}` cannot be started: {error}"));
        // Its output goes where ours for people goes. Not through a pipe of ours: what the program
        // leaves running would lose its output, and its life, when the pipe closes.
        use std::os::unix::process::CommandExt as _;
        command
            .stdin(Stdio::null())
            .stdout(std::io::stderr())
            .stderr(Stdio::inherit())
            .process_group(0);
        die_with_parent(&mut command);
        let mut command = tokio::process::Command::from(command);
        let mut child = command.spawn().map_err(cannot_start)?;
        let group = child.id();
        let why = tokio::select! {
            status = child.wait() => return ended(program, status),
            () = tokio::time::sleep(self.timeout) => DriverFailure::Failed(format!(
                "`{program}` did not finish within {} s and was stopped, with everything it had started \
                 in its process group",
                self.timeout.as_secs_f64()
            )),
            () = interrupt.due() => DriverFailure::Interrupted,
        };
        if let Some(group) = group {
            signal_group(group, Signal::TERM);
            // Whether it stops in time makes no difference to what follows.
            let _ = tokio::time::timeout(GRACE, child.wait()).await;
            signal_group(group, Signal::KILL);
        }
        let _ = child.wait().await;
        Err(why)
    }
}

fn ended(program: &str, status: std::io::Result<ExitStatus>) -> Result<(), DriverFailure> {
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(DriverFailure::Failed(format!(
            "`{program}` ended with {status}"
        ))),
        Err(error) => Err(DriverFailure::Failed(format!("`{program}`: {error}"))),
    }
}

/// What each placeholder stands for.
fn values(shift: &Shift<'_>) -> [(&'static str, String); 4] {
    let from: Vec<String> = shift.from.iter().map(ToString::to_string).collect();
    [
        ("service", shift.service.to_owned()),
        ("from", from.join(",")),
        ("to", shift.to.to_string()),
        ("step", shift.step.to_string()),
    ]
}

/// Puts the values in the places of their names. A value is never looked at again, whatever is in it.
fn fill(part: &str, values: &[(&str, String)]) -> String {
    let mut filled = String::with_capacity(part.len());
    let mut rest = part;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        let found = after.split_once('}').and_then(|(name, after)| {
            let value = values.iter().find(|(known, _)| *known == name)?;
            Some((&value.1, after))
        });
        match found {
            Some((value, after)) => {
                filled.push_str(value);
                rest = after;
            }
            None => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_braces_are_filled_in_once() {
        let values = [("from", "{to}".to_owned()), ("to", "1.1.0".to_owned())];
        for (part, filled) in [
            ("{to}", "1.1.0"),
            ("shop:{to}-{from}", "shop:1.1.0-{to}"),
            ("{{to}}", "{1.1.0}"),
            ("${HOME} {", "${HOME} {"),
            ("{toto}", "{toto}"),
            ("", ""),
        ] {
            assert_eq!(fill(part, &values), filled, "{part}");
        }
    }
}
