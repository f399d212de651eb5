//! How safe a connection to a server is, and the words for where it is not safe enough.
//!
//! Invariant: a password is never sent in clear text over a connection without TLS, and a server on another machine that
//! offers no TLS is left before it learns anything, unless the URL says in so many words that this is meant.

use std::net::IpAddr;
use std::path::Path;

use super::error::STRANGER;
use super::small::bytes_of_small;
use super::url::{ServerUrl, TlsMode};
use super::{DatabaseError, ErrorKind};
use crate::sql::Dialect;

/// Whether what is sent to this host leaves the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// A socket in the file system.
    Socket,
    Loopback,
    Network,
}

impl Reach {
    pub(super) fn of_host(host: &str) -> Self {
        let name = host.trim_end_matches('.').to_ascii_lowercase();
        let is_loopback = host.parse::<IpAddr>().is_ok_and(|address| {
            let address = match address {
                IpAddr::V6(address) => address
                    .to_ipv4_mapped()
                    .map_or(IpAddr::V6(address), IpAddr::V4),
                IpAddr::V4(address) => IpAddr::V4(address),
            };
            address.is_loopback()
        });
        if host.starts_with('/') {
            Self::Socket
        } else if is_loopback || name == "localhost" || name.ends_with(".localhost") {
            Self::Loopback
        } else {
            Self::Network
        }
    }

    /// What is asked for where nobody says.
    pub(super) const fn default_mode(self) -> TlsMode {
        match self {
            Self::Network => TlsMode::Require,
            Self::Loopback | Self::Socket => TlsMode::Prefer,
        }
    }
}

/// The authorities that everybody knows, in the place of a file.
pub(super) const SYSTEM: &str = "system";

/// What a URL asks for. A certificate to check the server's against is there to be checked against, as for the clients: with
/// a file of authorities `require`, or no word, means `verify-ca`; with those that everybody knows only the whole check says
/// anything, because everybody can have a certificate of theirs.
pub(super) fn asked(server: &ServerUrl) -> Option<TlsMode> {
    match (server.tls, server.parameter("sslrootcert")) {
        (None, Some(SYSTEM)) => Some(TlsMode::VerifyFull),
        (None | Some(TlsMode::Require), Some(_)) => Some(TlsMode::VerifyCa),
        (mode, _) => mode,
    }
}

/// Looks at the files that the URL names, so that what is wrong with one is said of that one.
pub(super) fn check_files(server: &ServerUrl, dialect: Dialect) -> Result<(), DatabaseError> {
    if server.parameter("sslrootcert") == Some(SYSTEM)
        && !matches!(server.tls, None | Some(TlsMode::VerifyFull))
    {
        let (name, _, verify) = words(dialect);
        return Err(DatabaseError::bad_url(format!(
            "`{}=system` in the URL needs the whole check, because everybody can have a certificate of a public authority: \
             write `{name}={verify}`, or leave `{name}` out",
            file_parameter("sslrootcert", dialect)
        )));
    }
    for (name, holds) in [
        ("sslrootcert", "CERTIFICATE-----"),
        ("sslcert", "CERTIFICATE-----"),
        ("sslkey", "PRIVATE KEY-----"),
    ] {
        let Some(file) = server.parameter(name).filter(|file| *file != SYSTEM) else {
            continue;
        };
        let written = file_parameter(name, dialect);
        let wrong = |why: String| {
            DatabaseError::new(
                ErrorKind::Tls,
                format!("`{file}`, which `{written}` in the URL names, {why}"),
            )
        };
        let text = bytes_of_small(Path::new(file))
            .map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let text = String::from_utf8_lossy(&text);
        if !text.contains(holds) {
            let what = if name == "sslkey" {
                "private key"
            } else {
                "certificate"
            };
            return Err(wrong(format!("holds no {what} in PEM form")));
        }
        if name == "sslkey" && is_encrypted(&text) {
            return Err(wrong(
                "is a key with a password, which cannot be read: write one without into a file that only this user may read \
                 (`openssl pkey -in KEY -out NEW`)"
                    .to_owned(),
            ));
        }
    }
    if server.parameter("sslcert").is_some() != server.parameter("sslkey").is_some() {
        return Err(DatabaseError::new(
            ErrorKind::Tls,
            format!(
                "a certificate and its key go together: name both in the URL, `{}` and `{}`",
                file_parameter("sslcert", dialect),
                file_parameter("sslkey", dialect)
            ),
        ));
    }
    Ok(())
}

