//! How a connection to PostgreSQL is made, and when it is not.

use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::super::given::{Given, password_in};
use super::super::tls::{self, Reach};
use super::super::url::{ServerUrl, TlsMode};
use super::{DatabaseError, Target, from_sqlx, own_name};
use crate::sql::Dialect;
use crate::text::secret::percent_encoded;

/// Logs in, with these settings for the session.
pub(super) async fn log_in(
    target: &Target,
    settings: &[(&str, &str)],
) -> Result<PgConnection, DatabaseError> {
    let server = target.server()?;
    tls::check_files(server, Dialect::Postgres)?;
    let mut options = match target.as_given() {
        Some(Given::Postgres(given)) => ours(PgConnectOptions::clone(given), server),
        _ => options(server)?,
    };
    // Without any the parameter is left out, which not every pooler knows.
    if !settings.is_empty() {
        options = options.options(settings.iter().copied());
    }
    let host = options.get_host().to_owned();
    let reach = match options.get_socket() {
        Some(_) => Reach::Socket,
        None => Reach::of_host(&host),
    };
    // The environment may say it as well, as for every client of PostgreSQL.
    let said = tls::asked(server).or_else(|| TlsMode::read(&std::env::var("PGSSLMODE").ok()?));
    let mode = match reach {
        // It does not leave the machine, and no server speaks TLS there: libpq does not ask either.
        Reach::Socket => TlsMode::Disable,
        reach => said.unwrap_or_else(|| reach.default_mode()),
    };
    let mode = match mode {
        TlsMode::Disable | TlsMode::Allow | TlsMode::Prefer if reach != Reach::Socket => {
            if target.as_given().is_some() || may_have_password(server) {
                greet(&options, mode, &host).await?
            } else {
                mode
            }
        }
        mode => mode,
    };
    options = options.ssl_mode(match mode {
        TlsMode::Disable | TlsMode::Allow => PgSslMode::Disable,
        TlsMode::Prefer => PgSslMode::Prefer,
        TlsMode::Require => PgSslMode::Require,
        TlsMode::VerifyCa => PgSslMode::VerifyCa,
        TlsMode::VerifyFull => PgSslMode::VerifyFull,
    });
    PgConnection::connect_with(&options)
        .await
        .map_err(|error| tls::explained(from_sqlx(&error), server, &host, Dialect::Postgres))
}

fn options(server: &ServerUrl) -> Result<PgConnectOptions, DatabaseError> {
    let port = server.port.map(|port| port.to_string());
    let ours = [
        ("host", server.host.as_deref()),
        ("port", port.as_deref()),
        ("user", server.user.as_deref()),
        ("password", server.password.as_deref()),
        ("dbname", server.database.as_deref()),
    ];
    let ours = ours
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)));
    let passed_on = [
        "options",
        "application_name",
        "sslrootcert",
        "sslcert",
        "sslkey",
    ];
    let theirs = server
        .parameters
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        // The authorities that the driver brings along.
        .filter(|(name, value)| {
            passed_on.contains(name) && (*name, *value) != ("sslrootcert", tls::SYSTEM)
        });
    // Written anew, so that the driver cannot read it in another way than it was read here. It looks into the password
    // file by itself, which is why it gets a URL.
    let pairs: Vec<String> = ours
        .chain(theirs)
        .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
        .collect();
    let options = PgConnectOptions::from_str(&format!("postgres:///?{}", pairs.join("&")))
        .map_err(|_| DatabaseError::bad_url("the URL cannot be read".to_owned()))?;
    Ok(in_our_way(options))
}

/// How our sessions are opened, whoever says where.
fn in_our_way(options: PgConnectOptions) -> PgConnectOptions {
    let options = options
        // A parameter that poolers do not know.
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    let name = own_name(options.get_application_name());
    options.application_name(&name)
}

/// The options of the application, for a session of ours; a password that something else says wins.
fn ours(given: PgConnectOptions, server: &ServerUrl) -> PgConnectOptions {
    let options = match &server.password {
        Some(password) => given.password(password),
        None => given,
    };
    in_our_way(options)
}

/// What a URL would say of the server behind these options. *Prefer* is what they say where nobody has said anything.
pub(in crate::database) fn server_of(options: &PgConnectOptions) -> ServerUrl {
    let socket = options
        .get_socket()
        .map(|path| path.to_string_lossy().into_owned());
    let (user, host) = (options.get_username(), options.get_host());
    let named = if socket.is_some() { "socket" } else { host };
    ServerUrl {
        scheme: "postgres".to_owned(),
        user: Some(user.to_owned()),
        password: password_in(options, &[user, named]),
        host: Some(socket.unwrap_or_else(|| host.to_owned())),
        port: Some(options.get_port()),
        others: Vec::new(),
        database: options.get_database().map(ToOwned::to_owned),
        tls: match options.get_ssl_mode() {
            PgSslMode::Disable => Some(TlsMode::Disable),
            PgSslMode::Allow => Some(TlsMode::Allow),
            PgSslMode::Prefer => None,
            PgSslMode::Require => Some(TlsMode::Require),
            PgSslMode::VerifyCa => Some(TlsMode::VerifyCa),
            PgSslMode::VerifyFull => Some(TlsMode::VerifyFull),
        },
        parameters: Vec::new(),
    }
}

/// Whether there is a password that could be given away.
fn may_have_password(server: &ServerUrl) -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    server.password.is_some()
        || is_set("PGPASSWORD")
        || is_set("PGPASSFILE")
        || std::env::home_dir().is_some_and(|home| home.join(".pgpass").exists())
}

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const PROTOCOL: [u8; 4] = [0, 3, 0, 0];
/// The server's answer that asks for the password as it is.
const CLEAR_TEXT: u32 = 3;

/// Finds out how the server would ask for the password over a connection without TLS, and says nothing secret to it. Returns
/// the mode to log in with: where TLS is offered, nothing less will do.
async fn greet(
    options: &PgConnectOptions,
    mode: TlsMode,
    host: &str,
) -> Result<TlsMode, DatabaseError> {
    let failed = |error: std::io::Error| DatabaseError::unreachable(error.to_string());
    let mut stream = TcpStream::connect((host, options.get_port()))
        .await
        .map_err(failed)?;
    if mode == TlsMode::Prefer {
        stream.write_all(&SSL_REQUEST).await.map_err(failed)?;
        if stream.read_u8().await.map_err(failed)? == b'S' {
            return Ok(TlsMode::Require);
        }
    }
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    let mut startup = PROTOCOL.to_vec();
    for text in ["user", user, "database", database] {
        startup.extend_from_slice(text.as_bytes());
        startup.push(0);
    }
    startup.push(0);
    let length = u32::try_from(startup.len() + 4)
        .map_err(|_| DatabaseError::bad_url("a name in the URL is too long".to_owned()))?;
    stream
        .write_all(&length.to_be_bytes())
        .await
        .map_err(failed)?;
    stream.write_all(&startup).await.map_err(failed)?;
    let mut answer = [0; 9];
    // What it refuses now it will refuse again, with words that the driver understands.
    if stream.read_exact(&mut answer).await.is_err() {
        return Ok(mode);
    }
    let [kind, _, _, _, _, how @ ..] = answer;
    if kind == b'R' && u32::from_be_bytes(how) == CLEAR_TEXT {
        return Err(tls::clear_text(host, Dialect::Postgres));
    }
    Ok(mode)
}
