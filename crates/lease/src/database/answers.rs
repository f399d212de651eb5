//! What several statements in one message have brought, from what a driver hands over piece by piece.

use futures_util::{Stream, TryStreamExt as _};
use sqlx::Either;

use super::{Answer, DatabaseError, Row};

/// The answers of the statements that are done, and the error of the one after them. Rows are read of the first `read`
/// statements: those of a user's statement may hold what this program cannot read, and nobody asks for them.
pub(super) async fn collect<Q, R>(
    mut items: impl Stream<Item = Result<Either<Q, R>, sqlx::Error>> + Unpin,
    read: usize,
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
            Ok(Some(Either::Right(row))) if answers.len() < read => match decode(&row) {
                Ok(row) => rows.push(row),
                Err(error) => return (answers, Some(error)),
            },
            Ok(Some(Either::Right(_))) => {}
            Ok(None) => return (answers, None),
            Err(error) => return (answers, Some(from_sqlx(&error))),
        }
    }
}
