//! Throwaway MariaDB servers, as `postgres.rs` has them for PostgreSQL: one for all tests of a run, each test in a database
//! of its own, and private ones for tests that stop or kill a server. TEST_MYSQL_BIN names a `mysqld` of MySQL instead.

mod server;

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Signal;

use super::backend::Db;
use super::connection::{Connection, MysqlSession, TESTS};

use server::{CERTIFICATE, KEY, Server};

/// A database of one test; dropped with this value.
pub struct Database {
    pub url: String,
    pub name: String,
}

/// A new, empty database on the shared server, or on the one that TEST_MYSQL_URL names.
#[track_caller]
pub fn fresh_database() -> Database {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!(
        "phasegate_test_{}_{}",
        std::process::id(),
        NUMBER.fetch_add(1, Ordering::Relaxed)
    );
    administer(&maintenance_url(), &create(&name))
        .unwrap_or_else(|error| panic!("cannot create a database: {error}"));
    Database {
        url: at(&maintenance_url(), &name),
        name,
    }
}

impl Database {
    /// One that is there, on the server with this URL.
    pub fn named(server: &str, name: &str) -> Self {
        Self {
            url: format!("{server}/{name}"),
            name: name.to_owned(),
        }
    }

    /// Another one on the same server, called like this one and for nothing but its ledger. It is not made.
    pub fn for_ledger(&self) -> Self {
        let name = format!("{}_ledger", self.name);
        Self {
            url: at(&self.url, &name),
            name,
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // A leftover is no reason to fail: the server is thrown away as well.
        let _ = administer(
            &maintenance_url(),
            &format!("DROP DATABASE IF EXISTS {}", self.name),
        );
    }
}

fn create(name: &str) -> String {
    format!("CREATE DATABASE {name} CHARACTER SET utf8mb4")
}

/// The same URL with another database.
fn at(url: &str, database: &str) -> String {
    let (server, _) = url.rsplit_once('/').expect("a URL that names a database");
    format!("{server}/{database}")
}

#[track_caller]
fn maintenance_url() -> String {
    static SHARED: OnceLock<Result<Server, String>> = OnceLock::new();
    match std::env::var("TEST_MYSQL_URL") {
        Ok(url) if !url.is_empty() => {
            static LET_IN: OnceLock<Result<(), String>> = OnceLock::new();
            if let Err(reason) = LET_IN.get_or_init(|| let_tests_in(&url)) {
                panic!("{reason}");
            }
            url
        }
        _ => match SHARED.get_or_init(Server::start) {
            Ok(server) => server.url("mysql"),
            Err(reason) => panic!("{reason}"),
        },
    }
}

/// Whether it is a MariaDB and no MySQL, for what only one of them has.
#[track_caller]
pub fn is_mariadb(db: &Db) -> bool {
    db.value("SELECT VERSION()").contains("MariaDB")
}

/// Makes the user as whom the tests look into databases.
fn let_tests_in(url: &str) -> Result<(), String> {
    let all: String = ["localhost", "127.0.0.1", "%"]
        .iter()
        .map(|host| {
            format!(
                "CREATE USER IF NOT EXISTS '{TESTS}'@'{host}'; \
                 GRANT ALL PRIVILEGES ON *.* TO '{TESTS}'@'{host}' WITH GRANT OPTION;"
            )
        })
        .collect();
    MysqlSession::open_plain(url)
        .and_then(|session| Connection::new(Box::new(session)).try_execute(&all))
        .map(drop)
        .map_err(|error| format!("cannot make the user of the tests: {error}"))
}

fn administer(url: &str, sql: &str) -> Result<u64, sqlx::Error> {
    Connection::new(Box::new(MysqlSession::open(url)?)).try_execute(sql)
}

/// Where a server's certificate and key are, in its directory.
/// A server that belongs to one test, to be stopped, killed and started again. Ended when dropped.
pub struct PrivateServer {
    server: Server,
}

impl PrivateServer {
    #[track_caller]
    pub fn start() -> Self {
        match Server::start() {
            Ok(server) => Self { server },
            Err(reason) => panic!("{reason}"),
        }
    }

    /// As [`Self::start`], for servers of which one is to follow another: each has a number of its own, and a binary log.
    #[track_caller]
    pub fn numbered(number: u32) -> Self {
        match Server::start_as(Some(number)) {
            Ok(server) => Self { server },
            Err(reason) => panic!("{reason}"),
        }
    }

    /// Lets this server follow another one from its beginning on.
    #[track_caller]
    pub fn follow(&self, primary: &Self) {
        let sql = format!(
            "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {}, MASTER_USER = 'root', MASTER_USE_GTID = slave_pos; \
             START SLAVE; SET GLOBAL read_only = 1",
            primary.server.port
        );
        administer(&self.url("mysql"), &sql).unwrap_or_else(|error| panic!("{error}"));
    }

