//! A table's columns and indexes as they are told and compared.

use phasegate_sql::{Dialect, Table, TableColumn};

use super::Wrong;

pub(super) fn no_column(dialect: Dialect, of: &str, table: &Table, name: &str) -> Wrong {
    let there: Vec<&str> = table
        .columns
        .iter()
        .map(|column| column.name.as_str())
        .collect();
    Wrong::new(
        format!("`{of}` has no column `{name}` on {}", dialect.title()),
        format!("it has {}", there.join(", ")),
    )
}

/// How a type is told apart from what it is compared by, where that is said.
pub(super) fn bare_type(kind: &str) -> &str {
    let mut from = 0;
    for word in kind.split(' ') {
        if word.eq_ignore_ascii_case("collate") {
            return kind.get(..from).unwrap_or(kind).trim_end();
        }
        from += word.len() + 1;
    }
    kind
}

/// Whether values of a type are compared by a collation.
pub(super) fn is_text(kind: &str) -> bool {
    const TEXTS: [&str; 11] = [
        "bpchar",
        "char",
        "character",
        "longtext",
        "mediumtext",
        "national",
        "nvarchar",
        "text",
        "tinytext",
        "varchar",
        "varcharacter",
    ];
    let lower = kind.trim().to_ascii_lowercase();
    let end = lower.find(|c: char| !c.is_ascii_alphanumeric());
    TEXTS.contains(&lower.get(..end.unwrap_or(lower.len())).unwrap_or_default())
}

/// Whether a type says itself what it is compared by.
pub(super) fn says_comparison(kind: &str) -> bool {
    let lower = kind.to_ascii_lowercase();
    [" collate ", " character set ", " charset "]
        .iter()
        .any(|word| lower.contains(word))
}

/// The type of a column and what is said beside it, but for NOT NULL.
pub(super) fn defined(column: &TableColumn) -> String {
    let mut all = vec![column.kind.clone()];
    all.extend(column.more.iter().cloned());
    if let Some(default) = column
        .default
        .as_ref()
        .filter(|default| !default.eq_ignore_ascii_case("null"))
    {
        all.push(format!("DEFAULT {default}"));
    }
    all.join(" ")
}

/// The type of a column whose values PostgreSQL gives out, without that.
pub(super) fn given_out(kind: &str) -> &str {
    match kind.to_ascii_lowercase().as_str() {
        "bigserial" | "serial8" => "bigint",
        "serial" | "serial4" => "integer",
        "smallserial" | "serial2" => "smallint",
        _ => kind,
    }
}

/// All that is said of a column.
pub(super) fn told(column: &TableColumn) -> String {
    let mut all = vec![column.kind.clone()];
    all.extend(column.more.iter().cloned());
    if !column.is_nullable {
        all.push("NOT NULL".to_owned());
    }
    if let Some(default) = column
        .default
        .as_ref()
        .filter(|default| !default.eq_ignore_ascii_case("null"))
    {
        all.push(format!("DEFAULT {default}"));
    }
    all.join(" ")
}

/// A definition by its words, in their own order, and what its texts are compared by apart from them.
fn words_of(text: &str) -> (Vec<String>, Option<Compared>) {
    let apart = text.to_lowercase();
    let apart = apart
        .replace('(', " ( ")
        .replace(')', " ) ")
        .replace(',', " , ");
    let apart = apart
        .replace("character varying", "varchar")
        .replace("double precision", "double");
    let mut words: Vec<String> = Vec::new();
    let (mut set, mut collation) = (None, None);
    let mut zone = None;
    let mut all = apart.split_whitespace().peekable();
    while let Some(word) = all.next() {
        let word = match word {
            "charset" => {
                set = all.next();
                continue;
            }
            "character" if all.peek() == Some(&"set") => {
                set = all.nth(1);
                continue;
            }
            "collate" => {
                collation = all.next();
                continue;
            }
            "with" | "without" if all.peek() == Some(&"time") => {
                zone = Some(word == "with");
                all.by_ref().take(2).for_each(drop);
                continue;
            }
            "integer" | "int4" => "int",
            "int8" => "bigint",
            "int2" => "smallint",
            "float8" => "double",
            "float4" => "real",
            "decimal" | "dec" => "numeric",
            "bpchar" | "character" => "char",
            "bool" | "boolean" => "tinyint",
            word => word,
        };
        words.push(word.to_owned());
        // How wide a number is shown is not how large it may be.
        if word.ends_with("int") && all.peek() == Some(&"(") {
            all.by_ref().take_while(|word| *word != ")").for_each(drop);
        }
    }
    if let (Some(true), Some(moment)) = (zone, words.first_mut()) {
        match moment.as_str() {
            "timestamp" | "time" => moment.push_str("tz"),
            _ => {}
        }
    }
    let compared = match (set, collation) {
        (_, Some(collation)) => Some(Compared::By(collation.to_owned())),
        (Some(set), None) => Some(Compared::AsUsualFor(set.to_owned())),
        (None, None) => None,
    };
    (words, compared)
}

