//! Tokens and statements of SQLite.

use std::ops::Range;

use sqlite3_parser::dialect::TokenType;
use sqlite3_parser::lexer::Splitter as _;
use sqlite3_parser::lexer::sql::{Error, ParserError, Tokenizer};

use super::super::ScriptError;
use super::super::lexeme::{self, Kind, Token};

pub(super) fn lex(text: &str) -> Result<Vec<Token>, ScriptError> {
    let mut tokenizer = Tokenizer::new();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.as_bytes().get(at..).filter(|rest| !rest.is_empty()) {
        match tokenizer.split(rest) {
            Ok((_, 0)) => break,
            Ok((None, length)) => at += length,
            Ok((Some((_, kind)), length)) => {
                let span = at..at + length;
                at = span.end;
                tokens.push(Token {
                    kind: token_kind(kind, rest.first().copied().unwrap_or_default()),
                    span,
                });
            }
            Err(error) => return Err(lexical_error(text, at, &error)),
        }
    }
    if let Some(token) = tokens
        .iter()
        .find(|token| lexeme::slice(text, &token.span).is_none())
    {
        let message = "this cannot be read";
        return Err(ScriptError::new(
            token.span.start..text.len(),
            message,
            "remove it",
        ));
    }
    Ok(tokens)
}

fn token_kind(kind: TokenType, first: u8) -> Kind {
    match kind {
        TokenType::TK_SEMI => Kind::Semicolon,
        TokenType::TK_LP => Kind::Open,
        TokenType::TK_RP => Kind::Close,
        TokenType::TK_COMMA => Kind::Comma,
        TokenType::TK_VARIABLE if first == b':' => Kind::Parameter,
        TokenType::TK_VARIABLE => Kind::Positional,
        TokenType::TK_BLOB => Kind::Literal,
        _ => match first {
            b'"' | b'`' | b'[' => Kind::QuotedName,
            b'\'' | b'0'..=b'9' => Kind::Literal,
            _ if first.is_ascii_alphabetic() || first == b'_' || !first.is_ascii() => Kind::Word,
            _ => Kind::Other,
        },
    }
}

/// As SQLite's own shell does it: a trigger ends with `;` `END` `;`, everything else with `;`. A `CASE … END`
/// in a trigger is never preceded by `;`.
pub(super) fn split(text: &str, tokens: &[Token]) -> Vec<Range<usize>> {
    lexeme::split(tokens, |so_far| {
        let mut words = so_far.iter().skip_while(|token| {
            ["explain", "query", "plan"]
                .iter()
                .any(|word| token.is_word(text, word))
        });
        let is_trigger = words
            .next()
            .is_some_and(|token| token.is_word(text, "create"))
            && words
                .find(|token| !token.is_word(text, "temp") && !token.is_word(text, "temporary"))
                .is_some_and(|token| token.is_word(text, "trigger"));
        let is_over = matches!(so_far, [.., semicolon, end]
            if semicolon.kind == Kind::Semicolon && end.is_word(text, "end"));
        is_trigger && !is_over
    })
}

fn lexical_error(text: &str, at: usize, error: &Error) -> ScriptError {
    let rest = lexeme::slice(text, &(at..text.len())).unwrap_or_default();
    let first = rest.chars().next();
    let one = at..at + first.map_or(0, char::len_utf8);
    let until_end = at..text.len();
    match error {
        Error::UnterminatedLiteral(_) => ScriptError::new(
            until_end,
            "this quote is never closed",
            "close it, and write a quote within as two: `'it''s'`",
        ),
        Error::UnterminatedBracket(_) => {
            ScriptError::new(until_end, "this `[` is never closed", "close it with `]`")
        }
        Error::UnterminatedBlockComment(_) => ScriptError::new(
            until_end,
            "this comment is never closed",
            "close it with `*/`",
        ),
        Error::BadVariableName(_) => ScriptError::new(
            one,
            "a parameter without a name",
            "write `:after` or `:upto`",
        ),
        Error::BadNumber(_) | Error::MalformedHexInteger(_) => ScriptError::new(
            one,
            "this is not a number",
            "a name cannot begin with a digit unless it is quoted",
        ),
        Error::MalformedBlobLiteral(_) => ScriptError::new(
            one,
            "this is not a blob",
            "write pairs of hexadecimal digits: `x'00ff'`",
        ),
        Error::ExpectedEqualsSign(_) => {
            ScriptError::new(one, "`!` stands alone", "write `!=` or NOT")
        }
        _ => ScriptError::new(
            one,
            "this character has no meaning in SQL",
            "remove it, or quote the name it is part of",
        ),
    }
}

/// An error of the parser, at the token it stumbled over.
pub(super) fn syntax_error(sql: &str, tokens: &[Token], error: &Error) -> ScriptError {
    let position = match error {
        Error::ParserError(_, position) => position.as_ref(),
        _ => None,
    };
    let at = position.map_or(sql.len(), |position| {
        let line_start: usize = sql
            .split_inclusive('\n')
            .take(position.line.saturating_sub(1))
            .map(str::len)
            .sum();
        line_start + position.column.saturating_sub(1)
    });
    let token = tokens.iter().find(|token| token.span.end > at);
    let span = token.map_or(sql.len()..sql.len(), |token| token.span.clone());
    if sql.starts_with('.') {
        let message = "this is a command of the sqlite3 shell, not SQL";
        return ScriptError::new(0..sql.len(), message, "write the SQL that it stands for");
    }
    let message = match error {
        Error::ParserError(ParserError::Custom(message), _) => message.clone(),
        _ => match token {
            Some(token) => format!("syntax error at `{}`", token.text(sql)),
            None => "the statement ends too early".to_owned(),
        },
    };
    // SQLite itself takes it.
    let help = if message.ends_with("specified more than once") {
        "name it once: SQLite would take one of the values, and leave the others out without a word"
    } else {
        "SQLite would reject this statement; is a `;` missing before it?"
    };
    ScriptError::new(span, message, help)
}

pub(super) fn unquote(name: &str) -> String {
    for (open, close) in [('"', '"'), ('`', '`'), ('\'', '\''), ('[', ']')] {
        if let Some(inner) = name
            .strip_prefix(open)
            .and_then(|rest| rest.strip_suffix(close))
        {
            let doubled: String = [close, close].iter().collect();
            return match open {
                '[' => inner.to_owned(),
                _ => inner.replace(&doubled, &close.to_string()),
            };
        }
    }
    name.to_owned()
}
