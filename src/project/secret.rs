//! Passwords in database URLs, which a quoted line of a file must not give away.

use std::sync::Arc;

/// The text with the password of every URL in it hidden. Its bytes stay where they are, so spans
/// into it stay true; a text without a password is returned as it is.
pub(super) fn masked(text: &Arc<str>) -> Arc<str> {
    let spans: Vec<_> = text
        .match_indices("://")
        .flat_map(|(at, mark)| secrets(text, at + mark.len()))
        .collect();
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

/// What is secret in the URL whose part after `://` begins at `start`.
fn secrets(text: &str, start: usize) -> Vec<std::ops::Range<usize>> {
    let rest = text.get(start..).unwrap_or_default();
    // A file with errors may have lost its closing quote; the line ends a URL in any case.
    let url = rest
        .split(['"', '\'', '\n', '\r', ' ', '\t'])
        .next()
        .unwrap_or_default();
    let mut found = Vec::new();
    if let Some(at) = url.rfind('@')
        && let Some(colon) = url.get(..at).and_then(|credentials| credentials.find(':'))
    {
        found.push(start + colon + 1..start + at);
    }
    for (key, mark) in url.match_indices("password=") {
        let value = key + mark.len();
        let length = url
            .get(value..)
            .and_then(|rest| rest.find('&'))
            .unwrap_or(url.len() - value);
        found.push(start + value..start + value + length);
    }
    found
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
        ] {
            let masked = masked(&text.into());
            assert_eq!(&*masked, shown);
            assert_eq!(masked.len(), text.len());
        }
    }
}
