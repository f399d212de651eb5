//! Several statements in one message, and what the server answers to each.

use sqlx::postgres::{PgQueryResult, PgRow};
use sqlx::{AssertSqlSafe, Column, Executor, Row as _, TypeInfo, ValueRef};

use super::{Postgres, from_sqlx, literal};
use crate::database::answers::collect;
use crate::database::{Answer, Call, DatabaseError, ErrorKind, Row, Stopped, Value};

impl Postgres {
    /// What each of these statements has brought, sent together with what has to come before them.
    pub(super) async fn together(
        &mut self,
        statements: &[&str],
    ) -> Result<Vec<Answer>, DatabaseError> {
        let sent = self.send(statements, &[]).await;
        sent.map_err(|stopped| stopped.error)
    }

    /// As [`Self::together`], and then runs statements of the user's, whose rows nobody reads. As many answers
    /// as both are.
    pub(super) async fn send(
        &mut self,
        ours: &[&str],
        theirs: &[&str],
    ) -> Result<Vec<Answer>, Stopped> {
        let settings = std::mem::take(&mut self.settings);
        let before = self.beginning.take().into_iter();
        let before: Vec<&str> = before.chain(settings.iter().map(String::as_str)).collect();
        let all = [&before, ours, theirs].concat();
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let sql = all.join(SEPARATOR);
        let items = self.inner.fetch_many(sqlx::raw_sql(AssertSqlSafe(sql)));
        let read = before.len() + ours.len();
        let (mut answers, failed) =
            collect(items, read, PgQueryResult::rows_affected, decode, from_sqlx).await;
        if let Some(error) = failed {
            let (index, error) = attribute(&all, answers.len(), error);
            let at = index.checked_sub(read);
            return Err(Stopped { at, error });
        }
        answers.drain(..before.len().min(answers.len()));
        Ok(answers)
    }
}

/// What stands between statements that are sent together. The newline ends a comment.
const SEPARATOR: &str = "\n;\n";

/// Which of the statements sent together an error is of, with its position counted from the beginning of that one.
/// Without a position it is the one after those that are done.
fn attribute(all: &[&str], done: usize, mut error: DatabaseError) -> (usize, DatabaseError) {
    let Some(position) = error.position else {
        return (done, error);
    };
    let mut before = 0;
    for (index, statement) in all.iter().enumerate() {
        let length = statement.chars().count();
        if position <= before + length + 1 {
            error.position = Some(position.saturating_sub(before).max(1));
            return (index, error);
        }
        before += length + SEPARATOR.chars().count();
    }
    error.position = None;
    (done, error)
}

/// The statement with its values in place of the question marks: our own statements hold no others.
pub(super) fn written_out(call: &Call) -> Result<String, DatabaseError> {
    let mut sql = String::with_capacity(call.sql.len() + 64);
    let mut parts = call.sql.split('?');
    sql.push_str(parts.next().unwrap_or_default());
    for (part, value) in parts.zip(&call.parameters) {
        match value {
            Value::Null => sql.push_str("NULL"),
            Value::Int(value) => sql.push_str(&value.to_string()),
            // It would end the whole message.
            Value::Text(value) if value.contains('\0') => {
                return Err(DatabaseError::new(
                    ErrorKind::Statement,
                    "a text with a NUL character cannot be stored",
                ));
            }
            Value::Text(value) => sql.push_str(&literal(value)),
        }
        sql.push_str(part);
    }
    Ok(sql)
}

fn decode(row: &PgRow) -> Result<Row, DatabaseError> {
    let mut values = Vec::with_capacity(row.len());
    for (index, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(index).map_err(|error| from_sqlx(&error))?;
        if raw.is_null() {
            values.push(Value::Null);
            continue;
        }
        let value = match column.type_info().name() {
            "INT8" => row.try_get::<i64, _>(index).map(Value::Int),
            "INT4" => row
                .try_get::<i32, _>(index)
                .map(|value| Value::Int(value.into())),
            "INT2" => row
                .try_get::<i16, _>(index)
                .map(|value| Value::Int(value.into())),
            "BOOL" => row
                .try_get::<bool, _>(index)
                .map(|value| Value::Int(value.into())),
            "TEXT" | "VARCHAR" | "NAME" | "UNKNOWN" => {
                row.try_get::<String, _>(index).map(Value::Text)
            }
            other => {
                return Err(DatabaseError::new(
                    ErrorKind::Statement,
                    format!(
                        "the column `{}` has the type {other}, and a number or a text is needed",
                        column.name()
                    ),
                ));
            }
        };
        values.push(value.map_err(|error| from_sqlx(&error))?);
    }
    Ok(Row(values))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_out() {
        let call = Call::new(
            "a = ? AND b = ? AND c = ?",
            &["is it '?".into(), (-5).into(), Value::Null],
        );
        assert_eq!(
            written_out(&call).unwrap(),
            "a = E'is it ''?' AND b = -5 AND c = NULL"
        );
        assert!(written_out(&Call::new("a = ?", &["\0".into()])).is_err());
    }

    #[test]
    fn an_error_is_of_the_statement_that_it_points_into() {
        let all = ["BEGIN", "CREATE TABLE ö (n int)", "CREATE INDEX i ON x (n)"];
        let at = |done, position| {
            let mut error = DatabaseError::new(ErrorKind::Statement, "");
            error.position = position;
            let (index, error) = attribute(&all, done, error);
            (index, error.position)
        };
        // Without a position it is the first that is not done.
        assert_eq!(at(2, None), (2, None));
        // `BEGIN` and what separates it take 8 characters, the second statement 22 and 3.
        assert_eq!(at(1, Some(9)), (1, Some(1)));
        assert_eq!(at(1, Some(8 + 22)), (1, Some(22)));
        assert_eq!(at(2, Some(8 + 25 + 19)), (2, Some(19)));
        // A position beyond the message names no place.
        assert_eq!(at(0, Some(1000)), (0, None));
    }
}
