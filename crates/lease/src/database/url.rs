//! The URL of a database server, taken apart.
//!
//! Stricter than the drivers, which send a part of a password to the DNS when it holds a `/`. Whatever cannot be read is
//! refused without repeating it: any part of it may belong to a password.

use std::fmt;

use super::hosts::{self, Host, Hosts};
use super::parameters;
use super::percent::{ENCODE, decoded};
use crate::sql::Dialect;

/// What a URL says about a server, and about how to speak to it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ServerUrl {
    pub scheme: String,
    pub user: Option<String>,
    pub password: Option<String>,
    /// A name or an address, or the path of a socket or of its directory.
    pub host: Option<String>,
    pub port: Option<u16>,
    /// Further ones, in the order in which they are tried where the one before does not serve.
    pub others: Vec<Host>,
    pub database: Option<String>,
    /// `None` if the URL does not say.
    pub tls: Option<TlsMode>,
    /// What else stands after the `?`, decoded: each is known to the driver.
    pub parameters: Vec<(String, String)>,
}

/// How much TLS a connection asks for, in the words of libpq.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TlsMode {
    Disable,
    Allow,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// The words of both worlds, for both.
const TLS_MODES: &[(&str, TlsMode)] = &[
    ("disable", TlsMode::Disable),
    ("allow", TlsMode::Allow),
    ("prefer", TlsMode::Prefer),
    ("require", TlsMode::Require),
    ("verify-ca", TlsMode::VerifyCa),
    ("verify-full", TlsMode::VerifyFull),
    ("disabled", TlsMode::Disable),
    ("preferred", TlsMode::Prefer),
    ("required", TlsMode::Require),
    ("verify-identity", TlsMode::VerifyFull),
];

impl TlsMode {
    pub(super) fn read(text: &str) -> Option<Self> {
        let word = text.to_ascii_lowercase().replace('_', "-");
        let found = TLS_MODES.iter().find(|(name, _)| *name == word)?;
        Some(found.1)
    }
}

