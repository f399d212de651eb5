//! What stands in double quotes is a name.
//!
//! SQLite takes `"nick_name"` for a text where nothing is called so. A typo in a condition is true or false for every row then, and 0 is
//! what lets a contract pass. Only connections of this program read it so: those of the application are as they are.
//!
//! Not so a script that alters a table: SQLite then reads each view and each trigger of the schema again, and many a one holds
//! `datetime("now")`, which has worked for years.

use std::ffi::c_int;

use libsqlite3_sys::{SQLITE_DBCONFIG_DQS_DML, SQLITE_OK, sqlite3_db_config};
use sqlx::sqlite::SqliteConnection;

use super::from_sqlx;
use crate::database::{DatabaseError, ErrorKind};

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
