//! Values to write: plain ones that are different in each row, and awkward ones of every type. Pure.
//!
//! Each is a literal that every one of the databases reads, which is why they look as they do.

/// What a column holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// At most so many characters, where that is bounded.
    Text(Option<usize>),
    /// So many bits, one of them for the sign.
    Integer(u32),
    /// One without a sign.
    Unsigned(u32),
    /// Digits in all, and behind the point.
    Decimal(u32, u32),
    Float,
    Boolean,
    Date,
    Time,
    Moment,
    Uuid,
    Bytes,
    Json,
    Choice(Vec<String>),
    /// Nothing is known of it.
    Other,
}

/// A type as PostgreSQL, MySQL or SQLite calls it.
pub(super) fn kind_of(name: &str) -> Kind {
    let lower = name.to_lowercase();
    let numbers = numbers_in(&lower);
    let first = numbers.first().copied();
    let word = lower.split(['(', ' ']).next().unwrap_or_default();
    let is_unsigned = lower.contains("unsigned");
    let integer = |bits| {
        if is_unsigned {
            Kind::Unsigned(bits)
        } else {
            Kind::Integer(bits)
        }
    };
    match word {
        _ if lower.ends_with("[]") => Kind::Other,
        "enum" => Kind::Choice(quoted_in(name)),
        "tinyint" if lower.starts_with("tinyint(1)") => Kind::Boolean,
        "tinyint" => integer(8),
        "smallint" | "int2" | "smallserial" => integer(16),
        "mediumint" => integer(24),
        "int" | "integer" | "int4" | "serial" => integer(32),
        "bigint" | "int8" | "bigserial" => integer(64),
        "numeric" | "decimal" | "dec" => Kind::Decimal(
            first.unwrap_or(18),
            numbers
                .get(1)
                .copied()
                .unwrap_or(if first.is_some() { 0 } else { 4 }),
        ),
        "real" | "float" | "double" | "float4" | "float8" => Kind::Float,
        "boolean" | "bool" => Kind::Boolean,
        "date" => Kind::Date,
        "time" => Kind::Time,
        "datetime" | "timestamp" | "timestamptz" => Kind::Moment,
        "uuid" => Kind::Uuid,
        "bytea" | "blob" | "tinyblob" | "mediumblob" | "longblob" => Kind::Bytes,
        "binary" | "varbinary" => Kind::Bytes,
        "json" | "jsonb" => Kind::Json,
        "char" | "character" | "varchar" | "nvarchar" | "nchar" | "bpchar" => {
            Kind::Text(first.and_then(|most| usize::try_from(most).ok()))
        }
        "text" | "citext" | "tinytext" | "mediumtext" | "longtext" | "clob" | "name" => {
            Kind::Text(None)
        }
        // Types of PostgreSQL and MySQL that are named after something else.
        "interval" | "point" | "multipoint" | "linestring" => Kind::Other,
        _ if word.ends_with("range") => Kind::Other,
        // A column of SQLite may have any type, or none.
        _ if lower.contains("int") => Kind::Integer(64),
        _ if lower.contains("char") || lower.contains("text") => Kind::Text(None),
        _ => Kind::Other,
    }
}

fn numbers_in(text: &str) -> Vec<u32> {
    let Some((_, rest)) = text.split_once('(') else {
        return Vec::new();
    };
    let inside = rest.split_once(')').map_or(rest, |(inside, _)| inside);
    inside
        .split(',')
        .filter_map(|number| number.trim().parse().ok())
        .collect()
}

