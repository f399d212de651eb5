//! The tokens of a statement: which stand in which parentheses, in which clause, and in which condition.

use std::ops::Range;

use super::super::Dialect;
use super::super::lexeme::{Kind, Token};

/// A column as a condition names it, in lower case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Column {
    pub qualifier: Option<String>,
    pub name: String,
}

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
    "window",
    "procedure",
    "offset",
];

/// What makes a condition no longer one that has to hold.
const LOOSENS: &[&str] = &[
    "not", "or", "xor", "is", "isnull", "notnull", "case", "when", "then", "else", "in", "like",
    "between", "any", "some", "all", "div", "collate", "regexp", "rlike", "glob", "match",
];

/// The tokens between two parentheses, or all of them.
pub(super) struct Group {
    /// Indexes of what stands in it itself, with the parentheses of others.
    pub direct: Vec<usize>,
    /// Its own opening parenthesis and the closing one.
    pub parens: Option<(usize, usize)>,
}

#[derive(Clone, Copy)]
pub(super) struct Tokens<'t> {
    dialect: Dialect,
    sql: &'t str,
    pub tokens: &'t [Token],
}

impl<'t> Tokens<'t> {
    pub fn new(dialect: Dialect, sql: &'t str, tokens: &'t [Token]) -> Self {
        Self {
            dialect,
            sql,
            tokens,
        }
    }

