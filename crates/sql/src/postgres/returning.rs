//! Whether a body of PL/pgSQL comes to RETURN, or to an error, on every path: where it comes to its end instead, whoever fired it fails.

use std::ops::Range;

use super::super::lexeme::{Kind, Token};

/// Whether some path leads to the end of the body. `None` where its blocks cannot be followed.
pub(super) fn may_fall_through(body: &str, tokens: &[Token]) -> Option<bool> {
    let mut walk = Walk {
        body,
        tokens,
        at: 0,
    };
    walk.statement().map(|leaves| !leaves)
}

const VERBS: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];

/// Each step answers whether control never goes on behind what it has gone over.
struct Walk<'t> {
    body: &'t str,
    tokens: &'t [Token],
    at: usize,
}

impl Walk<'_> {
    fn is(&self, words: &[&str]) -> bool {
        self.is_at(self.at, words)
    }

    fn is_at(&self, at: usize, words: &[&str]) -> bool {
        let token = self.tokens.get(at);
        token.is_some_and(|token| words.iter().any(|word| token.is_word(self.body, word)))
    }

    fn kind(&self) -> Option<Kind> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    fn statement(&mut self) -> Option<bool> {
        self.skip_label();
        if self.is(&["declare"]) {
            while !self.is(&["begin"]) {
                self.kind()?;
                self.at += 1;
            }
        }
        let begins = self.at;
        if self.is(&["begin"]) {
            return self.block();
        }
        if self.is(&["if"]) {
            return self.arms(&["elsif", "elseif"]);
        }
        if self.is(&["case"]) {
            self.go_to(&["when"])?;
            return self.arms(&["when"]);
        }
        if self.is(&["while", "for", "foreach"]) {
            self.go_to(&["loop"])?;
        }
        if self.is(&["loop"]) {
            let is_endless = self.at == begins;
            let inner = self.list(&["end"])?;
            let leaves = (begins..self.at).any(|at| self.is_at(at, &["exit"]));
            self.semicolon()?;
            return Some(is_endless && (inner || !leaves));
        }
        self.semicolon()?;
        let level = self.is_at(begins + 1, &["notice", "warning", "info", "log", "debug"]);
        let goes_on = self.is_at(begins + 1, &["next", "query"]);
        Some(
            self.is_at(begins, &["return"]) && !goes_on || self.is_at(begins, &["raise"]) && !level,
        )
    }

    /// `BEGIN … EXCEPTION WHEN … THEN … END`
    fn block(&mut self) -> Option<bool> {
        let mut leaves = self.list(&["exception", "end"])?;
        if self.is(&["exception"]) {
            self.at += 1;
            while self.is(&["when"]) {
                self.go_to(&["then"])?;
                leaves &= self.list(&["when", "end"])?;
            }
        }
        // The last END of a function needs no semicolon.
        while self.kind().is_some_and(|kind| kind != Kind::Semicolon) {
            self.at += 1;
        }
        self.at += 1;
        Some(leaves)
    }

    /// What begins with `IF` or the first `WHEN`: its arms, of which one has to be for whatever is left.
    fn arms(&mut self, more: &[&str]) -> Option<bool> {
        let ends: Vec<&str> = more.iter().copied().chain(["else", "end"]).collect();
        let (mut leaves, mut is_whole) = (true, false);
        let mut verbs = Vec::new();
        loop {
            if self.is(&["else"]) {
                is_whole = true;
            } else {
                let from = self.at;
                self.go_to(&["then"])?;
                verbs.extend(self.verb(from..self.at));
            }
            leaves &= self.list(&ends)?;
            if self.is(&["end"]) {
                self.semicolon()?;
                verbs.sort_unstable();
                verbs.dedup();
                return Some(leaves && (is_whole || verbs.len() == VERBS.len()));
            }
        }
    }

    /// `TG_OP = 'INSERT'`: what is for each of these is for whatever fires it.
    fn verb(&self, condition: Range<usize>) -> Option<&'static str> {
        let tokens = self.tokens.get(condition)?.iter();
        let is_bare = |token: &&Token| !matches!(token.kind, Kind::Open | Kind::Close);
        let tokens: Vec<&Token> = tokens.filter(is_bare).collect();
        let [_, op, equals, literal] = tokens[..] else {
            return None;
        };
        if !op.is_word(self.body, "tg_op") || equals.text(self.body) != "=" {
            return None;
        }
        let text = literal.text(self.body).trim_matches('\'');
        VERBS.into_iter().find(|verb| *verb == text)
    }

    /// The statements behind this word, up to one of these.
    fn list(&mut self, ends: &[&str]) -> Option<bool> {
        self.at += 1;
        let mut leaves = false;
        while !self.is(ends) {
            self.kind()?;
            leaves |= self.statement()?;
        }
        Some(leaves)
    }

    /// To this word, past every CASE and parenthesis in between.
    fn go_to(&mut self, words: &[&str]) -> Option<()> {
        let (mut depth, mut cases) = (0_usize, 0_usize);
        loop {
            self.at += 1;
            match self.kind()? {
                Kind::Open => depth += 1,
                Kind::Close => depth = depth.saturating_sub(1),
                _ if depth > 0 => {}
                _ if cases == 0 && self.is(words) => return Some(()),
                _ if self.is(&["case"]) => cases += 1,
                _ if self.is(&["end"]) => cases = cases.saturating_sub(1),
                _ => {}
            }
        }
    }

    /// Behind the next semicolon.
    fn semicolon(&mut self) -> Option<()> {
        while self.kind()? != Kind::Semicolon {
            self.at += 1;
        }
        self.at += 1;
        Some(())
    }

    /// `<<outer>>`
    fn skip_label(&mut self) {
        let starts = |sign: char| {
            let token = self.tokens.get(self.at);
            token.is_some_and(|token| token.text(self.body).starts_with(sign))
        };
        if !starts('<') {
            return;
        }
        let rest = self.tokens.get(self.at..).unwrap_or_default();
        let name = rest.iter().position(|token| token.kind == Kind::Word);
        let signs = rest.iter().skip(name.map_or(0, |name| name + 1));
        let closing = signs.take_while(|token| token.text(self.body).starts_with('>'));
        self.at += name.map_or(1, |name| name + 1 + closing.count());
    }
}

