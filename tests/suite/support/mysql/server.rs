//! A MariaDB server of our own: how it is made, started, ended, and taken away with this process.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, geteuid, kill_process};

use super::super::connection::MysqlSession;
use super::super::place::place;
use super::super::postgres::machine::{free_port, unprivileged_user};
use super::super::took;
use super::super::wait::{GENEROUS, poll};
use super::let_tests_in;

pub(super) const CERTIFICATE: &str = "server.crt";
pub(super) const KEY: &str = "server.key";

/// A server of our own, which ends with this process.
pub(super) struct Server {
    pub(super) binary: PathBuf,
    pub(super) directory: PathBuf,
    /// Among servers that follow each other.
    pub(super) number: Option<u32>,
    pub(super) port: u16,
    pub(super) owner: Option<(u32, u32)>,
    pub(super) child: Mutex<Option<Child>>,
    pub(super) watchdog: Child,
}

const ATTEMPTS: usize = 5;

fn found(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let directories = std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/usr/libexec"].map(PathBuf::from));
    directories
        .flat_map(|directory| names.iter().map(move |name| directory.join(name)))
        .find(|file| file.is_file())
}

/// Waits, in a process of its own, for this one to end; then ends the server and removes its directory.
fn watchdog(directory: &Path) -> std::io::Result<Child> {
    const SCRIPT: &str = r#"
        trap '' HUP INT TERM
        while read -r _; do :; done
        pid="$1/server.pid"
        try() { [ -e "$pid" ] && kill "-$1" "$(cat "$pid")" 2>/dev/null; }
        try KILL
        tries=0
        while rm -rf -- "$1" 2>/dev/null; [ -e "$1" ] && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
    "#;
    Command::new("sh")
        .args(["-c", SCRIPT, "watchdog"])
        .arg(directory)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
}

impl Server {
    pub(super) fn start() -> Result<Self, String> {
        Self::start_as(None)
    }

