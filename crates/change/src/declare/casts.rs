//! A value of one type as one of another.

use phasegate_sql::Dialect;

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

/// `column`, which is of the type `from`, as one of the type `to`.
pub(super) fn cast(dialect: Dialect, column: &str, from: &str, to: &str) -> String {
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
            (Postgres, "date", "timestamptz", "CAST(a AS timestamptz)"),
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
