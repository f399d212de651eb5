//! Throwaway PostgreSQL servers.
//!
//! All tests of a run share one, each in a database of its own; a test that stops, kills or pauses a server starts a
//! [`PrivateServer`]. A server and its directory are gone with the process that started it, however that ended: a watchdog
//! waits on a pipe that only the death of this process closes.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::str::FromStr as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, geteuid, kill_process, test_kill_process};
use sqlx::ConnectOptions as _;

use super::backend::Db;
use super::connection::{Connection, PostgresSession};
use super::wait::{GENEROUS, eventually, poll};

pub mod machine;

use machine::{binaries, free_port, unprivileged_user, watchdog};

/// A database of one test; dropped with this value.
pub struct Database {
    pub url: String,
    name: String,
}

/// A new, empty database on the shared server, or on the one that TEST_POSTGRES_URL names.
#[track_caller]
pub fn fresh_database() -> Database {
    copied_database("template0")
}

/// A new database that is equal to this one on the same server, which nobody may have open.
#[track_caller]
pub fn copied_database(template: &str) -> Database {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "phasegate_test_{}_{}",
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    let maintenance = maintenance_url();
    // A session that was closed a moment ago may still be on its way out.
    let attempt = || {
        administer(
            &maintenance,
            &format!("CREATE DATABASE {name} TEMPLATE {template}"),
        )
    };
    let mut last = attempt();
    let is_in_use = |result: &Result<u64, sqlx::Error>| {
        let error = result
            .as_ref()
            .err()
            .and_then(|error| error.as_database_error());
        error.and_then(|error| error.code()).as_deref() == Some("55006")
    };
    poll(GENEROUS, || {
        if is_in_use(&last) {
            last = attempt();
        }
        (!is_in_use(&last)).then_some(())
    });
    last.unwrap_or_else(|error| panic!("cannot create a database at {maintenance}: {error}"));
    let options = sqlx::postgres::PgConnectOptions::from_str(&maintenance)
        .expect("the URL worked a moment ago");
    Database {
        url: options.database(&name).to_url_lossy().to_string(),
        name,
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A leftover is no reason to fail: the server is thrown away as well, or the run that uses TEST_POSTGRES_URL has
        // already failed for the same reason.
        let _ = administer(
            &maintenance_url(),
            &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name),
        );
    }
}

#[track_caller]
fn maintenance_url() -> String {
    static SHARED: OnceLock<Result<Server, String>> = OnceLock::new();
    match std::env::var("TEST_POSTGRES_URL") {
        Ok(url) if !url.is_empty() => url,
        _ => match SHARED.get_or_init(|| Server::start(Origin::Empty)) {
            Ok(server) => server.url("postgres"),
            Err(reason) => panic!("{reason}"),
        },
    }
}

fn administer(url: &str, sql: &str) -> Result<u64, sqlx::Error> {
    Connection::new(Box::new(PostgresSession::open(url)?)).try_execute(sql)
}

/// A server that belongs to one test, to be stopped, killed, paused and started again. Ended when dropped.
pub struct PrivateServer {
    server: Server,
}

impl PrivateServer {
    #[track_caller]
    pub fn start() -> Self {
        match Server::start(Origin::Empty) {
            Ok(server) => Self { server },
            Err(reason) => panic!("{reason}"),
        }
    }

    /// A standby that begins as a copy of this server and follows it.
    #[track_caller]
    pub fn follow(&self) -> Self {
        match Server::start(Origin::Following(self.server.port)) {
            Ok(server) => Self { server },
            Err(reason) => panic!("{reason}"),
        }
    }

