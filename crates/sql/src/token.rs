//! A token, as far as all databases agree on it.

use std::ops::Range;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// A keyword or an unquoted name.
    Word,
    QuotedName,
    Literal,
    /// `:name`
    Parameter,
    /// `$1`, `?`, `@name`: a parameter that no script may use.
    Positional,
    Open,
    Close,
    Comma,
    Semicolon,
    Other,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Token {
    pub kind: Kind,
    pub span: Range<usize>,
}

impl Token {
    pub fn is_word(&self, text: &str, word: &str) -> bool {
        self.kind == Kind::Word && self.text(text).eq_ignore_ascii_case(word)
    }

    pub fn text<'t>(&self, text: &'t str) -> &'t str {
        slice(text, &self.span).unwrap_or_default()
    }
}

pub(super) fn slice<'t>(text: &'t str, span: &Range<usize>) -> Option<&'t str> {
    text.get(span.clone())
}

/// An upper bound of how deep a parse tree can get: between two commas, each token may nest in the one before.
pub(super) fn depth(tokens: &[Token]) -> usize {
    let (mut deepest, mut now) = (0, 0);
    let mut outer = Vec::new();
    for token in tokens {
        now += 1;
        match token.kind {
            Kind::Open => outer.push(now),
            Kind::Close => now = outer.pop().unwrap_or(now),
            Kind::Comma | Kind::Semicolon => now = outer.last().copied().unwrap_or(0),
            _ => {}
        }
        deepest = deepest.max(now);
    }
    deepest
}
