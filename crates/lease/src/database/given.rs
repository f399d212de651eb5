//! Which database an application means: by a URL, by the options that its own connections are made with, or by what a
//! function of its own says anew for each login.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::asked::Asking;
use super::url::ServerUrl;
use super::{DatabaseError, Target};
use crate::sql::Dialect;

/// The database that a lease is held in.
///
/// Made from a URL, from connect options of sqlx, from a pool (whose options are taken), or by [`Database::asked`]. What it
/// shows of itself never holds a password.
///
/// ```
/// use phasegate_lease::{Database, Lease};
///
/// let by_url = Database::from("sqlite://shop.db");
/// let web = Lease::builder(by_url.clone(), "web", "1.2.0");
/// let worker = Lease::builder(by_url, "worker", "3.0.1");
/// ```
#[derive(Clone)]
pub struct Database(Kind);

#[derive(Clone)]
enum Kind {
    Url(String),
    /// The file of an embedded database.
    File(PathBuf),
    Server(Given),
    Asked(Asking),
}

/// Options of the driver, as the application has made them.
#[derive(Clone)]
pub(super) enum Given {
    #[cfg(feature = "postgres")]
    Postgres(Arc<sqlx::postgres::PgConnectOptions>),
    #[cfg(feature = "mysql")]
    Mysql(Arc<sqlx::mysql::MySqlConnectOptions>),
}

/// The same object, not only an equal one: the drivers do not compare them.
impl PartialEq for Given {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            #[cfg(feature = "postgres")]
            (Self::Postgres(one), Self::Postgres(other)) => Arc::ptr_eq(one, other),
            #[cfg(feature = "mysql")]
            (Self::Mysql(one), Self::Mysql(other)) => Arc::ptr_eq(one, other),
            #[allow(unreachable_patterns, reason = "a build has one database or several")]
            _ => false,
        }
    }
}

impl Eq for Given {}

impl Given {
    /// What a URL would say of the server, as far as the driver tells it: for messages, and for what is decided before a login.
    pub(super) fn server(&self) -> (Dialect, ServerUrl) {
        // Without a server there is none of them, and a reference to none would need an arm.
        match *self {
            #[cfg(feature = "postgres")]
            Self::Postgres(ref options) => (Dialect::Postgres, super::postgres::server_of(options)),
            #[cfg(feature = "mysql")]
            Self::Mysql(ref options) => (Dialect::Mysql, super::mysql::server_of(options)),
        }
    }
}

/// The password in options, which only a URL that is made of them shows.
#[cfg(any(feature = "mysql", feature = "postgres"))]
pub(super) fn password_in(options: &impl sqlx::ConnectOptions, names: &[&str]) -> Option<String> {
    // The driver makes no URL of some names, and panics.
    let is_plain = |name: &&str| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        !name.is_empty() && name.chars().all(is_part)
    };
    if !names.iter().all(is_plain) {
        return None;
    }
    let url = options.to_url_lossy();
    let password = super::percent::decoded(url.password()?)?;
    (!password.is_empty()).then_some(password)
}

impl Database {
    /// One whose password, or whose place, changes while the application runs: a token that expires. `ask` is called when the
    /// lease is asked for and anew for each login, and answers with a URL or with connect options. It may take its time, and
    /// may block: it has a thread of its own.
    ///
    /// ```
    /// # use phasegate_lease::Database;
    /// # async fn token() -> Result<String, std::io::Error> { Ok(String::new()) }
    /// let database = Database::asked(|| async {
    ///     Ok::<_, std::io::Error>(format!("postgres://web:{}@db/shop", token().await?))
    /// });
    /// ```
    pub fn asked<A, D, E>(ask: impl Fn() -> A + Send + Sync + 'static) -> Self
    where
        A: Future<Output = Result<D, E>> + 'static,
        D: Into<Self>,
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        Self(Kind::Asked(Asking::new(ask)))
    }

    /// Where it is, and how it is logged in to; a relative path starts in the current directory.
    pub(crate) async fn target(self) -> Result<Target, DatabaseError> {
        match self.0 {
            Kind::Asked(asking) => {
                let now = asking.answer().await?.named_at_once()?;
                Ok(now.asking(asking))
            }
            kind => Self(kind).named_at_once(),
        }
    }

    pub(super) fn named_at_once(self) -> Result<Target, DatabaseError> {
        match self.0 {
            Kind::Url(url) => {
                let directory = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
                Target::parse(&url, &directory)
            }
            Kind::File(path) => Target::of_file(path),
            #[allow(
                unreachable_patterns,
                reason = "without a server there is none of them"
            )]
            Kind::Server(given) => Ok(Target::given(given)),
            Kind::Asked(_) => Err(DatabaseError::bad_url(
                "what is asked for the database answers with a URL or with connect options, and not with another to ask"
                    .to_owned(),
            )),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = match &self.0 {
            Kind::Asked(_) => return f.write_str("Database(asked)"),
            kind => Self(kind.clone()).named_at_once(),
        };
        match known {
            Ok(target) => write!(f, "Database({target})"),
            // What cannot be read may be a password anywhere.
            Err(_) => f.write_str("Database(unreadable)"),
        }
    }
}

impl From<String> for Database {
    fn from(url: String) -> Self {
        Self(Kind::Url(url))
    }
}

impl From<&str> for Database {
    fn from(url: &str) -> Self {
        Self(Kind::Url(url.to_owned()))
    }
}

impl From<&String> for Database {
    fn from(url: &String) -> Self {
        Self(Kind::Url(url.clone()))
    }
}

impl From<Cow<'_, str>> for Database {
    fn from(url: Cow<'_, str>) -> Self {
        Self(Kind::Url(url.into_owned()))
    }
}

/// Takes options of a driver by value, by reference, and as a pool shares them.
macro_rules! from_options {
    ($options:ty, $made:expr) => {
        impl From<Arc<$options>> for Database {
            fn from(options: Arc<$options>) -> Self {
                Self($made(options))
            }
        }

        impl From<$options> for Database {
            fn from(options: $options) -> Self {
                Self::from(Arc::new(options))
            }
        }

        impl From<&$options> for Database {
            fn from(options: &$options) -> Self {
                Self::from(Arc::new(options.clone()))
            }
        }
    };
}

#[cfg(feature = "postgres")]
from_options!(sqlx::postgres::PgConnectOptions, |options| Kind::Server(
    Given::Postgres(options)
));
#[cfg(feature = "mysql")]
from_options!(sqlx::mysql::MySqlConnectOptions, |options| Kind::Server(
    Given::Mysql(options)
));
#[cfg(feature = "sqlite")]
from_options!(sqlx::sqlite::SqliteConnectOptions, |options: Arc<
    sqlx::sqlite::SqliteConnectOptions,
>| Kind::File(
    options.get_filename().to_owned()
));

impl<DB: sqlx::Database> From<&sqlx::Pool<DB>> for Database
where
    Self: From<Arc<<DB::Connection as sqlx::Connection>::Options>>,
{
    fn from(pool: &sqlx::Pool<DB>) -> Self {
        pool.connect_options().into()
    }
}
