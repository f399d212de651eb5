//! Secrets in a project's files, which a quoted line of one must not give away.

use std::ops::Range;
use std::sync::Arc;

use crate::text::secret;

/// The text with the secrets in it hidden. Its bytes stay where they are, so spans into it stay true; a text without a
/// secret is returned as it is.
pub(super) fn masked(text: &Arc<str>) -> Arc<str> {
    let spans = spans(text);
    if spans.is_empty() {
        return Arc::clone(text);
    }
    let mut bytes = text.as_bytes().to_vec();
    for span in spans {
        if let Some(secret) = bytes.get_mut(span) {
            secret.fill(b'*');
        }
    }
    String::from_utf8_lossy(&bytes).into()
}

/// What is said about a file, without the secrets in that file.
pub(super) fn left_out(said: String, file: &str) -> String {
    let mut said = said;
    for span in spans(file) {
        let secret = file.get(span).unwrap_or_default();
        // A shorter one is a part of too many words.
        if secret.len() >= 3 && said.contains(secret) {
            said = said.replace(secret, "***");
        }
    }
    match secret::masked_forms(&said) {
        std::borrow::Cow::Borrowed(_) => said,
        std::borrow::Cow::Owned(masked) => masked,
    }
}

fn spans(text: &str) -> Vec<Range<usize>> {
    let mut found = secret::spans(text);
    found.extend(in_database(text));
    found.extend(in_notify(text));
    found
}

/// The keys of `[database]` whose values are no secret, whatever they are.
const HARMLESS: &[&str] = &["dialects", "lock_timeout", "lock_retry_for", "busy_timeout"];

/// The values under `[database]` that are no URL: a password may stand where its URL belongs, under any key.
fn in_database(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (key, at, value) in lines_of("database", text) {
        if !HARMLESS.contains(&key) {
            found.extend(words(value).map(|word| at + word.start..at + word.end));
        }
    }
    found
}

/// What comes behind the host of the URLs under `[notify]`: whoever has the address of a chat's hook may post there.
fn in_notify(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (_, at, value) in lines_of("notify", text) {
        let mut from = 0;
        while let Some(scheme) = value.get(from..).and_then(|rest| rest.find("://")) {
            let host = from + scheme + 3;
            let rest = value.get(host..).unwrap_or_default();
            let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ']');
            let end = host + rest.find(ends).unwrap_or(rest.len());
            let path = rest.find('/').map_or(end, |slash| host + slash + 1);
            if path < end {
                found.push(at + path..at + end);
            }
            from = end;
        }
    }
    found
}

/// The lines below the headings that begin with this name: the key, and where its value is.
fn lines_of<'t>(
    table: &'static str,
    text: &'t str,
) -> impl Iterator<Item = (&'t str, usize, &'t str)> {
    let mut is_inside = false;
    let mut start = 0;
    text.split_inclusive('\n').filter_map(move |line| {
        let begins = start;
        start += line.len();
        let trimmed = line.trim();
        if trimmed.starts_with('[') && !trimmed.contains('=') && trimmed.contains(']') {
            is_inside = trimmed.trim_start_matches(['[', ' ']).starts_with(table);
            return None;
        }
        if !is_inside || trimmed.starts_with('#') {
            return None;
        }
        let (key, value) = line.split_once('=').unwrap_or(("", line));
        let at = begins + line.len() - value.len();
        Some((key.trim().trim_matches('"'), at, value))
    })
}

/// The words of a value that may be secrets: neither URLs, which are looked into, nor marks.
fn words(value: &str) -> impl Iterator<Item = Range<usize>> + '_ {
    let comment = value.find(" #").unwrap_or(value.len());
    let value = value.get(..comment).unwrap_or(value);
    let mark = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '[' | ']' | ',');
    let is_url = |word: &str| word.contains("://") || word.starts_with("sqlite:");
    let mut start = 0;
    value.split(mark).filter_map(move |word| {
        let at = start;
        start += word.len() + 1;
        (!word.is_empty() && !is_url(word) && !is_duration(word)).then(|| at..at + word.len())
    })
}

/// Such as `500ms`.
fn is_duration(word: &str) -> bool {
    let unit = word.trim_start_matches(|c: char| c.is_ascii_digit());
    unit.len() < word.len() && matches!(unit, "ms" | "s" | "m" | "h" | "d")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_and_nothing_moves() {
        for (text, shown) in [
            (
                "url = \"postgres://bob:secret@db/shop\"",
                "url = \"postgres://bob:******@db/shop\"",
            ),
            (
                "url = \"postgres://bob:s@c:r/t@db/shop\"",
                "url = \"postgres://bob:*******@db/shop\"",
            ),
            (
                "url = 'postgres://bob:pé@db",
                "url = 'postgres://bob:***@db",
            ),
            (
                "postgres://db/x?password=abc&a=b",
                "postgres://db/x?password=***&a=b",
            ),
            ("postgres://bob@db:5432/shop", "postgres://bob@db:5432/shop"),
            ("sqlite://shop.db # a@b", "sqlite://shop.db # a@b"),
            ("password = \"S3cr3tPW\"", "password = \"********\""),
            (
                "[database]\nurl = \"S3cr3tPW\"\n[services.web]\nurl = \"x\"",
                "[database]\nurl = \"********\"\n[services.web]\nurl = \"x\"",
            ),
            (
                "[database]\nurl = u:S3cr3tPW@h/x # why\nlock_timeout = \"3s\"",
                "[database]\nurl = ************** # why\nlock_timeout = \"3s\"",
            ),
            (
                "[notify.chat]\nurl = 'https://hooks.example/services/T0/S3cr3t'\n",
                "[notify.chat]\nurl = 'https://hooks.example/******************'\n",
            ),
            (
                "[notify.chat]\nurl = https://hooks.example/S3cr3t # why\n[services.web]\nurl = \"https://a/b\"",
                "[notify.chat]\nurl = https://hooks.example/****** # why\n[services.web]\nurl = \"https://a/b\"",
            ),
            (
                "[database]\nreplicas = [\n \"S3cr3t\",\n]\n",
                "[database]\nreplicas = [\n \"******\",\n]\n",
            ),
            (
                "[database]\nulr = \"S3cr3tPW\"\ndialects = [\"sqlite\"]",
                "[database]\nulr = \"********\"\ndialects = [\"sqlite\"]",
            ),
        ] {
            let masked = masked(&text.into());
            assert_eq!(&*masked, shown);
            assert_eq!(masked.len(), text.len());
        }
    }

    #[test]
    fn what_is_said_of_a_file_repeats_no_secret_of_it() {
        let file = "[database]\nurl = postgres://u:S3cr3tPW@h/x\nulr = \"An0ther\"\n";
        for (said, shown) in [
            (
                "write \"postgres://u:S3cr3tPW@h/x\"",
                "write \"postgres://u:***@h/x\"",
            ),
            ("`An0ther` is odd", "`***` is odd"),
            ("nothing of it", "nothing of it"),
        ] {
            assert_eq!(left_out(said.to_owned(), file), shown);
        }
    }
}
