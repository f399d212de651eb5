//! Whether what a new column takes from others fits its type: a strict server refuses the row otherwise.

use super::super::checked;
use super::super::lexeme::{Kind, Token};
use super::cursor::Cursor;

/// Types that take whatever another column holds.
const WIDE: &[&str] = &[
    "text",
    "mediumtext",
    "longtext",
    "blob",
    "mediumblob",
    "longblob",
];
/// Types of texts that have a length.
const SIZED: &[&str] = &["char", "varchar", "binary", "varbinary"];
/// Shorter than what columns are commonly given.
const SHORT: u32 = 255;
/// Functions whose values have a length of their own.
const BOUNDED: &[&str] = &[
    "left",
    "right",
    "substr",
    "substring",
    "mid",
    "md5",
    "sha",
    "sha1",
    "sha2",
    "date_format",
];

/// Whether a stored column (of this definition, behind its name) is computed from others in a way that may not fit.
pub(super) fn may_not_fit(definition: Cursor<'_>) -> bool {
    let Cursor { text, tokens } = definition;
    let is_kept = ["stored", "persistent", "unique", "key"]
        .iter()
        .any(|word| checked::has_word(text, tokens, word));
    let Some(begin) = tokens.windows(2).position(
        |pair| matches!(pair, [word, open] if word.is_word(text, "as") && open.kind == Kind::Open),
    ) else {
        return false;
    };
    let expression = tokens.get(begin + 2..).unwrap_or_default();
    if !is_kept || is(text, expression.first(), BOUNDED) || is(text, tokens.first(), WIDE) {
        return false;
    }
    let is_copy = expression
        .get(1)
        .is_some_and(|token| token.kind == Kind::Close);
    is_copy || is_short(definition)
}

/// Whether a default is an expression in which other columns stand.
pub(super) fn copies_others(definition: Cursor<'_>, default: Cursor<'_>) -> bool {
    const NO_COLUMNS: &[&str] = &[
        "null",
        "true",
        "false",
        "current_timestamp",
        "current_date",
        "current_time",
        "current_user",
        "localtime",
        "localtimestamp",
        "utc_date",
        "utc_time",
        "utc_timestamp",
        "interval",
        "microsecond",
        "second",
        "minute",
        "hour",
        "day",
        "week",
        "month",
        "quarter",
        "year",
        "div",
        "mod",
        "and",
        "or",
        "not",
        "is",
        "case",
        "when",
        "then",
        "else",
        "end",
        "as",
        "using",
        "unsigned",
        "signed",
        "char",
        "binary",
        "json",
        "date",
        "datetime",
        "time",
        "next",
        "value",
        "for",
        "collate",
    ];
    let Some(inner) = default.inside() else {
        return false;
    };
    let Cursor { text, tokens } = inner;
    if is(text, definition.tokens.first(), WIDE) {
        return false;
    }
    // Names of a sequence, a character set or a collation.
    if tokens
        .iter()
        .any(|token| token.is_word(text, "next") || token.is_word(text, "nextval"))
    {
        return false;
    }
    tokens.iter().enumerate().any(|(at, token)| {
        let is_call = tokens
            .get(at + 1)
            .is_some_and(|next| next.kind == Kind::Open);
        let before = at.checked_sub(1).and_then(|before| tokens.get(before));
        match token.kind {
            Kind::QuotedName => true,
            Kind::Word => {
                !is_call
                    && !is(text, Some(token), NO_COLUMNS)
                    && !token.text(text).starts_with('_')
                    && !is(text, before, &["using", "collate"])
            }
            _ => false,
        }
    })
}

fn is(text: &str, token: Option<&Token>, words: &[&str]) -> bool {
    token.is_some_and(|token| words.iter().any(|word| token.is_word(text, word)))
}

/// `varchar(3)`
fn is_short(definition: Cursor<'_>) -> bool {
    let Cursor { text, tokens } = definition;
    is(text, tokens.first(), SIZED)
        && tokens
            .get(2)
            .is_none_or(|size| size.text(text).parse().is_ok_and(|size: u32| size < SHORT))
}
