//! What may stand after the `?` of a server's URL, and what is said about the rest.
//!
//! A parameter that would do nothing is an error: `sslmod=verify-full` must not connect without verifying.

use crate::sql::Dialect;
use crate::text::near::distance;

/// What is done with a parameter.
enum Use {
    /// Done, under the name that this program knows it by.
    Honoured(&'static str),
    /// Accepted with these values, which ask for what is done anyway; with another one, this is said.
    Only(&'static [&'static str], &'static str),
    Refused(&'static str),
}

use Use::{Honoured, Only, Refused};

const SEARCH_PATH: &str =
    "write `options=-c search_path=NAME`, percent-encoded: `options=-c%20search_path%3DNAME`";
const OF_ANOTHER: &str = "it is a setting of another driver: leave it out";
const WRITE_SSLMODE: &str =
    "write `sslmode=require`, or `sslmode=verify-full` to know whom one speaks to";
const WRITE_SSL_MODE: &str =
    "write `ssl-mode=REQUIRED`, or `ssl-mode=VERIFY_IDENTITY` to know whom one speaks to";
const CRL: &str = "lists of revoked certificates are not read: leave it out";
const PLUGIN: &str = "leave it out: the server says how the user logs in";
const UNCOMPRESSED: &str = "leave it out: nothing is compressed";
const INIT: &str =
    "leave it out: a script has the settings of any other session, as the server has them";
const KEEPALIVE: &str =
    "leave it out: a connection that says nothing is given up after a time by itself";
const NOT_GSS: &str = "there is no GSSAPI here: leave it out";
const NOT_OAUTH: &str = "there is no login by OAuth here: leave it out, and let a program print the token, `password_command` in migrate.toml";
const PROTOCOL: &str = "leave it out: version 3.0 of the protocol is spoken";
const WRITE_PASSWORD: &str = "write the password itself, best in a file: docs/files.md says where";
const VERIFIES: &str = "write `ssl-mode=VERIFY_IDENTITY`, or `ssl-mode=VERIFY_CA` where the certificate is for another name";
const OF_THE_SERVER: &str =
    "leave it out: TLS 1.2 and 1.3 are spoken, and the server chooses between them";

const POSTGRES: &[(&str, Use)] = &[
    ("host", Honoured("host")),
    ("hostaddr", Honoured("hostaddr")),
    ("port", Honoured("port")),
    ("dbname", Honoured("dbname")),
    ("user", Honoured("user")),
    ("password", Honoured("password")),
    ("options", Honoured("options")),
    ("application_name", Honoured("application_name")),
    (
        "fallback_application_name",
        Refused("write `application_name`"),
    ),
    ("connect_timeout", Honoured("connect_timeout")),
    ("sslmode", Honoured("sslmode")),
    ("ssl-mode", Honoured("sslmode")),
    ("sslrootcert", Honoured("sslrootcert")),
    ("ssl-root-cert", Honoured("sslrootcert")),
    ("ssl-ca", Honoured("sslrootcert")),
    ("sslcert", Honoured("sslcert")),
    ("ssl-cert", Honoured("sslcert")),
    ("sslkey", Honoured("sslkey")),
    ("ssl-key", Honoured("sslkey")),
    // Of sqlx, which many applications use with the same URL. Statements are not prepared here.
    (
        "statement-cache-capacity",
        Honoured("statement-cache-capacity"),
    ),
    (
        "client_encoding",
        Only(
            &["utf8", "utf-8", "unicode", "auto"],
            "leave it out: everything here is UTF-8",
        ),
    ),
    (
        "channel_binding",
        Only(
            &["disable", "prefer"],
            "it cannot be done here: leave it out, and write `sslmode=verify-full`, which keeps others out of the connection too",
        ),
    ),
    (
        "target_session_attrs",
        Only(
            &["any", "primary", "read-write"],
            "only the primary is asked, whatever it says: leave it out, or write `target_session_attrs=primary`",
        ),
    ),
    (
        "load_balance_hosts",
        Only(
            &["disable"],
            "hosts are tried in the order in which they are named: leave it out",
        ),
    ),
    ("gssencmode", Only(&["disable", "prefer"], NOT_GSS)),
    ("krbsrvname", Refused(NOT_GSS)),
    ("gsslib", Refused(NOT_GSS)),
    ("gssdelegation", Only(&["0"], NOT_GSS)),
    ("ssl", Refused(WRITE_SSLMODE)),
    ("requiressl", Refused(WRITE_SSLMODE)),
    ("sslaccept", Refused(WRITE_SSLMODE)),
    (
        "sslcompression",
        Only(&["0"], "leave it out: nothing is compressed"),
    ),
    (
        "sslsni",
        Only(&["1"], "leave it out: the host's name is always sent"),
    ),
    ("sslnegotiation", Only(&["postgres"], "leave it out")),
    ("sslcertmode", Only(&["allow"], "leave it out")),
    (
        "ssl_min_protocol_version",
        Only(
            &["tlsv1", "tlsv1.1", "tlsv1.2"],
            "leave it out: TLS 1.2 and 1.3 are spoken",
        ),
    ),
    (
        "ssl_max_protocol_version",
        Only(&["tlsv1.3"], "leave it out: TLS 1.2 and 1.3 are spoken"),
    ),
    (
        "sslpassword",
        Refused("a key with a password cannot be read: name one without in `sslkey`"),
    ),
    (
        "sslkeylogfile",
        Refused("keys are not written down: leave it out"),
    ),
    ("min_protocol_version", Only(&["3.0"], PROTOCOL)),
    ("max_protocol_version", Only(&["3.0"], PROTOCOL)),
    ("scram_client_key", Refused(WRITE_PASSWORD)),
    ("scram_server_key", Refused(WRITE_PASSWORD)),
    ("oauth_issuer", Refused(NOT_OAUTH)),
    ("oauth_client_id", Refused(NOT_OAUTH)),
    ("oauth_client_secret", Refused(NOT_OAUTH)),
    ("oauth_scope", Refused(NOT_OAUTH)),
    ("sslcrl", Refused(CRL)),
    ("sslcrldir", Refused(CRL)),
    (
        "require_auth",
        Refused(
            "leave it out: a password is never sent in clear text over a connection without TLS",
        ),
    ),
    ("requirepeer", Refused("leave it out")),
    (
        "passfile",
        Refused("set the environment variable PGPASSFILE"),
    ),
    (
        "service",
        Refused("write host, user and database into the URL"),
    ),
    (
        "servicefile",
        Refused("write host, user and database into the URL"),
    ),
    (
        "database",
        Refused("write it as `/DATABASE` behind the host"),
    ),
    (
        "replication",
        Only(&["false", "off", "no", "0"], "leave it out"),
    ),
    ("keepalives", Only(&["1"], KEEPALIVE)),
    ("keepalives_idle", Refused(KEEPALIVE)),
    ("keepalives_interval", Refused(KEEPALIVE)),
    ("keepalives_count", Refused(KEEPALIVE)),
    ("tcp_user_timeout", Refused(KEEPALIVE)),
    ("schema", Refused(SEARCH_PATH)),
    (
        "ledger",
        Refused("leave it out: on PostgreSQL the ledger has a schema of its own, `phasegate`"),
    ),
    ("currentschema", Refused(SEARCH_PATH)),
    ("search_path", Refused(SEARCH_PATH)),
    ("pgbouncer", Refused(OF_ANOTHER)),
    ("connection_limit", Refused(OF_ANOTHER)),
    ("pool_timeout", Refused(OF_ANOTHER)),
    ("socket_timeout", Refused(OF_ANOTHER)),
    ("sslidentity", Refused(OF_ANOTHER)),
    ("sslfactory", Refused(OF_ANOTHER)),
];

const MYSQL: &[(&str, Use)] = &[
    ("socket", Honoured("socket")),
    ("ssl-mode", Honoured("sslmode")),
    ("sslmode", Honoured("sslmode")),
    ("ssl_mode", Honoured("sslmode")),
    ("ssl-ca", Honoured("sslrootcert")),
    ("sslca", Honoured("sslrootcert")),
    ("ssl-cert", Honoured("sslcert")),
    ("sslcert", Honoured("sslcert")),
    ("ssl-key", Honoured("sslkey")),
    ("sslkey", Honoured("sslkey")),
    ("collation", Honoured("collation")),
    ("ledger", Honoured("ledger")),
    ("connect_timeout", Honoured("connect_timeout")),
    ("connect-timeout", Honoured("connect_timeout")),
    (
        "statement-cache-capacity",
        Honoured("statement-cache-capacity"),
    ),
    (
        "charset",
        Only(&["utf8mb4"], "leave it out: everything here is utf8mb4"),
    ),
    (
        "timezone",
        Refused("leave it out: a script has the time zone of any other session"),
    ),
    (
        "time-zone",
        Refused("leave it out: a script has the time zone of any other session"),
    ),
    ("ssl", Refused(WRITE_SSL_MODE)),
    ("tls", Refused(WRITE_SSL_MODE)),
    ("usessl", Refused(WRITE_SSL_MODE)),
    ("requiressl", Refused(WRITE_SSL_MODE)),
    ("skip-ssl", Refused("write `ssl-mode=DISABLED`")),
    ("verifyservercertificate", Refused(VERIFIES)),
    ("ssl-verify-server-cert", Refused(VERIFIES)),
    (
        "ssl-capath",
        Refused("name the file of the authority: `ssl-ca=FILE`"),
    ),
    ("ssl-crl", Refused(CRL)),
    ("ssl-crlpath", Refused(CRL)),
    (
        "ssl-passphrase",
        Refused("a key with a password cannot be read: name one without in `ssl-key`"),
    ),
    ("ssl-cipher", Refused(OF_THE_SERVER)),
    ("tls-version", Refused(OF_THE_SERVER)),
    ("tls-ciphersuites", Refused(OF_THE_SERVER)),
    (
        "default-character-set",
        Only(&["utf8mb4"], "leave it out: everything here is utf8mb4"),
    ),
    (
        "protocol",
        Only(&["tcp"], "write the host, or `socket=PATH`"),
    ),
    ("default-auth", Refused(PLUGIN)),
    ("auth-method", Refused(PLUGIN)),
    (
        "enable-cleartext-plugin",
        Refused(
            "a password is never sent in clear text over a connection without TLS: leave it out",
        ),
    ),
    ("compress", Refused(UNCOMPRESSED)),
    ("compression", Refused(UNCOMPRESSED)),
    ("init-command", Refused(INIT)),
    ("init_command", Refused(INIT)),
    ("sql_mode", Refused(INIT)),
    ("sql-mode", Refused(INIT)),
    ("sslaccept", Refused(WRITE_SSL_MODE)),
    (
        "user",
        Refused("write user and password before the host: `mysql://USER:PASSWORD@HOST/DATABASE`"),
    ),
    (
        "password",
        Refused("write user and password before the host: `mysql://USER:PASSWORD@HOST/DATABASE`"),
    ),
    (
        "schema",
        Refused("write the database behind the host: `mysql://USER@HOST/DATABASE`"),
    ),
    (
        "database",
        Refused("write the database behind the host: `mysql://USER@HOST/DATABASE`"),
    ),
    (
        "port",
        Refused("write it behind the host: `mysql://USER@HOST:PORT/DATABASE`"),
    ),
    (
        "unix_socket",
        Refused("write `socket=/run/mysqld/mysqld.sock`"),
    ),
    (
        "host",
        Refused("write `mysql://USER@HOST/DATABASE`, or `socket=PATH`"),
    ),
    ("get-server-public-key", Refused(WRITE_SSL_MODE)),
    ("allowpublickeyretrieval", Refused(WRITE_SSL_MODE)),
    ("servertimezone", Refused(OF_ANOTHER)),
    ("parsetime", Refused(OF_ANOTHER)),
    ("connection_limit", Refused(OF_ANOTHER)),
    ("pool_timeout", Refused(OF_ANOTHER)),
    ("characterencoding", Refused(OF_ANOTHER)),
    ("useunicode", Refused(OF_ANOTHER)),
    ("autoreconnect", Refused(OF_ANOTHER)),
];

/// The name that this program knows a parameter by.
///
/// # Errors
/// Names one that would do nothing, or not what it says, and says what to write instead.
pub(super) fn known(name: &str, value: &str, dialect: Dialect) -> Result<&'static str, String> {
    let table = match dialect {
        Dialect::Mysql => MYSQL,
        Dialect::Postgres | Dialect::Sqlite => POSTGRES,
    };
    // The setting that sqlx writes as `options[search_path]=app`.
    if dialect == Dialect::Postgres && name.starts_with("options[") && name.ends_with(']') {
        return Err(format!("the URL has the parameter `{name}`: {SEARCH_PATH}"));
    }
    let lower = name.to_lowercase();
    let exact = table.iter().find(|(known, _)| *known == name);
    let found = exact.or_else(|| {
        // Names are spelt exactly where they do something; what other drivers call it is said in any spelling.
        let alike = |(known, what): &&(&str, Use)| *known == lower && !matches!(what, Honoured(_));
        table.iter().find(alike)
    });
    match found {
        Some((_, Honoured(known))) => Ok(known),
        Some((known, Only(values, _))) if values.contains(&value.to_lowercase().as_str()) => {
            Ok(known)
        }
        Some((_, Only(_, advice) | Refused(advice))) => {
            // Only what can be a name is repeated.
            let is_name = |c: char| c.is_alphanumeric() || c == '_';
            let name_of =
                Some(value).filter(|value| !value.is_empty() && value.chars().all(is_name));
            let advice = advice.replace("NAME`", &format!("{}`", name_of.unwrap_or("NAME")));
            Err(format!("the URL has the parameter `{name}`: {advice}"))
        }
        None => {
            let honoured = || table.iter().filter(|(_, what)| matches!(what, Honoured(_)));
            let guess = honoured()
                .map(|(known, _)| (distance(&lower, known), *known))
                .filter(|(far, known)| far * 3 <= known.len().max(lower.len()))
                .min();
            let advice = match (guess, of_the_other(&lower, dialect)) {
                (Some((_, guess)), _) => format!("did you mean `{guess}`?"),
                (None, Some(advice)) => advice,
                (None, None) => {
                    let names: Vec<_> = honoured().map(|(known, _)| *known).collect();
                    format!("leave it out; there are {}", names.join(", "))
                }
            };
            Err(format!(
                "the URL has an unknown parameter `{name}`: {advice}"
            ))
        }
    }
}

/// What the parameters of other databases are here: they were carried over.
const CARRIED: &[(Dialect, &str, &str)] = &[
    (Dialect::Postgres, "socket", "host"),
    (Dialect::Postgres, "unix_socket", "host"),
    (Dialect::Mysql, "sslrootcert", "ssl-ca"),
    (Dialect::Mysql, "hostaddr", "host"),
];

/// What to write for a parameter that only another database has.
fn of_the_other(lower: &str, dialect: Dialect) -> Option<String> {
    let (table, title) = match dialect {
        Dialect::Mysql => (POSTGRES, Dialect::Postgres.title()),
        Dialect::Postgres | Dialect::Sqlite => (MYSQL, Dialect::Mysql.title()),
    };
    let is_theirs = table.iter().any(|(known, _)| *known == lower);
    let carried = CARRIED
        .iter()
        .find(|(of, from, _)| *of == dialect && *from == lower);
    match (carried, is_theirs) {
        (Some((_, _, here)), _) => Some(format!("it is one of {title}; write `{here}=…`")),
        (None, true) => Some(format!("it is one of {title}: leave it out")),
        (None, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_do_nothing_is_named() {
        for (dialect, name, value, advice) in [
            (
                Dialect::Postgres,
                "schema",
                "app",
                "`options=-c%20search_path%3Dapp`",
            ),
            (Dialect::Postgres, "schema", "a b", "search_path%3DNAME`"),
            (
                Dialect::Postgres,
                "sslmod",
                "verify-full",
                "did you mean `sslmode`?",
            ),
            (
                Dialect::Postgres,
                "SSLMODE",
                "verify-full",
                "did you mean `sslmode`?",
            ),
            (Dialect::Postgres, "ssl", "true", "sslmode=require"),
            (
                Dialect::Postgres,
                "channel_binding",
                "require",
                "verify-full",
            ),
            (
                Dialect::Postgres,
                "target_session_attrs",
                "standby",
                "only the primary is asked",
            ),
            (Dialect::Postgres, "socket", "/run/x", "write `host=…`"),
            (
                Dialect::Postgres,
                "charset",
                "utf8mb4",
                "it is one of MySQL",
            ),
            (
                Dialect::Postgres,
                "ssl-verify-server-cert",
                "1",
                "it is one of MySQL",
            ),
            (Dialect::Postgres, "oauth_issuer", "x", "password_command"),
            (Dialect::Postgres, "service", "x", "host, user and database"),
            (Dialect::Postgres, "passfile", "x", "PGPASSFILE"),
            (Dialect::Postgres, "gssencmode", "require", "no GSSAPI"),
            (Dialect::Postgres, "sslpassword", "x", "name one without"),
            (Dialect::Mysql, "sslrootcert", "x", "write `ssl-ca=…`"),
            (
                Dialect::Mysql,
                "options",
                "-c x=y",
                "it is one of PostgreSQL",
            ),
            (
                Dialect::Mysql,
                "target_session_attrs",
                "any",
                "it is one of PostgreSQL",
            ),
            (
                Dialect::Mysql,
                "application_name",
                "x",
                "it is one of PostgreSQL",
            ),
            (Dialect::Mysql, "ssl_ca", "x", "did you mean `ssl-ca`?"),
            (
                Dialect::Mysql,
                "ssl-verify-server-cert",
                "1",
                "VERIFY_IDENTITY",
            ),
            (Dialect::Mysql, "init-command", "x", "leave it out"),
            (Dialect::Mysql, "protocol", "pipe", "write the host"),
            (Dialect::Mysql, "database", "x", "behind the host"),
            (Dialect::Postgres, "currentSchema", "a", "search_path%3D"),
            (Dialect::Postgres, "nonsense", "1", "there are host"),
            (
                Dialect::Postgres,
                "options[search_path]",
                "1",
                "search_path%3D",
            ),
            (
                Dialect::Postgres,
                "ssl_mode",
                "x",
                "did you mean `ssl-mode`?",
            ),
            (Dialect::Mysql, "ssl-mod", "x", "did you mean `ssl-mode`?"),
            (Dialect::Mysql, "useSSL", "true", "ssl-mode=REQUIRED"),
            (Dialect::Mysql, "charset", "latin1", "utf8mb4"),
            (Dialect::Mysql, "nonsense", "1", "there are socket"),
        ] {
            let said = known(name, value, dialect).unwrap_err();
            assert!(said.contains(advice) && said.contains(name), "{said}");
        }
        assert_eq!(
            known("channel_binding", "prefer", Dialect::Postgres),
            Ok("channel_binding")
        );
        assert_eq!(
            known("ssl-ca", "/ca.pem", Dialect::Mysql),
            Ok("sslrootcert")
        );
    }
}
