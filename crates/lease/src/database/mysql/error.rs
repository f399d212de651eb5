//! What the server's errors are, by their numbers.

use sqlx::mysql::MySqlDatabaseError;

use crate::database::{DatabaseError, ErrorKind};

pub(super) fn from_sqlx(error: &sqlx::Error) -> DatabaseError {
    let mut found = DatabaseError::from_sqlx(error, |inner| {
        let number = inner
            .try_downcast_ref::<MySqlDatabaseError>()
            .map_or(0, MySqlDatabaseError::number);
        kind_of(number)
    });
    if let sqlx::Error::Database(inner) = error
        && let Some(inner) = inner.try_downcast_ref::<MySqlDatabaseError>()
    {
        // The number says more than the five characters of the standard.
        found.code = Some(inner.number().to_string());
    }
    found
}

/// By the numbers that MySQL and MariaDB share.
const fn kind_of(number: u16) -> ErrorKind {
    match number {
        // Lock wait timeout, NOWAIT, lock table full.
        1205 | 1206 | 3572 => ErrorKind::Locked,
        1969 | 3024 => ErrorKind::Timeout,
        // Deadlock; a row that has changed since the snapshot.
        1213 | 1020 => ErrorKind::Conflict,
        1045 | 1698 | 1251 => ErrorKind::Authentication,
        1049 => ErrorKind::NoDatabase,
        1044 | 1142 | 1143 | 1227 | 1370 | 1410 | 1419 => ErrorKind::Permission,
        1146 => ErrorKind::NoTable,
        // Too many connections, of all or of one user.
        1040 | 1203 | 1226 => ErrorKind::Full,
        1021 => ErrorKind::NoSpace,
        // Shutting down, killed, broken; a Galera node that is not ready.
        1047 | 1053 | 1077..=1080 | 1152..=1161 | 1184 | 1927 => ErrorKind::Unreachable,
        _ => ErrorKind::Statement,
    }
}
