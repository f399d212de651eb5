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
            Some(3 | 8 | 23) => ErrorKind::Permission,
            Some(11 | 26) => ErrorKind::NotADatabase,
            Some(10 | 13 | 14) => ErrorKind::Unreachable,
            _ if inner.message().starts_with("no such table") => ErrorKind::NoTable,
            _ => ErrorKind::Statement,
        }
    });
    // SQLite reads every view again at each ALTER TABLE, also those of a table that is just being rebuilt.
    if found.message.starts_with("error in view ") {
        found.message.push_str(
            ". If the script changes or rebuilds what the view shows, begin it with `DROP VIEW` and create it again at the end",
        );
    }
    found
}
