//! Which databases this build speaks to, by the schemes of their URLs.

use super::connecting::ConnectOptions;
use super::{Connection, DatabaseError, LockHolder, Target};
use crate::sql::Dialect;

/// The URL schemes and the databases behind them, as far as they are built in.
pub const SCHEMES: &[(&str, Dialect)] = &[
    #[cfg(feature = "sqlite")]
    ("sqlite", Dialect::Sqlite),
    #[cfg(feature = "postgres")]
    ("postgres", Dialect::Postgres),
    #[cfg(feature = "postgres")]
    ("postgresql", Dialect::Postgres),
    #[cfg(feature = "mysql")]
    ("mysql", Dialect::Mysql),
    #[cfg(feature = "mysql")]
    ("mariadb", Dialect::Mysql),
];

/// The feature that a scheme needs, which this build has not got.
pub(super) fn missing(scheme: &str) -> Option<&'static str> {
    let feature = match scheme {
        "sqlite" => "sqlite",
        "postgres" | "postgresql" => "postgres",
        "mysql" | "mariadb" => "mysql",
        _ => return None,
    };
    let is_built_in = SCHEMES.iter().any(|(known, _)| *known == scheme);
    (!is_built_in).then_some(feature)
}

/// One attempt to connect.
pub(super) async fn connect_once(
    target: &Target,
    options: ConnectOptions,
) -> Result<Box<dyn Connection>, DatabaseError> {
    Ok(match target.dialect() {
        #[cfg(feature = "sqlite")]
        Dialect::Sqlite => Box::new(super::sqlite::Sqlite::connect(target, options).await?),
        #[cfg(feature = "postgres")]
        Dialect::Postgres => Box::new(super::postgres::Postgres::connect(target, options).await?),
        #[cfg(feature = "mysql")]
        Dialect::Mysql => Box::new(super::mysql::Mysql::connect(target, options).await?),
        // There is no target of a database that is not built in.
        #[allow(unreachable_patterns, reason = "a build has one database or several")]
        dialect => {
            let _ = options;
            return Err(DatabaseError::bad_url(format!(
                "{} is not built in",
                dialect.title()
            )));
        }
    })
}

/// Who holds locks on the file of an embedded database.
#[must_use]
pub fn holders_of_file(target: &Target) -> Vec<LockHolder> {
    #[cfg(feature = "sqlite")]
    return super::sqlite::holders_of_file(target);
    #[cfg(not(feature = "sqlite"))]
    {
        let _ = target;
        Vec::new()
    }
}
