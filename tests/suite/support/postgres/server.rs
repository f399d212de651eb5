//! One throwaway PostgreSQL server: its data, its processes, and their end.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::machine::{binaries, free_port, unprivileged_user, watchdog};
use crate::support::place::place;
use crate::support::took;
use crate::support::wait::{GENEROUS, poll};

/// A running server: its directory, its port, and the watchdog that outlives this process by a moment.
pub(super) struct Server {
    binaries: PathBuf,
    pub(super) directory: PathBuf,
    pub(super) port: u16,
    /// The user that runs it, where this process is root: PostgreSQL refuses to run as root.
    pub(super) owner: Option<(u32, u32)>,
    postmaster: Mutex<Option<Child>>,
    watchdog: Child,
}

const ATTEMPTS: usize = 5;

/// Where a server's data come from.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    Empty,
    /// From the server at this port.
    Following(u16),
}

impl Server {
    pub(super) fn start(origin: Origin) -> Result<Self, String> {
        took::begins();
        let binaries = binaries().ok_or(
            "PostgreSQL's server binaries (initdb and postgres) were not found, and no test is skipped without them. \
             `sh tests/run.sh` installs them; or install them yourself, or set TEST_POSTGRES_BIN or TEST_POSTGRES_URL.",
        )?;
        let owner = if geteuid().is_root() {
            Some(unprivileged_user()?)
        } else {
            None
        };
        let directory = tempfile::Builder::new()
            .prefix("phasegate-postgres-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(place())
            .map_err(|error| format!("cannot make a directory for a PostgreSQL server: {error}"))?
            .keep();
        let watchdog = watchdog(&directory)
            .map_err(|error| format!("cannot start sh as a watchdog: {error}"))?;
        // From here the watchdog removes the directory, whatever happens.
        let mut server = Self {
            binaries,
            directory,
            port: 0,
            owner,
            postmaster: Mutex::new(None),
            watchdog,
        };
        server.initialise(origin)?;
        for attempt in 1.. {
            server.port = free_port()?;
            match server.run() {
                Ok(()) => break,
                // Another process was faster to take the port.
                Err(_) if attempt < ATTEMPTS => {}
                Err(reason) => return Err(reason),
            }
        }
        Ok(server)
    }

    pub(super) fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// The processes that a pause has frozen.
    pub(super) fn paused(&self) -> PathBuf {
        self.directory.join("paused")
    }

    fn initialise(&self, origin: Origin) -> Result<(), String> {
        if let Some((user, group)) = self.owner {
            chown(&self.directory, Some(user), Some(group)).map_err(|error| {
                format!(
                    "cannot hand {} to user {user}: {error}",
                    self.directory.display()
                )
            })?;
        }
        if let Origin::Following(port) = origin {
            return self.copy(port);
        }
        let output = self
            .command("initdb")
            .args([
                "--username=postgres",
                "--encoding=UTF8",
                "--no-locale",
                "--auth=trust",
                "--no-sync",
                "--pgdata",
            ])
            .arg(self.data())
            .output()
            .map_err(|error| format!("cannot run initdb: {error}"))?;
        if !output.status.success() {
            return Err(format!(
                "initdb failed, {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        // Only the superuser comes in without a password, so that wrong and missing passwords can be tested with the others.
        let access = "local all all trust\n\
                      host all postgres 127.0.0.1/32 trust\n\
                      host replication postgres 127.0.0.1/32 trust\n\
                      host all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(self.data().join("pg_hba.conf"), access)
            .map_err(|error| format!("cannot write pg_hba.conf: {error}"))
    }

    /// Makes its data a copy of those of a running server, which it then follows.
    fn copy(&self, port: u16) -> Result<(), String> {
        let output = self
            .command("pg_basebackup")
            .args([
                "--host=127.0.0.1",
                "--username=postgres",
                "--checkpoint=fast",
                "--write-recovery-conf",
                "--no-sync",
            ])
            .arg(format!("--port={port}"))
            .arg("--pgdata")
            .arg(self.data())
            .output()
            .map_err(|error| format!("cannot run pg_basebackup: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let message = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "pg_basebackup failed, {}: {message}",
            output.status
        ))
    }

    /// Starts the server on its data and waits until it is ready.
    pub(super) fn run(&self) -> Result<(), String> {
        let mut postmaster = self.postmaster();
        if postmaster.is_some() {
            return Err("the server is already running".to_owned());
        }
        let log = fs::File::create(self.log())
            .map_err(|error| format!("cannot write the server's log: {error}"))?;
        let errors = log
            .try_clone()
            .map_err(|error| format!("cannot write the server's log: {error}"))?;
        let mut child = self
            .command("postgres")
            .arg("-D")
            .arg(self.data())
            .arg("-p")
            .arg(self.port.to_string())
            .arg("-k")
            .arg(&self.directory)
            // Durability is not under test, and nobody should wait for the disk.
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "max_connections=300",
                "-c",
                "fsync=off",
            ])
            .args([
                "-c",
                "synchronous_commit=off",
                "-c",
                "full_page_writes=off",
                "-c",
                "timezone=UTC",
            ])
            .stdout(log)
            .stderr(errors)
            // Ctrl-C at a terminal would otherwise reach it before the tests have shown what they saw.
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot run postgres: {error}"))?;
        let outcome = poll(GENEROUS, || {
            if let Ok(Some(status)) = child.try_wait() {
                return Some(Err(format!("postgres ended at once, {status}")));
            }
            let file = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
            // A file left behind by a crash names another process.
            let mine = file.lines().next() == Some(child.id().to_string().as_str());
            let is_ready = matches!(file.lines().nth(7)?.trim(), "ready" | "standby");
            (mine && is_ready).then_some(Ok(()))
        });
        match outcome.unwrap_or_else(|| Err(format!("postgres was not ready after {GENEROUS:?}"))) {
            Ok(()) => {
                *postmaster = Some(child);
                Ok(())
            }
            Err(reason) => {
                // It may have ended by itself; then there is nothing to kill.
                let _ = child.kill();
                let _ = child.wait();
                let log = fs::read_to_string(self.log()).unwrap_or_default();
                Err(format!("{reason}:\n{log}"))
            }
        }
    }

    /// Ends the server with one of its shutdown signals and waits until it has.
    #[track_caller]
    pub(super) fn end(&self, how: Signal) {
        let Some(mut child) = self.postmaster().take() else {
            return;
        };
        let pid = Pid::from_child(&child);
        kill_process(pid, how).expect("an unreaped child can be signalled");
        self.resume_processes(pid);
        let ended = poll(GENEROUS, || child.try_wait().ok().flatten());
        assert!(ended.is_some(), "PostgreSQL did not end after {GENEROUS:?}");
    }

    pub(super) fn resume(&self) {
        self.resume_processes(self.pid());
    }

    fn resume_processes(&self, postmaster: Pid) {
        let Ok(paused) = fs::read_to_string(self.paused()) else {
            return;
        };
        let processes = paused
            .split(' ')
            .filter_map(|pid| Pid::from_raw(pid.parse().ok()?));
        for process in processes.chain([postmaster]) {
            // One that ended meanwhile needs no waking.
            let _ = kill_process(process, Signal::CONT);
        }
        fs::remove_file(self.paused()).expect("the list of paused processes was just read");
    }

    #[track_caller]
    pub(super) fn pid(&self) -> Pid {
        Pid::from_child(self.postmaster().as_ref().expect("the server is running"))
    }

    fn postmaster(&self) -> MutexGuard<'_, Option<Child>> {
        // A test that failed while it held the lock has left a value that is still true.
        self.postmaster
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.binaries.join(name));
        command
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::null());
        if let Some((user, group)) = self.owner {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end(Signal::QUIT);
        drop(self.watchdog.stdin.take());
        // It has only a directory left to remove; if that fails, no test is wrong.
        let _ = self.watchdog.wait();
    }
}
