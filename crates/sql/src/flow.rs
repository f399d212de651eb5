//! Going over a body of PL/pgSQL, from one statement to the next.

use super::lexeme::{Kind, Token};

/// A place in a body.
pub(super) struct Flow<'t> {
    pub text: &'t str,
    pub tokens: &'t [Token],
    pub at: usize,
}

impl<'t> Flow<'t> {
    /// At its beginning.
    pub fn of(text: &'t str, tokens: &'t [Token]) -> Self {
        Self {
            text,
            tokens,
            at: 0,
        }
    }

    pub fn is(&self, words: &[&str]) -> bool {
        self.is_at(self.at, words)
    }

    pub fn is_at(&self, at: usize, words: &[&str]) -> bool {
        is_at(self.text, self.tokens, at, words)
    }

    pub fn kind(&self) -> Option<Kind> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    /// Whether the statement at this place gives back what it gives for good: `RETURN`, and not `RETURN NEXT`.
    pub fn returns(&self, at: usize) -> bool {
        self.is_at(at, &["return"]) && !self.is_at(at + 1, &["next", "query"])
    }

    /// Whether the statement at this place ends with an error.
    pub fn raises(&self, at: usize) -> bool {
        const LEVELS: &[&str] = &["notice", "warning", "info", "log", "debug"];
        self.is_at(at, &["raise"]) && !self.is_at(at + 1, LEVELS)
    }

    /// Past `DECLARE …`, if there is one, to the BEGIN behind it.
    pub fn skip_declarations(&mut self) -> Option<()> {
        if self.is(&["declare"]) {
            while !self.is(&["begin"]) {
                self.kind()?;
                self.at += 1;
            }
        }
        Some(())
    }

    /// To this word, past every CASE and parenthesis in between.
    pub fn go_to(&mut self, words: &[&str]) -> Option<()> {
        let end = self.tokens.len();
        self.at = stop(self.text, self.tokens, self.at + 1..end, words);
        self.kind().map(|_| ())
    }

    /// Behind the next semicolon.
    pub fn semicolon(&mut self) -> Option<()> {
        while self.kind()? != Kind::Semicolon {
            self.at += 1;
        }
        self.at += 1;
        Some(())
    }

    /// Behind the END of a block; the last one of a function needs no semicolon.
    pub fn end_of_block(&mut self) {
        while self.kind().is_some_and(|kind| kind != Kind::Semicolon) {
            self.at += 1;
        }
        self.at += 1;
    }

    /// `<<outer>>`
    pub fn skip_label(&mut self) {
        let starts = |sign: char| {
            let token = self.tokens.get(self.at);
            token.is_some_and(|token| token.text(self.text).starts_with(sign))
        };
        if !starts('<') {
            return;
        }
        let rest = self.tokens.get(self.at..).unwrap_or_default();
        let name = rest.iter().position(|token| token.kind == Kind::Word);
        let signs = rest.iter().skip(name.map_or(0, |name| name + 1));
        let closing = signs.take_while(|token| token.text(self.text).starts_with('>'));
        self.at += name.map_or(1, |name| name + 1 + closing.count());
    }
}

fn is_at(text: &str, tokens: &[Token], at: usize, words: &[&str]) -> bool {
    let token = tokens.get(at);
    token.is_some_and(|token| words.iter().any(|word| token.is_word(text, word)))
}

/// Where in this range one of these words stands that belongs to no CASE or parenthesis in between; its end, where none does.
pub(super) fn stop(
    text: &str,
    tokens: &[Token],
    range: std::ops::Range<usize>,
    words: &[&str],
) -> usize {
    let (mut depth, mut cases) = (0_usize, 0_usize);
    for at in range.clone() {
        let is = |words: &[&str]| is_at(text, tokens, at, words);
        match tokens.get(at).map(|token| token.kind) {
            Some(Kind::Open) => depth += 1,
            Some(Kind::Close) => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            _ if cases == 0 && is(words) => return at,
            _ if is(&["case"]) => cases += 1,
            _ if is(&["end"]) => cases = cases.saturating_sub(1),
            _ => {}
        }
    }
    range.end
}