/// Whether a private key in PEM form wants a password.
fn is_encrypted(text: &str) -> bool {
    text.contains("ENCRYPTED PRIVATE KEY-----") || text.contains("Proc-Type: 4,ENCRYPTED")
}

/// What this database's users call the parameter that names a file.
fn file_parameter(name: &'static str, dialect: Dialect) -> &'static str {
    match (dialect, name) {
        (Dialect::Mysql, "sslrootcert") => "ssl-ca",
        (Dialect::Mysql, "sslcert") => "ssl-cert",
        (Dialect::Mysql, "sslkey") => "ssl-key",
        (_, name) => name,
    }
}

/// The parameter, and its values that mean no TLS at all and the whole check, as this database's users write them.
const fn words(dialect: Dialect) -> (&'static str, &'static str, &'static str) {
    match dialect {
        Dialect::Mysql => ("ssl-mode", "DISABLED", "VERIFY_IDENTITY"),
        Dialect::Postgres | Dialect::Sqlite => ("sslmode", "disable", "verify-full"),
    }
}

/// The server wants the password as it is.
pub(super) fn clear_text(host: &str, dialect: Dialect) -> DatabaseError {
    let (name, _, verify) = words(dialect);
    let instead = match dialect {
        Dialect::Mysql => {
            "mysql_native_password or caching_sha2_password (it asks for mysql_clear_password)"
        }
        Dialect::Postgres | Dialect::Sqlite => "scram-sha-256 (pg_hba.conf)",
    };
    DatabaseError::new(
        ErrorKind::Tls,
        format!(
            "the server at {host} asks for the password in clear text: it was not sent. Let it speak TLS \
             and write `{name}={verify}`, or let it ask by {instead}"
        ),
    )
}

/// Says what a failure to connect has to do with TLS; any other error stays as it is.
pub(super) fn explained(
    mut error: DatabaseError,
    server: &ServerUrl,
    host: &str,
    dialect: Dialect,
) -> DatabaseError {
    let (name, disable, verify) = words(dialect);
    let authority = match server.parameter("sslrootcert") {
        Some(file) if file != SYSTEM => {
            format!("by none of those in `{file}`, nor by a public authority")
        }
        Some(_) | None => format!(
            "by no public authority: name the file of its authority with `{}=FILE`",
            file_parameter("sslrootcert", dialect)
        ),
    };
    let said = error.message.as_str();
    let why = if said.contains("server does not support TLS") {
        let authority = server.parameter("sslrootcert").map(|_| "sslrootcert");
        let asking = match server.tls {
            Some(_) => Some(name),
            None => authority.map(|authority| file_parameter(authority, dialect)),
        };
        match asking {
            Some(asking) => {
                format!("the server at {host} offers no TLS, and `{asking}` in the URL asks for it")
            }
            None => format!(
                "the server at {host} offers no TLS, and it is not this machine: nothing was sent to it. Let it speak TLS and write \
                 `{name}={verify}`; or write `{name}={disable}` into the URL, if everybody on the way may read along"
            ),
        }
    } else if said.contains("UnknownIssuer") {
        format!("the certificate of the server at {host} is signed {authority}")
    } else if said.contains("CaUsedAsEndEntity") {
        format!(
            "the certificate of the server at {host} is that of an authority itself (it says CA:TRUE): give the server one of its own, \
             which that authority has signed"
        )
    } else if said.contains("NotValidForName") || said.contains("not valid for name") {
        format!(
            "the certificate of the server at {host} is for another name ({said}): connect by the name that it has"
        )
    } else if said.contains("Expired") || said.contains("certificate expired") {
        format!("the certificate of the server at {host} has expired ({said})")
    } else if said.contains("unexpected response from SSLRequest: 0x00") {
        // That is what the driver makes of a connection that is closed.
        error.message =
            format!("the server at {host} closed the connection before it said anything");
        return error;
    } else if said.contains("unexpected response from SSLRequest") {
        error.message = format!(
            "what answers at {host} does not speak as a server of PostgreSQL does ({said}): is it the port of another server?"
        );
        error.code = Some(STRANGER.to_owned());
        return error;
    } else if said.contains("invalid peer certificate") || said.contains("fatal alert") {
        format!("TLS with the server at {host} failed: {said}")
    } else if said.contains("mysql_cleartext_plugin disabled") {
        return clear_text(host, dialect);
    } else if said.contains("unknown authentication plugin") {
        error.kind = ErrorKind::Authentication;
        error.message = format!(
            "the server at {host} wants the password in a way that is not spoken here ({said}); nothing was sent. Let the user log in by \
             mysql_native_password or caching_sha2_password"
        );
        return error;
    } else if said.contains("RSA auth backend disabled") {
        format!(
            "the server at {host} asks for the password over a connection without TLS; write `{name}=REQUIRED`, or better \
             `{name}={verify}`, into the URL"
        )
    } else if error.kind == ErrorKind::Tls {
        format!("{said} (with the server at {host})")
    } else {
        return error;
    };
    error.kind = ErrorKind::Tls;
    error.message = why;
    error
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn authorities_that_are_named_are_checked_against() {
        for (parameters, mode) in [
            ("", None),
            ("?sslmode=require", Some(TlsMode::Require)),
            ("?sslrootcert=/ca.pem", Some(TlsMode::VerifyCa)),
            (
                "?sslmode=require&sslrootcert=/ca.pem",
                Some(TlsMode::VerifyCa),
            ),
            ("?sslmode=prefer&sslrootcert=/ca.pem", Some(TlsMode::Prefer)),
            (
                "?sslmode=verify-full&sslrootcert=/ca.pem",
                Some(TlsMode::VerifyFull),
            ),
            ("?sslrootcert=system", Some(TlsMode::VerifyFull)),
        ] {
            let url = format!("postgres://h/d{parameters}");
            let server = ServerUrl::parse(&url, Dialect::Postgres).unwrap();
            assert_eq!(asked(&server), mode, "{url}");
        }
        for (mode, is_accepted) in [("require", false), ("prefer", false), ("verify-full", true)] {
            let url = format!("postgres://h/d?sslrootcert=system&sslmode={mode}");
            let server = ServerUrl::parse(&url, Dialect::Postgres).unwrap();
            let checked = check_files(&server, Dialect::Postgres);
            assert_eq!(checked.is_ok(), is_accepted, "{url}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_by_its_name_in_the_url() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let certificate = write("cert.pem", "-----BEGIN CERTIFICATE-----\n");
        let keys = [
            write("new.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"),
            write(
                "old.pem",
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n",
            ),
        ];
        for key in keys {
            for (url, dialect, name) in [
                (
                    format!("postgres://h/d?sslcert={certificate}&sslkey={key}"),
                    Dialect::Postgres,
                    "sslkey",
                ),
                (
                    format!("mysql://h/d?ssl-cert={certificate}&ssl-key={key}"),
                    Dialect::Mysql,
                    "ssl-key",
                ),
            ] {
                let server = ServerUrl::parse(&url, dialect).unwrap();
                let said = check_files(&server, dialect).unwrap_err().to_string();
                let names = said.contains(&key) && said.contains(&format!("`{name}`"));
                assert!(names && said.contains("key with a password"), "{said}");
            }
        }
    }

    #[test]
    fn what_leaves_the_machine() {
        for (host, reach) in [
            ("localhost", Reach::Loopback),
            ("LOCALHOST.", Reach::Loopback),
            ("db.localhost", Reach::Loopback),
            ("127.0.0.2", Reach::Loopback),
            ("::1", Reach::Loopback),
            ("::ffff:127.0.0.1", Reach::Loopback),
            ("/var/run/postgresql", Reach::Socket),
            ("db", Reach::Network),
            ("0.0.0.0", Reach::Network),
            ("10.0.0.1", Reach::Network),
            ("localhost.example.org", Reach::Network),
            ("127.0.0.1.example.org", Reach::Network),
        ] {
            assert_eq!(Reach::of_host(host), reach, "{host}");
        }
    }
}
