//! Whether a comparison with a key's range bounds what the statement touches.

use super::super::lexeme::{Kind, Token};

/// What begins a clause, as far as a condition may stand behind it or has ended before it.
const CLAUSES: &[&str] = &[
    "with",
    "select",
    "update",
    "insert",
    "into",
    "values",
    "set",
    "from",
    "join",
    "using",
    "on",
    "where",
    "group",
    "having",
    "order",
    "limit",
    "fetch",
    "for",
    "returning",
    "union",
    "intersect",
    "except",
];

/// What makes a condition no longer one that has to hold.
const LOOSENS: &[&str] = &[
    "not", "or", "xor", "is", "isnull", "notnull", "case", "when", "then", "else", "in", "like",
    "between", "any", "some", "all", "div",
];

/// The tokens between two parentheses, or all of them.
struct Group {
    /// Indexes of what stands in it itself, with the parentheses of others.
    direct: Vec<usize>,
    /// Its own opening parenthesis and the closing one.
    parens: Option<(usize, usize)>,
}

/// Whether the comparison `from..to` (indexes of tokens) has to hold for every row: a term of a WHERE that AND alone
/// combines, perhaps in parentheses. What holds for a query in parentheses holds for what is joined with it or looked up in it.
pub(super) fn bounds(sql: &str, tokens: &[Token], from: usize, to: usize) -> bool {
    let (mut from, mut to) = (from, to);
    loop {
        let group = group_of(tokens, from);
        let before = group.direct.iter().filter(|at| **at < from);
        let clause = before
            .rev()
            .find(|at| is_clause(sql, tokens, **at))
            .copied();
        let condition = match clause {
            Some(clause) if is_any(sql, tokens, clause, &["where"]) => {
                condition(sql, tokens, &group, clause + 1)
            }
            // A query that is joined with, or that is a part of the WITH or the INSERT.
            Some(clause)
                if is_query(sql, tokens, from)
                    && is_any(
                        sql,
                        tokens,
                        clause,
                        &["with", "from", "join", "using", "into", "update"],
                    ) =>
            {
                return true;
            }
            Some(_) => return false,
            None => group.direct.clone(),
        };
        if !has_to_hold(sql, tokens, &condition, from, to) {
            return false;
        }
        let Some((open, close)) = group.parens else {
            return clause.is_some();
        };
        // The arguments of a function are no condition.
        let is_called = clause.is_none() && {
            let name = open.checked_sub(1).and_then(|before| tokens.get(before));
            name.is_some_and(|name| match name.kind {
                Kind::QuotedName => true,
                Kind::Word => !(name.is_word(sql, "where") || name.is_word(sql, "and")),
                _ => false,
            })
        };
        if is_called {
            return false;
        }
        (from, to) = (open, close);
    }
}

/// Whether these tokens open a query in parentheses.
fn is_query(sql: &str, tokens: &[Token], open: usize) -> bool {
    tokens
        .get(open)
        .is_some_and(|token| token.kind == Kind::Open)
        && is_any(
            sql,
            tokens,
            open + 1,
            &["select", "with", "update", "insert"],
        )
}

/// What of the group belongs to the condition that begins there.
fn condition(sql: &str, tokens: &[Token], group: &Group, begin: usize) -> Vec<usize> {
    let direct = group.direct.iter().copied();
    direct
        .skip_while(|at| *at < begin)
        .take_while(|at| !is_clause(sql, tokens, *at))
        .collect()
}

/// Whether the term `from..to` of a condition has to hold for the whole of it to hold.
fn has_to_hold(sql: &str, tokens: &[Token], condition: &[usize], from: usize, to: usize) -> bool {
    let is_comma = |at: usize| {
        tokens
            .get(at)
            .is_some_and(|token| token.kind == Kind::Comma)
    };
    let is_loose = |at: &usize| is_any(sql, tokens, *at, &["or", "xor"]) || is_comma(*at);
    let before = || condition.iter().filter(|at| **at < from).rev();
    let count = |word: &str| {
        before()
            .filter(|at| is_any(sql, tokens, **at, &[word]))
            .count()
    };
    if condition.iter().any(is_loose) || count("case") > count("end") {
        return false;
    }
    let goes_on = |at: &&usize| !is_any(sql, tokens, **at, &["and"]);
    let mut earlier = before().skip_while(goes_on).skip(1).take_while(goes_on);
    if earlier.any(|at| is_any(sql, tokens, *at, &["between"])) {
        return false;
    }
    // `id IN (SELECT …)`, `id = ANY (SELECT …)` and `EXISTS (SELECT …)` are bounded by their query.
    let is_query = is_query(sql, tokens, from);
    let loosens = |at: &usize| {
        let text = tokens.get(*at).map_or("", |token| token.text(sql));
        let of_query = text == "=" || is_any(sql, tokens, *at, &["in", "any", "some"]);
        let is_operator = tokens
            .get(*at)
            .is_some_and(|token| token.kind == Kind::Other)
            && text.contains(['=', '<', '>', '!', '&', '~']);
        (is_operator || is_any(sql, tokens, *at, LOOSENS)) && !(is_query && of_query)
    };
    let after = condition.iter().filter(|at| **at > to);
    !before().take_while(goes_on).any(loosens) && !after.take_while(goes_on).any(loosens)
}

fn group_of(tokens: &[Token], at: usize) -> Group {
    let mut stack: Vec<(Option<usize>, Vec<usize>)> = vec![(None, Vec::new())];
    for (index, token) in tokens.iter().enumerate() {
        if token.kind == Kind::Close
            && stack.len() > 1
            && let Some((open, direct)) = stack.pop()
            && direct.contains(&at)
        {
            let parens = open.map(|open| (open, index));
            return Group { direct, parens };
        }
        if let Some((_, direct)) = stack.last_mut() {
            direct.push(index);
        }
        if token.kind == Kind::Open {
            stack.push((Some(index), Vec::new()));
        }
    }
    let direct = stack.into_iter().next().map(|(_, direct)| direct);
    Group {
        direct: direct.unwrap_or_default(),
        parens: None,
    }
}

/// `IS DISTINCT FROM`, `timestamp with time zone` and the column `t.set` begin none.
fn is_clause(sql: &str, tokens: &[Token], at: usize) -> bool {
    let before = at.checked_sub(1);
    let is_part = before.is_some_and(|before| {
        is_any(sql, tokens, before, &["distinct", "time", "timestamp"])
            || tokens
                .get(before)
                .is_some_and(|token| token.text(sql) == ".")
    });
    !is_part && is_any(sql, tokens, at, CLAUSES)
}

fn is_any(sql: &str, tokens: &[Token], at: usize, words: &[&str]) -> bool {
    let token = tokens.get(at);
    token.is_some_and(|token| {
        token.kind == Kind::Word && words.iter().any(|word| token.is_word(sql, word))
    })
}

/// Whether it takes only some of the rows that it finds, so that the rest of the batch is left out.
pub(super) fn is_limited(sql: &str, tokens: &[Token]) -> bool {
    let outer = group_of(tokens, 0);
    outer.direct.iter().any(|at| {
        let fetches = is_any(sql, tokens, *at, &["fetch"])
            && is_any(sql, tokens, *at + 1, &["first", "next"]);
        fetches || is_any(sql, tokens, *at, &["limit"])
    })
}