impl ServerUrl {
    /// Reads the URL of a server of this kind.
    ///
    /// # Errors
    /// Why it cannot be used, and how to write it. Repeats nothing of it but the scheme and the names of parameters.
    pub(super) fn parse(url: &str, dialect: Dialect) -> Result<Self, String> {
        let Some((scheme, rest)) = url.split_once("://") else {
            let scheme = url.split(':').next().unwrap_or_default();
            return Err(format!("write `{scheme}://USER@HOST/DATABASE`"));
        };
        let unreadable = |why: &str| format!("the URL ({scheme}://…) cannot be read: {why}");
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(end);
        if tail.contains('@') {
            return Err(unreadable(&format!(
                "it has an `@` behind the first `/`, `?` or `#`; {ENCODE}"
            )));
        }
        if tail.contains('#') {
            return Err(unreadable(&format!("`#` begins nothing in it; {ENCODE}")));
        }
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, authority),
        };
        let decode = |text: &str| {
            decoded(text).ok_or_else(|| unreadable("what is percent-encoded in it is not UTF-8"))
        };
        let (user, password) = match credentials.map(|text| text.split_once(':')) {
            None => (None, None),
            Some(None) => (credentials, None),
            Some(Some((user, password))) => (Some(user), Some(password)),
        };
        let mut hosts = Hosts::read(place).map_err(|why| unreadable(&why))?;
        let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
        let filled =
            |text: Option<&str>| text.filter(|text| !text.is_empty()).map(decode).transpose();
        let mut found = Self {
            scheme: scheme.to_owned(),
            user: filled(user)?,
            password: filled(password)?,
            host: None,
            port: None,
            others: Vec::new(),
            database: filled(Some(path.strip_prefix('/').unwrap_or(path)))?,
            tls: None,
            parameters: Vec::new(),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let Some((name, value)) = pair.split_once('=') else {
                return Err(unreadable(
                    "what stands after `?` is written NAME=VALUE&NAME=VALUE",
                ));
            };
            let (name, value) = (decode(name)?, decode(value)?);
            found.add(&name, value, &mut hosts, dialect)?;
        }
        let mut hosts = hosts.listed()?.into_iter();
        if let Some(first) = hosts.next() {
            (found.host, found.port) = (first.name, first.port);
        }
        found.others = hosts.collect();
        Ok(found)
    }

    /// The servers that it names, in their order.
    pub(super) fn hosts(&self) -> Vec<Host> {
        let first = Host {
            name: self.host.clone(),
            port: self.port,
        };
        std::iter::once(first)
            .chain(self.others.iter().cloned())
            .collect()
    }

    /// As if it named this server alone.
    pub(super) fn narrow(&mut self, host: Host) {
        (self.host, self.port) = (host.name, host.port);
        self.others.clear();
    }

    /// What is said of it anyway.
    pub(super) fn names(&self) -> Vec<&str> {
        let names = [&self.user, &self.host, &self.database];
        let others = self.others.iter().map(|other| &other.name);
        let names = names.into_iter().chain(others);
        let names = names.flatten().map(String::as_str);
        names.chain([self.scheme.as_str()]).collect()
    }

    fn add(
        &mut self,
        name: &str,
        value: String,
        hosts: &mut Hosts,
        dialect: Dialect,
    ) -> Result<(), String> {
        let known = parameters::known(name, &value, dialect)?;
        let is_repeated = |(other, _): &(String, String)| other == known && known != "options";
        if self.parameters.iter().any(is_repeated) {
            return Err(format!(
                "`{name}` stands in the URL twice: keep one of them"
            ));
        }
        match known {
            "sslmode" => {
                let modes = match dialect {
                    Dialect::Mysql => "DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY",
                    _ => "disable, prefer, require, verify-ca or verify-full",
                };
                let mode = TlsMode::read(&value)
                    .ok_or_else(|| format!("`{name}` in the URL can be {modes}"))?;
                self.tls = Some(mode);
            }
            "host" | "hostaddr" => hosts.names = hosts::names(&value)?,
            "port" => hosts.ports = hosts::ports(&value)?,
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "dbname" => self.database = Some(value),
            "connect_timeout" if value.trim().parse::<i32>().is_err() => {
                return Err(format!("`{name}` in the URL is a number of seconds"));
            }
            _ => self.parameters.push((known.to_owned(), value)),
        }
        Ok(())
    }

    /// A parameter that the URL has.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let mut all = self.parameters.iter();
        all.find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }
}