fn quoted_in(text: &str) -> Vec<String> {
    text.split('\'')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A value that looks like what is mostly there, another one for each number.
pub(super) fn plain(kind: &Kind, number: u64) -> String {
    match kind {
        Kind::Text(Some(most)) if *most < 12 => {
            let text = to_base_36(number);
            let skip = text.len().saturating_sub(*most);
            literal(text.get(skip..).unwrap_or_default())
        }
        Kind::Text(_) => literal(&format!("Name Nr{number}")),
        Kind::Integer(bits) | Kind::Unsigned(bits) => {
            let most = 1_u64 << (bits - 1).min(40);
            (number % most).to_string()
        }
        Kind::Decimal(digits, behind) => {
            let before = digits.saturating_sub(*behind).clamp(1, 9);
            (number % 10_u64.pow(before)).to_string()
        }
        Kind::Float => format!("{number}.5"),
        Kind::Boolean => if number.is_multiple_of(2) {
            "TRUE"
        } else {
            "FALSE"
        }
        .to_owned(),
        Kind::Date => format!(
            "'20{:02}-{:02}-{:02}'",
            number / 336 % 70,
            number / 28 % 12 + 1,
            number % 28 + 1
        ),
        Kind::Time => format!(
            "'{:02}:{:02}:{:02}'",
            number / 3600 % 24,
            number / 60 % 60,
            number % 60
        ),
        Kind::Moment => format!(
            "'20{:02}-{:02}-{:02} 12:{:02}:00'",
            number / 336 % 30 + 10,
            number / 28 % 12 + 1,
            number % 28 + 1,
            number % 60
        ),
        Kind::Uuid => format!("'00000000-0000-4000-8000-{number:012x}'"),
        Kind::Bytes => format!("'b{number}'"),
        Kind::Json => format!("'{{\"n\": {number}}}'"),
        Kind::Choice(labels) => {
            let count = u64::try_from(labels.len()).unwrap_or(1).max(1);
            let index = usize::try_from(number % count).unwrap_or_default();
            labels
                .get(index)
                .map_or_else(|| "NULL".to_owned(), |label| literal(label))
        }
        Kind::Other => "NULL".to_owned(),
    }
}

fn to_base_36(mut number: u64) -> String {
    let mut text = Vec::new();
    loop {
        let digit = u32::try_from(number % 36).unwrap_or_default();
        text.push(char::from_digit(digit, 36).unwrap_or('0'));
        number /= 36;
        if number == 0 {
            break;
        }
    }
    text.iter().rev().collect()
}

/// What an application may write on a bad day, without what is at the ends of a type.
pub(super) fn awkward(kind: &Kind) -> Vec<String> {
    let texts: &[&str] = match kind {
        Kind::Text(_) => &[
            "Ada Lovelace",
            "",
            "ada lovelace",
            "ADA",
            "Jean Luc Picard",
            " ",
            "Ada ",
            " Ada",
            "Åsa Öberg",
            "Asa Oberg",
            "Miles O'Brien",
            "a  b",
            "NULL",
            "12",
        ],
        Kind::Date => &["2024-02-29", "1970-01-01", "2038-01-20"],
        Kind::Time => &["00:00:00", "23:59:59", "12:30:15"],
        Kind::Moment => &[
            "2024-02-29 23:59:59",
            "1970-01-02 00:00:00",
            "2031-10-26 12:30:00",
        ],
        Kind::Json => &["{}", "[]", "{\"a\": null}", "\"x\""],
        _ => &[],
    };
    let fits = |text: &&&str| match kind {
        Kind::Text(Some(most)) => text.chars().count() <= *most,
        _ => true,
    };
    let mut values: Vec<String> = texts
        .iter()
        .filter(fits)
        .map(|text| literal(text))
        .collect();
    let plainly: &[&str] = match kind {
        Kind::Integer(_) => &["1", "0", "-1", "42", "100"],
        Kind::Unsigned(_) => &["1", "0", "42", "100"],
        Kind::Decimal(_, 0) => &["1", "0", "-1", "7"],
        Kind::Decimal(_, _) => &["1", "0", "-1", "7.5"],
        Kind::Float => &["1.5", "0", "-0.25", "1000"],
        Kind::Boolean => &["TRUE", "FALSE"],
        Kind::Bytes => &["'a'", "''"],
        _ => &[],
    };
    values.extend(plainly.iter().map(ToString::to_string));
    if let Kind::Choice(labels) = kind {
        values.extend(labels.iter().map(|label| literal(label)));
    }
    if values.is_empty() {
        values.push(plain(kind, 1));
    }
    // In the middle, so that a row of nothing but NULL does not come first.
    values.insert(values.len().min(3), "NULL".to_owned());
    values
}

/// The ends of a type: what an application writes in the worst of cases.
pub(super) fn extreme(kind: &Kind) -> Vec<String> {
    match kind {
        Kind::Text(Some(most)) => vec![literal(&"x".repeat(*most))],
        Kind::Text(None) => vec![literal(&"x".repeat(5000))],
        Kind::Integer(bits) => {
            let most = i128::from(1_u8) << (bits - 1);
            vec![(most - 1).to_string(), (-most).to_string()]
        }
        Kind::Unsigned(bits) => vec![((u128::from(1_u8) << bits) - 1).to_string()],
        Kind::Decimal(digits, behind) => {
            let before = "9".repeat(
                usize::try_from(digits - behind.min(digits))
                    .unwrap_or(1)
                    .max(1),
            );
            vec![before]
        }
        Kind::Moment => vec!["'2037-12-31 23:59:59'".to_owned()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_known_by_every_name() {
        for (name, kind) in [
            ("character varying(200)", Kind::Text(Some(200))),
            ("varchar(20)", Kind::Text(Some(20))),
            ("text", Kind::Text(None)),
            ("TEXT", Kind::Text(None)),
            ("bigint(20) unsigned", Kind::Unsigned(64)),
            ("INTEGER", Kind::Integer(32)),
            ("numeric(10,2)", Kind::Decimal(10, 2)),
            ("double precision", Kind::Float),
            ("timestamp with time zone", Kind::Moment),
            ("enum('a','b')", Kind::Choice(vec!["a".into(), "b".into()])),
            ("text[]", Kind::Other),
            ("point", Kind::Other),
            ("int4range", Kind::Other),
            ("interval", Kind::Other),
            ("UNSIGNED BIG INT", Kind::Integer(64)),
            ("tsvector", Kind::Other),
        ] {
            // SQLite takes `point` for an integer, and PostgreSQL and MySQL have one that is none: it is refused there and left.
            assert_eq!(kind_of(name), kind, "{name}");
        }
    }

    #[test]
    fn plain_values_differ_and_awkward_ones_hold_null() {
        let kinds = [
            Kind::Text(None),
            Kind::Text(Some(5)),
            Kind::Integer(32),
            Kind::Decimal(10, 2),
            Kind::Uuid,
            Kind::Date,
        ];
        for kind in kinds {
            let some: std::collections::BTreeSet<String> =
                (0..200).map(|number| plain(&kind, number)).collect();
            assert_eq!(some.len(), 200, "{kind:?}");
            assert!(awkward(&kind).contains(&"NULL".to_owned()));
        }
        assert_eq!(extreme(&Kind::Integer(32)), ["2147483647", "-2147483648"]);
        assert_eq!(extreme(&Kind::Unsigned(8)), ["255"]);
    }
}
