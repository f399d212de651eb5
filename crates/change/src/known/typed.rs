//! Constants that a type cannot hold: the expand would stop at them, or the first INSERT that leaves the column out.
//!
//! Only what is certain: of a type that is not known here nothing is said. A value that is computed is none of these.

use phasegate_sql::{Dialect, TableColumn};

use crate::declare::whole_range;

/// What keeps the type from holding the literal; completes "which is int4 and …".
pub(super) fn misfit(dialect: Dialect, column: &TableColumn, value: &str) -> Option<String> {
    let value = value.trim();
    if dialect == Dialect::Sqlite {
        return None;
    }
    let quoted = value
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''));
    let text = quoted.unwrap_or(value).trim();
    if let Some(members) = column.members(dialect) {
        // A number is the place of one. Capital letters and blanks count for nothing in most collations.
        let bare = |text: &str| text.trim().to_lowercase();
        let is_one = members.iter().any(|member| bare(member) == bare(text));
        return (quoted.is_some() && !is_one).then(|| "does not list it".to_owned());
    }
    if let Some((least, most)) = whole_range(dialect, &column.kind) {
        return match text.parse::<i128>() {
            Ok(number) if number < least || number > most => {
                Some(format!("holds whole numbers from {least} to {most}"))
            }
            Ok(_) => None,
            // What has digits behind its point is rounded.
            Err(_) => (text.parse::<f64>().is_err()).then(|| "holds whole numbers".to_owned()),
        };
    }
    let kind = column.kind.trim().to_ascii_lowercase();
    let word: String = kind.chars().take_while(|c| c.is_alphanumeric()).collect();
    if kind.contains('[') {
        return None;
    }
    match word.as_str() {
        "uuid" => (!is_uuid(text)).then(|| "holds 32 hexadecimal digits".to_owned()),
        "date" | "timestamp" | "timestamptz" | "datetime" => {
            (quoted.is_some() && is_no_day(text)).then(|| "holds days that there are".to_owned())
        }
        _ => None,
    }
}

fn is_uuid(text: &str) -> bool {
    let inner = text
        .strip_prefix('{')
        .and_then(|rest| rest.strip_suffix('}'))
        .unwrap_or(text);
    let digits = inner.chars().filter(|c| *c != '-');
    digits.clone().count() == 32 && digits.clone().all(|c| c.is_ascii_hexdigit())
}

/// Whether it begins with a day in figures that no calendar has. In words, and in another order, it is not judged.
fn is_no_day(text: &str) -> bool {
    let day = text.split([' ', 'T']).next().unwrap_or(text);
    let parts: Vec<&str> = day.split('-').collect();
    let [year, month, day] = parts.as_slice() else {
        return text.is_empty();
    };
    let is_figures = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    if year.len() != 4 || ![year, month, day].into_iter().all(|part| is_figures(part)) {
        return false;
    }
    let number = |part: &str| part.parse::<u32>().unwrap_or_default();
    let (year, month, day) = (number(year), number(month), number(day));
    // Zeros are a day to some servers.
    if month == 0 && day == 0 {
        return false;
    }
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        2 if is_leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    day == 0 || day > days
}

#[cfg(test)]
mod tests {
    use super::*;
    use Dialect::{Mysql, Postgres, Sqlite};

    #[test]
    fn what_a_type_cannot_hold_is_told() {
        for (dialect, kind, value, is_held) in [
            (Postgres, "smallint", "32767", true),
            (Postgres, "smallint", "32768", false),
            (Postgres, "integer", "-2147483648", true),
            (Postgres, "int4", "2147483648", false),
            (Postgres, "integer", "'12'", true),
            (Postgres, "integer", "'twelve'", false),
            (Postgres, "integer", "1.5", true),
            (Postgres, "integer[]", "'{}'", true),
            (Mysql, "tinyint unsigned", "255", true),
            (Mysql, "tinyint unsigned", "-1", false),
            (Mysql, "enum('new','paid')", "'paid'", true),
            (Mysql, "enum('new','paid')", "'Paid'", true),
            (Mysql, "enum('new','paid')", "'lost'", false),
            (Mysql, "enum('new','paid')", "1", true),
            (
                Postgres,
                "uuid",
                "'00000000-0000-0000-0000-000000000000'",
                true,
            ),
            (
                Postgres,
                "uuid",
                "'{00000000000000000000000000000000}'",
                true,
            ),
            (Postgres, "uuid", "'none'", false),
            (Postgres, "uuid", "''", false),
            (Postgres, "date", "'2024-02-29'", true),
            (Postgres, "date", "'2023-02-29'", false),
            (Postgres, "timestamptz", "'2023-13-01 00:00'", false),
            (Postgres, "timestamptz", "'infinity'", true),
            (Postgres, "date", "''", false),
            (Mysql, "datetime", "'0000-00-00 00:00:00'", true),
            (Mysql, "date", "'2024-04-31'", false),
            (Postgres, "order_status", "'lost'", true),
            (Sqlite, "INTEGER", "'x'", true),
        ] {
            let column = TableColumn {
                name: "c".to_owned(),
                kind: kind.to_owned(),
                is_nullable: true,
                default: None,
                is_made: false,
                more: Vec::new(),
            };
            let found = misfit(dialect, &column, value);
            assert_eq!(found.is_none(), is_held, "{kind} {value}: {found:?}");
        }
    }
}
