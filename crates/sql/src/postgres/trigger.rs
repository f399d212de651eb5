//! Triggers and their functions.

use squawk_syntax::{SyntaxKind as K, SyntaxNode};

use super::super::facts::{Call, Facts, Refusal};
use super::super::lexeme::{Kind, Token};
use super::super::{ObjectKind, Verb};
use super::lexer;
use super::returning;
use super::tree::{self, TABLE};

/// Which function a trigger calls for each row, where that may keep the row from being written.
pub(super) fn created(statement: &SyntaxNode) -> Facts {
    let mut facts = Facts::additive();
    let table =
        tree::child(statement, &[K::ON_RELATION]).and_then(|on| tree::child_name(&on, TABLE));
    let trigger = tree::child_name(statement, &[K::TRIGGER]);
    facts
        .objects
        .extend(table.clone().zip(trigger.clone()).map(|(table, trigger)| {
            let object = table.member(ObjectKind::Trigger, Verb::Create, trigger.name);
            object.conditional(tree::has(statement, K::OR_REPLACE))
        }));
    if tree::has(statement, K::OR_REPLACE) {
        let name = trigger.as_ref().map_or("…", |trigger| &trigger.name);
        facts = facts.replacing(name);
    }
    facts.subjects = table
        .iter()
        .map(|table| table.subject(ObjectKind::Table))
        .collect();
    let tokens: Vec<String> = tree::tokens(statement)
        .map(|token| token.text().to_owned())
        .collect();
    let execute = tokens
        .iter()
        .position(|token| token.eq_ignore_ascii_case("execute"));
    let name: String = tokens
        .iter()
        .skip(execute.map_or(usize::MAX, |at| at + 2))
        .take_while(|token| *token != "(")
        .map(String::as_str)
        .collect();
    let last = name.rsplit('.').next().unwrap_or_default();
    let before = tree::within_any(statement, &[K::TIMING_BEFORE, K::TIMING_INSTEAD_OF]);
    if tree::within(statement, K::TIMING_INSTEAD_OF) {
        facts.instead_of.clone_from(&table);
    }
    let is_for_rows = tokens.iter().any(|token| token.eq_ignore_ascii_case("row"));
    facts.calls = tree::folded(last)
        .filter(|name| !name.is_empty())
        .map(|function| Call {
            function,
            before_row: before && is_for_rows,
        });
    facts
}

/// What a trigger function does to rows that it does not let pass: it raises an error, or returns NULL before they are
/// written.
pub(super) fn refusal(statement: &SyntaxNode) -> Option<Refusal> {
    let body = body(statement)?;
    let tokens = lexer::lex(&body).ok()?;
    let raises = tokens.windows(2).any(|pair| match pair {
        [raise, level] => {
            raise.is_word(&body, "raise")
                && !["notice", "warning", "info", "log", "debug"]
                    .iter()
                    .any(|harmless| level.is_word(&body, harmless))
        }
        _ => false,
    });
    if raises || asserts(&body, &tokens) {
        return Some(Refusal::Raises);
    }
    let mut words = tree::tokens(statement);
    let is_plpgsql = words.any(|token| {
        let name = token.text().trim_matches(['\'', '"']);
        name.eq_ignore_ascii_case("plpgsql")
    });
    if is_plpgsql && returning::may_fall_through(&body, &tokens) == Some(true) {
        return Some(Refusal::Ends);
    }
    returns_null(&body, &tokens).then_some(Refusal::Drops)
}

fn asserts(body: &str, tokens: &[Token]) -> bool {
    const BEFORE: &[&str] = &["begin", "then", "else", "loop"];
    tokens.windows(2).any(|pair| match pair {
        [before, assert] => {
            let begins = before.kind == Kind::Semicolon
                || BEFORE.iter().any(|word| before.is_word(body, word));
            begins && assert.is_word(body, "assert")
        }
        _ => false,
    })
}

/// `RETURN NULL`, in parentheses too, and `RETURN CASE … THEN NULL …`, or one without ELSE.
fn returns_null(body: &str, tokens: &[Token]) -> bool {
    let mut statements = tokens.split(|token| token.kind == Kind::Semicolon);
    statements.any(|statement| {
        let mut returned = statement
            .iter()
            .skip_while(|token| !token.is_word(body, "return"))
            .skip(1)
            .skip_while(|token| token.kind == Kind::Open)
            .peekable();
        let Some(first) = returned.peek() else {
            return false;
        };
        if first.is_word(body, "null") {
            return true;
        }
        let returned: Vec<&Token> = returned.collect();
        let is_case = returned
            .first()
            .is_some_and(|first| first.is_word(body, "case"));
        let count = |word: &str| {
            let found = returned.iter().filter(|token| token.is_word(body, word));
            found.count()
        };
        is_case
            && (count("else") < count("case")
                || returned.windows(2).any(|pair| match pair {
                    [then, null] => {
                        (then.is_word(body, "then") || then.is_word(body, "else"))
                            && null.is_word(body, "null")
                    }
                    _ => false,
                }))
    })
}

/// The text of a function's body, if it is a text.
pub(super) fn body(statement: &SyntaxNode) -> Option<String> {
    let literals = tree::tokens(statement).filter_map(|token| lexer::unquoted(token.text()));
    literals.max_by_key(String::len)
}
