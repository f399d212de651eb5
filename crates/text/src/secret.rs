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

static REMEMBERED: RwLock<Vec<Remembered>> = RwLock::new(Vec::new());

/// A secret in one of its forms.
struct Remembered {
    form: String,
    /// Whether it is also the name of something, such as of the user whose password it is: then it says little, and what
    /// this program says of itself would lose its names.
    is_a_name: bool,
}

/// Keeps a secret in mind, in every form in which programs print it, so that [`masked`] finds it. `names` are words that are
/// said anyway.
pub fn remember(secret: &str, names: &[&str]) {
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
    let is_a_name = names.contains(&secret);
    for form in forms(secret) {
        if !known.iter().any(|one| one.form == form) {
            known.push(Remembered { form, is_a_name });
        }
    }
    // One that contains another is looked for first.
    known.sort_by_key(|one| std::cmp::Reverse(one.form.len()));
}

/// A secret as it is, and as programs write it. What is percent-encoded in whole or in part is decoded where it is looked for.
fn forms(secret: &str) -> Vec<String> {
    let mut forms = vec![secret.to_owned()];
    let quoted = [
        secret.replace('\\', "\\\\").replace('"', "\\\""),
        secret.replace('\'', "''"),
        secret.replace('\'', "'\\''"),
        secret
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;"),
    ];
    let hexadecimal: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let encoded = (0..3).flat_map(|before| {
        let standard = inside_base64(secret.as_bytes(), before);
        let for_urls = standard.replace('+', "-").replace('/', "_");
        [standard, for_urls]
    });
    let longer = [hexadecimal.to_uppercase(), hexadecimal];
    let longer = longer
        .into_iter()
        .chain(encoded)
        .filter(|form| form.len() >= LONG);
    for form in quoted.into_iter().chain(longer) {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

/// What of the base64 of a text depends on this part of it alone, where `before` bytes and perhaps more stand around it.
fn inside_base64(part: &[u8], before: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bits: Vec<u8> = part
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| (byte >> at) & 1))
        .collect();
    // The first digit that begins within the part.
    let skipped = (6 - (before * 8) % 6) % 6;
    let whole = bits.get(skipped..).unwrap_or_default().chunks_exact(6);
    whole
        .filter_map(|digit| {
            let number = digit
                .iter()
                .fold(0, |number, bit| number * 2 + usize::from(*bit));
            DIGITS.get(number).map(|digit| char::from(*digit))
        })
        .collect()
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
    spans.extend(remembered(text, |_| true));
    without(text, spans)
}

/// What this program says, without the credentials of URLs and without the secrets that it was given, wherever it has got
/// them from. Its own words are not taken for the names of secrets.
#[must_use]
pub fn masked_own(text: &str) -> Cow<'_, str> {
    let mut spans: Vec<_> = in_urls(text).collect();
    spans.extend(remembered(text, |one| {
        !one.is_a_name && one.form.len() >= LONG
    }));
    without(text, spans)
}

/// Where a secret that was remembered stands in a text, also where it is percent-encoded there.
fn remembered(text: &str, counts: impl Fn(&Remembered) -> bool) -> Vec<Range<usize>> {
    let Ok(known) = REMEMBERED.read() else {
        return Vec::new();
    };
    if known.is_empty() {
        return Vec::new();
    }
    let mut spans = Vec::new();
    let mut find = |text: &str, place: &dyn Fn(Range<usize>) -> Range<usize>| {
        for one in known.iter().filter(|one| counts(one)) {
            let found = text.match_indices(one.form.as_str());
            let found = found.map(|(at, _)| at..at + one.form.len());
            let found = found.filter(|span| one.form.len() >= LONG || is_word(text, span));
            spans.extend(found.map(place));
        }
    };
    find(text, &|span| span);
    if text.contains('%') {
        let (decoded, places) = percent_decoded(text);
        let place = |at: usize| places.get(at).copied().unwrap_or(text.len());
        find(&decoded, &|span| place(span.start)..place(span.end));
    }
    spans
}

