//! Values on their way to the server and back.

use sqlx::mysql::{MySqlArguments, MySqlRow};
use sqlx::{AssertSqlSafe, Column as _, Row as _, TypeInfo as _, ValueRef as _};

use super::from_sqlx;
use crate::database::{DatabaseError, ErrorKind, Row, Value};

pub(super) fn bound<'q>(
    sql: &str,
    parameters: &[Value],
) -> sqlx::query::Query<'q, sqlx::MySql, MySqlArguments> {
    let mut query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    for parameter in parameters {
        query = match parameter {
            Value::Null => query.bind(None::<String>),
            Value::Int(value) => query.bind(*value),
            Value::Text(value) => query.bind(value.clone()),
        };
    }
    query
}

pub(super) fn decode(row: &MySqlRow) -> Result<Row, DatabaseError> {
    let mut values = Vec::with_capacity(row.len());
    for (index, column) in row.columns().iter().enumerate() {
        let raw = row.try_get_raw(index).map_err(|error| from_sqlx(&error))?;
        if raw.is_null() {
            values.push(Value::Null);
            continue;
        }
        let name = column.type_info().name().to_owned();
        let text = || {
            row.try_get_unchecked::<String, _>(index)
                .map_err(|error| from_sqlx(&error))
        };
        let value = match name.as_str() {
            "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => Value::Int(
                row.try_get_unchecked(index)
                    .map_err(|error| from_sqlx(&error))?,
            ),
            name if name.ends_with("INT UNSIGNED") => {
                let value: u64 = row
                    .try_get_unchecked(index)
                    .map_err(|error| from_sqlx(&error))?;
                i64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Int)
            }
            // What sums are.
            "DECIMAL" => {
                let text = text()?;
                text.parse().map_or_else(|_| Value::Text(text), Value::Int)
            }
            name if name.contains("CHAR")
                || name.contains("TEXT")
                || name.contains("BINARY")
                || name.contains("BLOB")
                || name == "ENUM" =>
            {
                Value::Text(text()?)
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
        values.push(value);
    }
    Ok(Row(values))
}

/// The integer that is all of a result.
pub(super) fn single(rows: &[Row]) -> Result<i64, DatabaseError> {
    match rows {
        [Row(values)] => match values.as_slice() {
            [Value::Int(count)] => Ok(*count),
            _ => Err(DatabaseError::new(
                ErrorKind::Statement,
                "the query does not return one integer",
            )),
        },
        _ => Err(DatabaseError::new(
            ErrorKind::Statement,
            format!(
                "the query returns {} rows, and has to return one",
                rows.len()
            ),
        )),
    }
}
