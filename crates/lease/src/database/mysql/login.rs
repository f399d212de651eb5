//! How a connection to MySQL or MariaDB is made, and when it is not.

use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::mysql::{MySqlConnectOptions, MySqlConnection, MySqlSslMode};

use super::super::given::{Given, password_in};
use super::super::tls::{self, Reach};
use super::super::url::{ServerUrl, TlsMode};
use super::greeting::greet;
use super::{DatabaseError, STATEMENTS, Target, from_sqlx};
use crate::sql::Dialect;

/// What a session is opened with; a further one as well.
pub(super) fn options(target: &Target) -> Result<MySqlConnectOptions, DatabaseError> {
    let server = target.server()?;
    let options = match target.as_given() {
        Some(Given::Mysql(given)) => as_given(given, server)?,
        _ => as_in_url(server)?,
    };
    let mode = mode(server, &options);
    Ok(options
        // A password is never sent in clear text over a connection without TLS: a switch to `mysql_clear_password` is refused,
        // and so is one encrypted with a key that whoever answers has sent along.
        .enable_cleartext_plugin(false)
        .ssl_mode(in_words_of_the_driver(mode))
        // Closing a statement is not answered, and what is sent after it would wait for a delayed
        // acknowledgement (40 ms). The server prepares one anew by itself where a table has changed.
        .statement_cache_capacity(STATEMENTS)
        // The user's statements mean what they mean in any other session.
        .pipes_as_concat(false)
        .no_engine_substitution(false)
        .timezone(None::<String>)
        .disable_statement_logging())
}

/// The options of the application, for a session of ours; a password that something else says wins.
fn as_given(
    given: &MySqlConnectOptions,
    server: &ServerUrl,
) -> Result<MySqlConnectOptions, DatabaseError> {
    if server.database.is_none() {
        return Err(DatabaseError::bad_url(
            "the connect options name no database: add `.database(\"shop\")`".into(),
        ));
    }
    let options = given.clone().charset("utf8mb4").set_names(true);
    Ok(match &server.password {
        Some(password) => options.password(password),
        None => options,
    })
}

/// What a URL would say of the server behind these options. *Preferred* is what they say where nobody has said anything.
pub(in crate::database) fn server_of(options: &MySqlConnectOptions) -> ServerUrl {
    let (user, host) = (options.get_username(), options.get_host());
    let socket = options
        .get_socket()
        .map(|path| path.to_string_lossy().into_owned());
    ServerUrl {
        scheme: "mysql".to_owned(),
        user: Some(user.to_owned()),
        password: password_in(options, &[user, host]),
        host: Some(host.to_owned()),
        port: Some(options.get_port()),
        others: Vec::new(),
        database: options.get_database().map(ToOwned::to_owned),
        tls: match options.get_ssl_mode() {
            MySqlSslMode::Disabled => Some(TlsMode::Disable),
            MySqlSslMode::Preferred => None,
            MySqlSslMode::Required => Some(TlsMode::Require),
            MySqlSslMode::VerifyCa => Some(TlsMode::VerifyCa),
            MySqlSslMode::VerifyIdentity => Some(TlsMode::VerifyFull),
        },
        parameters: socket
            .map(|socket| ("socket".to_owned(), socket))
            .into_iter()
            .collect(),
    }
}

fn as_in_url(server: &ServerUrl) -> Result<MySqlConnectOptions, DatabaseError> {
    tls::check_files(server, Dialect::Mysql)?;
    let mut options = MySqlConnectOptions::new();
    if let Some(host) = &server.host {
        options = options.host(host);
    }
    if let Some(port) = server.port {
        options = options.port(port);
    }
    if let Some(user) = &server.user {
        options = options.username(user);
    }
    if let Some(password) = &server.password {
        options = options.password(password);
    }
    let Some(database) = &server.database else {
        return Err(DatabaseError::bad_url(
            "the URL names no database: write `mysql://user@host:3306/shop`".into(),
        ));
    };
    options = options.database(database);
    if let Some(path) = socket(server) {
        options = options.socket(path);
    }
    let authority = server.parameter("sslrootcert");
    if let Some(file) = authority.filter(|file| *file != tls::SYSTEM) {
        options = options.ssl_ca(file);
    }
    if let Some(file) = server.parameter("sslcert") {
        options = options.ssl_client_cert(file);
    }
    if let Some(file) = server.parameter("sslkey") {
        options = options.ssl_client_key(file);
    }
    if let Some(collation) = server.parameter("collation") {
        options = options.collation(collation);
    }
    Ok(options)
}

fn reach(server: &ServerUrl, options: &MySqlConnectOptions) -> Reach {
    match socket(server) {
        Some(_) => Reach::Socket,
        None => Reach::of_host(options.get_host()),
    }
}

/// How much TLS is asked for, by the URL or, where that does not say, by where the server is.
fn mode(server: &ServerUrl, options: &MySqlConnectOptions) -> TlsMode {
    tls::asked(server).unwrap_or_else(|| reach(server, options).default_mode())
}

const fn in_words_of_the_driver(mode: TlsMode) -> MySqlSslMode {
    match mode {
        TlsMode::Disable => MySqlSslMode::Disabled,
        TlsMode::Allow | TlsMode::Prefer => MySqlSslMode::Preferred,
        TlsMode::Require => MySqlSslMode::Required,
        TlsMode::VerifyCa => MySqlSslMode::VerifyCa,
        TlsMode::VerifyFull => MySqlSslMode::VerifyIdentity,
    }
}

fn socket(server: &ServerUrl) -> Option<&str> {
    let host = server.host.as_deref().filter(|host| host.starts_with('/'));
    server.parameter("socket").or(host)
}

/// Logs in.
pub(super) async fn log_in(
    target: &Target,
    options: &MySqlConnectOptions,
) -> Result<MySqlConnection, DatabaseError> {
    let server = target.server()?;
    let mut options = options.clone();
    let mode = mode(server, &options);
    let may_be_in_clear = matches!(mode, TlsMode::Disable | TlsMode::Allow | TlsMode::Prefer);
    let has_password = server.password.is_some() || target.as_given().is_some();
    if may_be_in_clear && has_password && reach(server, &options) != Reach::Socket {
        let greeted = greet(options.get_host(), options.get_port(), mode).await?;
        options = options.ssl_mode(in_words_of_the_driver(greeted));
    }
    MySqlConnection::connect_with(&options)
        .await
        .map_err(|error| {
            tls::explained(
                from_sqlx(&error),
                server,
                options.get_host(),
                Dialect::Mysql,
            )
        })
}