#[cfg(test)]
mod tests {
    use super::may_fall_through;
    use crate::postgres::lexer;

    #[test]
    fn a_path_without_return_is_found_wherever_it_goes() {
        for (body, falls) in [
            ("BEGIN RETURN NEW; END", false),
            ("BEGIN NEW.a := 1; END", true),
            ("BEGIN IF NEW.n > 5 THEN RETURN NEW; END IF; END", true),
            (
                "BEGIN IF NEW.n > 5 THEN RETURN NEW; ELSE RAISE NOTICE 'x'; END IF; END;",
                true,
            ),
            (
                "BEGIN IF a THEN RETURN NEW; ELSIF CASE WHEN b THEN c END THEN RAISE EXCEPTION 'x'; ELSE RETURN OLD; END IF; END",
                false,
            ),
            (
                "BEGIN IF a THEN RETURN NEW; ELSIF b THEN RETURN OLD; END IF; RETURN NULL; END",
                false,
            ),
            (
                "BEGIN CASE TG_OP WHEN 'INSERT' THEN RETURN NEW; WHEN 'DELETE' THEN RETURN OLD; ELSE RETURN NEW; END CASE; END",
                false,
            ),
            (
                "BEGIN IF TG_OP = 'INSERT' THEN RETURN NEW; ELSIF (TG_OP = 'UPDATE') THEN RETURN NEW; ELSIF TG_OP = 'DELETE' THEN RETURN OLD; END IF; END",
                false,
            ),
            (
                "BEGIN CASE WHEN TG_OP = 'INSERT' THEN RETURN NEW; END CASE; END",
                true,
            ),
            (
                "DECLARE i int := 1; BEGIN BEGIN INSERT INTO t VALUES (1); RETURN NEW; EXCEPTION WHEN others THEN i := 2; END; END",
                true,
            ),
            (
                "<<outer>> DECLARE i int; BEGIN BEGIN RETURN NEW; EXCEPTION WHEN others THEN RETURN NEW; END; END outer",
                false,
            ),
            ("BEGIN FOR i IN 1..2 LOOP RETURN NEW; END LOOP; END", true),
            ("BEGIN LOOP i := i + 1; RETURN NEW; END LOOP; END", false),
            (
                "BEGIN LOOP EXIT WHEN i > 3; i := i + 1; END LOOP; END",
                true,
            ),
        ] {
            let tokens = lexer::lex(body).unwrap();
            assert_eq!(may_fall_through(body, &tokens), Some(falls), "{body}");
        }
        for open in ["BEGIN IF a THEN RETURN NEW; END", "BEGIN", ""] {
            let tokens = lexer::lex(open).unwrap();
            assert_eq!(may_fall_through(open, &tokens), None, "{open}");
        }
    }
}
