//! What a statement makes: a trigger, a function or a view, and which part of its text is the body.

use super::super::lexeme::{self, Kind, Token};
use super::super::{Dialect, ObjectKind, Statement, Verb, postgres};
use super::{Dependent, Runs};

pub(super) fn dependent(dialect: Dialect, statement: &Statement) -> Option<Dependent> {
    let object = statement
        .objects()
        .find(|object| object.verb == Verb::Create)?;
    if !matches!(
        object.kind,
        ObjectKind::Trigger | ObjectKind::Function | ObjectKind::View
    ) {
        return None;
    }
    let text = &statement.text;
    let tokens = lexeme::tokens(dialect.grammar(), text).ok()?;
    let at = body(dialect, object.kind, text, &tokens);
    let split = at.map_or(text.len(), |at| {
        tokens.get(at).map_or(text.len(), |token| token.span.start)
    });
    let (header, body) = text.split_at_checked(split)?;
    let body = match (dialect, object.kind) {
        (Dialect::Postgres, ObjectKind::Function) => literals(text, &tokens),
        _ => body.to_owned(),
    };
    let returns_trigger = tokens
        .windows(2)
        .any(|pair| matches!(pair, [returns, what] if returns.is_word(text, "returns") && what.is_word(text, "trigger")));
    Some(Dependent {
        kind: object.kind,
        word: word(object.kind, text, &tokens),
        schema: object.schema.clone(),
        name: object.name.clone(),
        table: object.table.clone(),
        header: header.to_owned(),
        body,
        calls: calls(dialect, object.kind, text, &tokens),
        runs: if returns_trigger && object.kind == ObjectKind::Function {
            Runs::ByTriggers
        } else {
            Runs::Used
        },
    })
}

fn word(kind: ObjectKind, text: &str, tokens: &[Token]) -> &'static str {
    let is_procedure = tokens
        .iter()
        .take(8)
        .any(|token| token.is_word(text, "procedure"));
    match kind {
        ObjectKind::Trigger => "trigger",
        ObjectKind::View => "view",
        _ if is_procedure => "procedure",
        _ => "function",
    }
}

/// Where the body begins.
fn body(dialect: Dialect, kind: ObjectKind, text: &str, tokens: &[Token]) -> Option<usize> {
    let find = |word: &str| tokens.iter().position(|token| token.is_word(text, word));
    match (dialect, kind) {
        (Dialect::Sqlite, ObjectKind::Trigger) => find("begin"),
        (Dialect::Mysql, ObjectKind::Trigger) => {
            let row = find("row")? + 1;
            let follows = tokens.get(row)?;
            let ordered = follows.is_word(text, "follows") || follows.is_word(text, "precedes");
            Some(if ordered { row + 2 } else { row })
        }
        (Dialect::Postgres, ObjectKind::Trigger) => None,
        (_, ObjectKind::View) => find("as"),
        _ => Some(0),
    }
}

fn literals(text: &str, tokens: &[Token]) -> String {
    let literals = tokens
        .iter()
        .filter(|token| token.kind == Kind::Literal)
        .filter_map(|token| postgres::unquoted(token.text(text)));
    literals.max_by_key(String::len).unwrap_or_default()
}

/// The function behind `EXECUTE FUNCTION`.
fn calls(dialect: Dialect, kind: ObjectKind, text: &str, tokens: &[Token]) -> Option<String> {
    if (dialect, kind) != (Dialect::Postgres, ObjectKind::Trigger) {
        return None;
    }
    let at = tokens
        .iter()
        .position(|token| token.is_word(text, "execute"))?;
    let name = tokens
        .iter()
        .skip(at + 2)
        .take_while(|token| token.kind != Kind::Open)
        .last()?;
    (dialect.grammar().identifier)(name.text(text))
}
