//! Labels of metrics: what others wrote, as data that stays within its quotes.
//!
//! Invariant: no value of a label is written but through [`Label`]: the format of the scrape is lines and quotes, and a name with both in it
//! would be a metric of its own, with a verdict that nobody gave.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelValue, LabelValueEncoder};

use crate::text::secret::masked_own;
use crate::text::shown::shown;

/// The value of a label as text output shows it, without secrets, and escaped as the format wants it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Label(String);

/// The labels of one series.
pub(super) type Labels = Vec<(&'static str, Label)>;

impl Label {
    pub(super) fn of(text: impl AsRef<str>) -> Self {
        let masked = masked_own(text.as_ref());
        let mut escaped = String::with_capacity(masked.len());
        for c in shown(&masked).chars() {
            match c {
                '\\' => escaped.push_str("\\\\"),
                '"' => escaped.push_str("\\\""),
                '\n' => escaped.push_str("\\n"),
                other => escaped.push(other),
            }
        }
        Self(escaped)
    }
}

impl EncodeLabelValue for Label {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        // The encoder writes what it is given, and escapes nothing.
        fmt::Write::write_str(encoder, &self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_quotes() {
        for (text, escaped) in [
            ("1.0.0", "1.0.0"),
            ("", ""),
            ("Zürich 東京", "Zürich 東京"),
            ("a\\", "a\\\\"),
            ("a\"} 1", "a\\\"} 1"),
            ("a\nb\r", "a\\\\nb\\\\r"),
            ("\u{1b}[2J\u{202e}", "\\\\u{1b}[2J\\\\u{202e}"),
            ("postgres://u:hush@h/x", "postgres://u:***@h/x"),
        ] {
            assert_eq!(Label::of(text).0, escaped, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_quote_always_has_its_backslash(text in "[\\\\\"\n\r a#}=]{0,20}|\\PC{0,20}") {
            let Label(escaped) = Label::of(&text);
            let mut rest = escaped.chars();
            while let Some(c) = rest.next() {
                proptest::prop_assert!(c != '"' && c != '\n', "{escaped:?}");
                if c == '\\' {
                    let after = rest.next();
                    proptest::prop_assert!(matches!(after, Some('\\' | '"' | 'n')), "{escaped:?}");
                }
            }
        }
    }
}
