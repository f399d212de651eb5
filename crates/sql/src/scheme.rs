//! Which database a URL names by its scheme, and how to write one that names none.

use crate::Dialect;

/// The schemes of URLs, and the databases behind them.
const SCHEMES: &[(&str, Dialect)] = &[
    ("sqlite", Dialect::Sqlite),
    ("postgres", Dialect::Postgres),
    ("postgresql", Dialect::Postgres),
    ("mysql", Dialect::Mysql),
    ("mariadb", Dialect::Mysql),
];

/// What other programs call them.
const ALIASES: &[(&str, &str)] = &[
    ("pg", "postgres"),
    ("pgsql", "postgres"),
    ("psql", "postgres"),
    ("postgis", "postgres"),
    ("postgre", "postgres"),
    ("postgress", "postgres"),
    ("cockroachdb", "postgres"),
    ("mysql2", "mysql"),
    ("mysqlx", "mysql"),
    ("trilogy", "mysql"),
    ("maria", "mariadb"),
    ("sqlite3", "sqlite"),
    ("file", "sqlite"),
];

/// The words by which a connection string of libpq can begin.
const WORDS_OF_LIBPQ: &[&str] = &[
    "host=",
    "hostaddr=",
    "port=",
    "dbname=",
    "user=",
    "password=",
    "service=",
    "sslmode=",
];

const EXAMPLE: &str = "postgres://USER@HOST:5432/DATABASE";

/// The database that a URL leads to.
///
/// # Errors
/// Completes the sentence "the URL …", and says how to write it. Repeats no more of it than its scheme: the rest may hold a
/// password.
pub fn dialect_of_url(url: &str) -> Result<Dialect, String> {
    let url = url.trim();
    let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme.trim());
    let found = |scheme: &str| SCHEMES.iter().find(|(name, _)| *name == scheme);
    if let Some((_, dialect)) = found(scheme) {
        let is_file = *dialect == Dialect::Sqlite;
        return if is_file || url.contains("://") {
            Ok(*dialect)
        } else {
            Err(format!(
                "has no `//` behind `{scheme}:`: write `{scheme}://USER@HOST/DATABASE`"
            ))
        };
    }
    Err(instead(url, scheme))
}

/// How to write it.
fn instead(url: &str, scheme: &str) -> String {
    let found = |scheme: &str| SCHEMES.iter().find(|(name, _)| *name == scheme);
    let lower = scheme.to_ascii_lowercase();
    if url.is_empty() {
        return format!("is empty: write `{EXAMPLE}`, or `sqlite://app.db`");
    }
    if url.starts_with(['"', '\'']) {
        return "stands in quotes: leave them out".to_owned();
    }
    if lower == "jdbc" {
        let inner = url.split(':').nth(1).unwrap_or_default();
        let name = found(&inner.to_ascii_lowercase()).map_or("postgres", |(name, _)| *name);
        return format!(
            "is one of JDBC: leave out `jdbc:`, and write user and password before the host, `{name}://USER@HOST/DATABASE`"
        );
    }
    let begins = |words: &&str| url.to_ascii_lowercase().starts_with(words);
    if WORDS_OF_LIBPQ.iter().any(begins) {
        return format!("is written in words of libpq, and has to be a URL: `{EXAMPLE}`");
    }
    if url.contains("@tcp(") || url.contains("@unix(") {
        return "is written for a driver of Go: write `mysql://USER@HOST:3306/DATABASE`".to_owned();
    }
    if found(&lower).is_some() {
        return format!("has its scheme in capitals: write `{lower}://`");
    }
    if let Some((name, _)) = lower
        .split_once('+')
        .filter(|(name, _)| found(name).is_some())
    {
        return format!("names a driver behind `{name}+`: write `{name}://`");
    }
    if let Some((_, name)) = ALIASES.iter().find(|(alias, _)| *alias == lower) {
        return format!("begins with `{lower}:`, which is written `{name}://` here");
    }
    let is_word = !scheme.is_empty()
        && scheme.len() <= 20
        && scheme.chars().all(|c| c.is_ascii_alphanumeric());
    let known = "`sqlite://`, `postgres://`, `postgresql://`, `mysql://` or `mariadb://`";
    if is_word && url.contains("://") {
        format!("begins with `{scheme}:`, which is not supported: it has to begin with {known}")
    } else {
        format!("does not begin with {known}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_no_url_is_answered_with_how_to_write_it() {
        for (url, says) in [
            ("", "is empty"),
            ("\"postgres://me@h/d\"", "stands in quotes"),
            ("'mysql://me@h/d'", "stands in quotes"),
            (
                "jdbc:postgresql://h/d?user=me&password=S3cret",
                "leave out `jdbc:`",
            ),
            ("jdbc:mysql://h/d", "`mysql://USER@HOST/DATABASE`"),
            (
                "postgresql+psycopg2://me:S3cret@h/d",
                "write `postgresql://`",
            ),
            ("mysql+pymysql://me:S3cret@h/d", "write `mysql://`"),
            ("host=h user=me password=S3cret", "in words of libpq"),
            ("dbname=d host=h", "in words of libpq"),
            ("me:S3cret@tcp(h:3306)/d", "for a driver of Go"),
            ("me@unix(/run/my.sock)/d", "for a driver of Go"),
            ("POSTGRES://me@h/d", "write `postgres://`"),
            ("pgsql://me@h/d", "is written `postgres://` here"),
            ("mysql2://me@h/d", "is written `mysql://` here"),
            ("sqlite3:app.db", "is written `sqlite://` here"),
            ("postgres:me:S3cret@h", "has no `//`"),
            ("mysql:/me@h", "has no `//`"),
            ("oracle://x", "`oracle:`, which is not supported"),
            ("S3cret", "does not begin with `sqlite://`"),
            ("me:S3cret@h/d", "does not begin with `sqlite://`"),
            ("S3cret:x", "does not begin with `sqlite://`"),
        ] {
            let said = dialect_of_url(url).unwrap_err();
            assert!(said.contains(says), "{url}: {said}");
            assert!(!said.contains("S3cret"), "{url}: {said}");
        }
        for (url, dialect) in [
            ("sqlite:app.db", Dialect::Sqlite),
            (" postgres://h/d\n", Dialect::Postgres),
            ("postgresql://", Dialect::Postgres),
            ("mariadb://h/d", Dialect::Mysql),
        ] {
            assert_eq!(dialect_of_url(url), Ok(dialect), "{url}");
        }
    }
}
