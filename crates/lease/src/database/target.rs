//! Which database is meant, and how to speak of it without giving its password away.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::asked::Asking;
use super::given::Given;
use super::hosts::Host;
use super::schemes::missing;
use super::small::read_small;
use super::url::ServerUrl;
use super::{DatabaseError, PasswordSource, SCHEMES};
use crate::sql::{Dialect, dialect_of_url, wrong_with_ledger};
use crate::text::secret;

/// A database, as its URL names it.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    dialect: Dialect,
    place: Place,
    /// What says the place anew for each connection.
    origin: Option<Origin>,
    /// What the application's own connections are made with, where it has said that instead of a URL.
    given: Option<Given>,
    /// What says the password anew for each login.
    password: Option<PasswordSource>,
    /// How much is said of the statements of whoever holds a lock there.
    statements: Statements,
    /// The database of its own in which the project keeps the ledger.
    ledger: Option<String>,
    /// Which one it is of several servers that are named. Whatever belongs to its session goes there as well.
    chosen: Option<Host>,
}

/// How much is said of other sessions' statements: their texts may hold what is nobody's business.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Statements {
    /// What kind they are of.
    #[default]
    Kind,
    Whole,
}

/// What says anew for each connection where the database is, and how to log in.
#[derive(Clone, PartialEq, Eq)]
enum Origin {
    /// A file that holds the URL, and where a relative path in it starts.
    File(PathBuf, PathBuf),
    /// The application.
    Asked(Asking),
}

#[derive(Clone, PartialEq, Eq)]
enum Place {
    /// The file of an embedded database.
    File(PathBuf),
    Server(Box<ServerUrl>),
}

impl Target {
    /// Reads a URL; a relative path of an embedded database starts at `base`.
    ///
    /// # Errors
    /// A URL that cannot be used, and how to write it; it is not repeated in the message.
    pub fn parse(url: &str, base: &Path) -> Result<Self, DatabaseError> {
        let url = url.trim();
        let scheme = url.split(':').next().unwrap_or_default();
        let is_one = dialect_of_url(url).is_ok();
        let found = SCHEMES.iter().find(|(name, _)| is_one && *name == scheme);
        let Some((_, dialect)) = found else {
            return Err(DatabaseError::bad_url(unsupported(url)));
        };
        let place = match dialect {
            Dialect::Sqlite => Place::File(sqlite_path(url, base)?),
            Dialect::Postgres | Dialect::Mysql => {
                let server = ServerUrl::parse(url, *dialect).map_err(DatabaseError::bad_url)?;
                if let Some(password) = &server.password {
                    secret::remember(password, &server.names());
                }
                Place::Server(Box::new(server))
            }
        };
        Ok(Self::at(*dialect, place))
    }

    fn at(dialect: Dialect, place: Place) -> Self {
        Self {
            dialect,
            place,
            origin: None,
            given: None,
            password: None,
            statements: Statements::default(),
            ledger: None,
            chosen: None,
        }
    }

    /// The file of an embedded database.
    ///
    /// # Errors
    /// Where it is none that outlives this process.
    pub(super) fn of_file(path: PathBuf) -> Result<Self, DatabaseError> {
        let text = path.to_string_lossy();
        // As the driver names what is in memory.
        if text.is_empty() || text == ":memory:" || text.starts_with("file:sqlx-in-memory") {
            return Err(DatabaseError::bad_url(
                "a database in memory is no place for a lease: nobody else would see it".to_owned(),
            ));
        }
        Ok(Self::at(Dialect::Sqlite, Place::File(path)))
    }

    /// A server, as the application's own connections reach it.
    pub(super) fn given(given: Given) -> Self {
        let (dialect, server) = given.server();
        if let Some(password) = &server.password {
            secret::remember(password, &server.names());
        }
        Self {
            given: Some(given),
            ..Self::at(dialect, Place::Server(Box::new(server)))
        }
    }

    /// The same database, whose place and password `asking` says anew for each login.
    pub(super) fn asking(mut self, asking: Asking) -> Self {
        self.origin = Some(Origin::Asked(asking));
        self
    }

    /// Reads a URL from a file that holds nothing else. Each connection reads it anew, so that a password may change.
    ///
    /// # Errors
    /// The file cannot be read, or what it holds cannot be used as [`Target::parse`] says.
    pub fn from_file(file: &Path, base: &Path) -> Result<Self, DatabaseError> {
        let url = read_url(file)?;
        let mut target = Self::parse(&url, base).map_err(|error| {
            DatabaseError::bad_url(format!("{}: {}", file.display(), error.message))
        })?;
        target.origin = Some(Origin::File(file.to_owned(), base.to_owned()));
        Ok(target)
    }

    /// The same database, whose password is asked for anew at each login, whatever the URL says.
    #[must_use]
    pub fn with_password(mut self, source: PasswordSource) -> Self {
        self.password = Some(source);
        self
    }

