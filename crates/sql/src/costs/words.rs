//! Going over the tokens of one statement, of whichever database. A name in quotes is never taken for a keyword.

use super::super::lexeme::{self, Kind, Token};
use super::super::{Dialect, Place, Statement};
use super::{Known, Weight};

#[derive(Clone, Copy)]
pub(super) struct Words<'t> {
    dialect: Dialect,
    text: &'t str,
    tokens: &'t [Token],
}

/// The tokens of a statement; empty if it cannot be read.
pub(super) fn tokens(dialect: Dialect, statement: &Statement) -> Vec<Token> {
    lexeme::tokens(dialect.grammar(), &statement.text).unwrap_or_default()
}

impl<'t> Words<'t> {
    pub fn new(dialect: Dialect, text: &'t str, tokens: &'t [Token]) -> Self {
        Self {
            dialect,
            text,
            tokens,
        }
    }

    fn with(self, tokens: &'t [Token]) -> Self {
        Self { tokens, ..self }
    }

    pub fn is_at_end(&self) -> bool {
        self.tokens.is_empty()
    }

    pub fn skip(&mut self, count: usize) {
        self.tokens = self.tokens.get(count..).unwrap_or_default();
    }

    fn is_word_at(&self, at: usize, word: &str) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| token.is_word(self.text, word))
    }

    pub fn is(&self, words: &[&str]) -> bool {
        words
            .iter()
            .enumerate()
            .all(|(at, word)| self.is_word_at(at, word))
    }

    /// Goes past these words, if they are next.
    pub fn eat(&mut self, words: &[&str]) -> bool {
        let found = self.is(words);
        if found {
            self.skip(words.len());
        }
        found
    }

    /// Goes past one of these words.
    pub fn eat_any(&mut self, words: &[&str]) -> bool {
        let found = words.iter().any(|word| self.is_word_at(0, word));
        if found {
            self.skip(1);
        }
        found
    }

    /// Goes past the queries that a `WITH` names, to the statement that uses them.
    pub fn skip_queries(&mut self) {
        const VERBS: &[&str] = &["delete", "insert", "merge", "replace", "select", "update"];
        if !self.is(&["with"]) {
            return;
        }
        let at = self
            .outer()
            .find(|at| VERBS.iter().any(|verb| self.is_word_at(*at, verb)));
        self.skip(at.unwrap_or(self.tokens.len()));
    }

    /// The texts among its tokens, without their quotes.
    pub fn texts(&self) -> Vec<String> {
        let literals = self
            .tokens
            .iter()
            .filter(|token| token.kind == Kind::Literal);
        literals
            .filter_map(|token| super::super::postgres::unquoted(token.text(self.text)))
            .collect()
    }

    /// `IF EXISTS`, `IF NOT EXISTS`.
    pub fn eat_condition(&mut self) -> bool {
        self.eat(&["if", "exists"]) || self.eat(&["if", "not", "exists"])
    }

    /// The sign that is next, be it `=` or a parenthesis.
    pub fn is_sign(&self, sign: &str) -> bool {
        self.tokens
            .first()
            .is_some_and(|token| token.text(self.text) == sign)
    }

    pub fn eat_sign(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        if found {
            self.skip(1);
        }
        found
    }

    /// A name without a schema.
    pub fn part(&mut self) -> Option<String> {
        let token = self.tokens.first()?;
        if !matches!(token.kind, Kind::Word | Kind::QuotedName) {
            return None;
        }
        let name = (self.dialect.grammar().identifier)(token.text(self.text))?;
        self.skip(1);
        Some(name)
    }

    /// `table` or `schema.table`; of three parts the last two.
    pub fn place(&mut self) -> Option<Place> {
        let mut schema = None;
        let mut table = self.part()?;
        while self.eat_sign(".") {
            schema = Some(table);
            table = self.part()?;
        }
        Some(Place { schema, table })
    }

    /// The pieces between commas that stand in no parentheses.
    pub fn pieces(&self) -> Vec<Self> {
        let (mut depth, mut from) = (0usize, 0);
        let mut pieces = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                Kind::Comma if depth == 0 => {
                    pieces.push(self.with(self.tokens.get(from..at).unwrap_or_default()));
                    from = at + 1;
                }
                _ => {}
            }
        }
        pieces.push(self.with(self.tokens.get(from..).unwrap_or_default()));
        pieces
    }

    /// Where tokens begin that stand in no parentheses.
    fn outer(&self) -> impl Iterator<Item = usize> {
        let mut depth = 0usize;
        self.tokens
            .iter()
            .enumerate()
            .filter_map(move |(at, token)| {
                let outside = depth == 0;
                match token.kind {
                    Kind::Open => depth += 1,
                    Kind::Close => depth = depth.saturating_sub(1),
                    _ => {}
                }
                outside.then_some(at)
            })
    }

    fn from(&self, at: usize) -> Self {
        self.with(self.tokens.get(at..).unwrap_or_default())
    }

    /// What comes behind these words, where they stand in no parentheses.
    pub fn behind(&self, words: &[&str]) -> Option<Self> {
        let at = self.outer().find(|at| self.from(*at).is(words))?;
        Some(self.from(at + words.len()))
    }

    /// Whether these words stand one after the other in no parentheses.
    pub fn has(&self, words: &[&str]) -> bool {
        self.behind(words).is_some()
    }

    /// Whether these words stand one after the other anywhere.
    pub fn holds(&self, words: &[&str]) -> bool {
        (0..self.tokens.len()).any(|at| self.from(at).is(words))
    }

    /// What is in the parentheses that come next.
    pub fn inside(&self) -> Option<Self> {
        if self.tokens.first()?.kind != Kind::Open {
            return None;
        }
        let mut depth = 0usize;
        let close = self.tokens.iter().position(|token| {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
        })?;
        Some(self.with(self.tokens.get(1..close)?))
    }

    /// Up to the first of these words that stands in no parentheses.
    pub fn until(&self, words: &[&str]) -> Self {
        let end = self
            .outer()
            .find(|at| words.iter().any(|word| self.is_word_at(*at, word)));
        self.with(
            self.tokens
                .get(..end.unwrap_or(self.tokens.len()))
                .unwrap_or_default(),
        )
    }

    /// The functions that are called, in lower case; a type with its length is none.
    pub fn calls(&self) -> Vec<String> {
        let is_type = |at: usize| {
            at.checked_sub(1).is_some_and(|before| {
                self.is_word_at(before, "as")
                    || self
                        .tokens
                        .get(before)
                        .is_some_and(|token| token.text(self.text).ends_with(':'))
            })
        };
        let called = (0..self.tokens.len()).filter_map(|at| {
            let next = self.tokens.get(at + 1)?;
            if next.kind != Kind::Open || is_type(at) {
                return None;
            }
            let name = self.from(at).part()?;
            (![
                "in", "and", "or", "not", "any", "all", "values", "case", "when", "cast", "then",
                "else", "array", "row",
            ]
            .contains(&name.as_str()))
            .then(|| name.to_lowercase())
        });
        called.collect()
    }

    /// The columns of which one value, or a few, bound the rows: `WHERE a = 1`, `WHERE a IN ('x', 'y')`.
    pub fn pinned_by(&self) -> Vec<String> {
        let Some(condition) = self.behind(&["where"]) else {
            return Vec::new();
        };
        if condition.has(&["or"]) {
            return Vec::new();
        }
        let is_value = |words: &Self| {
            words.tokens.first().is_some_and(|token| {
                matches!(
                    token.kind,
                    Kind::Literal | Kind::Parameter | Kind::Positional
                ) || token
                    .text(words.text)
                    .starts_with(|c: char| c.is_ascii_digit())
            })
        };
        let pinned = condition.outer().filter_map(|at| {
            let mut here = condition.from(at);
            let column = here.part()?;
            let is_pinned = match here.eat_sign("=") {
                true => is_value(&here),
                false => here.eat(&["in"]) && here.inside().is_some_and(|list| is_value(&list)),
            };
            is_pinned.then_some(column)
        });
        pinned.collect()
    }

    /// How much it matters that a statement goes over the rows of a table that it bounds like this; `None` where it meets a few rows
    /// at most. Of other columns nobody knows how many rows have a value: a size tells.
    pub fn weight(&self, place: &Place, known: &Known<'_>) -> Option<Weight> {
        let columns = self.pinned_by();
        if columns.iter().any(|column| (known.is_key)(place, column)) {
            return None;
        }
        Some(match columns.is_empty() {
            true => Weight::Avoidable,
            false => Weight::IfLarge,
        })
    }

    /// The table after `FROM`, where rows are read from one: neither from a query that has a name here, nor from a function.
    pub fn source(&self) -> Option<Place> {
        let mut from = self.behind(&["from"])?;
        let place = from.place()?;
        let is_named_here = place.schema.is_none()
            && (0..self.tokens.len()).any(|at| self.from(at).names_query(&place.table));
        (!from.is_sign("(") && !is_named_here).then_some(place)
    }

    /// `name AS (`, `name (a, b) AS (`.
    fn names_query(mut self, name: &str) -> bool {
        if self
            .part()
            .is_none_or(|part| !self.dialect.may_be_same_name(&part, name))
        {
            return false;
        }
        if let Some(columns) = self.inside() {
            self.skip(columns.tokens.len() + 2);
        }
        self.eat(&["as"]) && {
            let _ = self.eat(&["not"]);
            let _ = self.eat(&["materialized"]);
            self.is_sign("(")
        }
    }

    /// What stands in the parentheses of each CHECK.
    pub fn checks(&self) -> Vec<Self> {
        (0..self.tokens.len())
            .filter(|at| self.is_word_at(*at, "check"))
            .filter_map(|at| self.from(at + 1).inside())
            .collect()
    }

    /// The names that stand right before these words.
    pub fn names_before(&self, words: &[&str]) -> Vec<String> {
        (0..self.tokens.len())
            .filter(|at| self.from(at + 1).is(words))
            .filter_map(|at| self.from(at).part())
            .collect()
    }
}