    /// The superuser's URL; it stays the same over a restart. The database `postgres` exists from the start.
    pub fn url(&self, database: &str) -> String {
        self.server.url(database)
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// The URL of any other role, which has to log in with its password.
    pub fn url_as(&self, role: &str, password: &str, database: &str) -> String {
        format!(
            "postgres://{role}:{password}@127.0.0.1:{}/{database}",
            self.server.port
        )
    }

    /// The superuser's URL through the Unix socket.
    pub fn socket_url(&self, database: &str) -> String {
        let directory = self
            .server
            .directory
            .display()
            .to_string()
            .replace('/', "%2F");
        format!(
            "postgres://postgres@{directory}:{}/{database}",
            self.server.port
        )
    }

    /// A new, empty database on this server.
    #[track_caller]
    pub fn create(&self, database: &str) -> Db {
        administer(
            &self.url("postgres"),
            &format!("CREATE DATABASE {database} TEMPLATE template0"),
        )
        .unwrap_or_else(|error| panic!("cannot create the database {database}: {error}"));
        Db::at("postgres", self.url(database))
    }

    /// Ends the server as an administrator does: sessions are told and closed (57P01), the data is checkpointed.
    #[track_caller]
    pub fn stop(&self) {
        self.server.end(Signal::INT);
    }

    /// Ends the server as a crash does: sessions break, and the next start recovers from the log.
    #[track_caller]
    pub fn crash(&self) {
        self.server.end(Signal::QUIT);
    }

    /// Lets a process of the server write no file any more, as on a full disk. Only its owner may say so.
    #[track_caller]
    pub fn fill_the_disk_of(&self, process: &str) {
        let mut command = Command::new("prlimit");
        command.args(["--pid", process, "--fsize=0:"]);
        if let Some((user, group)) = self.server.owner {
            command.uid(user).gid(group);
        }
        let status = command.status().expect("prlimit starts");
        // A session whose client has just gone may end before its turn comes.
        if !status.success() {
            self.wait_for_end_of(process);
        }
    }

    /// Waits until the server has noticed that a process of its own has ended: from then on a new session is not one
    /// that it is about to end because of that process.
    #[track_caller]
    pub fn wait_for_end_of(&self, process: &str) {
        let process = process.parse().ok().and_then(Pid::from_raw);
        let process = process.expect("the number of a process");
        eventually(GENEROUS, || {
            (test_kill_process(process) == Err(Errno::SRCH)).then_some(())
        });
    }

    /// Starts a stopped or crashed server, with the same data at the same port, and waits until it is ready.
    #[track_caller]
    pub fn start_again(&self) {
        if let Err(reason) = self.server.run() {
            panic!("{reason}");
        }
    }

    /// Freezes every process of the server: sessions stay open and nothing answers, as when a machine hangs.
    #[track_caller]
    pub fn pause(&self) {
        let mut session = Connection::new(Box::new(
            PostgresSession::open(&self.url("postgres"))
                .expect("a running server accepts a session"),
        ));
        let postmaster = self.server.pid();
        // First the one that starts others, so that the list below is complete.
        kill_process(postmaster, Signal::STOP).expect("the server runs");
        let sessions = session.query("SELECT pid FROM pg_stat_activity WHERE pid IS NOT NULL");
        let processes: Vec<Pid> = sessions
            .iter()
            .flatten()
            .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
            .collect();
        let list: Vec<String> = processes
            .iter()
            .map(|pid| pid.as_raw_nonzero().to_string())
            .collect();
        // Written before it is true, for the watchdog: a frozen process would not hear that it should end.
        fs::write(self.server.paused(), list.join(" "))
            .expect("the server's directory is writable");
        for process in processes {
            // One that ended meanwhile needs no freezing.
            let _ = kill_process(process, Signal::STOP);
        }
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.server.resume();
    }
}

/// A running server: its directory, its port, and the watchdog that outlives this process by a moment.
struct Server {
    binaries: PathBuf,
    directory: PathBuf,
    port: u16,
    /// The user that runs it, where this process is root: PostgreSQL refuses to run as root.
    owner: Option<(u32, u32)>,
    postmaster: Mutex<Option<Child>>,
    watchdog: Child,
}

const ATTEMPTS: usize = 5;

/// Where a server's data come from.
#[derive(Clone, Copy)]
enum Origin {
    Empty,
    /// From the server at this port.
    Following(u16),
}

impl Server {
    fn start(origin: Origin) -> Result<Self, String> {
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
            .tempdir()
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

    fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn log(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// The processes that a pause has frozen.
    fn paused(&self) -> PathBuf {
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
    fn run(&self) -> Result<(), String> {
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
    fn end(&self, how: Signal) {
        let Some(mut child) = self.postmaster().take() else {
            return;
        };
        let pid = Pid::from_child(&child);
        kill_process(pid, how).expect("an unreaped child can be signalled");
        self.resume_processes(pid);
        let ended = poll(GENEROUS, || child.try_wait().ok().flatten());
        assert!(ended.is_some(), "PostgreSQL did not end after {GENEROUS:?}");
    }

    fn resume(&self) {
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
    fn pid(&self) -> Pid {
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