    pub(super) fn start_as(number: Option<u32>) -> Result<Self, String> {
        took::begins();
        let missing = "MariaDB's server binaries (mariadbd and mariadb-install-db) were not found, and no test is skipped \
                       without them. `sh tests/run.sh` installs them; or install them yourself, or set TEST_MYSQL_URL.";
        let (binary, install) = match std::env::var_os("TEST_MYSQL_BIN") {
            Some(binary) if !binary.is_empty() => (PathBuf::from(binary), None),
            _ => {
                let install = found(&["mariadb-install-db", "mysql_install_db"]).ok_or(missing)?;
                let binary = found(&["mariadbd", "mysqld"]).ok_or(missing)?;
                (binary, Some(install))
            }
        };
        let owner = if geteuid().is_root() {
            Some(unprivileged_user()?)
        } else {
            None
        };
        let directory = tempfile::Builder::new()
            .prefix("phasegate-mariadb-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(place())
            .map_err(|error| format!("cannot make a directory for a MariaDB server: {error}"))?
            .keep();
        let watchdog = watchdog(&directory)
            .map_err(|error| format!("cannot start sh as a watchdog: {error}"))?;
        let mut server = Self {
            binary,
            directory,
            port: 0,
            number,
            owner,
            child: Mutex::new(None),
            watchdog,
        };
        server.initialise(install.as_deref())?;
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
        format!("mysql://root@127.0.0.1:{}/{database}", self.port)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Makes the server's data; MySQL's does it itself, and `install` does it for MariaDB.
    pub(super) fn initialise(&self, install: Option<&Path>) -> Result<(), String> {
        if let Some((user, group)) = self.owner {
            chown(&self.directory, Some(user), Some(group)).map_err(|error| {
                format!(
                    "cannot hand {} to user {user}: {error}",
                    self.directory.display()
                )
            })?;
        }
        let program = install.unwrap_or(&self.binary);
        let how: &[&str] = match install {
            Some(_) => &["--auth-root-authentication-method=normal", "--skip-test-db"],
            None => &["--initialize-insecure"],
        };
        let output = self
            .command(program)
            .arg("--no-defaults")
            .args(how)
            .arg(format!("--datadir={}", self.data().display()))
            .output()
            .map_err(|error| format!("cannot run {}: {error}", program.display()))?;
        if output.status.success() {
            return Ok(());
        }
        Err(format!(
            "{} failed, {}: {}{}",
            program.display(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        ))
    }

    /// Starts the server on its data and waits until it lets somebody in.
    pub(super) fn run(&self) -> Result<(), String> {
        let mut running = self.child();
        if running.is_some() {
            return Err("the server is already running".to_owned());
        }
        let log = self.directory.join("log");
        let mut child = self
            .command(&self.binary)
            .arg("--no-defaults")
            .arg(format!("--datadir={}", self.data().display()))
            .arg(format!(
                "--socket={}",
                self.directory.join("socket").display()
            ))
            .arg(format!(
                "--pid-file={}",
                self.directory.join("server.pid").display()
            ))
            .arg(format!("--log-error={}", log.display()))
            // Two servers whose processes have one number would share the names of temporary tables.
            .arg(format!("--tmpdir={}", self.data().display()))
            .arg(format!("--port={}", self.port))
            // Durability is not under test, and nobody should wait for the disk.
            .args([
                "--bind-address=127.0.0.1",
                "--max-connections=300",
                "--innodb-flush-log-at-trx-commit=2",
                "--skip-innodb-doublewrite",
                // What only one of the two knows is passed over by the other.
                "--loose-innodb-log-file-size=16M",
                "--loose-mysqlx=OFF",
                "--innodb-buffer-pool-size=64M",
                "--performance-schema=ON",
                "--character-set-server=utf8mb4",
            ])
            .args(self.number.into_iter().flat_map(|number| {
                [
                    format!("--server-id={number}"),
                    format!("--log-bin={}", self.data().join("binlog").display()),
                    "--log-bin-trust-function-creators=1".to_owned(),
                ]
            }))
            .args(self.certificates())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| format!("cannot run {}: {error}", self.binary.display()))?;
        let outcome: Option<Result<(), String>> = poll(GENEROUS, || {
            if let Ok(Some(status)) = child.try_wait() {
                return Some(Err(format!("the server ended at once, {status}")));
            }
            MysqlSession::open_plain(&self.url("mysql"))
                .is_ok()
                .then(|| let_tests_in(&self.url("mysql")))
        });
        match outcome.unwrap_or_else(|| Err(format!("the server was not ready after {GENEROUS:?}")))
        {
            Ok(()) => {
                *running = Some(child);
                Ok(())
            }
            Err(reason) => {
                // It may have ended by itself; then there is nothing to kill.
                let _ = child.kill();
                let _ = child.wait();
                let log = fs::read_to_string(log).unwrap_or_default();
                Err(format!("{reason}:\n{log}"))
            }
        }
    }

    /// What it speaks TLS with, once it was told to.
    pub(super) fn certificates(&self) -> Vec<String> {
        let file = |name: &str| self.directory.join(name);
        if !file(CERTIFICATE).exists() {
            return Vec::new();
        }
        vec![
            format!("--ssl-cert={}", file(CERTIFICATE).display()),
            format!("--ssl-key={}", file(KEY).display()),
        ]
    }

    #[track_caller]
    pub(super) fn end(&self, how: Signal) {
        let Some(mut child) = self.child().take() else {
            return;
        };
        kill_process(Pid::from_child(&child), how).expect("an unreaped child can be signalled");
        let ended = poll(GENEROUS, || child.try_wait().ok().flatten());
        assert!(ended.is_some(), "the server did not end after {GENEROUS:?}");
    }

    pub(super) fn child(&self) -> MutexGuard<'_, Option<Child>> {
        // A test that failed while it held the lock has left a value that is still true.
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/bin")
            .env("LC_ALL", "C")
            // Servers that are made at one moment would take each other's temporary tables in a directory that they share.
            .env("TMPDIR", &self.directory)
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
        self.end(Signal::KILL);
        drop(self.watchdog.stdin.take());
        // It has only a directory left to remove; if that fails, no test is wrong.
        let _ = self.watchdog.wait();
    }
}
