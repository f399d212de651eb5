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
        arguments: arguments(dialect, object.kind, text, &tokens),
        runs: if returns_trigger && object.kind == ObjectKind::Function {
            Runs::ByTriggers
        } else {
            Runs::Used
        },
    })
}

/// What tells it apart from others of its name: `a integer, b text`, without the defaults.
fn arguments(dialect: Dialect, kind: ObjectKind, text: &str, tokens: &[Token]) -> Option<String> {
    if (dialect, kind) != (Dialect::Postgres, ObjectKind::Function) {
        return None;
    }
    let open = tokens.iter().position(|token| token.kind == Kind::Open)?;
    let (mut depth, mut is_default) = (0_usize, false);
    let mut kept = String::new();
    for token in tokens.get(open..)? {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Comma if depth == 1 => is_default = false,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        let written = token.text(text);
        is_default |=
            depth == 1 && (token.is_word(text, "default") || matches!(written, "=" | ":="));
        let is_outer = depth == 1
            && token.kind == Kind::Open
            && kept.is_empty()
            && token.span.start == tokens.get(open)?.span.start;
        if is_default || is_outer {
            continue;
        }
        if token.kind == Kind::Word && !kept.is_empty() && !kept.ends_with(['(', '.', '[']) {
            kept.push(' ');
        }
        kept.push_str(written);
    }
    Some(kept)
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
