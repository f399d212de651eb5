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
    Yes,
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
        "numeric" | "decimal" | "dec" | "fixed" => Family::Exact,
        "real" | "float" | "float4" | "float8" | "double" => Family::Float,
        "text" | "varchar" | "character" | "char" | "citext" | "tinytext" | "mediumtext"
        | "longtext" => Family::Text,
        "date" => Family::Date,
        "timestamp" | "timestamptz" | "datetime" => Family::Moment,
        "boolean" | "bool" => Family::Yes,
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

/// What a type says in parentheses, with these.
fn size(kind: &str) -> &str {
    let span = kind.find('(').zip(kind.find(')'));
    span.and_then(|(from, to)| kind.get(from..=to))
        .unwrap_or_default()
}

/// Between truth and numbers, where PostgreSQL has a cast to and from `integer` alone.
fn as_a_number(
    column: &str,
    (before, from): (Family, &str),
    (after, to): (Family, &str),
) -> Option<String> {
    let is_number = |family| matches!(family, Family::Whole | Family::Exact | Family::Float);
    let is_integer = |kind: &str| {
        let kind = kind.trim().to_ascii_lowercase();
        ["int", "integer", "int4"].contains(&kind.as_str())
    };
    match (before, after) {
        (Family::Yes, _) if is_number(after) && !is_integer(to) => {
            Some(format!("CAST(CAST({column} AS integer) AS {to})"))
        }
        (_, Family::Yes) if is_number(before) && !is_integer(from) => {
            Some(format!("{column} <> 0"))
        }
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
    if dialect == Dialect::Postgres
        && let Some(number) = as_a_number(column, (before, from), (after, to))
    {
        return number;
    }
    let is_alike = before == after && matches!(before, Family::Whole | Family::Text);
    let target = match dialect {
        _ if is_alike => return column.to_owned(),
        // Asked for outright, a text is cut to its length; a text that is put into the column is refused where it is too long.
        Dialect::Postgres if after == Family::Text => "text".to_owned(),
        Dialect::Postgres => to.to_owned(),
        // It knows no such types: a cast makes a number of what begins with one, and 2020 of '2020-01-31'.
        Dialect::Sqlite
            if matches!(
                after,
                Family::Date | Family::Moment | Family::Yes | Family::Other
            ) =>
        {
            return column.to_owned();
        }
        Dialect::Sqlite => to.to_owned(),
        // Its CAST knows few types. What is stored is compared byte by byte, so that it has to come out as it is stored.
        Dialect::Mysql => match after {
            Family::Whole => "SIGNED".to_owned(),
            Family::Text => "CHAR".to_owned(),
            Family::Exact => format!("DECIMAL{}", size(to)),
            Family::Date => "DATE".to_owned(),
            Family::Moment => format!("datetime{}", size(to)),
            Family::Float => "DOUBLE".to_owned(),
            Family::Yes | Family::Other => return column.to_owned(),
        },
    };
    format!("CAST({column} AS {target})")
}

/// Whether PostgreSQL has a cast from one type to the other; where one of them is not known here, it may have one.
pub(crate) fn exists_cast(from: &str, to: &str) -> bool {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Of {
        Truth,
        Integer,
        Number,
        Text,
        Day,
        Moment,
        Uuid,
        Json,
        Jsonb,
        Several,
        Unknown,
    }
    let of = |kind: &str| {
        let lower = kind.trim().to_ascii_lowercase();
        if lower.contains('[') || lower.ends_with(" array") {
            return Of::Several;
        }
        let word: String = lower.chars().take_while(|c| c.is_alphanumeric()).collect();
        match word.as_str() {
            "boolean" | "bool" => Of::Truth,
            "int" | "integer" | "int4" | "serial" => Of::Integer,
            "smallint" | "int2" | "bigint" | "int8" | "bigserial" | "smallserial" | "numeric"
            | "decimal" | "dec" | "real" | "float" | "float4" | "float8" | "double" => Of::Number,
            "text" | "varchar" | "character" | "char" | "bpchar" => Of::Text,
            "date" => Of::Day,
            "timestamp" | "timestamptz" => Of::Moment,
            "uuid" => Of::Uuid,
            "json" => Of::Json,
            "jsonb" => Of::Jsonb,
            _ => Of::Unknown,
        }
    };
    let (from, to) = (of(from), of(to));
    match (from, to) {
        (Of::Unknown | Of::Text, _) | (_, Of::Unknown | Of::Text) => true,
        (Of::Several, Of::Several) => true,
        (Of::Truth, Of::Integer) | (Of::Integer, Of::Truth) => true,
        (Of::Integer | Of::Number, Of::Integer | Of::Number) => true,
        (Of::Day | Of::Moment, Of::Day | Of::Moment) => true,
        (Of::Json | Of::Jsonb, Of::Json | Of::Jsonb) => true,
        (Of::Jsonb, Of::Truth | Of::Integer | Of::Number) => true,
        (one, other) => one == other,
    }
}

/// Whether one is a day or a moment of MySQL and MariaDB and the other a number, which is made of it digit by digit.
pub(crate) fn means_nothing(from: &str, to: &str) -> bool {
    let is_time = |kind: &str| matches!(family(kind), Family::Date | Family::Moment);
    let is_number =
        |kind: &str| matches!(family(kind), Family::Whole | Family::Exact | Family::Float);
    (is_time(from) && is_number(to)) || (is_number(from) && is_time(to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dialect::{Mysql, Postgres, Sqlite};

    #[test]
    fn casts_that_postgres_has_not_are_known() {
        for (from, to, is_there) in [
            ("boolean", "bigint", false),
            ("bool", "int", true),
            ("integer", "boolean", true),
            ("bigint", "boolean", false),
            ("timestamp with time zone", "bigint", false),
            ("integer", "timestamptz", false),
            ("int", "date", false),
            ("int", "jsonb", false),
            ("jsonb", "integer", true),
            ("json", "integer", false),
            ("int", "uuid", false),
            ("text", "uuid", true),
            ("uuid", "varchar(40)", true),
            ("int", "int[]", false),
            ("int[]", "bigint[]", true),
            ("date", "timestamptz", true),
            ("numeric(12,2)", "double precision", true),
            ("order_status", "integer", true),
            ("integer", "money", true),
        ] {
            assert_eq!(exists_cast(from, to), is_there, "{from} to {to}");
        }
    }

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
            (Postgres, "boolean", "integer", "CAST(a AS integer)"),
            (
                Postgres,
                "boolean",
                "bigint",
                "CAST(CAST(a AS integer) AS bigint)",
            ),
            (Postgres, "smallint", "boolean", "a <> 0"),
            (Postgres, "boolean", "text", "CAST(a AS text)"),
            (Mysql, "int", "numeric(12,4)", "CAST(a AS DECIMAL(12,4))"),
            (Mysql, "int", "fixed", "CAST(a AS DECIMAL)"),
            (
                Mysql,
                "decimal(8,2)",
                "decimal(12,4) unsigned",
                "CAST(a AS DECIMAL(12,4))",
            ),
            (Sqlite, "INTEGER", "BOOLEAN", "a"),
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
