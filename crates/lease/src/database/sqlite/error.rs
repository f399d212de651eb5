//! What the library's errors are, by their codes.

use crate::database::{DatabaseError, ErrorKind};

pub(super) fn from_sqlx(error: &sqlx::Error) -> DatabaseError {
    let mut found = DatabaseError::from_sqlx(error, |inner| {
        // Extended result codes: the low byte is the primary one.
        let primary = inner
            .code()
            .and_then(|code| code.parse::<u32>().ok())
            .map(|code| code & 0xff);
        match primary {
            Some(5 | 6) => ErrorKind::Locked,
            Some(9) => ErrorKind::Interrupted,
            Some(3 | 23) => ErrorKind::Permission,
            Some(8) => ErrorKind::ReadOnly,
            Some(13) => ErrorKind::NoSpace,
            Some(11 | 26) => ErrorKind::NotADatabase,
            Some(10 | 14) => ErrorKind::Unreachable,
            _ if inner.message().starts_with("no such table") => ErrorKind::NoTable,
            _ => ErrorKind::Statement,
        }
    });
    found = found.of_a_file();
    if let Some(advice) = advice_on_quotes(&found.message) {
        found.message.push_str(advice);
    }
    // SQLite reads every view again at each ALTER TABLE, also those of a table that is just being rebuilt.
    if found.message.starts_with("error in view ") {
        found.message.push_str(
            ". If the script changes or rebuilds what the view shows, begin it with `DROP VIEW` and create it again at the end",
        );
    }
    found
}

/// What SQLite says of a name in double quotes that it has not found.
const NO_SUCH_NAME: &str = "should this be a string literal in single-quotes?";

/// What there is to do about a name in double quotes that was not found.
fn advice_on_quotes(message: &str) -> Option<&'static str> {
    message.contains(NO_SUCH_NAME).then_some(
        ". Nothing in double quotes is taken for a text here. Where the statement itself does not hold it, a trigger or a view of \
         the schema does: make that anew with the text in single quotes, in a migration of its own (before this one, if it is not expanded yet)",
    )
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{ConnectOptions as _, Connection as _};

    use super::*;

    async fn refused(
        connection: &mut sqlx::SqliteConnection,
        statement: &'static str,
    ) -> DatabaseError {
        let ran = sqlx::raw_sql(statement).execute(connection).await;
        from_sqlx(&ran.expect_err("it cannot be written"))
    }

    #[tokio::test]
    async fn a_file_that_takes_no_more_and_one_that_takes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new().filename(directory.path().join("a.db"));
        let mut connection = options
            .clone()
            .create_if_missing(true)
            .connect()
            .await
            .unwrap();
        let fills = "CREATE TABLE t (a); PRAGMA max_page_count = 3; INSERT INTO t SELECT randomblob(100000)";
        let full = refused(&mut connection, fills).await;
        assert_eq!(full.kind, ErrorKind::NoSpace, "{full}");
        assert!(
            full.to_string()
                .starts_with("the disk of the database is full")
        );
        assert!(full.help().unwrap().starts_with("free space"));
        connection.close().await.unwrap();
        let mut connection = options.read_only(true).connect().await.unwrap();
        let only_read = refused(&mut connection, "CREATE TABLE u (a)").await;
        assert_eq!(only_read.kind, ErrorKind::ReadOnly, "{only_read}");
        assert!(!only_read.help().unwrap().contains("grants"));
    }
}
