//! A program that prints the password.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncReadExt as _;

use super::{no_password, one_line};
use crate::database::DatabaseError;
use crate::process;

/// How long a command may take to print a password.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longer than any token.
const LONGEST: u64 = 64 * 1024;

/// What the program prints.
pub(super) async fn read(run: &[String], directory: &Path) -> Result<String, DatabaseError> {
    tokio::time::timeout(PATIENCE, print(run, directory))
        .await
        .unwrap_or_else(|_| {
            Err(no_password(format!(
                "`{}` did not print it within {} s",
                program(run),
                PATIENCE.as_secs()
            )))
        })
}

fn program(run: &[String]) -> &str {
    run.first().map_or("", String::as_str)
}

/// Kills a program, and whatever it has started, when nobody waits for it any more.
struct Running(Option<u32>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(leader) = self.0 {
            process::signal_group(leader, Signal::KILL);
        }
    }
}

async fn print(run: &[String], directory: &Path) -> Result<String, DatabaseError> {
    let wrong = |why: &str| no_password(format!("`{}` {why}", program(run)));
    let mut command = tokio::process::Command::new(program(run));
    command
        .args(run.iter().skip(1))
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        // It may say more there than others should read.
        .stderr(Stdio::null())
        .process_group(0)
        .kill_on_drop(true);
    process::die_with_parent(command.as_std_mut());
    let (mut child, _ours) = process::spawn(&mut command)
        .map_err(|error| wrong(&format!("cannot be started: {error}")))?;
    let mut running = Running(child.id());
    let mut printed = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout
            .take(LONGEST)
            .read_to_end(&mut printed)
            .await
            .map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    }
    if printed.len() as u64 == LONGEST {
        return Err(wrong("prints more than 64 KiB"));
    }
    let status = child
        .wait()
        .await
        .map_err(|error| wrong(&format!("cannot be waited for: {error}")))?;
    // What it leaves in the background is its own affair.
    running.0 = None;
    if !status.success() {
        return Err(wrong(&format!(
            "ended with {status}; run it by hand to see why"
        )));
    }
    let printed = String::from_utf8(printed).map_err(|_| wrong("prints no UTF-8"))?;
    one_line(&printed).map_err(|why| match why {
        "is empty" => wrong("printed nothing"),
        _ => wrong("printed several lines"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::PasswordSource;

    fn read(source: &PasswordSource) -> Result<String, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let password = runtime.block_on(source.read());
        password.map_err(|error| error.to_string())
    }

    fn sh(script: &str) -> PasswordSource {
        PasswordSource::Command {
            run: ["sh", "-c", script].map(Into::into).into(),
            directory: "/".into(),
        }
    }

    #[test]
    fn a_command_prints_it_and_nothing_of_it_is_said() {
        assert_eq!(read(&sh("pwd; true")).as_deref(), Ok("/"));
        assert_eq!(
            read(&sh("echo token; echo s3cret >&2")).as_deref(),
            Ok("token")
        );
        for (script, why) in [
            ("echo s3cret; exit 3", "exit status: 3"),
            ("echo s3cret >&2; kill -9 $$", "signal: 9"),
            ("true", "printed nothing"),
            ("echo s3cret; echo b", "several lines"),
            ("head -c 70000 /dev/zero", "64 KiB"),
        ] {
            let error = read(&sh(script)).unwrap_err();
            assert!(error.contains(why) && !error.contains("s3cret"), "{error}");
        }
        let missing = PasswordSource::Command {
            run: vec!["./no-such-program".into()],
            directory: "/".into(),
        };
        assert!(read(&missing).unwrap_err().contains("cannot be started"));
    }
}
