//! Which database is meant, and how to speak of it without giving its password away.

use std::fmt;
use std::path::{Path, PathBuf};

use super::{DatabaseError, SCHEMES};
use crate::sql::Dialect;

/// A database's URL, read far enough to know which kind of database it is.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    dialect: Dialect,
    url: String,
    /// The file of an embedded database.
    path: Option<PathBuf>,
}

impl Target {
    /// Reads a URL; a relative path of an embedded database starts at `base`.
    ///
    /// # Errors
    /// A scheme that names no supported database, or a database that would not outlive the process.
    pub fn parse(url: &str, base: &Path) -> Result<Self, DatabaseError> {
        let scheme = url.split(':').next().unwrap_or_default();
        let Some((_, dialect)) = SCHEMES
            .iter()
            .find(|(name, _)| *name == scheme && url.contains(':'))
        else {
            let known: Vec<String> = SCHEMES
                .iter()
                .map(|(name, _)| format!("{name}://"))
                .collect();
            return Err(DatabaseError::bad_url(format!(
                "`{}` does not name a supported database: a URL starts with {}",
                redact(url),
                known.join(", ")
            )));
        };
        let path = match dialect {
            Dialect::Sqlite => Some(sqlite_path(url, base)?),
            Dialect::Postgres | Dialect::Mysql => None,
        };
        Ok(Self {
            dialect: *dialect,
            url: url.to_owned(),
            path,
        })
    }

    #[must_use]
    pub const fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The URL with its password. Not for messages.
    pub(super) fn secret_url(&self) -> &str {
        &self.url
    }

    /// The file of an embedded database.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => {
                let shown = path.strip_prefix(".").unwrap_or(path);
                write!(f, "{}", shown.display())
            }
            None => f.write_str(&redact(&self.url)),
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
    if !query.is_empty() {
        return Err(DatabaseError::bad_url(format!(
            "`{url}`: parameters after `?` are not supported for SQLite; write `sqlite://{file}`"
        )));
    }
    if file.is_empty() || file == ":memory:" {
        return Err(DatabaseError::bad_url(format!(
            "`{url}` names no file, so nothing would outlive this command; write `sqlite://app.db`"
        )));
    }
    Ok(base.join(file))
}

/// A URL for messages: with neither its password nor its parameters, which may hold one.
#[must_use]
pub fn redact(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        // Not a URL: it may be anything, so only its beginning is shown.
        return url
            .split([':', '@'])
            .next()
            .unwrap_or_default()
            .chars()
            .take(20)
            .collect();
    };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    // The password may itself hold `@` or `/`: the last `@` ends it.
    let shown = match rest.rsplit_once('@') {
        Some((credentials, place)) => {
            let user = credentials.split(':').next().unwrap_or_default();
            format!("{user}@{place}")
        }
        None => rest.to_owned(),
    };
    format!("{scheme}://{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_never_show() {
        for (url, shown) in [
            (
                "postgres://bob:secret@db:5432/shop",
                "postgres://bob@db:5432/shop",
            ),
            ("postgres://bob:se@cr/et@db/shop", "postgres://bob@db/shop"),
            ("postgres://db/shop?password=secret", "postgres://db/shop"),
            ("postgres://bob@db/shop", "postgres://bob@db/shop"),
            ("oops:secret", "oops"),
        ] {
            assert_eq!(redact(url), shown);
        }
    }

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
}
