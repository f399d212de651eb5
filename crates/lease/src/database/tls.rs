//! How safe a connection to a server is, and the words for where it is not safe enough.
//!
//! Invariant: a password is never sent in clear text over a connection without TLS, and a server on another machine that
//! offers no TLS is left before it learns anything, unless the URL says in so many words that this is meant.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

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

/// What a URL asks for: with a certificate to check the server's against, `require` means to check it, as for libpq.
pub(super) fn asked(server: &ServerUrl) -> Option<TlsMode> {
    match server.tls {
        Some(TlsMode::Require) if server.parameter("sslrootcert").is_some() => {
            Some(TlsMode::VerifyCa)
        }
        mode => mode,
    }
}

/// Looks at the files that the URL names, so that what is wrong with one is said of that one.
pub(super) fn check_files(server: &ServerUrl) -> Result<(), DatabaseError> {
    for (name, holds) in [
        ("sslrootcert", "CERTIFICATE-----"),
        ("sslcert", "CERTIFICATE-----"),
        ("sslkey", "PRIVATE KEY-----"),
    ] {
        let Some(file) = server.parameter(name).filter(|file| *file != "system") else {
            continue;
        };
        let wrong = |why: String| {
            DatabaseError::new(
                ErrorKind::Tls,
                format!("`{file}`, which `{name}` in the URL names, {why}"),
            )
        };
        let text =
            fs::read(Path::new(file)).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        if !String::from_utf8_lossy(&text).contains(holds) {
            let what = if name == "sslkey" {
                "private key"
            } else {
                "certificate"
            };
            return Err(wrong(format!("holds no {what} in PEM form")));
        }
    }
    if server.parameter("sslcert").is_some() != server.parameter("sslkey").is_some() {
        return Err(DatabaseError::new(
            ErrorKind::Tls,
            "a certificate and its key go together: name both in the URL, `sslcert` and `sslkey`",
        ));
    }
    Ok(())
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
        Some(file) => format!("by none of those in `{file}`, nor by a public authority"),
        None => "by no public authority: name the file of its authority with `sslrootcert=FILE` (`ssl-ca=FILE` for MySQL and \
                 MariaDB)"
            .to_owned(),
    };
    let said = error.message.as_str();
    let why = if said.contains("server does not support TLS") {
        match server.tls {
            Some(_) => {
                format!("the server at {host} offers no TLS, and `{name}` in the URL asks for it")
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
    use super::*;

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
