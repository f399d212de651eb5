//! A value of one type as one of another.

use phasegate_sql::Dialect;

use crate::clocks::{Clock, clock};

/// What matters of a type for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Whole,
    /// Digits after the point are stored as they are said.
    Exact,
    Float,
    Text,
    Date,
    Moment,
    Other,
}

fn family(kind: &str) -> Family {
    let lower = kind.trim().to_ascii_lowercase();
    // Several of a type are not one of it.
    if lower.contains('[') || lower.ends_with(" array") {
        return Family::Other;
    }
    let word: String = lower.chars().take_while(|c| c.is_alphanumeric()).collect();
    match word.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "int2" | "int4"
        | "int8" => Family::Whole,
        "numeric" | "decimal" | "dec" => Family::Exact,
        "real" | "float" | "float4" | "float8" | "double" => Family::Float,
        "text" | "varchar" | "character" | "char" | "citext" | "tinytext" | "mediumtext"
        | "longtext" => Family::Text,
        "date" => Family::Date,
        "timestamp" | "timestamptz" | "datetime" => Family::Moment,
        _ => Family::Other,
    }
}

/// Between a moment and a time of no zone, which one session would make another moment of than the next: always by one zone.
fn in_one_zone(column: &str, from: Clock, to: Clock) -> Option<String> {
    // In the form of a call: `at` may be the name of a column.
    let utc = |what: &str| format!("timezone('UTC', {what})");
    match (from, to) {
        (Clock::Zoned, Clock::Plain) | (Clock::Plain, Clock::Zoned) => Some(utc(column)),
        (Clock::Date, Clock::Zoned) => Some(utc(&format!("CAST({column} AS timestamp)"))),
        (Clock::Zoned, Clock::Date) => Some(format!("CAST({} AS date)", utc(column))),
        (Clock::Zoned, Clock::Text) => Some(format!("CAST({} AS text) || '+00'", utc(column))),
        _ => None,
    }
}

/// `column`, which is of the type `from`, as one of the type `to`.
pub(super) fn cast(dialect: Dialect, column: &str, from: &str, to: &str) -> String {
    if dialect == Dialect::Postgres
        && let Some(same) = in_one_zone(column, clock(from), clock(to))
    {
        return same;
    }
    let (before, after) = (family(from), family(to));
    let is_alike = before == after && matches!(before, Family::Whole | Family::Text);
    let target = match dialect {
        _ if is_alike => return column.to_owned(),
        // Asked for outright, a text is cut to its length; a text that is put into the column is refused where it is too long.
        Dialect::Postgres if after == Family::Text => "text".to_owned(),
        Dialect::Postgres => to.to_owned(),
        // It knows no such types: a cast makes a number of what begins with one, and 2020 of '2020-01-31'.
        Dialect::Sqlite if matches!(after, Family::Date | Family::Moment | Family::Other) => {
            return column.to_owned();
        }
        Dialect::Sqlite => to.to_owned(),
        // Its CAST knows few types. What is stored is compared byte by byte, so that it has to come out as it is stored.
        Dialect::Mysql => match after {
            Family::Whole => "SIGNED".to_owned(),
            Family::Text => "CHAR".to_owned(),
            Family::Exact | Family::Date => to.to_owned(),
            Family::Moment => to.to_ascii_lowercase().replace("timestamp", "datetime"),
            Family::Float => "DOUBLE".to_owned(),
            Family::Other => return column.to_owned(),
        },
    };
    format!("CAST({column} AS {target})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dialect::{Mysql, Postgres, Sqlite};

    #[test]
    fn a_cast_keeps_what_it_can() {
        for (dialect, from, to, wanted) in [
            (Sqlite, "TEXT", "DATE", "a"),
            (Sqlite, "TEXT", "TIMESTAMP", "a"),
            (Sqlite, "TEXT", "JSON", "a"),
            (Sqlite, "DATETIME", "TEXT", "CAST(a AS TEXT)"),
            (Sqlite, "TEXT", "INTEGER", "CAST(a AS INTEGER)"),
            (Postgres, "integer", "varchar(2)", "CAST(a AS text)"),
            (Postgres, "text", "varchar(2)", "a"),
            (
                Postgres,
                "date",
                "timestamptz",
                "timezone('UTC', CAST(a AS timestamp))",
            ),
            (
                Postgres,
                "timestamp(3) with time zone",
                "date",
                "CAST(timezone('UTC', a) AS date)",
            ),
            (Postgres, "timestamp", "timestamptz", "timezone('UTC', a)"),
            (
                Postgres,
                "timestamp with time zone",
                "timestamp without time zone",
                "timezone('UTC', a)",
            ),
            (
                Postgres,
                "timestamptz",
                "text",
                "CAST(timezone('UTC', a) AS text) || '+00'",
            ),
            (Postgres, "date", "timestamp", "CAST(a AS timestamp)"),
            (Postgres, "text[]", "text", "CAST(a AS text)"),
            (Postgres, "integer", "bigint[]", "CAST(a AS bigint[])"),
            (Postgres, "integer[]", "bigint[]", "CAST(a AS bigint[])"),
            (
                Postgres,
                "integer",
                "integer ARRAY",
                "CAST(a AS integer ARRAY)",
            ),
            (Mysql, "int", "varchar(2)", "CAST(a AS CHAR)"),
            (
                Mysql,
                "varchar(20)",
                "timestamp(3)",
                "CAST(a AS datetime(3))",
            ),
        ] {
            assert_eq!(
                cast(dialect, "a", from, to),
                wanted,
                "{dialect:?}: {from} to {to}"
            );
        }
    }
}