/// For messages: without the password and the parameters, which may hold one.
impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://", self.scheme)?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        let host = self.host.as_deref().unwrap_or_default();
        let socket = self
            .parameter("socket")
            .or(Some(host).filter(|host| host.starts_with('/')));
        let first = Host {
            name: self.host.clone().filter(|_| socket.is_none()),
            port: self.port,
        };
        write!(f, "{first}")?;
        for other in &self.others {
            write!(f, ",{other}")?;
        }
        if let Some(database) = &self.database {
            write!(f, "/{database}")?;
        }
        match socket {
            Some(path) => write!(f, ", at {path}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<ServerUrl, String> {
        let dialect = if url.starts_with("my") || url.starts_with("maria") {
            Dialect::Mysql
        } else {
            Dialect::Postgres
        };
        ServerUrl::parse(url, dialect)
    }

    #[test]
    fn whatever_the_clients_accept_is_read() {
        for (url, shown) in [
            (
                "postgres://bob:secret@db:5432/shop",
                "postgres://bob@db:5432/shop",
            ),
            (
                "postgres://bob:se@cr%2fet@db/shop",
                "postgres://bob@db/shop",
            ),
            ("postgres://bob:100%@db/shop", "postgres://bob@db/shop"),
            ("postgres://db/shop?password=secret", "postgres://db/shop"),
            (
                "postgres://bob@db/shop?sslmode=verify-full&sslrootcert=/ca.pem",
                "postgres://bob@db/shop",
            ),
            (
                "postgres://bob@[::1]:5433/shop",
                "postgres://bob@[::1]:5433/shop",
            ),
            (
                "postgres://bob@[fe80::1%25eth0]/shop",
                "postgres://bob@[fe80::1%eth0]/shop",
            ),
            ("postgresql:///shop", "postgresql:///shop"),
            ("postgresql://", "postgresql://"),
            (
                "postgres://me@/shop?host=/var/run/postgresql",
                "postgres://me@/shop, at /var/run/postgresql",
            ),
            (
                "postgres://me@%2Fvar%2Frun/shop",
                "postgres://me@/shop, at /var/run",
            ),
            ("postgres://h:/d", "postgres://h/d"),
            (
                "postgres://me:p,q@db-1:5432,db-2:5433/shop",
                "postgres://me@db-1:5432,db-2:5433/shop",
            ),
            (
                "postgres://me@db-1,[::1]:5433,db-3/shop?target_session_attrs=read-write",
                "postgres://me@db-1,[::1]:5433,db-3/shop",
            ),
            (
                "postgres:///shop?host=db-1,db-2&port=6432",
                "postgres://db-1:6432,db-2:6432/shop",
            ),
            (
                "postgres://h:5432/shop?host=db-1,db-2&port=1,2",
                "postgres://db-1:1,db-2:2/shop",
            ),
            (
                "mysql://me:p@db-1:3306,db-2:3307/shop",
                "mysql://me@db-1:3306,db-2:3307/shop",
            ),
            ("postgres://h/d?user=me&port=6432", "postgres://me@h:6432/d"),
            (
                "mysql://me@db/shop?ssl-mode=VERIFY_IDENTITY",
                "mysql://me@db/shop",
            ),
            (
                "mariadb://me:p@localhost/shop?socket=/run/m.sock",
                "mariadb://me@/shop, at /run/m.sock",
            ),
        ] {
            match parse(url) {
                Ok(read) => assert_eq!(read.to_string(), shown),
                Err(why) => panic!("{url}: {why}"),
            }
        }
        let read =
            parse("postgres://b%40b:p%23%2f%3f%25%20x@db/my%20shop?options=-c%20search_path%3Da")
                .unwrap();
        assert_eq!(read.user.as_deref(), Some("b@b"));
        assert_eq!(read.password.as_deref(), Some("p#/?% x"));
        assert_eq!(read.database.as_deref(), Some("my shop"));
        assert_eq!(read.parameter("options"), Some("-c search_path=a"));
    }

    #[test]
    fn what_cannot_be_read_is_not_repeated() {
        for (url, reason) in [
            ("postgres://me:kk/Qsecret@127.0.0.1:6543/shop", "%2F"),
            ("postgres://me:hunter#secret@127.0.0.1:6543/shop", "%23"),
            ("postgres://me:12/secret@127.0.0.1:6543/shop", "%2F"),
            (
                "postgres://me:p@ss/secret:o#r%d?&^ x@127.0.0.1:6543/shop",
                "%2F",
            ),
            ("postgres://me:a?secret@h/x", "%3F"),
            ("postgres://me:secret", "no number"),
            ("postgres://me:secret:x", "brackets"),
            ("postgres://me@se<cret/x", "no host has"),
            ("postgres://me:12#secret", "`#`"),
            ("postgres://u:secret@[::1:5432/shop", "brackets"),
            ("postgres://u:secret@h:99999/shop", "65535"),
            ("postgres://me@a,b,c/shop?port=1,2", "3 hosts and 2 ports"),
            ("postgres://me@a:1,b:x/shop", "no number from 1 to 65535"),
            ("mysql://me@[a:1,b:2]/shop", "in brackets"),
            ("postgres://me@h/shop?sslmode=secret", "verify-full"),
            ("postgres://me:%ff@h/shop", "UTF-8"),
            ("postgres:me:secret@h", "postgres://USER@HOST"),
            ("postgres://h/d?sslmode", "NAME=VALUE"),
        ] {
            let why = match parse(url) {
                Err(why) => why,
                // The host's name is all that it has.
                Ok(read) => panic!("{url} is read as {read}"),
            };
            assert!(why.contains(reason), "{url}: {why}");
            assert!(
                !why.contains("secret") && !why.contains("hunter"),
                "{url}: {why}"
            );
        }
    }
}
