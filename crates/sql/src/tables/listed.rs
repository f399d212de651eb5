//! The values that a condition lists, where it does nothing else.

use crate::Dialect;
use crate::lexeme::{Kind, Token};

/// Each value of `column IN ('a', 'b')`, as somebody writes it or as a catalogue tells of it; none of a condition that is anything else.
///
/// Of which column it is whoever asks knows.
#[must_use]
pub fn listed(dialect: Dialect, condition: &str) -> Option<Vec<String>> {
    let tokens = (dialect.grammar().lex)(condition).ok()?;
    let said: Vec<&Token> = tokens
        .iter()
        .filter(|token| !matches!(token.kind, Kind::Open | Kind::Close))
        .collect();
    let words = without_casts(condition, &said);
    let mut rest = words.as_slice();
    let mut eats = |word: &str| {
        let found = rest
            .first()
            .is_some_and(|first| first.text(condition).eq_ignore_ascii_case(word));
        if found {
            rest = rest.get(1..).unwrap_or_default();
        }
        found
    };
    eats("check");
    let column = words.get(usize::from(words.first()?.is_word(condition, "check")))?;
    if !matches!(column.kind, Kind::Word | Kind::QuotedName) {
        return None;
    }
    eats(column.text(condition));
    let is_array = if eats("in") {
        false
    } else if eats("=") {
        let is_any = eats("any") && eats("array") && eats("[");
        is_any || words.len() <= 4
    } else {
        return None;
    };
    let mut values = Vec::new();
    for token in rest {
        match token.kind {
            Kind::Literal => values.push(plain(dialect, token.text(condition))?),
            Kind::Comma => {}
            _ if is_array && token.text(condition) == "]" => {}
            _ => return None,
        }
    }
    (!values.is_empty()).then_some(values)
}

/// What PostgreSQL says of types, and MySQL of character sets, is no part of the list.
fn without_casts<'t>(text: &str, tokens: &[&'t Token]) -> Vec<&'t Token> {
    let mut kept: Vec<&Token> = Vec::new();
    let mut is_type = false;
    for (at, token) in tokens.iter().enumerate() {
        let said = token.text(text);
        let is_word = matches!(token.kind, Kind::Word | Kind::QuotedName);
        if said.starts_with(':') {
            is_type = true;
            continue;
        }
        let ends = ["in", "any", "array"];
        let is_end = ends.iter().any(|end| token.is_word(text, end));
        let is_of_array = matches!(said, "[" | "]" | "[]")
            && tokens.get(at.wrapping_sub(1)).is_some_and(|before| {
                before.text(text) == "[" || matches!(before.kind, Kind::Word)
            })
            && is_type;
        if is_type && (is_word && !is_end || is_of_array) {
            continue;
        }
        is_type = false;
        let next = tokens.get(at + 1).map(|next| next.kind);
        if is_word && said.starts_with('_') && next == Some(Kind::Literal) {
            continue;
        }
        kept.push(token);
    }
    kept
}

/// What a text says between its quotes; `None` if that is not to be told at sight.
pub(crate) fn plain(dialect: Dialect, literal: &str) -> Option<String> {
    let inner = literal.strip_prefix('\'')?.strip_suffix('\'')?;
    if dialect != Dialect::Mysql || !inner.contains('\\') {
        return Some(inner.replace("''", "'"));
    }
    let mut value = String::new();
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        match c {
            // Any other letter after it may be a line break, or stand for itself.
            '\\' => value.push(rest.next().filter(|c| matches!(c, '\'' | '"' | '\\'))?),
            '\'' => value.push(rest.next()?),
            c => value.push(c),
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_told_from_any_other_condition() {
        use Dialect::{Mysql, Postgres, Sqlite};
        let two = Some(vec!["new".to_owned(), "it's".to_owned()]);
        let one = Some(vec!["new".to_owned()]);
        for (dialect, condition, values) in [
            (Postgres, "status IN ('new', 'it''s')", &two),
            (Sqlite, "\"Status\" in ('new','it''s')", &two),
            (
                Postgres,
                "CHECK ((status = ANY (ARRAY['new'::text, 'it''s'::text])))",
                &two,
            ),
            (
                Postgres,
                "CHECK (((status)::text = ANY ((ARRAY['new'::character varying, 'it''s'::character varying])::text[])))",
                &two,
            ),
            (Postgres, "CHECK ((status = 'new'::text))", &one),
            (Postgres, "status::text IN ('new')", &one),
            (Mysql, "(`status` in (_utf8mb4'new',_utf8mb4'it''s'))", &two),
            (Mysql, "`status` in ('new')", &one),
            (Mysql, "`status` in ('new','it\\'s')", &two),
            (Mysql, "status in ('a\\nb')", &None),
            (Postgres, "status NOT IN ('new')", &None),
            (Postgres, "status IN ('new') OR paid", &None),
            (Postgres, "status IN ('new') AND other IN ('new')", &None),
            (Postgres, "status <> 'new'", &None),
            (Postgres, "lower(status) IN ('new')", &None),
            (Postgres, "status = ALL (ARRAY['new'])", &None),
            (Postgres, "price IN (1, 2)", &None),
            (Postgres, "status IN ('new', other)", &None),
            (Postgres, "length(status) > 3", &None),
            (Postgres, "", &None),
        ] {
            assert_eq!(&listed(dialect, condition), values, "{condition}");
        }
    }
}
