//! PostgreSQL: what `pg_dump` prints, without what belongs to its own session.

use std::time::Duration;

use percent_encoding::percent_decode_str;

use super::{AdoptError, Looked};
use crate::program::{Program, Unanswered};
use crate::sql::{Dialect, statements};

/// The catalogue of a large schema takes a while.
const LONGEST: Duration = Duration::from_mins(10);

const RUN: [&str; 12] = [
    "pg_dump",
    "--schema-only",
    "--no-owner",
    "--no-privileges",
    "--no-tablespaces",
    "--no-publications",
    "--no-subscriptions",
    "--no-security-labels",
    "--encoding=UTF8",
    "--exclude-schema=phasegate",
    "--lock-wait-timeout=30s",
    "--dbname",
];

pub(super) async fn read(looked: &Looked<'_>) -> Result<Vec<String>, AdoptError> {
    let (address, password) = without_password(looked.url);
    let mut run: Vec<String> = RUN.map(str::to_owned).to_vec();
    run.push(address);
    // A command line is for everybody to see.
    let password = password.map(|password| ("PGPASSWORD".to_owned(), password));
    let program = Program {
        run: &run,
        env: &["PGPASSFILE", "PGPASSWORD", "PGSERVICEFILE"].map(str::to_owned),
        variables: password.as_slice(),
        database_url: None,
        timeout: LONGEST,
        interrupt: looked.interrupt,
    };
    let printed = program.output().await.map_err(|why| {
        let help = match why {
            Unanswered::Failed(_) => "the schema of PostgreSQL is read with its own `pg_dump`: install the client of the server's version, or \
                 a newer one (Debian: postgresql-client), and have it in the PATH",
            Unanswered::Ended(_) => "`pg_dump` has to be of the server's version or a newer one, and its role has to be able to read every table",
        };
        AdoptError::said(format!("the schema cannot be read: {why}"), help)
    })?;
    taken(&printed)
}

/// The URL without its password, and that.
fn without_password(url: &str) -> (String, Option<String>) {
    let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut password = None;
    let (address, parameters) = match url.split_once('?') {
        Some((address, parameters)) => (address, Some(parameters)),
        None => (url, None),
    };
    let mut address = address.to_owned();
    if let Some((scheme, rest)) = address.split_once("://")
        && let Some((user, place)) = rest.rsplit_once('@')
        && let Some((name, secret)) = user.split_once(':')
    {
        password = Some(decoded(secret));
        address = format!("{scheme}://{name}@{place}");
    }
    let kept: Vec<&str> = parameters
        .into_iter()
        .flat_map(|parameters| parameters.split('&'))
        .filter(|parameter| match parameter.split_once('=') {
            Some(("password", secret)) => {
                password = Some(decoded(secret));
                false
            }
            _ => !parameter.is_empty(),
        })
        .collect();
    if !kept.is_empty() {
        address = format!("{address}?{}", kept.join("&"));
    }
    (address, password)
}

/// The statements of a dump that make something.
fn taken(dump: &str) -> Result<Vec<String>, AdoptError> {
    let sql = without_meta_commands(dump);
    let spans = statements(Dialect::Postgres, &sql).map_err(|error| {
        AdoptError::said(
            format!("what `pg_dump` has printed cannot be taken apart: {error}"),
            "write the schema into a migration by hand",
        )
    })?;
    let all = spans
        .into_iter()
        .map(|span| sql.get(span).unwrap_or_default());
    let mut made: Vec<String> = all.filter_map(kept).collect();
    // It shows a materialized view without its rows, and nobody can read one that never had any.
    let filled: Vec<String> = made.iter().filter_map(|made| refreshed(made)).collect();
    made.extend(filled);
    if made.is_empty() {
        return Ok(made);
    }
    // A function may name a table that comes after it.
    made.insert(0, "SET LOCAL check_function_bodies = false".to_owned());
    Ok(made)
}

/// Since a security release of every version, a dump is framed by two commands of psql with a word that nobody can guess.
fn without_meta_commands(dump: &str) -> String {
    let word = dump
        .lines()
        .find_map(|line| line.strip_prefix("\\restrict "));
    let Some(word) = word else {
        return dump.to_owned();
    };
    let is_command = |line: &&str| {
        ["\\restrict ", "\\unrestrict "]
            .iter()
            .any(|command| line.strip_prefix(command) == Some(word))
    };
    let lines: Vec<&str> = dump.lines().filter(|line| !is_command(line)).collect();
    lines.join("\n")
}

/// A statement as it belongs into a script; none of what is only for the session that loads a dump, and of what only the owner of an
/// extension may say.
fn kept(statement: &str) -> Option<String> {
    const SESSION: [&str; 3] = [
        "SET ",
        "SELECT pg_catalog.set_config(",
        "COMMENT ON EXTENSION ",
    ];
    const ACCESS: &str = "SET default_table_access_method = ";
    if let Some(method) = statement.strip_prefix(ACCESS)
        && method != "heap"
    {
        return Some(format!("SET LOCAL default_table_access_method = {method}"));
    }
    if SESSION.iter().any(|begin| statement.starts_with(begin)) {
        return None;
    }
    // The one in which the ledger's names are looked for may be there.
    match statement.strip_prefix("CREATE SCHEMA ") {
        Some(name) => Some(format!("CREATE SCHEMA IF NOT EXISTS {name}")),
        None => Some(statement.to_owned()),
    }
}

fn refreshed(made: &str) -> Option<String> {
    let rest = made.strip_prefix("CREATE MATERIALIZED VIEW ")?;
    let name = rest.split(" AS").next()?.trim();
    made.ends_with("WITH NO DATA")
        .then(|| format!("REFRESH MATERIALIZED VIEW {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_for_the_command_line() {
        for (url, address, password) in [
            ("postgres://h/db", "postgres://h/db", None),
            ("postgres://u@h/db?a=b", "postgres://u@h/db?a=b", None),
            (
                "postgres://u:s%40:c@h:5/db",
                "postgres://u@h:5/db",
                Some("s@:c"),
            ),
            (
                "postgres://h/db?password=a%20b&sslmode=require",
                "postgres://h/db?sslmode=require",
                Some("a b"),
            ),
        ] {
            let expected = (address.to_owned(), password.map(str::to_owned));
            assert_eq!(without_password(url), expected);
        }
    }

    #[test]
    fn what_belongs_to_the_session_of_a_dump_is_left_out() {
        let dump = "\
\\restrict Xy7
SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA audit;
CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;
COMMENT ON EXTENSION citext IS 'data type';
CREATE FUNCTION public.f() RETURNS void LANGUAGE sql AS $$
SET LOCAL a.b = 'x';
\\restrict me
$$;
SET default_table_access_method = heap;
--
-- Name: t
--
CREATE TABLE public.t (
    a integer
);
CREATE MATERIALIZED VIEW public.m AS
 SELECT a FROM public.t
  WITH NO DATA;
\\unrestrict Xy7
";
        let expected = [
            "SET LOCAL check_function_bodies = false",
            "CREATE SCHEMA IF NOT EXISTS audit",
            "CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public",
            "CREATE FUNCTION public.f() RETURNS void LANGUAGE sql AS $$\nSET LOCAL a.b = 'x';\n\\restrict me\n$$",
            "CREATE TABLE public.t (\n    a integer\n)",
            "CREATE MATERIALIZED VIEW public.m AS\n SELECT a FROM public.t\n  WITH NO DATA",
            "REFRESH MATERIALIZED VIEW public.m",
        ];
        assert_eq!(taken(dump).unwrap(), expected);
        assert!(taken("SET a = 1;\n").unwrap().is_empty());
    }
}
