//! Secrets in text: where they stand, and the text without them.
//!
//! Two ways find them. A *form* gives a secret away wherever it comes from: the credentials of a URL, `password=…`,
//! `IDENTIFIED BY '…'`, `Bearer …`. And what this process itself was given (the password of its database) is *remembered*,
//! so that it is found in any form, in what a server or a program says.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::RwLock;

/// What stands in the place of a secret.
const MASK: &str = "***";

/// Shorter ones are words of every text: hiding them would hide the text, and protect nothing.
const SHORTEST: usize = 4;

/// From here on one is found as a part of a longer word as well.
const LONG: usize = 8;

/// How many are kept in mind.
const MOST: usize = 256;

static REMEMBERED: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Keeps a secret in mind, as it is and as a URL writes it, so that [`masked`] finds it.
pub fn remember(secret: &str) {
    if secret.chars().count() < SHORTEST {
        return;
    }
    let Ok(mut known) = REMEMBERED.write() else {
        return;
    };
    // Tokens that change at each login must not fill the memory.
    if known.len() >= MOST {
        known.clear();
    }
    for form in [secret.to_owned(), percent_encoded(secret)] {
        if !known.contains(&form) {
            known.push(form);
        }
    }
    // One that contains another is looked for first.
    known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
}

/// A text with every byte percent-encoded that is no letter, digit, `-`, `.`, `_` or `~`.
#[must_use]
pub fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The text without what has the form of a secret.
#[must_use]
pub fn masked_forms(text: &str) -> Cow<'_, str> {
    without(text, spans(text))
}

/// What somebody else said, without the secrets that it has the form of or that this process was given.
#[must_use]
pub fn masked(text: &str) -> Cow<'_, str> {
    let mut spans = spans(text);
    if let Ok(known) = REMEMBERED.read() {
        for secret in known.iter() {
            let found = text.match_indices(secret.as_str());
            let found = found.map(|(at, _)| at..at + secret.len());
            spans.extend(found.filter(|span| secret.len() >= LONG || is_word(text, span)));
        }
    }
    without(text, spans)
}

fn without(text: &str, mut spans: Vec<Range<usize>>) -> Cow<'_, str> {
    if spans.is_empty() {
        return Cow::Borrowed(text);
    }
    spans.sort_by_key(|span| (span.start, span.end));
    let mut shown = String::with_capacity(text.len());
    let mut done = 0;
    for span in spans {
        if span.start >= done {
            shown.push_str(text.get(done..span.start).unwrap_or_default());
            shown.push_str(MASK);
        }
        done = done.max(span.end);
    }
    shown.push_str(text.get(done..).unwrap_or_default());
    Cow::Owned(shown)
}

/// Whether nothing goes on before or after it.
fn is_word(text: &str, span: &Range<usize>) -> bool {
    let before = text
        .get(..span.start)
        .and_then(|text| text.chars().next_back());
    let after = text.get(span.end..).and_then(|text| text.chars().next());
    !before.into_iter().chain(after).any(char::is_alphanumeric)
}

/// Where the forms of a secret stand in a text.
#[must_use]
pub fn spans(text: &str) -> Vec<Range<usize>> {
    let urls = text
        .match_indices("://")
        .filter_map(|(at, mark)| credentials(text, at + mark.len()));
    let mut found: Vec<_> = urls.chain(named(text)).collect();
    found.sort_by_key(|span| (span.start, span.end));
    found
}

/// The password in the URL whose part after `://` begins at `start`.
fn credentials(text: &str, start: usize) -> Option<Range<usize>> {
    let rest = text.get(start..)?;
    // A file with errors may have lost its closing quote; the line ends a URL in any case.
    let ends = |c: char| c.is_control() || matches!(c, '"' | '\'' | '`' | ' ');
    let url = rest.split(ends).next()?;
    // The password may itself hold `@`, `/` and `:`: the last `@` ends it.
    let at = url.rfind('@')?;
    let colon = url.get(..at)?.find(':')?;
    (colon + 1 < at).then(|| start + colon + 1..start + at)
}

/// What may stand between the name of a secret and the secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Between {
    /// `=` or `:`.
    Sign,
    /// That, or only space where a quoted text follows: `PASSWORD 'x'`.
    SignOrQuote,
    /// Only space: `Bearer x`.
    Space,
}