/// A text with what is percent-encoded decoded, and where each of its bytes begins in the text as it was. What is no UTF-8
/// then is left out, byte by byte.
fn percent_decoded(text: &str) -> (String, Vec<usize>) {
    let (mut bytes, mut places) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(byte) = text.as_bytes().get(at) {
        let encoded = (*byte == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(encoded.unwrap_or(*byte));
        places.push(at);
        at += if encoded.is_some() { 3 } else { 1 };
    }
    match String::from_utf8(bytes) {
        Ok(decoded) => (decoded, places),
        Err(error) => {
            // A byte for each: so the places stay where they are.
            let bytes = error.into_bytes();
            let plain = bytes.iter().map(|byte| {
                if byte.is_ascii() {
                    char::from(*byte)
                } else {
                    '?'
                }
            });
            (plain.collect(), places)
        }
    }
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
    let mut found: Vec<_> = in_urls(text).chain(named(text)).collect();
    found.sort_by_key(|span| (span.start, span.end));
    found
}

/// Where passwords of URLs, and what their queries call a secret, stand in a text.
fn in_urls(text: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    // Mistyped ones hold passwords as well.
    let without_slashes = ["postgres:", "postgresql:", "mysql:", "mariadb:", "sqlite:"];
    let mistyped = without_slashes.into_iter().flat_map(|scheme| {
        let found = text.match_indices(scheme);
        found
            .map(|(at, scheme)| at + scheme.len())
            .filter(|at| !text.get(*at..).is_some_and(|rest| rest.starts_with("//")))
    });
    let starts = text.match_indices("://").map(|(at, mark)| at + mark.len());
    let queries = starts.clone().flat_map(|start| in_query(text, start));
    starts
        .chain(mistyped)
        .filter_map(|start| credentials(text, start))
        .chain(queries)
}

/// The secrets in the query of the URL whose part after `://` begins at `start`: `?token=…`, as many an inventory and every signed
/// link has it.
fn in_query(text: &str, start: usize) -> Vec<Range<usize>> {
    const PARTS: &[&str] = &[
        "token",
        "secret",
        "password",
        "passwd",
        "signature",
        "credential",
        "apikey",
    ];
    const WHOLE: &[&str] = &["key", "sig", "auth", "pwd", "pass", "jwt", "sas"];
    let rest = text.get(start..).unwrap_or_default();
    let ends = |c: char| c.is_control() || matches!(c, '"' | '\'' | '`' | ' ' | '#');
    let url = rest.split(ends).next().unwrap_or_default();
    let Some(query) = url.find('?').map(|at| at + 1) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut at = start + query;
    for pair in url.get(query..).unwrap_or_default().split('&') {
        if let Some((name, value)) = pair.split_once('=') {
            let name = name.to_ascii_lowercase();
            let bare = name.replace(['_', '-'], "");
            let says_so =
                WHOLE.contains(&bare.as_str()) || PARTS.iter().any(|part| bare.contains(part));
            // `sslkey` names a file, and how a URL is written is no secret.
            let is_a_word = value.chars().all(|c| c.is_ascii_uppercase() || c == '…');
            if says_so && !name.starts_with("ssl") && !is_a_word {
                let begins = at + name.len() + 1;
                found.push(begins..begins + value.len());
            }
        }
        at += pair.len() + 1;
    }
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
    // How a URL is written is no secret.
    let is_a_word = url.get(colon + 1..at) == Some("PASSWORD");
    (colon + 1 < at && !is_a_word).then(|| start + colon + 1..start + at)
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
    // A server that only says whether there was one: `(using password: YES)`.
    let says_whether = value
        .get(..length)
        .is_some_and(|value| matches!(value, "YES" | "NO"))
        && text.get(..start)?.ends_with("(using password");
    (length > 0 && !says_whether).then(|| at..at + length)
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
            ("postgres:u:secret@h", "postgres:u:***@h"),
            ("mysql:/u:secret@h", "mysql:/u:***@h"),
            // Words that only speak of one.
            (
                "Access denied for user 'bob'@'h' (using password: YES)",
                "Access denied for user 'bob'@'h' (using password: YES)",
            ),
            (
                "write `mysql://USER:PASSWORD@HOST/DATABASE`",
                "write `mysql://USER:PASSWORD@HOST/DATABASE`",
            ),
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

    /// What tests remember in this process is found by all of them.
    const SECRET: &str = "kk/Q>x-re\"mem'bered~é";

    #[test]
    fn what_was_remembered_is_found_in_any_form() {
        remember(SECRET, &[]);
        remember("abc", &[]);
        remember("shop", &[]);
        assert_eq!(
            masked(&format!(
                "said {SECRET} and {}, abc, shop, shopping",
                percent_encoded(SECRET)
            )),
            "said *** and ***, abc, ***, shopping"
        );
        let lower = percent_encoded(SECRET).to_lowercase().replace("q%", "Q%");
        let partly = SECRET.replace('/', "%2f").replace('é', "%c3%A9");
        let hexadecimal: String = SECRET.bytes().map(|byte| format!("{byte:02x}")).collect();
        for form in [lower, partly, hexadecimal, format!("{:?}", SECRET)] {
            let said = masked(&form).into_owned();
            assert!(said.trim_matches('"') == "***", "{form}: {said}");
        }
        // Another text that is not UTF-8 once it is decoded.
        assert_eq!(masked(&format!("%ff {SECRET} %e9")), "%ff *** %e9");
    }

    #[test]
    fn a_secret_inside_of_base64_is_found_wherever_it_stands() {
        remember("another-0ne-of-them", &[]);
        for (text, encoded) in [
            ("another-0ne-of-them", "YW5vdGhlci0wbmUtb2YtdGhlbQ=="),
            ("u:another-0ne-of-them", "dTphbm90aGVyLTBuZS1vZi10aGVt"),
            (
                "bob:another-0ne-of-them;",
                "Ym9iOmFub3RoZXItMG5lLW9mLXRoZW07",
            ),
        ] {
            let said = masked(encoded).into_owned();
            assert!(said.contains("***") && said.len() < 12, "{text}: {said}");
        }
    }

    #[test]
    fn what_this_program_says_itself_keeps_its_names() {
        remember("a-name-of-it", &["a-name-of-it"]);
        remember("its-real-secret", &["bob"]);
        let said = "a-name-of-it and its-real-secret; token: x, postgres://b:c@d/e";
        assert_eq!(
            masked_own(said),
            "a-name-of-it and ***; token: x, postgres://b:***@d/e"
        );
        assert!(!masked(said).contains("a-name-of-it"));
    }

    /// What this program says of itself has no names of secrets, but the URLs that it was given may.
    #[test]
    fn the_query_of_a_url_may_hold_a_secret() {
        for (said, shown) in [
            (
                "http://h/x?token=abc&a=b answers 500",
                "http://h/x?token=***&a=b answers 500",
            ),
            (
                "`https://h/?a=1&api_key=abc#top`",
                "`https://h/?a=1&api_key=***#top`",
            ),
            (
                "https://h/?X-Amz-Signature=ab%2F1 and",
                "https://h/?X-Amz-Signature=*** and",
            ),
            (
                "https://h/?access_token=a https://h/?key=b",
                "https://h/?access_token=*** https://h/?key=***",
            ),
            (
                "https://me@h/p?page=2&page_token=abc",
                "https://me@h/p?page=2&page_token=***",
            ),
            (
                "postgres://h/d?sslkey=/etc/key.pem",
                "postgres://h/d?sslkey=/etc/key.pem",
            ),
            (
                "write `https://h/?token=TOKEN`",
                "write `https://h/?token=TOKEN`",
            ),
            (
                "https://h/?keyword=a&design=b",
                "https://h/?keyword=a&design=b",
            ),
            ("https://h/token=a?", "https://h/token=a?"),
        ] {
            assert_eq!(masked_own(said), shown);
        }
    }
}
