//! What can go wrong at a database, sorted by what is to be done about it.

use std::borrow::Cow;
use std::fmt;

use super::hosts::Host;
use super::{Target, Value};
use crate::text::secret;

/// Which kind of remedy an error asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The URL cannot be used.
    Url,
    /// The server does not answer, or the connection broke.
    Unreachable,
    /// It has no connection left for us.
    Full,
    /// The disk has no space left for what is to be written.
    NoSpace,
    /// It can be read, and not written to.
    ReadOnly,
    /// A connection that is as safe as the URL asks for cannot be had.
    Tls,
    /// It refuses who we are.
    Authentication,
    /// We may not do this.
    Permission,
    /// It follows another server, so what it holds may be old.
    Standby,
    /// Some rows of a table would be left out without a word.
    HiddenRows,
    /// The database does not exist.
    NoDatabase,
    /// The file is not a database, or is damaged.
    NotADatabase,
    /// A lock was not granted in time, or the database stayed busy.
    Locked,
    /// A statement took longer than it may.
    Timeout,
    /// The transaction lost against another one and can be tried again.
    Conflict,
    /// A table that the statement names does not exist.
    NoTable,
    /// The ledger does not hold what it should.
    Ledger,
    /// The user, or the system, wanted the program to stop.
    Interrupted,
    /// The statement itself failed.
    Statement,
}

/// An error at a database. Holds no password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseError {
    pub kind: ErrorKind,
    pub message: String,
    /// The database's own code, such as `23505`.
    pub code: Option<String>,
    /// Where in the statement, in characters from 1.
    pub position: Option<usize>,
    target: Option<String>,
    /// Whether it is of a file, and not of a server.
    is_of_file: bool,
}

/// The code of what does not speak as a server of this database does.
pub(super) const STRANGER: &str = "stranger";

/// What is said of a statement that was not begun, or was cancelled.
pub const INTERRUPTED: &str = "interrupted";

impl std::error::Error for DatabaseError {}

