//! What others wrote, as data: on one line, with everything in it visible.
//!
//! A name, a reason or a message may come from anybody who can write to the database, from a program or from a file. On a
//! terminal it must not move the cursor, in a log it must not begin a line of its own, and in the log of a pipeline it must not be
//! read as a command.

use std::borrow::Cow;
use std::error::Error;
use std::fmt::Write as _;

/// One line of text, with whatever would not be seen, or would be taken for something else, made visible.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_hidden) && !text.contains("::") && !text.contains("##") {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    let mut begins = true;
    for (at, c) in text.char_indices() {
        let is_colons = begins && text.get(at..).is_some_and(|rest| rest.starts_with("::"));
        begins = begins && c.is_whitespace();
        if is_colons || is_hidden(c) || is_second_of_mark(text, at) {
            push_escaped(&mut shown, c);
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// A text as long as this at most, and what was left out said.
#[must_use]
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    match text.char_indices().nth(most) {
        None => Cow::Borrowed(text),
        Some((end, _)) => {
            let kept = text.get(..end).unwrap_or_default();
            let left = text.len() - kept.len();
            Cow::Owned(format!("{kept}… ({left} more bytes)"))
        }
    }
}

/// An error with its causes, each once.
#[must_use]
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !words.contains(&said) {
            words.push_str(": ");
            words.push_str(&said);
        }
        cause = error.source();
    }
    words
}

/// Adds one character so that it is seen, whatever it is.
pub fn push_escaped(to: &mut String, c: char) {
    match c {
        '\n' => to.push_str("\\n"),
        '\r' => to.push_str("\\r"),
        '\t' => to.push_str("\\t"),
        // Writing to a string cannot fail.
        _ => drop(write!(to, "\\u{{{:x}}}", u32::from(c))),
    }
}

/// Whether the `#` at this place is the second one of `##[name]` or `##name[…]`, which pipelines take for a command to them
/// wherever in a line it stands.
#[must_use]
pub fn is_second_of_mark(text: &str, at: usize) -> bool {
    let after = text.get(at..).and_then(|rest| rest.strip_prefix('#'));
    let before = text.get(..at).unwrap_or_default();
    let Some(after) = after.filter(|_| before.ends_with('#')) else {
        return false;
    };
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '#');
    after.trim_start_matches(is_name).starts_with('[')
}

/// Whether a character moves what is around it, or is not seen.
#[must_use]
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            // Soft hyphen, joiners, fillers and other characters without a width.
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{3164}' | '\u{ffa0}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            // Zero width, marks of direction, separators of lines and paragraphs.
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            // Variants of what is before them, which can carry a text of their own; tags.
            | '\u{fe00}'..='\u{fe0f}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{1bca0}'..='\u{1bca3}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_moves_hides_or_begins_a_line() {
        for (text, line) in [
            ("server-1", "server-1"),
            ("Zürich 東京", "Zürich 東京"),
            ("a\nb\r\nc\td", "a\\nb\\r\\nc\\td"),
            ("\u{1b}[2J\u{7}\u{9b}31m", "\\u{1b}[2J\\u{7}\\u{9b}31m"),
            ("a\u{202e}b\u{2066}c", "a\\u{202e}b\\u{2066}c"),
            ("a\u{200b}b\u{2028}c\u{85}", "a\\u{200b}b\\u{2028}c\\u{85}"),
            ("x\u{e0041}\u{fe0f}", "x\\u{e0041}\\u{fe0f}"),
            ("::set-output name=a::b", "\\u{3a}:set-output name=a::b"),
            ("  ::error::x", "  \\u{3a}:error::x"),
            ("a::b", "a::b"),
            ("a ##[error]x", "a #\\u{23}[error]x"),
            ("##vso[task]", "#\\u{23}vso[task]"),
            ("###[group]", "#\\u{23}\\u{23}[group]"),
            ("# one ## two [x]", "# one ## two [x]"),
            ("", ""),
        ] {
            let read = shown(text);
            assert_eq!(read, line);
            assert_eq!(shown(&read), read, "once is enough");
        }
    }

    #[test]
    fn every_character_below_a_space_is_seen() {
        for c in (0..0x11_0000).filter_map(char::from_u32) {
            if c.is_control() || is_hidden(c) {
                assert!(shown(&format!("a{c}b")).starts_with("a\\"), "{c:?}");
            }
        }
    }

    #[test]
    fn a_cause_that_is_said_already_is_not_said_again() {
        #[derive(Debug)]
        struct Failed(&'static str, Option<Box<Failed>>);
        impl std::fmt::Display for Failed {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.0)
            }
        }
        impl Error for Failed {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                let cause = self.1.as_deref();
                cause.map(|cause| cause as &(dyn Error + 'static))
            }
        }
        let refused = Failed("connection refused", None);
        let connect = Failed(
            "cannot connect: connection refused",
            Some(Box::new(refused)),
        );
        let request = Failed("the request failed", Some(Box::new(connect)));
        assert_eq!(
            with_causes(&request),
            "the request failed: cannot connect: connection refused"
        );
    }

    #[test]
    fn what_is_too_long_is_cut() {
        assert_eq!(shortened("äöü", 3), "äöü");
        assert_eq!(shortened("äöüx", 2), "äö… (3 more bytes)");
    }
}