    /// The administrator's URL; it stays the same over a restart.
    pub fn url(&self, database: &str) -> String {
        self.server.url(database)
    }

    /// The URL of any other user, which has to log in with its password.
    pub fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        format!(
            "mysql://{user}:{password}@127.0.0.1:{}/{database}",
            self.server.port
        )
    }

    /// A new, empty database on this server.
    #[track_caller]
    pub fn create(&self, database: &str) -> Db {
        administer(&self.url("mysql"), &create(database))
            .unwrap_or_else(|error| panic!("cannot create the database {database}: {error}"));
        Db::at("mysql", self.url(database))
    }

    /// Starts the server anew, with this certificate and its key.
    #[track_caller]
    pub fn speak_tls(&self, certificate: &Path, key: &Path) {
        for (from, to) in [(certificate, CERTIFICATE), (key, KEY)] {
            let to = self.server.directory.join(to);
            fs::copy(from, &to).expect("the server's directory is writable");
            fs::set_permissions(&to, fs::Permissions::from_mode(0o644)).expect("it is ours");
        }
        self.server.end(Signal::TERM);
        self.start_again();
    }

    /// A session under the name that an application gives to itself when it connects, as long as this value lives.
    /// The driver of the other tests gives none, so this one says the few words itself.
    #[track_caller]
    pub fn session_of(&self, program: &str, database: &str) -> TcpStream {
        let mut stream = TcpStream::connect(("127.0.0.1", self.server.port)).expect("a server");
        let said = introduce(&mut stream, program, database).expect("an answer");
        assert_eq!(said.first(), Some(&0), "not let in: {said:?}");
        stream
    }

    /// Ends the server as a crash does: the next start recovers from the log.
    #[track_caller]
    pub fn crash(&self) {
        self.server.end(Signal::KILL);
    }

    /// From now on the server can write no file, until it is started again.
    #[track_caller]
    pub fn fill_the_disk(&self) {
        let process = self.server.child().as_ref().map(Child::id);
        let process = process.expect("a running server").to_string();
        let mut command = Command::new("prlimit");
        command.args(["--pid", &process, "--fsize=0:"]);
        if let Some((user, group)) = self.server.owner {
            command.uid(user).gid(group);
        }
        let status = command.status().expect("prlimit starts");
        assert!(status.success(), "prlimit --pid {process} failed");
    }

    /// Starts a stopped or crashed server, with the same data at the same port, and waits until it is ready.
    #[track_caller]
    pub fn start_again(&self) {
        if let Err(reason) = self.server.run() {
            panic!("{reason}");
        }
    }
}

/// Logs in as root without a password, and returns the server's answer: 0 is the first byte of a good one.
fn introduce(stream: &mut TcpStream, program: &str, database: &str) -> std::io::Result<Vec<u8>> {
    /// LONG_PASSWORD, CONNECT_WITH_DB, PROTOCOL_41, SECURE_CONNECTION, PLUGIN_AUTH and CONNECT_ATTRS.
    const CAPABILITIES: u32 = 0x1 | 0x8 | 0x200 | 0x8000 | 0x8_0000 | 0x10_0000;
    const UTF8MB4: u8 = 45;
    receive(stream)?;
    let mut packet = Vec::new();
    packet.extend(CAPABILITIES.to_le_bytes());
    packet.extend((1u32 << 24).to_le_bytes());
    packet.push(UTF8MB4);
    packet.extend([0; 23]);
    // The user, an empty answer to the challenge, the database and the plugin.
    packet.extend(b"root\0\0");
    packet.extend(database.bytes().chain([0]));
    packet.extend(b"mysql_native_password\0");
    let attributes: Vec<u8> = ["program_name", program]
        .iter()
        .flat_map(|text| [&[length(text)], text.as_bytes()].concat())
        .collect();
    packet.push(u8::try_from(attributes.len()).expect("a short name"));
    packet.extend(attributes);
    send(stream, 1, &packet)?;
    let answer = receive(stream)?;
    if answer.first() != Some(&0xfe) {
        return Ok(answer);
    }
    // Asked to authenticate in another way: there is still no password.
    send(stream, 3, &[])?;
    receive(stream)
}

fn length(text: &str) -> u8 {
    u8::try_from(text.len()).expect("a short text")
}

fn send(stream: &mut TcpStream, number: u8, packet: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(packet.len()).expect("a short packet");
    let [a, b, c, _] = length.to_le_bytes();
    stream.write_all(&[&[a, b, c, number], packet].concat())
}

fn receive(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head)?;
    let [a, b, c, _] = head;
    let mut packet = vec![0; usize::from(a) | usize::from(b) << 8 | usize::from(c) << 16];
    stream.read_exact(&mut packet)?;
    Ok(packet)
}