    /// The same database; so much is said of the statements of whoever holds a lock there.
    #[must_use]
    pub const fn showing(mut self, statements: Statements) -> Self {
        self.statements = statements;
        self
    }

    /// The same database, whose ledger is in a database of its own on the same server (MySQL, MariaDB). The URL may say so as
    /// well, with `?ledger=NAME`, and has to agree.
    #[must_use]
    pub fn with_ledger(mut self, database: impl Into<String>) -> Self {
        self.ledger = Some(database.into());
        self
    }

    /// The database of its own in which the ledger is, where one is named and the server has several.
    ///
    /// # Errors
    /// Where the URL and the project name different ones, or one that cannot be it.
    pub(super) fn ledger(&self) -> Result<Option<&str>, DatabaseError> {
        let Place::Server(server) = &self.place else {
            return Ok(None);
        };
        let named = match (server.parameter("ledger"), self.ledger.as_deref()) {
            (Some(url), Some(project)) if url != project => {
                return Err(DatabaseError::bad_url(format!(
                    "the URL says `ledger={url}`, and the project keeps its ledger in `{project}`: nobody guesses which of them \
                     is right, so make both the same"
                )));
            }
            (Some(name), _) | (None, Some(name)) => name,
            (None, None) => return Ok(None),
        };
        match wrong_with_ledger(named) {
            None => Ok(Some(named)),
            Some(why) => Err(DatabaseError::bad_url(why)),
        }
    }

    /// Another database of the same server, under the same user; the same file where there is no server.
    #[must_use]
    pub fn with_database(&self, name: &str) -> Self {
        let mut other = self.clone();
        if let Place::Server(server) = &mut other.place {
            server.database = Some(name.to_owned());
            server
                .parameters
                .retain(|(parameter, _)| parameter != "ledger");
        }
        other.origin = None;
        other.ledger = None;
        other
    }

    /// The servers that are named, each as if it were the only one, in the order in which they are tried.
    pub(super) fn each_server(&self) -> Vec<Self> {
        match &self.place {
            Place::Server(server) if !server.others.is_empty() => server
                .hosts()
                .into_iter()
                .map(|host| self.clone().at_host(host))
                .collect(),
            Place::Server(_) | Place::File(_) => vec![self.clone()],
        }
    }

    fn at_host(mut self, host: Host) -> Self {
        if let Place::Server(server) = &mut self.place {
            server.narrow(host.clone());
        }
        self.chosen = Some(host);
        self
    }

    /// The server, in few words, where it was chosen from several.
    pub(super) fn chosen(&self) -> Option<&Host> {
        self.chosen.as_ref()
    }

    pub(super) const fn statements(&self) -> Statements {
        self.statements
    }

    /// What the URL, and whatever else says the password, says now.
    ///
    /// # Errors
    /// As [`Target::from_file`], and where there is no password to be had; none where all of it is in the URL.
    pub(super) async fn current(&self) -> Result<Cow<'_, Self>, DatabaseError> {
        let mut current = match &self.origin {
            None => Cow::Borrowed(self),
            Some(origin) => {
                let now = match origin {
                    Origin::File(file, base) => Self::from_file(file, base)?,
                    Origin::Asked(asking) => {
                        let now = asking.answer().await?.named_at_once()?;
                        if now.dialect != self.dialect {
                            return Err(DatabaseError::bad_url(format!(
                                "what is asked where the database is named one of {} first, and now one of {}",
                                self.dialect.title(),
                                now.dialect.title()
                            )));
                        }
                        now.asking(asking.clone())
                    }
                };
                let now = Self {
                    statements: self.statements,
                    ledger: self.ledger.clone(),
                    ..now
                };
                Cow::Owned(match &self.chosen {
                    Some(host) => now.at_host(host.clone()),
                    None => now,
                })
            }
        };
        let Some(source) = &self.password else {
            return Ok(current);
        };
        if matches!(self.place, Place::Server(_)) {
            let password = source.read().await?;
            let owned = current.to_mut();
            owned.password = Some(source.clone());
            if let Place::Server(server) = &mut owned.place {
                secret::remember(&password, &server.names());
                server.password = Some(password);
            }
        }
        Ok(current)
    }

    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What the URL says about a server, its password too. Not for messages.
    pub(super) fn server(&self) -> Result<&ServerUrl, DatabaseError> {
        match &self.place {
            Place::Server(server) => Ok(server),
            Place::File(path) => Err(DatabaseError::bad_url(format!(
                "`{}` is a file, and no server",
                path.display()
            ))),
        }
    }

    /// What the application's own connections are made with, where it has said that.
    #[allow(dead_code, reason = "no embedded database has any")]
    pub(super) const fn as_given(&self) -> Option<&Given> {
        self.given.as_ref()
    }

    /// The file of an embedded database.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::File(path) => Some(path),
            Place::Server(_) => None,
        }
    }

    /// How long the URL lets connecting take.
    pub(super) fn connect_timeout(&self) -> Option<Duration> {
        let Place::Server(server) = &self.place else {
            return None;
        };
        let seconds = server.parameter("connect_timeout")?.trim().parse().ok()?;
        (seconds > 0).then(|| Duration::from_secs(seconds))
    }
}

