//! Tokens and statements of PostgreSQL.

use std::ops::Range;

use squawk_lexer::{LiteralKind, TokenKind, tokenize};

use super::super::ScriptError;
use super::super::lexeme::{self, Kind, Token};

pub(super) fn lex(text: &str) -> Result<Vec<Token>, ScriptError> {
    lex_plainly(text).map_err(|error| copied(text, &error).unwrap_or(error))
}

/// What follows `COPY … FROM stdin` is rows and no SQL, whatever it looks like.
fn copied(text: &str, error: &ScriptError) -> Option<ScriptError> {
    let mut at = 0;
    let mut copy = None;
    for line in text.split_inclusive('\n') {
        if at > error.span.start {
            break;
        }
        let words = line.trim().trim_end_matches(';').to_ascii_lowercase();
        let mut words = words.split_whitespace();
        if words.next() == Some("copy") {
            let rest: Vec<&str> = words.collect();
            let is_from = rest
                .windows(2)
                .any(|pair| matches!(pair, ["from", what] if what.starts_with("stdin")));
            copy = is_from.then(|| at..at + line.trim_end().len());
        } else if line.trim_end() == "\\." && at + line.len() <= error.span.start {
            copy = None;
        }
        at += line.len();
    }
    copy.map(from_stdin)
}

pub(super) fn from_stdin(span: Range<usize>) -> ScriptError {
    ScriptError::new(
        span,
        "COPY … FROM stdin takes its rows from psql, and they are no SQL",
        "write INSERT … VALUES, as `pg_dump --inserts` does, or COPY from a file on the server",
    )
}

fn lex_plainly(text: &str) -> Result<Vec<Token>, ScriptError> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut at = 0;
    let mut brackets = 0usize;
    for token in tokenize(text) {
        let span = at..at + token.len as usize;
        at = span.end;
        if let Some((message, help)) = open_ended(token.kind) {
            return Err(ScriptError::new(span, message, help));
        }
        let kind = match token.kind {
            TokenKind::Whitespace
            | TokenKind::LineComment
            | TokenKind::BlockComment { .. }
            | TokenKind::Eof => {
                continue;
            }
            TokenKind::Unknown => return Err(unknown(text, span)),
            TokenKind::Ident => Kind::Word,
            TokenKind::QuotedIdent { .. } => Kind::QuotedName,
            TokenKind::Literal { .. } => Kind::Literal,
            TokenKind::PositionalParam { .. } => Kind::Positional,
            TokenKind::Semi => Kind::Semicolon,
            TokenKind::Comma => Kind::Comma,
            TokenKind::OpenParen | TokenKind::OpenBracket => Kind::Open,
            TokenKind::CloseParen | TokenKind::CloseBracket => Kind::Close,
            _ => Kind::Other,
        };
        match token.kind {
            TokenKind::OpenBracket => brackets += 1,
            TokenKind::CloseBracket => brackets = brackets.saturating_sub(1),
            _ => {}
        }
        let span = match kind {
            Kind::Word => match parameter(text, &tokens, &span, brackets > 0) {
                Some(colon) => {
                    tokens.pop();
                    tokens.push(Token {
                        kind: Kind::Parameter,
                        span: colon..span.end,
                    });
                    continue;
                }
                None => span,
            },
            _ => span,
        };
        tokens.push(Token { kind, span });
    }
    Ok(tokens)
}

/// Where the colon of `:name` is. `::name` is a cast, and within brackets `[1:name]` is a slice.
fn parameter(
    text: &str,
    before: &[Token],
    word: &Range<usize>,
    in_brackets: bool,
) -> Option<usize> {
    let is_colon = |token: &&Token| token.text(text) == ":";
    let colon = before
        .last()
        .filter(is_colon)
        .filter(|colon| colon.span.end == word.start)?;
    let is_cast = before
        .iter()
        .rev()
        .nth(1)
        .filter(is_colon)
        .is_some_and(|first| first.span.end == colon.span.start);
    let name = lexeme::slice(text, word).unwrap_or_default();
    let is_slice = in_brackets && name != "after" && name != "upto";
    (!is_cast && !is_slice).then_some(colon.span.start)
}

