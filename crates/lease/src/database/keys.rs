//! The keys that a backfill goes over, as literals of the database's SQL, and conditions on them.
//!
//! Pure. The order of keys is the database's own: keys are only ever compared by it.

use std::fmt;

/// A table and the columns of its key, as a user writes them.
#[derive(Clone, Copy, Debug)]
pub struct Keys<'a> {
    pub table: &'a str,
    pub columns: &'a [String],
}

/// One key: a literal for each of its columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key(pub Vec<String>);

impl fmt::Display for Key {
    /// For messages, without what makes literals of one database: `E'7'::bigint` is `7`. What cannot be seen is escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: Vec<String> = self.0.iter().map(|text| readable(text)).collect();
        match shown.as_slice() {
            [one] => f.write_str(one),
            several => write!(f, "({})", several.join(", ")),
        }
    }
}

/// How a text is written that no literal can hold: by its bytes.
pub(super) const TEXT_OF_BYTES: (&str, &str) = ("+CAST(x'", "' AS TEXT)");

fn readable(literal: &str) -> String {
    let (before, after) = TEXT_OF_BYTES;
    let bytes = literal
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after));
    if let Some(text) = bytes.and_then(text_of) {
        return escaped(&text);
    }
    let text = literal.rsplit_once("'::").map_or(literal, |(text, _)| text);
    let quote = text.find('\'').filter(|at| *at <= "TIMESTAMP".len());
    let text = quote.and_then(|at| text.get(at + 1..)).unwrap_or(text);
    escaped(text.strip_suffix('\'').unwrap_or(text))
}

fn text_of(hexadecimal: &str) -> Option<String> {
    let digits = hexadecimal.as_bytes().chunks(2);
    let bytes = digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let bytes: Vec<u8> = bytes.collect::<Option<_>>()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => shown.push_str("\\0"),
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

/// Where a range of keys begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// With this key. There may be no key before the first one, such as an empty text.
    At(Key),
    /// Behind this key.
    After(Key),
}

impl Start {
    #[must_use]
    pub const fn key(&self) -> &Key {
        match self {
            Self::At(key) | Self::After(key) => key,
        }
    }
}

/// A range of keys, up to and including the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRange {
    pub start: Start,
    pub last: Key,
}

impl KeyRange {
    /// Whether every key in it has been passed.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(&self.start, Start::After(key) if *key == self.last)
    }
}

impl fmt::Display for KeyRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.start {
            Start::At(first) => write!(f, "from key {first} up to {}", self.last),
            Start::After(key) => write!(f, "after key {key} up to {}", self.last),
        }
    }
}

/// How an index serves a comparison of a key of several columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowComparison {
    /// Written as `(a, b) > (1, 2)`.
    AsRow,
    /// Only written out: `(a > 1 OR (a = 1 AND b > 2))`.
    WrittenOut,
}

/// The condition that a row has this very key.
fn equals(columns: &[String], key: &Key) -> String {
    let pairs = columns.iter().zip(&key.0);
    let pairs: Vec<String> = pairs
        .map(|(name, literal)| format!("{name} = {literal}"))
        .collect();
    pairs.join(" AND ")
}

/// The condition that a row has no key.
fn keyless(columns: &[String]) -> String {
    let columns: Vec<String> = columns
        .iter()
        .map(|name| format!("{name} IS NULL"))
        .collect();
    columns.join(" OR ")
}

impl RowComparison {
    /// The condition that a key lies behind the start of a range.
    #[must_use]
    pub fn from(self, columns: &[String], start: &Start) -> String {
        match start {
            Start::At(key) => self.compare(columns, ('>', ">="), key),
            Start::After(key) => self.compare(columns, ('>', ">"), key),
        }
    }

    /// The condition that a key does not lie behind the last of a range.
    #[must_use]
    pub fn upto(self, columns: &[String], last: &Key) -> String {
        self.compare(columns, ('<', "<="), last)
    }

