//! A tool at work: in the project's directory, with the user's environment, in a process group that ends with a timeout or an
//! interrupt, and with this program.
//!
//! Invariant: once [`run`] has returned, or this process is gone, no process of the tool is left that could go on. What a server
//! does for one that was killed is another matter: see the coordinator.

use std::io;
use std::path::Path;
use std::process::Stdio;

use super::{Call, Runner};
use crate::interrupt::Interrupt;
use crate::process::die_with_parent;
use crate::program::{Attended, Left, TOLD_EVERY, Unfinished};

/// How the tool's sessions are called where a client reads `PGAPPNAME`: ours, so that nobody takes them for an application's.
pub const NAME: &str = "phasegate: runner";

/// Why a tool did not come to a good end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RunnerFailure {
    #[error("{0}")]
    Failed(String),
    #[error("interrupted while `{0}` was at work; it was stopped")]
    Interrupted(String),
}

/// What a tool is called with.
#[derive(Clone, Copy)]
pub struct Called<'a> {
    /// The project's directory.
    pub root: &'a Path,
    /// The URL of the database, as the tool is to be given it, if it is.
    pub database_url: Option<&'a str>,
    /// What stops it.
    pub interrupt: Interrupt,
    /// Where it is said that it is still at work, in a few words.
    pub progress: &'a (dyn Fn(&str) + Send + Sync),
}

/// The URL as the runner wants it: with its word for the database, and the path of a file in full, because it runs elsewhere.
#[must_use]
pub fn finish_url(url: &str, file: Option<&Path>, scheme: Option<&str>) -> String {
    /// Parameters that other clients do not know, and some refuse.
    const OURS: [&str; 2] = ["statement-cache-capacity", "ledger"];
    let (usual, rest) = url.split_once(':').unwrap_or(("", url));
    let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let is_theirs = |parameter: &&str| {
        let name = parameter.split('=').next().unwrap_or_default();
        !parameter.is_empty() && !OURS.contains(&name)
    };
    let kept: Vec<&str> = parameters.split('&').filter(is_theirs).collect();
    let parameters = match kept.as_slice() {
        [] => String::new(),
        kept => format!("?{}", kept.join("&")),
    };
    match file {
        Some(file) => {
            let full = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
            format!("{}:///{}", scheme.unwrap_or("sqlite"), full.display())
        }
        None => format!("{}:{address}{parameters}", scheme.unwrap_or(usual)),
    }
}

fn command(
    runner: &Runner,
    call: &Call,
    called: &Called<'_>,
) -> Result<(std::process::Command, String), RunnerFailure> {
    let mut parts = runner.program.iter().chain(&call.arguments);
    let Some(program) = parts.next() else {
        return Err(RunnerFailure::Failed("`[runner]` names no program".into()));
    };
    let mut command = std::process::Command::new(program);
    command
        .args(parts)
        .current_dir(runner.directory(called.root));
    if let (Some(url), Some(database_url)) = (&runner.url, called.database_url) {
        command.env(&url.variable, database_url);
    }
    command.env("PGAPPNAME", NAME);
    if let Some(limit) = runner.lock_timeout {
        let given = std::env::var("PGOPTIONS").unwrap_or_default();
        if !given.contains("lock_timeout") {
            let options = format!("{given} -c lock_timeout={}", limit.as_millis());
            command.env("PGOPTIONS", options.trim());
        }
    }
    Ok((command, program.clone()))
}

/// Has the tool do this, and waits until it has ended. Its output goes where ours for people goes.
///
/// # Errors
/// It could not be started, did not end well, took too long, or somebody wanted it to stop.
pub async fn run(runner: &Runner, call: &Call, called: &Called<'_>) -> Result<(), RunnerFailure> {
    let (command, program) = command(runner, call, called)?;
    let attended = Attended {
        timeout: runner.timeout,
        told_every: TOLD_EVERY,
        interrupt: called.interrupt,
        progress: called.progress,
        left: Left::Ends,
    };
    attended.run(command).await.map_err(|why| match why {
        Unfinished::NotStarted(why) => RunnerFailure::Failed(with_remedy(&why)),
        Unfinished::Failed(why) => RunnerFailure::Failed(why),
        Unfinished::Interrupted => RunnerFailure::Interrupted(program),
    })
}

