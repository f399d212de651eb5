//! What the server's errors are, by their codes.

use std::borrow::Cow;

use sqlx::postgres::PgDatabaseError;

use crate::database::{DatabaseError, ErrorKind};
use crate::text::secret;

pub(super) fn from_sqlx(error: &sqlx::Error) -> DatabaseError {
    let mut found = DatabaseError::from_sqlx(error, |inner| {
        match inner.code().as_deref() {
            Some("55P03") => ErrorKind::Locked,
            Some("57014") => ErrorKind::Timeout,
            Some("40001" | "40P01") => ErrorKind::Conflict,
            Some("28P01" | "28000") => ErrorKind::Authentication,
            Some("3D000") => ErrorKind::NoDatabase,
            Some("42501") if is_of_hidden_rows(inner) => ErrorKind::HiddenRows,
            Some("42501") => ErrorKind::Permission,
            Some("42P01" | "3F000") => ErrorKind::NoTable,
            // Shutting down, starting up, broken connection.
            // A transaction that stood still for too long took its connection along.
            Some("57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04") => {
                ErrorKind::Unreachable
            }
            Some("53300") => ErrorKind::Full,
            Some("53100") => ErrorKind::NoSpace,
            Some(code) if code.starts_with("08") => ErrorKind::Unreachable,
            _ => ErrorKind::Statement,
        }
    });
    let without_secrets = |text: &mut String| {
        if let Cow::Owned(masked) = secret::masked(text) {
            *text = masked;
        }
    };
    if let sqlx::Error::Database(inner) = error
        && let Some(inner) = inner.try_downcast_ref::<PgDatabaseError>()
    {
        if let Some(sqlx::postgres::PgErrorPosition::Original(position)) = inner.position() {
            found.position = Some(position);
        }
        if let Some(detail) = inner.detail() {
            let detail = crate::text::secret::masked(detail);
            found.message = format!("{} ({detail})", found.message);
        }
        // Which function of theirs it happened in, innermost first.
        if let Some(context) = inner.r#where().and_then(|context| context.lines().next()) {
            found.message = format!("{} [{context}]", found.message);
        }
        if let Some(hint) = inner.hint() {
            found.message = format!("{}. The server's hint: {hint}", found.message);
        }
        without_secrets(&mut found.message);
    }
    found
}

/// Whether the server would have had to leave out rows by row level security. By the place in its source, because
/// messages are translated.
fn is_of_hidden_rows(error: &dyn sqlx::error::DatabaseError) -> bool {
    let error = error.try_downcast_ref::<PgDatabaseError>();
    error.and_then(PgDatabaseError::routine) == Some("check_enable_rls")
}