    pub fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.text(self.sql))
    }

    pub fn is_any(&self, at: usize, words: &[&str]) -> bool {
        self.tokens.get(at).is_some_and(|token| {
            token.kind == Kind::Word && words.iter().any(|word| token.is_word(self.sql, word))
        })
    }

    pub fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    /// The name that stands there, in lower case and without quotes.
    pub fn name(&self, at: usize) -> Option<String> {
        let token = self.tokens.get(at)?;
        matches!(token.kind, Kind::Word | Kind::QuotedName).then(|| {
            let name = (self.dialect.grammar().identifier)(token.text(self.sql));
            name.unwrap_or_default().to_lowercase()
        })
    }

    pub fn group(&self, at: usize) -> Group {
        let mut stack: Vec<(Option<usize>, Vec<usize>)> = vec![(None, Vec::new())];
        for (index, token) in self.tokens.iter().enumerate() {
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
    pub fn is_clause(&self, at: usize) -> bool {
        let is_part = at.checked_sub(1).is_some_and(|before| {
            self.is_any(before, &["distinct", "time", "timestamp"]) || self.text(before) == "."
        });
        !is_part && self.is_any(at, CLAUSES)
    }

    pub fn clause_before(&self, group: &Group, at: usize) -> Option<usize> {
        let before = group.direct.iter().copied().filter(|other| *other < at);
        before.rev().find(|at| self.is_clause(*at))
    }

    /// What of the group belongs to the condition behind this clause.
    pub fn condition(&self, group: &Group, clause: usize) -> Vec<usize> {
        self.condition_of(&group.direct, clause)
    }

    pub fn condition_of(&self, direct: &[usize], clause: usize) -> Vec<usize> {
        let direct = direct.iter().copied();
        direct
            .skip_while(|at| *at <= clause)
            .take_while(|at| !self.is_clause(*at))
            .collect()
    }

    /// Whether the parenthesis holds the arguments of a function, which are no condition.
    pub fn is_argument(&self, open: usize) -> bool {
        let Some(before) = open.checked_sub(1) else {
            return false;
        };
        match self.kind(before) {
            Some(Kind::QuotedName) => true,
            Some(Kind::Word) => !self.is_any(before, &["where", "and", "on"]),
            _ => false,
        }
    }

    /// Whether these tokens open a query in parentheses.
    fn is_query(&self, open: usize) -> bool {
        self.kind(open) == Some(Kind::Open)
            && self.is_any(open + 1, &["select", "with", "update", "insert", "values"])
    }

    /// Whether the term `from..to` of a condition has to hold for the whole of it to hold.
    pub fn has_to_hold(&self, condition: &[usize], from: usize, to: usize) -> bool {
        let is_comma = |at: usize| self.kind(at) == Some(Kind::Comma);
        let is_loose = |at: &usize| self.is_any(*at, &["or", "xor"]) || is_comma(*at);
        let before = || condition.iter().filter(|at| **at < from).rev();
        let count = |word: &str| before().filter(|at| self.is_any(**at, &[word])).count();
        if condition.iter().any(is_loose) || count("case") > count("end") {
            return false;
        }
        let goes_on = |at: &&usize| !self.is_any(**at, &["and"]);
        let mut earlier = before().skip_while(goes_on).skip(1).take_while(goes_on);
        if earlier.any(|at| self.is_any(*at, &["between"])) {
            return false;
        }
        // `id IN (SELECT …)`, `id = ANY (SELECT …)` and `EXISTS (SELECT …)` are bounded by their query.
        let is_query = self.is_query(from);
        let loosens = |at: &usize| {
            let text = self.text(*at);
            let of_query = text == "=" || self.is_any(*at, &["in", "any", "some"]);
            let is_operator = self.kind(*at) == Some(Kind::Other)
                && text.contains([
                    '=', '<', '>', '!', '&', '~', '|', '+', '-', '*', '/', '%', '^',
                ]);
            (is_operator || self.is_any(*at, LOOSENS)) && !(is_query && of_query)
        };
        let after = condition.iter().filter(|at| **at > to);
        !before().take_while(goes_on).any(loosens) && !after.take_while(goes_on).any(loosens)
    }

    /// Whether nothing is put together with the parameter: `:upto + 1000`. A cast may follow.
    pub fn ends_term(&self, to: usize) -> bool {
        let mut at = to + 1;
        loop {
            let is_cast = match self.text(at) {
                "::" => Some(1),
                ":" if self.text(at + 1) == ":" => Some(2),
                _ => None,
            };
            let Some(width) = is_cast else { break };
            at += width;
            while self.name(at).is_some() && !self.is_any(at, &["and", "or"]) && !self.is_clause(at)
            {
                at += 1;
            }
        }
        match self.kind(at) {
            None | Some(Kind::Close | Kind::Semicolon) => true,
            Some(Kind::Word) => self.is_clause(at) || self.is_any(at, &["and", "lock"]),
            _ => false,
        }
    }

    pub fn is_set_operator(&self, at: usize) -> bool {
        self.is_any(at, &["union", "intersect", "except"]) && self.is_clause(at)
    }

    /// The ranges of tokens that UNION stands between, where it does; those taken away by EXCEPT are not among them.
    pub fn branches(&self, group: &Group) -> Vec<Range<usize>> {
        let mut branches = Vec::new();
        let Some((mut start, last)) = group.direct.first().copied().zip(group.direct.last()) else {
            return branches;
        };
        for at in group.direct.iter().copied() {
            if self.is_any(at, &["union"]) && self.is_clause(at) {
                branches.push(start..at);
                start = at + 1;
            }
        }
        if !branches.is_empty() {
            branches.push(start..last + 1);
        }
        branches
    }

    /// Whether only some of the rows are taken.
    pub fn is_limited(&self, group: &Group) -> bool {
        group.direct.iter().any(|at| {
            let after =
                |word: &str, next: &[&str]| self.is_any(*at, &[word]) && self.is_any(*at + 1, next);
            self.is_any(*at, &["limit", "offset", "tablesample"])
                || after("fetch", &["first", "next"])
                || after("skip", &["locked"])
        })
    }

    /// The column, or the row of columns, that ends before this token, and where it begins.
    pub fn columns_before(&self, end: usize) -> Option<(Vec<Column>, usize)> {
        let last = end.checked_sub(1)?;
        if self.kind(last) != Some(Kind::Close) {
            let (column, from) = self.column_at_end(end)?;
            return self.begins_term(from).then(|| (vec![column], from));
        }
        let group = self.group(last.checked_sub(1)?);
        let (open, close) = group.parens?;
        let mut columns = Vec::new();
        let ends = group
            .direct
            .iter()
            .copied()
            .filter(|at| self.kind(*at) == Some(Kind::Comma))
            .chain([close]);
        for end in ends {
            columns.push(self.column_at_end(end)?.0);
        }
        self.begins_term(open).then_some((columns, open))
    }

    fn begins_term(&self, from: usize) -> bool {
        from.checked_sub(1).is_some_and(|before| {
            self.is_any(before, &["where", "and"]) || self.kind(before) == Some(Kind::Open)
        })
    }

    /// A column that ends before this token, and where it begins.
    pub fn column_at_end(&self, end: usize) -> Option<(Column, usize)> {
        let at = end.checked_sub(1)?;
        let name = self.name(at)?;
        let dot = at.checked_sub(1).filter(|dot| self.text(*dot) == ".");
        let qualifier = dot
            .and_then(|dot| dot.checked_sub(1))
            .and_then(|at| self.name(at));
        let from = if qualifier.is_some() {
            at.checked_sub(2)?
        } else {
            at
        };
        Some((Column { qualifier, name }, from))
    }

    pub fn column_at(&self, at: usize) -> Option<Column> {
        let first = self.name(at)?;
        if self.text(at + 1) != "." {
            return Some(Column {
                qualifier: None,
                name: first,
            });
        }
        let name = self.name(at + 2)?;
        let qualifier = Some(first);
        Some(Column { qualifier, name })
    }
}