    fn compare(self, columns: &[String], (strict, operator): (char, &str), key: &Key) -> String {
        let literals = key.0.as_slice();
        if let ([column], [literal]) = (columns, literals) {
            return format!("{column} {operator} {literal}");
        }
        if self == Self::AsRow {
            return format!(
                "({}) {operator} ({})",
                columns.join(", "),
                literals.join(", ")
            );
        }
        let mut pairs = columns.iter().zip(literals).rev();
        let Some((column, literal)) = pairs.next() else {
            return String::new();
        };
        let innermost = format!("{column} {operator} {literal}");
        pairs.fold(innermost, |inner, (column, literal)| {
            format!("({column} {strict} {literal} OR ({column} = {literal} AND {inner}))")
        })
    }
}

/// A table and the columns of its key as a database writes them, and the queries about them.
pub(super) struct Written {
    pub table: String,
    pub names: Vec<String>,
    pub how: RowComparison,
}

impl Written {
    /// `list` of the first key.
    pub fn first(&self, list: &str) -> String {
        self.end(list, &self.names.join(", "))
    }

    /// `list` of the last key.
    pub fn last(&self, list: &str) -> String {
        self.end(list, &format!("{} DESC", self.names.join(" DESC, ")))
    }

    fn end(&self, list: &str, order: &str) -> String {
        let there: Vec<String> = self
            .names
            .iter()
            .map(|name| format!("{name} IS NOT NULL"))
            .collect();
        format!(
            "SELECT {list} FROM {} WHERE {} ORDER BY {order} LIMIT 1",
            self.table,
            there.join(" AND ")
        )
    }

    /// `list` of the key that is `ahead` places into the range.
    pub fn ahead(&self, list: &str, range: &KeyRange, ahead: u64) -> String {
        format!(
            "SELECT {list} FROM {} WHERE {} ORDER BY {} LIMIT 1 OFFSET {}",
            self.table,
            self.within(range),
            self.names.join(", "),
            ahead.saturating_sub(1),
        )
    }

    /// How many keys the range has.
    pub fn count(&self, range: &KeyRange) -> String {
        format!(
            "SELECT count(*) FROM {} WHERE {}",
            self.table,
            self.within(range)
        )
    }

    /// A row where one has this very key.
    pub fn has(&self, key: &Key) -> String {
        let condition = equals(&self.names, key);
        format!("SELECT 1 FROM {} WHERE {condition} LIMIT 1", self.table)
    }

    /// How many rows have no key.
    pub fn keyless(&self) -> String {
        let condition = keyless(&self.names);
        format!("SELECT count(*) FROM {} WHERE {condition}", self.table)
    }

    fn within(&self, range: &KeyRange) -> String {
        let from = self.how.from(&self.names, &range.start);
        let upto = self.how.upto(&self.names, &range.last);
        format!("{from} AND {upto}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(literals: &[&str]) -> Key {
        Key(literals.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn conditions() {
        let columns = ["a".to_owned(), "b".to_owned(), "c".to_owned()];
        let start = Start::After(key(&["1", "2", "3"]));
        assert_eq!(
            RowComparison::AsRow.from(&columns, &start),
            "(a, b, c) > (1, 2, 3)"
        );
        assert_eq!(
            RowComparison::WrittenOut.from(&columns, &start),
            "(a > 1 OR (a = 1 AND (b > 2 OR (b = 2 AND c > 3))))"
        );
        assert_eq!(
            RowComparison::WrittenOut.upto(&columns[..2], &key(&["1", "2"])),
            "(a < 1 OR (a = 1 AND b <= 2))"
        );
        let first = Start::At(key(&["''"]));
        for how in [RowComparison::AsRow, RowComparison::WrittenOut] {
            assert_eq!(how.from(&columns[..1], &first), "a >= ''");
            assert_eq!(how.upto(&columns[..1], first.key()), "a <= ''");
        }
    }

    #[test]
    fn keys_in_messages() {
        for (literals, shown) in [
            (&["E'7'::bigint"][..], "7"),
            (&["-3"], "-3"),
            (&["'it''s'"], "it''s"),
            (
                &["TIMESTAMP'2026-01-05 10:00:00'", "x'FF'"],
                "(2026-01-05 10:00:00, FF)",
            ),
            (&["+CAST(x'610062' AS TEXT)"], "a\\0b"),
            (&["E'a\u{1b}[2Jb'::text"], "a\\u{1b}[2Jb"),
        ] {
            assert_eq!(key(literals).to_string(), shown);
        }
    }
}
