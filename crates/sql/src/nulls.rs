//! What a unique index, a constraint or a check asks of rows that leave its columns NULL.

use super::facts::{Name, Needs, Unless};
use super::lexeme::{self, Kind, Token};

/// The names between the first parentheses behind one of these words, where they are columns alone.
pub(super) fn columns_behind(text: &str, tokens: &[Token], words: &[&str]) -> Option<Vec<usize>> {
    const BESIDE: &[&str] = &["asc", "desc", "nulls", "first", "last"];
    const STRICT: &[&str] = &["lower", "upper"];
    let from = tokens
        .iter()
        .position(|token| words.iter().any(|word| token.is_word(text, word)))?;
    let open = tokens
        .iter()
        .skip(from)
        .position(|token| token.kind == Kind::Open)?
        + from;
    let mut columns = Vec::new();
    let mut depth = 0_usize;
    let mut expects = true;
    for (at, token) in tokens.iter().enumerate().skip(open + 1) {
        match token.kind {
            Kind::Close if depth == 0 => return (!columns.is_empty()).then_some(columns),
            Kind::Close => depth -= 1,
            Kind::Open if depth == 0 && expects => depth += 1,
            Kind::Comma if depth == 0 => expects = true,
            Kind::Word if STRICT.iter().any(|word| token.is_word(text, word)) && expects => {}
            Kind::Word | Kind::QuotedName if expects => {
                columns.push(at);
                expects = false;
            }
            Kind::Word if BESIDE.iter().any(|word| token.is_word(text, word)) => {}
            _ => return None,
        }
    }
    None
}

/// The columns of a CHECK that lets a row pass in which they are NULL.
pub(super) fn checked(text: &str, tokens: &[Token]) -> Option<Vec<usize>> {
    let columns = std::cell::RefCell::new(Vec::<String>::new());
    let is_strict = lexeme::strict_check(text, tokens, |word| {
        columns.borrow_mut().push(word.to_owned());
        true
    });
    let columns = columns.into_inner();
    if is_strict || columns.is_empty() {
        return None;
    }
    let at = tokens
        .iter()
        .enumerate()
        .filter(|(_, token)| matches!(token.kind, Kind::Word | Kind::QuotedName))
        .filter(|(_, token)| columns.iter().any(|column| column == token.text(text)))
        .filter(|(_, token)| !lexeme::is_harmless(token.text(text)))
        .map(|(at, _)| at);
    let at: Vec<usize> = at
        .filter(|at| {
            let next = tokens.get(at + 1);
            !next.is_some_and(|next| next.kind == Kind::Open)
        })
        .collect();
    (!at.is_empty()).then_some(at)
}

/// That this breaks old versions unless they leave these columns of the table NULL.
pub(super) fn unless(
    why: String,
    needs: Needs,
    table: &Name,
    text: &str,
    tokens: &[Token],
    columns: &[usize],
    identifier: fn(&str) -> Option<String>,
) -> Unless {
    let columns = columns.iter().filter_map(|at| tokens.get(*at));
    let columns = columns.filter_map(|token| identifier(token.text(text)));
    Unless {
        why,
        needs,
        columns: columns.map(|name| table.column(&name)).collect(),
    }
}

/// Whether what a generated column computes is never NULL: `AS (COALESCE(a, ''))`.
pub(super) fn never_computed(text: &str, tokens: &[Token]) -> bool {
    let kind = |at: usize| tokens.get(at).map(|token| token.kind);
    let begin = (0..tokens.len()).find(|at| {
        let is = |at: usize, word: &str| {
            let token = tokens.get(at);
            token.is_some_and(|token| token.is_word(text, word))
        };
        is(*at, "as")
            && kind(at + 1) == Some(Kind::Open)
            && (is(at + 2, "coalesce") || is(at + 2, "ifnull"))
            && kind(at + 3) == Some(Kind::Open)
    });
    let Some(begin) = begin else {
        return false;
    };
    let mut depth = 0_usize;
    let end = (begin + 3..tokens.len()).find(|at| {
        match kind(*at) {
            Some(Kind::Open) => depth += 1,
            Some(Kind::Close) => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0
    });
    end.is_some_and(|end| {
        kind(end + 1) == Some(Kind::Close)
            && end.checked_sub(1).and_then(kind) == Some(Kind::Literal)
            && end.checked_sub(2).and_then(kind) == Some(Kind::Comma)
    })
}
