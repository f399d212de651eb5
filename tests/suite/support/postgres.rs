//! Throwaway PostgreSQL servers.
//!
//! All tests of a run share one, each in a database of its own; a test that stops, kills or pauses a server starts a
//! [`PrivateServer`]. A server and its directory are gone with the process that started it, however that ended: a watchdog
//! waits on a pipe that only the death of this process closes.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::str::FromStr as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sqlx::ConnectOptions as _;

use super::backend::Db;
use super::connection::{Connection, PostgresSession};
use super::wait::{GENEROUS, eventually, poll};

pub mod machine;
mod server;

use server::{Origin, Server};

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

    /// Makes a standby of the server, at the same port: one that nobody sends anything to.
    #[track_caller]
    pub fn demote(&self) {
        self.stop();
        fs::write(self.server.data().join("standby.signal"), "").expect("the data are writable");
        self.start_again();
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