const NAMES: &[(&str, Between)] = &[
    ("password", Between::SignOrQuote),
    ("passwd", Between::SignOrQuote),
    ("passphrase", Between::SignOrQuote),
    ("identified by", Between::SignOrQuote),
    ("identified by password", Between::SignOrQuote),
    ("pwd", Between::Sign),
    ("secret", Between::Sign),
    ("token", Between::Sign),
    ("api_key", Between::Sign),
    ("apikey", Between::Sign),
    ("api-key", Between::Sign),
    ("access_key", Between::Sign),
    ("secret_key", Between::Sign),
    ("private_key", Between::Sign),
    ("bearer", Between::Space),
];

/// What the name before it makes a secret.
fn named(text: &str) -> Vec<Range<usize>> {
    let lower = text.to_ascii_lowercase();
    let mut found = Vec::new();
    for (name, between) in NAMES {
        for (at, _) in lower.match_indices(name) {
            found.extend(value_after(text, at + name.len(), *between));
        }
    }
    found
}

fn value_after(text: &str, start: usize, between: Between) -> Option<Range<usize>> {
    let rest = text.get(start..)?;
    // `"password": "x"`: the quote that ends the name.
    let unquoted = rest.strip_prefix(['"', '\'']).unwrap_or(rest);
    let spaced = unquoted.trim_start_matches([' ', '\t']);
    let signed = spaced
        .strip_prefix(":=")
        .or_else(|| spaced.strip_prefix(['=', ':']));
    let value = match (signed, between) {
        (Some(value), Between::Sign | Between::SignOrQuote) => {
            value.trim_start_matches([' ', '\t'])
        }
        (None, Between::SignOrQuote) if spaced.starts_with(['\'', '"']) => spaced,
        (_, Between::Space) if spaced.len() < rest.len() => spaced,
        _ => return None,
    };
    let at = start + rest.len() - value.len();
    let quote = value.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let (at, value, length) = match quote {
        Some(quote) => {
            let inside = value.get(1..)?;
            (at + 1, inside, inside.find([quote, '\n']))
        }
        None => {
            let ends =
                |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '&' | ')' | '"' | '\'');
            (at, value, value.find(ends))
        }
    };
    let length = length.unwrap_or(value.len());
    (length > 0).then(|| at..at + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_known_by_their_form() {
        for (text, shown) in [
            (
                "postgres://bob:secret@db/shop",
                "postgres://bob:***@db/shop",
            ),
            (
                "seen: mysql://b:s@c:r/t@db/x, twice",
                "seen: mysql://b:***@db/x, twice",
            ),
            ("postgres://bob@db:5432/shop", "postgres://bob@db:5432/shop"),
            (
                "postgres://db/x?password=abc&a=b",
                "postgres://db/x?password=***&a=b",
            ),
            ("host=db password=abc user=x", "host=db password=*** user=x"),
            (
                "alter role x password 'M1gr'; y",
                "alter role x password '***'; y",
            ),
            (
                "CREATE USER a IDENTIFIED BY 'pw'",
                "CREATE USER a IDENTIFIED BY '***'",
            ),
            (
                "{\"token\": \"abc\", \"a\": 1}",
                "{\"token\": \"***\", \"a\": 1}",
            ),
            (
                "Authorization: Bearer eyJ.x.y ok",
                "Authorization: Bearer *** ok",
            ),
            ("PGPASSWORD=abc psql", "PGPASSWORD=*** psql"),
            ("password = \"S3\"", "password = \"***\""),
            // Words that only speak of one.
            (
                "password authentication failed for user \"bob\"",
                "password authentication failed for user \"bob\"",
            ),
            (
                "the user or the password is wrong",
                "the user or the password is wrong",
            ),
            ("unexpected token x", "unexpected token x"),
            ("sqlite://shop.db # a@b", "sqlite://shop.db # a@b"),
        ] {
            assert_eq!(masked_forms(text), shown);
        }
    }

    #[test]
    fn what_was_remembered_is_found_in_any_form() {
        remember("kk/Q>x-remembered");
        remember("abc");
        remember("shop");
        assert_eq!(
            masked("said kk/Q>x-remembered and kk%2FQ%3Ex-remembered, abc, shop, shopping"),
            "said *** and ***, abc, ***, shopping"
        );
    }
}
