//! One statement of ours, what it has brought, and what several statements in one message have, as a driver hands it over piece by
//! piece.

use futures_util::{Stream, TryStreamExt as _};
use sqlx::Either;

use super::{DatabaseError, Row, Value};

/// One statement of our own, with `?` for each parameter.
#[derive(Clone, Debug)]
pub struct Call {
    pub sql: String,
    pub parameters: Vec<Value>,
}

impl Call {
    pub fn new(sql: impl Into<String>, parameters: &[Value]) -> Self {
        Self {
            sql: sql.into(),
            parameters: parameters.to_vec(),
        }
    }
}

/// What one [`Call`] has brought.
#[derive(Debug, Default)]
pub struct Answer {
    pub rows: Vec<Row>,
    /// Rows affected; 0 for a query.
    pub changed: u64,
}

/// Where a message of several statements stopped.
#[derive(Debug)]
pub struct Stopped {
    /// Which of the user's statements failed; `None` if it was one of our own.
    pub at: Option<usize>,
    pub error: DatabaseError,
}

impl From<DatabaseError> for Stopped {
    fn from(error: DatabaseError) -> Self {
        Self { at: None, error }
    }
}

/// The answers of the statements that are done, and the error of the one after them. Rows are read of the statements for
/// whose place `is_read` says so: those of a user's statement may hold what this program cannot read, and nobody asks for them.
pub(super) async fn collect<Q, R>(
    mut items: impl Stream<Item = Result<Either<Q, R>, sqlx::Error>> + Unpin,
    is_read: impl Fn(usize) -> bool,
    changed: impl Fn(&Q) -> u64,
    decode: impl Fn(&R) -> Result<Row, DatabaseError>,
    from_sqlx: impl Fn(&sqlx::Error) -> DatabaseError,
) -> (Vec<Answer>, Option<DatabaseError>) {
    let mut answers = Vec::new();
    let mut rows = Vec::new();
    loop {
        match items.try_next().await {
            Ok(Some(Either::Left(result))) => answers.push(Answer {
                rows: std::mem::take(&mut rows),
                changed: changed(&result),
            }),
            Ok(Some(Either::Right(row))) if is_read(answers.len()) => match decode(&row) {
                Ok(row) => rows.push(row),
                Err(error) => return (answers, Some(error)),
            },
            Ok(Some(Either::Right(_))) => {}
            Ok(None) => return (answers, None),
            Err(error) => return (answers, Some(from_sqlx(&error))),
        }
    }
}