/// What a tool prints, in full.
///
/// # Errors
/// As of [`run`], with what it says of it.
pub async fn printed(
    runner: &Runner,
    call: &Call,
    called: &Called<'_>,
) -> Result<String, RunnerFailure> {
    use std::os::unix::process::CommandExt as _;
    let (mut command, program) = command(runner, call, called)?;
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    die_with_parent(&mut command);
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    let child = command
        .spawn()
        .map_err(|error| cannot_start(&program, &error))?;
    let output = tokio::select! {
        output = child.wait_with_output() => output,
        () = tokio::time::sleep(runner.timeout) => {
            return Err(RunnerFailure::Failed(format!("`{program}` said nothing within {} s", runner.timeout.as_secs_f64())));
        }
        () = called.interrupt.due() => return Err(RunnerFailure::Interrupted(program)),
    };
    let output = output.map_err(|error| cannot_start(&program, &error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty());
        return Err(RunnerFailure::Failed(format!(
            "`{program} {}` ended with {}: {}",
            call.arguments.join(" "),
            output.status,
            last.unwrap_or("it said nothing").trim()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn cannot_start(program: &str, error: &io::Error) -> RunnerFailure {
    RunnerFailure::Failed(with_remedy(&format!(
        "`{program}` cannot be started: {error}"
    )))
}

fn with_remedy(why: &str) -> String {
    format!("{why}; `program` under [runner] in migrate.toml says how it is called")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_url_is_handed_over_in_the_tools_words() {
        let file = Some(Path::new("/srv/shop.db"));
        for (url, file, scheme, expected) in [
            ("postgres://a@b/c", None, None, "postgres://a@b/c"),
            (
                "postgres://a@b/c",
                None,
                Some("postgresql+psycopg"),
                "postgresql+psycopg://a@b/c",
            ),
            (
                "postgres://b/c?statement-cache-capacity=0&sslmode=require",
                None,
                None,
                "postgres://b/c?sslmode=require",
            ),
            ("mysql://b/c?ledger=x", None, None, "mysql://b/c"),
            ("sqlite://shop.db", file, None, "sqlite:////srv/shop.db"),
            (
                "sqlite://shop.db?mode=rwc",
                file,
                Some("sqlite3"),
                "sqlite3:////srv/shop.db",
            ),
        ] {
            assert_eq!(finish_url(url, file, scheme), expected);
        }
        let here = std::env::current_dir().unwrap();
        assert_eq!(
            finish_url("sqlite:db/shop.db", Some(Path::new("db/shop.db")), None),
            format!("sqlite:///{}/db/shop.db", here.display())
        );
    }

    fn runner(program: &[&str], timeout: Duration) -> Runner {
        Runner {
            program: program.iter().map(|part| (*part).to_owned()).collect(),
            timeout,
            ..Runner::usual("alembic").expect("there is such a kind")
        }
    }

    fn called(root: &Path) -> Called<'_> {
        Called {
            root,
            database_url: None,
            interrupt: Interrupt::default(),
            progress: &|_| {},
        }
    }

    #[tokio::test]
    async fn a_tool_that_takes_too_long_is_stopped_with_what_it_has_started() {
        let dir = tempfile::tempdir().unwrap();
        let script = "sleep 600 & echo $! > left; wait";
        let runner = runner(&["sh", "-c", script], Duration::from_millis(300));
        let failed = {
            let call = Call::new(Vec::<String>::new());
            run(&runner, &call, &called(dir.path())).await.unwrap_err()
        };
        assert!(
            failed.to_string().contains("did not finish within 0.3 s"),
            "{failed}"
        );
        let left = std::fs::read_to_string(dir.path().join("left")).unwrap();
        // It was sent the signal that nobody survives; when it is gone is for the kernel to say.
        let is_there = || {
            let stat = std::fs::read_to_string(format!("/proc/{}/stat", left.trim()));
            stat.is_ok_and(|stat| !stat.contains(") Z "))
        };
        let until_gone = async {
            while is_there() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let gone = tokio::time::timeout(Duration::from_mins(1), until_gone).await;
        assert!(gone.is_ok(), "what the tool has started is still there");
    }

    #[tokio::test]
    async fn how_it_ended_is_said() {
        let dir = tempfile::tempdir().unwrap();
        let call = Call::new(Vec::<String>::new());
        let minute = Duration::from_mins(1);
        let failed = run(
            &runner(&["sh", "-c", "exit 3"], minute),
            &call,
            &called(dir.path()),
        )
        .await;
        assert!(failed.unwrap_err().to_string().contains("exit status: 3"));
        let failed = run(&runner(&["/no/such"], minute), &call, &called(dir.path())).await;
        assert!(
            failed
                .unwrap_err()
                .to_string()
                .contains("`program` under [runner]")
        );
        let said = printed(
            &runner(&["sh", "-c", "echo $PGAPPNAME"], minute),
            &call,
            &called(dir.path()),
        )
        .await;
        assert_eq!(said.unwrap().trim(), NAME);
    }
}