impl fmt::Display for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            ErrorKind::Url
            | ErrorKind::Statement
            | ErrorKind::Conflict
            | ErrorKind::Interrupted => "",
            ErrorKind::Unreachable => "the database cannot be reached",
            ErrorKind::Full => "the database has no connection left",
            ErrorKind::NoSpace => "the disk of the database is full",
            ErrorKind::ReadOnly => "the database can only be read here",
            ErrorKind::Tls => "there is no safe connection to the database",
            // It was not asked: there is no password, or it is not sent.
            ErrorKind::Authentication if self.code.is_none() => "",
            ErrorKind::Authentication => "the database refuses the user or the password",
            ErrorKind::Permission => "the database user lacks a right",
            ErrorKind::Standby => "only the primary knows what holds now",
            ErrorKind::HiddenRows => "row level security hides rows from this user",
            ErrorKind::NoDatabase => "the database does not exist",
            ErrorKind::NotADatabase => "the file is not an SQLite database, or is damaged",
            ErrorKind::Locked => "a lock was not granted in time",
            ErrorKind::Timeout => "a statement took too long",
            ErrorKind::NoTable => "a table is missing",
            ErrorKind::Ledger => "the ledger does not hold what it should",
        };
        f.write_str(what)?;
        if let Some(target) = &self.target
            && !what.is_empty()
        {
            write!(f, " ({target})")?;
        }
        if !what.is_empty() {
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

impl DatabaseError {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            code: None,
            position: None,
            target: None,
            is_of_file: false,
        }
    }

    pub(super) fn bad_url(message: String) -> Self {
        Self::new(ErrorKind::Url, message)
    }

    /// There is nothing to log in with. A later attempt may find it.
    pub(super) fn no_password(message: String) -> Self {
        Self::new(ErrorKind::Authentication, message)
    }

    pub(super) fn unreachable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unreachable, message)
    }

    /// Nothing is begun any more.
    pub fn interrupted() -> Self {
        Self::new(ErrorKind::Interrupted, INTERRUPTED)
    }

    pub(super) fn unexpected(wanted: &str, found: Option<&Value>) -> Self {
        let found = match found {
            None => "nothing".to_owned(),
            Some(Value::Null) => "NULL".to_owned(),
            Some(Value::Int(value)) => format!("the number {value}"),
            Some(Value::Text(value)) => {
                format!("the text `{}`", value.chars().take(40).collect::<String>())
            }
        };
        Self::new(
            ErrorKind::Ledger,
            format!("expected {wanted} and found {found}"),
        )
    }

    /// Names the database in the message.
    pub(super) fn at(mut self, target: &Target) -> Self {
        self.target = Some(target.to_string());
        self
    }

    /// Names the one of several servers that it is of.
    pub(super) fn of_host(mut self, host: &Host) -> Self {
        self.message = format!("{host}: {}", self.message);
        self
    }

    fn is_of_a_socket(&self) -> bool {
        let target = self.target.as_deref();
        target.is_some_and(|target| target.contains(", at /"))
    }

    fn is_of_a_file(&self) -> bool {
        let target = self.target.as_deref();
        self.is_of_file || target.is_some_and(|target| target.starts_with("sqlite:"))
    }

    /// Says that there is no server.
    #[allow(dead_code, reason = "a server's are not")]
    pub(super) fn of_a_file(mut self) -> Self {
        self.is_of_file = true;
        self
    }

    /// Whether a statement was refused because what it makes is there.
    #[must_use]
    pub fn is_there_already(&self) -> bool {
        match self.code.as_deref() {
            // PostgreSQL: a schema, a table, an object of another kind, a column, a function.
            Some("42P06" | "42P07" | "42710" | "42701" | "42723") => true,
            // MySQL: a table, a column, an index, a trigger, a routine.
            Some("1050" | "1060" | "1061" | "1359" | "1304") => true,
            // SQLite has one code for all.
            Some("1") => {
                self.message.contains(" already exists")
                    || self.message.starts_with("duplicate column name")
            }
            _ => false,
        }
    }

    /// Whether it may go away when other sessions have ended what they are doing. A statement that took too long may not: it
    /// would take as long again.
    #[must_use]
    pub const fn is_contention(&self) -> bool {
        matches!(self.kind, ErrorKind::Locked | ErrorKind::Conflict)
    }

    /// Whether trying again may help without anybody doing anything.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Unreachable
                | ErrorKind::Full
                | ErrorKind::Locked
                | ErrorKind::Timeout
                | ErrorKind::Conflict
        )
    }

    /// What a user can do about it, where that is known.
    #[must_use]
    pub fn help(&self) -> Option<&'static str> {
        Some(match self.kind {
            ErrorKind::Url => {
                "the URL is taken from --database-url, --database-url-file, DATABASE_URL, DATABASE_URL_FILE or [database] url in migrate.toml: the first that is there"
            }
            ErrorKind::Unreachable if self.is_of_a_file() => {
                "check the path in the database URL, the rights of the file and of its directory, and the space on the disk"
            }
            ErrorKind::Unreachable if self.code.as_deref() == Some(STRANGER) => {
                "name the host and the port of the database's own server in the URL"
            }
            ErrorKind::Unreachable if self.code.is_some() => {
                "the server is there and takes nobody: it starts, stops or broke the connection; see its log, and try again"
            }
            ErrorKind::Unreachable if self.is_of_a_socket() => {
                "check that the server runs, and that the path of its socket is right"
            }
            ErrorKind::Unreachable => "check that the server runs and that host and port are right",
            ErrorKind::Full => {
                "see who holds the connections, raise the server's limit, or put a pooler between; it is safe to try again"
            }
            ErrorKind::NoSpace => {
                "free space on the disk that the database is on, or give it more, and run the same command again: what could not be written whole \
                 was not written at all"
            }
            ErrorKind::ReadOnly => {
                "whoever runs `migrate` or an instance has to be able to write the file, and its directory, where SQLite keeps its journal beside \
                 it: see their owner and rights, and whether the file system is mounted read-only. Nothing was changed"
            }
            ErrorKind::Tls => {
                "docs/files.md says what each `sslmode` (PostgreSQL) and `ssl-mode` (MySQL, MariaDB) asks for"
            }
            ErrorKind::Authentication if self.code.is_none() => {
                "docs/files.md says where the password is taken from, and what each server may ask for"
            }
            ErrorKind::Authentication => "check the user and the password in the database URL",
            ErrorKind::Permission => {
                "docs/grants.md has the statements that give a coordinator, an instance and a reader the rights they need"
            }
            ErrorKind::Standby => "ask the primary: give its URL",
            ErrorKind::HiddenRows => {
                "what some rows are hidden from cannot speak for all: give the role BYPASSRLS (ALTER ROLE … BYPASSRLS), or \
                 let it own the table, without FORCE ROW LEVEL SECURITY; see docs/grants.md"
            }
            // Of a server there is a code.
            ErrorKind::NoDatabase if self.code.is_none() => {
                "where something should be, check the path; `migrate expand` makes the file of a new project"
            }
            ErrorKind::NoDatabase => "create the database first",
            ErrorKind::NotADatabase => {
                "check the path in the database URL; nothing has been changed"
            }
            ErrorKind::Locked => "find who holds the lock, or run the command again later",
            ErrorKind::Timeout => {
                "see what it waited for or read; for a backfill, raise `statement_timeout`"
            }
            ErrorKind::Ledger => {
                "the ledger's tables were changed by something else: put back what was there, from a backup; as far as they can be \
                 read, `migrate log --verify` says what was changed"
            }
            ErrorKind::Interrupted => "nothing was changed; run the same command again",
            ErrorKind::Conflict | ErrorKind::NoTable | ErrorKind::Statement => return None,
        })
    }

    pub(super) fn from_sqlx(
        error: &sqlx::Error,
        classify: impl Fn(&dyn sqlx::error::DatabaseError) -> ErrorKind,
    ) -> Self {
        let mut found = Self::unmasked(error, classify);
        if let Cow::Owned(masked) = secret::masked(&found.message) {
            found.message = masked;
        }
        found
    }

    fn unmasked(
        error: &sqlx::Error,
        classify: impl Fn(&dyn sqlx::error::DatabaseError) -> ErrorKind,
    ) -> Self {
        match error {
            sqlx::Error::Database(inner) => {
                let mut found = Self::new(classify(inner.as_ref()), inner.message());
                found.code = inner.code().map(Into::into);
                found
            }
            sqlx::Error::Io(inner) => Self::unreachable(inner.to_string()),
            sqlx::Error::Tls(inner) => Self::new(ErrorKind::Tls, format!("TLS: {inner}")),
            sqlx::Error::Protocol(message) => Self::unreachable(message.clone()),
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::unreachable("the connection is closed")
            }
            sqlx::Error::Configuration(inner) => Self::bad_url(inner.to_string()),
            sqlx::Error::ColumnDecode { source, .. } | sqlx::Error::Decode(source) => {
                Self::new(ErrorKind::Ledger, source.to_string())
            }
            other => Self::new(ErrorKind::Statement, other.to_string()),
        }
    }
}
