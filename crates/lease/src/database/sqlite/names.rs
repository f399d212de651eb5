//! What stands in double quotes is a name.
//!
//! SQLite takes `"nick_name"` for a text where nothing is called so. A typo in a condition is true or false for every row then, and 0 is
//! what lets a contract pass. Only connections of this program read it so: those of the application are as they are.

use std::ffi::c_int;

use libsqlite3_sys::{
    SQLITE_DBCONFIG_DQS_DDL, SQLITE_DBCONFIG_DQS_DML, SQLITE_OK, sqlite3_db_config,
};
use sqlx::sqlite::SqliteConnection;

use super::from_sqlx;
use crate::database::{DatabaseError, ErrorKind};

/// What SQLite says of a name in double quotes that it has not found.
const NO_SUCH_NAME: &str = "should this be a string literal in single-quotes?";

/// Has the connection take what stands in double quotes for a name, in queries and in what a script makes. What stands in the schema
/// already is read as it was made.
pub(super) async fn in_double_quotes(
    connection: &mut SqliteConnection,
) -> Result<(), DatabaseError> {
    let mut handle = connection
        .lock_handle()
        .await
        .map_err(|error| from_sqlx(&error))?;
    for setting in [SQLITE_DBCONFIG_DQS_DML, SQLITE_DBCONFIG_DQS_DDL] {
        const OFF: c_int = 0;
        let nowhere = std::ptr::null_mut::<c_int>();
        #[allow(unsafe_code, reason = "sqlx has no function for this")]
        // SAFETY: the handle is locked, so that the connection is open and nobody else uses it. Both settings take an `int`, and
        // a pointer to one that may be null.
        let answer =
            unsafe { sqlite3_db_config(handle.as_raw_handle().as_ptr(), setting, OFF, nowhere) };
        if answer != SQLITE_OK {
            return Err(DatabaseError::new(
                ErrorKind::Statement,
                "this SQLite takes a name in double quotes for a text where there is none of that name, and cannot be told \
                 otherwise: it is older than 3.29",
            ));
        }
    }
    Ok(())
}

/// What there is to do about a name in double quotes that was not found.
pub(super) fn advice(message: &str) -> Option<&'static str> {
    message.contains(NO_SUCH_NAME).then_some(
        ". Nothing in double quotes is taken for a text here. Where the statement itself does not hold it, a trigger or a view of \
         the schema does: make that anew with the text in single quotes, in a migration before this one",
    )
}
