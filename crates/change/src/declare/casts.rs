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
        Dialect::Postgres | Dialect::Sqlite => to.to_owned(),
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
