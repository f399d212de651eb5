//! Going over the tokens of one statement.

use super::super::facts::{Name, Needs, Unless};
use super::super::lexeme::{Kind, Token};
use super::super::nulls;
use super::lexer::unquote;

#[derive(Clone, Copy)]
pub(super) struct Cursor<'t> {
    pub text: &'t str,
    pub tokens: &'t [Token],
}

impl<'t> Cursor<'t> {
    pub fn first(&self) -> Option<&'t Token> {
        self.tokens.first()
    }

    pub fn is_at_end(&self) -> bool {
        self.tokens.is_empty()
    }

    pub fn skip(&mut self, count: usize) {
        self.tokens = self.tokens.get(count..).unwrap_or_default();
    }

    pub fn is_word(&self, word: &str) -> bool {
        self.first()
            .is_some_and(|token| token.is_word(self.text, word))
    }

    pub fn is_words(&self, words: &[&str]) -> bool {
        words.iter().enumerate().all(|(at, word)| {
            let token = self.tokens.get(at);
            token.is_some_and(|token| token.is_word(self.text, word))
        })
    }

    /// Goes past these words, if they are next.
    pub fn eat(&mut self, words: &[&str]) -> bool {
        let found = self.is_words(words);
        if found {
            self.skip(words.len());
        }
        found
    }

    /// Goes past one of these words.
    pub fn eat_any(&mut self, words: &[&str]) -> Option<&'t str> {
        let token = self.first()?;
        let found = words.iter().any(|word| token.is_word(self.text, word));
        found.then(|| {
            self.skip(1);
            token.text(self.text)
        })
    }

    /// `IF EXISTS`, `IF NOT EXISTS`.
    pub fn eat_condition(&mut self) -> bool {
        self.eat(&["if", "exists"]) || self.eat(&["if", "not", "exists"])
    }

    pub fn is_name(&self) -> bool {
        self.first()
            .is_some_and(|token| matches!(token.kind, Kind::Word | Kind::QuotedName))
    }

    /// A name without a schema.
    pub fn part(&mut self) -> Option<String> {
        let token = self.first().filter(|_| self.is_name())?;
        self.skip(1);
        Some(unquote(token.text(self.text)))
    }

    /// `name` or `schema.name`.
    pub fn name(&mut self) -> Option<Name> {
        let first = self.part()?;
        let has_dot = self
            .first()
            .is_some_and(|token| token.text(self.text) == ".");
        if !has_dot {
            return Some(Name {
                schema: None,
                name: first,
            });
        }
        self.skip(1);
        Some(Name {
            schema: Some(first),
            name: self.part()?,
        })
    }

    /// `a, b, c`, and nothing else but what stands in `after`.
    pub fn names(&mut self, after: &[&str]) -> Option<Vec<Name>> {
        let mut names = vec![self.name()?];
        while self.first().is_some_and(|token| token.kind == Kind::Comma) {
            self.skip(1);
            names.push(self.name()?);
        }
        while self.eat_any(after).is_some() {}
        self.is_at_end().then_some(names)
    }

    /// The pieces between commas that stand in no parentheses.
    pub fn pieces(&self) -> Vec<Cursor<'t>> {
        let (mut depth, mut from) = (0usize, 0);
        let mut pieces = Vec::new();
        for (at, token) in self.tokens.iter().enumerate() {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                Kind::Comma if depth == 0 => {
                    pieces.push(self.between(from, at));
                    from = at + 1;
                }
                _ => {}
            }
        }
        pieces.push(self.between(from, self.tokens.len()));
        pieces
    }

    fn between(&self, from: usize, to: usize) -> Self {
        Self {
            text: self.text,
            tokens: self.tokens.get(from..to).unwrap_or_default(),
        }
    }

    /// What is in the parentheses that come next, if nothing comes after them.
    pub fn inside(&self) -> Option<Self> {
        match self.tokens {
            [open, inner @ .., close] if open.kind == Kind::Open && close.kind == Kind::Close => {
                Some(Self {
                    text: self.text,
                    tokens: inner,
                })
            }
            _ => None,
        }
    }

    /// The words that stand in no parentheses.
    pub fn outer_words(&self) -> impl Iterator<Item = &'t Token> {
        let mut depth = 0usize;
        self.tokens.iter().filter(move |token| {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && token.kind == Kind::Word
        })
    }

    pub fn columns_behind(&self, words: &[&str]) -> Option<Vec<usize>> {
        nulls::columns_behind(self.text, self.tokens, words)
    }

    pub fn unless(&self, why: String, needs: Needs, table: &Name, columns: &[usize]) -> Unless {
        let identifier = |written: &str| Some(unquote(written));
        nulls::unless(
            why,
            needs,
            table,
            self.text,
            self.tokens,
            columns,
            identifier,
        )
    }

    /// Whether this word stands anywhere.
    pub fn has_word(&self, word: &str) -> bool {
        self.tokens
            .iter()
            .any(|token| token.is_word(self.text, word))
    }

    /// Whether one of these words stands right behind this one, wherever that is.
    pub fn has_pair(&self, first: &str, second: &[&str]) -> bool {
        self.tokens.windows(2).any(|pair| match pair {
            [one, two] => {
                one.is_word(self.text, first)
                    && second.iter().any(|word| two.is_word(self.text, word))
            }
            _ => false,
        })
    }

    /// Whether one of these words stands in no parentheses.
    pub fn has_outer(&self, words: &[&str]) -> bool {
        self.outer_words()
            .any(|token| words.iter().any(|word| token.is_word(self.text, word)))
    }
}