/// A function with a body in SQL is one statement up to the END of its BEGIN ATOMIC, and a rule may hold
/// several statements in parentheses.
pub(super) fn split(text: &str, tokens: &[Token]) -> Vec<Range<usize>> {
    lexeme::split(tokens, |so_far| {
        let creates = |words: &[&str]| {
            so_far
                .first()
                .is_some_and(|token| token.is_word(text, "create"))
                && so_far
                    .iter()
                    .skip(1)
                    .take(3)
                    .any(|token| words.iter().any(|word| token.is_word(text, word)))
        };
        if creates(&["rule"]) {
            let open = so_far
                .iter()
                .filter(|token| token.kind == Kind::Open)
                .count();
            let closed = so_far
                .iter()
                .filter(|token| token.kind == Kind::Close)
                .count();
            return open > closed;
        }
        creates(&["function", "procedure"]) && open_blocks(text, so_far) > 0
    })
}

fn open_blocks(text: &str, tokens: &[Token]) -> usize {
    let mut open = 0usize;
    for pair in tokens.windows(2) {
        let [token, next] = pair else { continue };
        if token.is_word(text, "begin") && next.is_word(text, "atomic")
            || open > 0 && token.is_word(text, "case")
        {
            open += 1;
        }
        if open > 0 && next.is_word(text, "end") {
            open -= 1;
        }
    }
    open
}

fn open_ended(kind: TokenKind) -> Option<(&'static str, &'static str)> {
    match kind {
        TokenKind::BlockComment { terminated: false } => Some((
            "this comment is never closed",
            "close it with `*/`; comments nest",
        )),
        TokenKind::QuotedIdent {
            terminated: false, ..
        } => Some((
            "this quoted name is never closed",
            "close it, and write a quote within as two",
        )),
        TokenKind::Literal {
            kind: LiteralKind::DollarQuotedString { terminated: false },
        } => Some((
            "this dollar quote is never closed",
            "close it with the same tag that opens it, such as `$$`",
        )),
        TokenKind::Literal {
            kind:
                LiteralKind::Str { terminated: false }
                | LiteralKind::NationalStr { terminated: false }
                | LiteralKind::ByteStr { terminated: false }
                | LiteralKind::BitStr { terminated: false }
                | LiteralKind::UnicodeEscStr { terminated: false }
                | LiteralKind::EscStr { terminated: false },
        } => Some((
            "this string is never closed",
            "close it, and write a quote within as two: `'it''s'`",
        )),
        _ => None,
    }
}

fn unknown(text: &str, span: Range<usize>) -> ScriptError {
    let rest = lexeme::slice(text, &(span.start..text.len())).unwrap_or_default();
    if rest.starts_with('\\') {
        let command = rest.lines().next().unwrap_or_default().trim_end();
        if command.starts_with("\\restrict") || command.starts_with("\\unrestrict") {
            return ScriptError::new(
                span.start..span.start + command.len(),
                "this line of pg_dump is for psql alone",
                "leave it out",
            );
        }
        return ScriptError::new(
            span.start..span.start + command.len(),
            "this is a command of psql, not SQL",
            "write the SQL that it stands for; put the statements of an included file into this one",
        );
    }
    let message = "this character has no meaning in SQL";
    ScriptError::new(span, message, "remove it, or quote the name it is part of")
}

/// What a string says, be it in quotes or in dollar quotes; `None` for anything else.
pub(crate) fn unquoted(literal: &str) -> Option<String> {
    if let Some(rest) = literal.strip_prefix('$') {
        let tag = rest.find('$')?;
        let quote = literal.get(..tag + 2)?;
        let inner = literal.strip_prefix(quote)?.strip_suffix(quote)?;
        return Some(inner.to_owned());
    }
    let quoted = literal.trim_start_matches(['e', 'E', 'n', 'N', 'u', 'U', '&']);
    let inner = quoted.strip_prefix('\'')?.strip_suffix('\'')?;
    Some(inner.replace("''", "'"))
}
