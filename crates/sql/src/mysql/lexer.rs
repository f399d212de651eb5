//! Tokens of MySQL and MariaDB, as the server reads them without ANSI_QUOTES and NO_BACKSLASH_ESCAPES.

use super::super::ScriptError;
use super::super::lexeme::{Kind, Token};

/// What begins a comment that the server runs: `/*!50100 … */`, and `/*M! … */` on MariaDB.
const RUN: &[&str] = &["/*!", "/*M!"];
/// What no server runs: a command of the `mariadb` client at the head of each dump.
const RUN_BY_NOBODY: &str = "/*M!999999\\-";

/// What a comment holds that the server runs; `None` if it is none.
pub(super) fn run_comment(text: &str) -> Option<&str> {
    let inner = RUN.iter().find_map(|run| text.strip_prefix(run))?;
    let inner = inner.strip_suffix("*/")?;
    Some(
        inner
            .trim_start_matches(|c: char| c.is_ascii_digit())
            .trim(),
    )
}

pub(super) fn lex(text: &str) -> Result<Vec<Token>, ScriptError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (kind, length) = next(text, at, rest)?;
        let span = at..at + length;
        at = span.end;
        tokens.extend(kind.map(|kind| Token { kind, span }));
    }
    Ok(tokens)
}

/// The next token and its length in bytes; no kind for space and comments.
fn next(text: &str, at: usize, rest: &str) -> Result<(Option<Kind>, usize), ScriptError> {
    let mut characters = rest.chars();
    let (first, second) = (characters.next().unwrap_or(' '), characters.next());
    let token = |kind, length| Ok((Some(kind), length));
    if let Some(length) = space_or_comment(text, at, rest)? {
        return Ok((None, length));
    }
    match first {
        '/' if second == Some('*') => {
            // What the server runs is no comment; that it is there is all that can be said of it.
            Ok((Some(Kind::Other), comment(text, at, rest)?))
        }
        '\'' | '"' => token(Kind::Literal, quoted(text, at, rest, first)?),
        '`' => token(Kind::QuotedName, quoted(text, at, rest, first)?),
        ';' => token(Kind::Semicolon, 1),
        ',' => token(Kind::Comma, 1),
        '(' => token(Kind::Open, 1),
        ')' => token(Kind::Close, 1),
        '?' => token(Kind::Positional, 1),
        '|' if second == Some('|') => token(Kind::Other, 2),
        // Directly after a word it is the label of a block.
        ':' if second.is_some_and(begins_name) && !follows_name(text, at) => {
            let name = rest.get(1..).unwrap_or_default();
            token(Kind::Parameter, 1 + word(name))
        }
        _ if is_of_word(first) => {
            let length = word(rest);
            let written = rest.get(..length).unwrap_or_default();
            let kind = if is_number(written) {
                Kind::Literal
            } else {
                Kind::Word
            };
            token(kind, length)
        }
        _ if first.is_control() => Err(ScriptError::new(
            at..at + first.len_utf8(),
            "this character has no meaning in SQL",
            "remove it, or quote the name it is part of",
        )),
        _ => token(Kind::Other, first.len_utf8()),
    }
}

fn space_or_comment(text: &str, at: usize, rest: &str) -> Result<Option<usize>, ScriptError> {
    let blank = |c: char| c.is_ascii_whitespace() || c == '\u{b}';
    let line = || rest.find('\n').unwrap_or(rest.len());
    if rest.starts_with(blank) {
        return Ok(Some(rest.find(|c| !blank(c)).unwrap_or(rest.len())));
    }
    if rest.starts_with('#') {
        return Ok(Some(line()));
    }
    if let Some(after) = rest.strip_prefix("--") {
        // Without the blank it is a minus before a negative number.
        let is_comment =
            after.is_empty() || after.starts_with(|c: char| blank(c) || c.is_control());
        return Ok(is_comment.then(line));
    }
    let is_run = RUN.iter().any(|run| rest.starts_with(run)) && !rest.starts_with(RUN_BY_NOBODY);
    if rest.starts_with("/*") && !is_run {
        return comment(text, at, rest).map(Some);
    }
    Ok(None)
}

fn comment(text: &str, at: usize, rest: &str) -> Result<usize, ScriptError> {
    let body = rest.get(2..).unwrap_or_default();
    body.find("*/").map(|end| end + 4).ok_or_else(|| {
        ScriptError::new(
            at..text.len(),
            "this comment is never closed",
            "close it with `*/`",
        )
    })
}

fn quoted(text: &str, at: usize, rest: &str, quote: char) -> Result<usize, ScriptError> {
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((index, found)) = characters.next() {
        if found == '\\' && quote != '`' {
            characters.next();
        } else if found == quote && characters.next_if(|(_, next)| *next == quote).is_none() {
            return Ok(index + quote.len_utf8());
        }
    }
    Err(ScriptError::new(
        at..text.len(),
        "this quote is never closed",
        "close it, and write a quote within as two: `'it''s'`",
    ))
}

fn begins_name(c: char) -> bool {
    is_of_word(c) && !c.is_ascii_digit()
}

fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || (!c.is_ascii() && !c.is_control())
}

fn word(rest: &str) -> usize {
    rest.find(|c| !is_of_word(c)).unwrap_or(rest.len())
}

fn follows_name(text: &str, at: usize) -> bool {
    text.get(..at)
        .and_then(|before| before.chars().next_back())
        .is_some_and(|before| is_of_word(before) || before == '`')
}

/// A name may begin with a digit: `1st` is one, `1e5` and `0x1f` are not.
fn is_number(written: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let exponent = written.split_once(['e', 'E']);
    let hexadecimal = written.strip_prefix("0x").is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    let binary = written.strip_prefix("0b").is_some_and(|digits| {
        !digits.is_empty() && digits.bytes().all(|byte| matches!(byte, b'0' | b'1'))
    });
    digits(written)
        || hexadecimal
        || binary
        || exponent
            .is_some_and(|(before, after)| digits(before) && (after.is_empty() || digits(after)))
}

/// A name as the catalogue has it.
pub(super) fn unquote(name: &str) -> String {
    match name
        .strip_prefix('`')
        .and_then(|rest| rest.strip_suffix('`'))
    {
        Some(inner) => inner.replace("``", "`"),
        None => name.to_owned(),
    }
}