/// What the texts of a column of MySQL are compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Compared {
    /// A character set alone, which brings its collation along.
    AsUsualFor(String),
    By(String),
}

impl Compared {
    fn may_be(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::AsUsualFor(set), Self::By(collation))
            | (Self::By(collation), Self::AsUsualFor(set)) => {
                let usual: &[&str] = match set.as_str() {
                    "latin1" => &["latin1_swedish_ci"],
                    "binary" => &["binary"],
                    "utf8" | "utf8mb3" => &[
                        "utf8_general_ci",
                        "utf8mb3_general_ci",
                        "utf8mb3_uca1400_ai_ci",
                    ],
                    "utf8mb4" => &[
                        "utf8mb4_general_ci",
                        "utf8mb4_0900_ai_ci",
                        "utf8mb4_uca1400_ai_ci",
                    ],
                    set => return *collation == format!("{set}_general_ci"),
                };
                usual.contains(&collation.as_str())
            }
            (one, other) => one == other,
        }
    }
}

/// Whether two definitions say the same, in whatever order and case, and with one word for what has two.
pub(super) fn is_same_text(a: &str, b: &str) -> bool {
    let told = |text: &str| {
        let (words, compared) = words_of(text);
        let is_not = |at: usize| at > 0 && words.get(at - 1).is_some_and(|word| word == "not");
        let mut kept: Vec<&str> = (0..words.len())
            .filter(|at| words.get(*at).is_none_or(|word| word != "null") || is_not(*at))
            .filter_map(|at| words.get(at).map(String::as_str))
            .collect();
        kept.sort_unstable();
        (kept.join(" "), compared)
    };
    let ((a, by), (b, other)) = (told(a), told(b));
    let is_compared_alike = match (by, other) {
        (Some(by), Some(other)) => by.may_be(&other),
        (by, other) => by == other,
    };
    a == b && is_compared_alike
}

/// Whether two defaults may be one: PostgreSQL tells of one with its type, and MySQL of another in parentheses. What is no
/// constant may be written in many ways.
pub(super) fn may_be_same_default(a: &str, b: &str) -> bool {
    let plain = |text: &str| {
        let mut text = text.trim();
        while let Some(inner) = text
            .strip_prefix('(')
            .and_then(|text| text.strip_suffix(')'))
        {
            text = inner.trim();
        }
        let end = match text.strip_prefix('\'') {
            Some(rest) => rest.rfind('\'').map_or(text.len(), |at| at + 2),
            None => text.find("::").unwrap_or(text.len()),
        };
        text.get(..end).unwrap_or(text).trim().to_owned()
    };
    let (a, b) = (plain(a), plain(b));
    a.eq_ignore_ascii_case(&b) && (a == b || !a.starts_with('\''))
        || !is_constant(&a)
        || !is_constant(&b)
}

pub(super) fn is_constant(default: &str) -> bool {
    default.starts_with('\'') || default.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_definition_may_be_written_in_two_ways() {
        for (a, b, is_same) in [
            ("timestamptz", "timestamp with time zone", true),
            ("timestamptz(3)", "timestamp(3) with time zone", true),
            ("timestamp", "timestamp without time zone", true),
            ("timestamp", "timestamp with time zone", false),
            ("time", "time without time zone", true),
            ("float8", "double precision", true),
            ("decimal(12,4)", "numeric(12, 4)", true),
            ("int8", "bigint", true),
            ("char(3)", "character(3)", true),
            ("varchar(5)", "character varying(6)", false),
            (
                "varchar(5) CHARACTER SET latin1",
                "varchar(5) COLLATE latin1_swedish_ci",
                true,
            ),
            (
                "varchar(5) CHARSET utf8mb4",
                "varchar(5) COLLATE utf8mb4_bin",
                false,
            ),
            (
                "varchar(5) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL",
                "varchar(5) COLLATE latin1_bin NOT NULL",
                true,
            ),
            ("varchar(5)", "varchar(5) COLLATE latin1_bin", false),
            ("int(11) NULL", "int", true),
        ] {
            assert_eq!(is_same_text(a, b), is_same, "{a} and {b}");
        }
    }
}