/// The URL in a file.
///
/// # Errors
/// The file cannot be read, or holds no line or several.
pub fn read_url(file: &Path) -> Result<String, DatabaseError> {
    let wrong = |why: String| {
        DatabaseError::bad_url(format!(
            "the database URL's file `{}` {why}",
            file.display()
        ))
    };
    let text = read_small(file).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let url = text.trim();
    if url.is_empty() {
        return Err(wrong("is empty: write the URL into it".to_owned()));
    }
    if url.contains(['\n', '\r']) {
        return Err(wrong(
            "has several lines: write the URL alone into it".to_owned(),
        ));
    }
    Ok(url.to_owned())
}

/// Says no more of it than its scheme: the rest may be a password.
fn unsupported(url: &str) -> String {
    let scheme = url.split(':').next().unwrap_or_default();
    match (dialect_of_url(url), missing(scheme)) {
        (Ok(_), Some(feature)) => format!(
            "this program is built without `{scheme}://`: the feature `{feature}` of phasegate-lease, or of phasegate, brings it"
        ),
        (Ok(_), None) => "the database's URL cannot be read".to_owned(),
        (Err(what), _) => format!("the database's URL {what}"),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::File(path) => {
                let shown = path.strip_prefix(".").unwrap_or(path);
                write!(f, "{}", shown.display())
            }
            Place::Server(server) => write!(f, "{server}"),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

fn sqlite_path(url: &str, base: &Path) -> Result<PathBuf, DatabaseError> {
    let rest = url.strip_prefix("sqlite:").unwrap_or(url);
    let rest = rest.strip_prefix("//").unwrap_or(rest);
    let (file, query) = rest.split_once('?').unwrap_or((rest, ""));
    // Not repeated: it may be the URL of a server, with a password.
    let first = file.split('/').next().unwrap_or_default();
    if first
        .split_once(':')
        .is_some_and(|(_, after)| after.contains('@'))
    {
        return Err(DatabaseError::bad_url(
            "a SQLite URL names a file, and no user and host; write `sqlite://app.db`, or the URL of the server with its own \
             scheme, such as `postgres://`"
                .to_owned(),
        ));
    }
    if !query.is_empty() {
        return Err(DatabaseError::bad_url(
            "parameters after `?` are not supported for SQLite; write `sqlite://` and the file alone"
                .to_owned(),
        ));
    }
    if file.is_empty() || file == ":memory:" {
        return Err(DatabaseError::bad_url(format!(
            "`{url}` names no file, so nothing would outlive this command; write `sqlite://app.db`"
        )));
    }
    Ok(base.join(file))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn targets() {
        let base = Path::new("/p");
        let parse = |url: &str| Target::parse(url, base);
        assert_eq!(
            parse("sqlite://a.db").unwrap().path(),
            Some(Path::new("/p/a.db"))
        );
        assert_eq!(
            parse("sqlite:a.db").unwrap().path(),
            Some(Path::new("/p/a.db"))
        );
        assert_eq!(
            parse("sqlite:///x/a.db").unwrap().path(),
            Some(Path::new("/x/a.db"))
        );
        assert_eq!(
            parse("postgresql://h/d").unwrap().dialect(),
            Dialect::Postgres
        );
        for bad in [
            "",
            "sqlite",
            "sqlite::memory:",
            "sqlite://",
            "oracle://x",
            "sqlite://a?mode=ro",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    fn finished<T>(future: impl Future<Output = T>) -> T {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn a_password_comes_from_its_source_at_each_login() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("password");
        let target = Target::parse("mysql://bob:old-one@h/d", dir.path()).unwrap();
        let target = target.with_password(PasswordSource::File(file.clone()));
        for password in ["first-one", "second/one"] {
            fs::write(&file, password).unwrap();
            let current = finished(target.current()).unwrap();
            let found = current.server().unwrap().password.clone();
            assert_eq!(found.as_deref(), Some(password));
            // A further connection asks again.
            assert_eq!(current.password, target.password);
        }
    }

    #[test]
    fn a_url_in_a_file_is_read_anew() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("url");
        fs::write(&file, "postgres://bob:first-one@h/d\n").unwrap();
        let target = Target::from_file(&file, dir.path()).unwrap();
        fs::write(&file, "postgres://bob:second-one@h/d").unwrap();
        let current = finished(target.current()).unwrap();
        assert_eq!(
            current.server().unwrap().password.as_deref(),
            Some("second-one")
        );
        for (bad, why) in [("", "is empty"), ("a\nb", "several lines")] {
            fs::write(&file, bad).unwrap();
            let said = finished(target.current()).unwrap_err().to_string();
            assert!(said.contains(why) && said.contains("url"), "{said}");
        }
    }
}
