//! The schema as it is, as a script that makes it anew: one file for each kind of database.
//!
//! Invariant: whoever looks changes nothing, and what is Phasegate's own is not in the script.

mod mysql;
mod ordered;
mod postgres;
mod sqlite;
mod traces;

pub use traces::first_trace;

use super::AdoptError;
use crate::database::{Access, Connection};
use crate::interrupt::Interrupt;
use crate::sql::{Dialect, statements};

/// The migration that a new database begins with.
pub const BASELINE: &str = "0000_baseline";

/// Its declaration: no version of a service tells a database that began with it from one that was there before.
pub const MANIFEST: &str = "description = \"The schema as it was when Phasegate was adopted\"\n";

const HEADER: &str = "\
-- The schema as it was when `migrate adopt --baseline` looked: what a new database begins with. Where it
-- was, this is recorded as applied, and nothing of it was run.

";

/// Which database is looked at.
#[derive(Clone, Copy)]
pub struct Looked<'a> {
    pub dialect: Dialect,
    /// For a program that connects by itself.
    pub url: &'a str,
    pub interrupt: Interrupt,
}

/// The statements that make the schema of this database, in an order in which they can run. None where it is empty.
///
/// # Errors
/// What cannot be read, or has no place in a script.
pub async fn schema(
    looked: &Looked<'_>,
    connection: &mut dyn Connection,
) -> Result<Vec<String>, AdoptError> {
    let read = match looked.dialect {
        Dialect::Postgres => postgres::read(looked).await?,
        dialect => {
            connection.begin(Access::Read).await?;
            let read = match dialect {
                Dialect::Sqlite => sqlite::read(connection).await,
                _ => mysql::read(connection).await,
            };
            connection.rollback().await?;
            read?
        }
    };
    crate::crash::point("baseline.read");
    read.iter()
        .map(|statement| alone(looked.dialect, statement))
        .collect()
}

/// The file of these statements.
#[must_use]
pub fn script(statements: &[String]) -> String {
    let mut text = HEADER.to_owned();
    for statement in statements {
        text.push_str(statement);
        text.push_str(";\n\n");
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

/// The declaration with an allowance for each statement that begins like this, where it has none: a database that is being made has nobody
/// whom it could harm.
#[must_use]
pub fn with_allowances(manifest: &str, statements: &[String]) -> String {
    let mut text = manifest.to_owned();
    for statement in statements {
        let statement = toml::Value::String(statement.clone());
        let line = format!("statement = {statement}\n");
        if !text.contains(&line) {
            let reason = "the schema as it was: nobody uses a database that is being made";
            text.push_str(&format!(
                "\n[[expand.allow]]\n{line}reason = \"{reason}\"\n"
            ));
        }
    }
    text
}

/// What the file of the baseline for this kind of database is called.
#[must_use]
pub fn file_name(dialect: Dialect) -> String {
    format!("expand.{}.sql", dialect.name())
}

/// The statement without what stands around it: a comment at its end would swallow the `;`.
fn alone(dialect: Dialect, text: &str) -> Result<String, AdoptError> {
    let no_statement = || {
        let begin: String = text.chars().take(80).collect();
        AdoptError::said(
            format!("the database shows what is not one statement: {begin}"),
            "write the schema into a migration by hand, and say `migrate adopt --baseline` again: it records what is there",
        )
    };
    let spans = statements(dialect, text).map_err(|_| no_statement())?;
    match spans.as_slice() {
        [span] => Ok(text.get(span.clone()).unwrap_or_default().to_owned()),
        _ => Err(no_statement()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_at_the_end_swallows_nothing() {
        let statement = "CREATE TABLE t (a integer) -- the last one";
        let alone = alone(Dialect::Sqlite, statement).unwrap();
        assert_eq!(alone, "CREATE TABLE t (a integer)");
        assert!(script(&[alone]).ends_with("\n\nCREATE TABLE t (a integer);\n"));
        assert!(super::alone(Dialect::Sqlite, "SELECT 1; SELECT 2").is_err());
    }
}
