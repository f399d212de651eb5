//! Whether a body of PL/pgSQL comes to RETURN, or to an error, on every path: where it comes to its end instead, whoever fired it fails.

use std::ops::Range;

use super::super::flow::Flow;
use super::super::lexeme::{Kind, Token};

/// Whether some path leads to the end of the body. `None` where its blocks cannot be followed.
pub(super) fn may_fall_through(body: &str, tokens: &[Token]) -> Option<bool> {
    let mut walk = Walk {
        flow: Flow::of(body, tokens),
    };
    walk.statement().map(|leaves| !leaves)
}

const VERBS: [&str; 3] = ["INSERT", "UPDATE", "DELETE"];

/// Each step answers whether control never goes on behind what it has gone over.
struct Walk<'t> {
    flow: Flow<'t>,
}

impl Walk<'_> {
    fn statement(&mut self) -> Option<bool> {
        self.flow.skip_label();
        self.flow.skip_declarations()?;
        let begins = self.flow.at;
        if self.flow.is(&["begin"]) {
            return self.block();
        }
        if self.flow.is(&["if"]) {
            return self.arms(&["elsif", "elseif"]);
        }
        if self.flow.is(&["case"]) {
            self.flow.go_to(&["when"])?;
            return self.arms(&["when"]);
        }
        if self.flow.is(&["while", "for", "foreach"]) {
            self.flow.go_to(&["loop"])?;
        }
        if self.flow.is(&["loop"]) {
            let is_endless = self.flow.at == begins;
            let inner = self.list(&["end"])?;
            let leaves = (begins..self.flow.at).any(|at| self.flow.is_at(at, &["exit"]));
            self.flow.semicolon()?;
            return Some(is_endless && (inner || !leaves));
        }
        self.flow.semicolon()?;
        Some(self.flow.returns(begins) || self.flow.raises(begins))
    }

    /// `BEGIN … EXCEPTION WHEN … THEN … END`
    fn block(&mut self) -> Option<bool> {
        let mut leaves = self.list(&["exception", "end"])?;
        if self.flow.is(&["exception"]) {
            self.flow.at += 1;
            while self.flow.is(&["when"]) {
                self.flow.go_to(&["then"])?;
                leaves &= self.list(&["when", "end"])?;
            }
        }
        self.flow.end_of_block();
        Some(leaves)
    }

    /// What begins with `IF` or the first `WHEN`: its arms, of which one has to be for whatever is left.
    fn arms(&mut self, more: &[&str]) -> Option<bool> {
        let ends: Vec<&str> = more.iter().copied().chain(["else", "end"]).collect();
        let (mut leaves, mut is_whole) = (true, false);
        let mut verbs = Vec::new();
        loop {
            if self.flow.is(&["else"]) {
                is_whole = true;
            } else {
                let from = self.flow.at;
                self.flow.go_to(&["then"])?;
                verbs.extend(self.verb(from..self.flow.at));
            }
            leaves &= self.list(&ends)?;
            if self.flow.is(&["end"]) {
                self.flow.semicolon()?;
                verbs.sort_unstable();
                verbs.dedup();
                return Some(leaves && (is_whole || verbs.len() == VERBS.len()));
            }
        }
    }

    /// `TG_OP = 'INSERT'`: what is for each of these is for whatever fires it.
    fn verb(&self, condition: Range<usize>) -> Option<&'static str> {
        let tokens = self.flow.tokens.get(condition)?.iter();
        let is_bare = |token: &&Token| !matches!(token.kind, Kind::Open | Kind::Close);
        let tokens: Vec<&Token> = tokens.filter(is_bare).collect();
        let [_, op, equals, literal] = tokens[..] else {
            return None;
        };
        if !op.is_word(self.flow.text, "tg_op") || equals.text(self.flow.text) != "=" {
            return None;
        }
        let text = literal.text(self.flow.text).trim_matches('\'');
        VERBS.into_iter().find(|verb| *verb == text)
    }

    /// The statements behind this word, up to one of these.
    fn list(&mut self, ends: &[&str]) -> Option<bool> {
        self.flow.at += 1;
        let mut leaves = false;
        while !self.flow.is(ends) {
            self.flow.kind()?;
            leaves |= self.statement()?;
        }
        Some(leaves)
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
