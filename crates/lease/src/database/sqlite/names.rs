//! What stands in double quotes is a name.
//!
//! SQLite takes `"nick_name"` for a text where nothing is called so. A typo in a condition is true or false for every row then, and 0 is
//! what lets a contract pass. Only connections of this program read it so: those of the application are as they are.
//!
//! Not so a statement that alters a table: SQLite then reads each view and each trigger of the schema again, and many a one holds
//! `datetime("now")`, which has worked for years.

use std::ffi::c_int;

use libsqlite3_sys::{SQLITE_DBCONFIG_DQS_DML, SQLITE_OK, sqlite3_db_config};
use sqlx::sqlite::SqliteConnection;

use super::{Sqlite, from_sqlx};
use crate::database::{DatabaseError, ErrorKind, Stopped};

/// What becomes of something in double quotes of whose name there is nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Unfound {
    /// It is an error, as of any other name.
    Refused,
    /// It is a text, as SQLite has it where nobody says otherwise.
    Text,
}

/// Has the connection read what is in double quotes so, in queries and in statements that write.
pub(super) async fn read(
    connection: &mut SqliteConnection,
    unfound: Unfound,
) -> Result<(), DatabaseError> {
    let mut handle = connection
        .lock_handle()
        .await
        .map_err(|error| from_sqlx(&error))?;
    let is_text = c_int::from(unfound == Unfound::Text);
    let nowhere = std::ptr::null_mut::<c_int>();
    let raw = handle.as_raw_handle().as_ptr();
    #[allow(unsafe_code, reason = "sqlx has no function for this")]
    // SAFETY: the handle is locked, so that the connection is open and nobody else uses it. The setting takes an `int`, and a
    // pointer to one that may be null.
    let answer = unsafe { sqlite3_db_config(raw, SQLITE_DBCONFIG_DQS_DML, is_text, nowhere) };
    if answer != SQLITE_OK {
        return Err(DatabaseError::new(
            ErrorKind::Statement,
            "this SQLite takes a name in double quotes for a text where there is none of that name, and cannot be told \
             otherwise: it is older than 3.29",
        ));
    }
    Ok(())
}

/// Whether SQLite reads the schema again, with what its views and triggers hold.
pub(super) fn alters(statement: &str) -> bool {
    let word = statement.trim_start().get(..5);
    word.is_some_and(|word| word.eq_ignore_ascii_case("ALTER"))
}

impl Sqlite {
    async fn read_unfound(&mut self, unfound: Unfound) -> Result<(), DatabaseError> {
        match self.stop.is_lost {
            true => Ok(()),
            false => read(&mut self.inner, unfound).await,
        }
    }

    /// Runs one statement.
    pub(super) async fn plain_read(&mut self, sql: &str) -> Result<u64, DatabaseError> {
        if !alters(sql) {
            return self.plain(sql).await;
        }
        self.read_unfound(Unfound::Text).await?;
        let ran = self.plain(sql).await;
        self.read_unfound(Unfound::Refused).await?;
        ran
    }

    /// Sends statements of the user's, those that alter a table apart from the others.
    pub(super) async fn send_theirs(&mut self, statements: &[&str]) -> Result<(), Stopped> {
        let mut done = 0;
        for together in statements.chunk_by(|one, next| alters(one) == alters(next)) {
            let is_text = together.first().is_some_and(|one| alters(one));
            if is_text {
                self.read_unfound(Unfound::Text).await?;
            }
            let sent = self.send(&[], together).await;
            if is_text {
                self.read_unfound(Unfound::Refused).await?;
            }
            sent.map_err(|stopped| Stopped {
                at: stopped.at.map(|at| at + done),
                ..stopped
            })?;
            done += together.len();
        }
        Ok(())
    }
}
