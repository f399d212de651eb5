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

/// Whether two definitions say the same, in whatever order and case, and with one word for what has two.
pub(super) fn is_same_text(a: &str, b: &str) -> bool {
    let words = |text: &str| {
        let apart = text.to_lowercase();
        let apart = apart
            .replace('(', " ( ")
            .replace(')', " ) ")
            .replace(',', " , ");
        let apart = apart.replace("character varying", "varchar");
        let mut words: Vec<&str> = Vec::new();
        let mut all = apart.split_whitespace().peekable();
        while let Some(word) = all.next() {
            let word = match word {
                "integer" => "int",
                "bool" | "boolean" => "tinyint",
                word => word,
            };
            words.push(word);
            // How wide a number is shown is not how large it may be.
            if word.ends_with("int") && all.peek() == Some(&"(") {
                all.by_ref().take_while(|word| *word != ")").for_each(drop);
            }
        }
        let is_not = |at: usize| at > 0 && words.get(at - 1) == Some(&"not");
        let mut kept: Vec<&str> = (0..words.len())
            .filter(|at| words.get(*at) != Some(&"null") || is_not(*at))
            .filter_map(|at| words.get(at).copied())
            .collect();
        kept.sort_unstable();
        kept.join(" ")
    };
    words(a) == words(b)
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
