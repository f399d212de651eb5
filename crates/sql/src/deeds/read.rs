//! Going over a body: what steers is gone past, and the statements in between are judged one by one.

use std::ops::Range;

use super::super::lexeme::{self, Kind, Token};
use super::super::{Dialect, flow, words};
use super::{Body, Deed, Fires, Own, Returns};

/// What the statements of a body do. `own` are functions whose code is looked at elsewhere.
pub(super) fn deeds(dialect: Dialect, body: Body<'_>, own: &[Own]) -> Vec<Deed> {
    let Ok(tokens) = lexeme::tokens(dialect.grammar(), body.text) else {
        return vec![unreadable(body.text)];
    };
    let mut reader = Reader {
        dialect,
        text: body.text,
        tokens: &tokens,
        own,
        returns_row: body.returns_row,
        returned: Vec::new(),
        fires: body.fires,
        found: Vec::new(),
        declares: false,
        returns: None,
    };
    reader.returned = reader.returned_rows();
    reader.returns = reader.returns();
    reader.all(reader.begin());
    reader.found
}

pub(super) fn unreadable(text: &str) -> Deed {
    let shown: Vec<&str> = text.split_whitespace().take(6).collect();
    Deed::Unknown {
        why: format!("holds what cannot be read here (`{} …`)", shown.join(" ")),
    }
}

/// What triggers rightly call, although it does more than compute: it tells somebody, counts, or waits until the end of the
/// transaction.
const HARMLESS: &[&str] = &[
    "nextval",
    "pg_advisory_xact_lock",
    "pg_advisory_xact_lock_shared",
    "pg_notify",
    "pg_try_advisory_xact_lock",
];

pub(super) struct Reader<'t> {
    pub(super) dialect: Dialect,
    pub(super) text: &'t str,
    pub(super) tokens: &'t [Token],
    pub(super) own: &'t [Own],
    pub(super) returns_row: bool,
    /// Variables that become the row that is written, as they are returned.
    pub(super) returned: Vec<String>,
    pub(super) fires: Fires<'t>,
    pub(super) found: Vec<Deed>,
    /// Between DECLARE and BEGIN of PL/pgSQL.
    pub(super) declares: bool,
    /// Which writes come to which RETURN.
    pub(super) returns: Returns,
}

impl Reader<'_> {
    pub(super) fn is(&self, at: usize, words: &[&str]) -> bool {
        self.tokens
            .get(at)
            .is_some_and(|token| words.iter().any(|word| token.is_word(self.text, word)))
    }

    pub(super) fn sign(&self, at: usize) -> &str {
        self.tokens
            .get(at)
            .map_or("", |token| token.text(self.text))
    }

    pub(super) fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    pub(super) fn name(&self, at: usize) -> Option<String> {
        let token = self
            .tokens
            .get(at)
            .filter(|token| matches!(token.kind, Kind::Word | Kind::QuotedName))?;
        (self.dialect.grammar().identifier)(token.text(self.text))
    }

    pub(super) fn between(&self, range: Range<usize>) -> &str {
        let tokens = self.tokens.get(range).unwrap_or_default();
        match (tokens.first(), tokens.last()) {
            (Some(first), Some(last)) => self
                .text
                .get(first.span.start..last.span.end)
                .unwrap_or_default(),
            _ => "",
        }
    }

    /// The body of a routine of MySQL stands behind its head.
    pub(super) fn begin(&self) -> usize {
        const VERBS: &[&str] = &[
            "begin", "return", "insert", "update", "delete", "set", "call", "if", "replace",
            "select", "signal",
        ];
        if self.dialect != Dialect::Mysql || !self.is(0, &["create"]) {
            return 0;
        }
        let open = (0..self.tokens.len()).find(|at| self.kind(*at) == Some(Kind::Open));
        let head = open.map_or(0, |open| self.behind(open));
        (head..self.tokens.len())
            .find(|at| self.is(*at, VERBS))
            .unwrap_or(head)
    }

    /// Past the parenthesis that opens here.
    pub(super) fn behind(&self, open: usize) -> usize {
        let mut depth = 0_usize;
        for at in open..self.tokens.len() {
            match self.kind(at) {
                Some(Kind::Open) => depth += 1,
                Some(Kind::Close) => depth = depth.saturating_sub(1),
                _ => {}
            }
            if depth == 0 {
                return at + 1;
            }
        }
        self.tokens.len()
    }

    fn all(&mut self, mut at: usize) {
        while at < self.tokens.len() {
            let end = (at..self.tokens.len())
                .find(|at| self.kind(*at) == Some(Kind::Semicolon))
                .unwrap_or(self.tokens.len());
            self.piece(at, end);
            at = end + 1;
        }
    }

    /// One piece up to a semicolon: what steers, and at most one statement.
    fn piece(&mut self, mut at: usize, end: usize) {
        loop {
            if at >= end {
                return;
            }
            if self.kind(at) == Some(Kind::Word)
                && self.sign(at + 1) == ":"
                && self.sign(at + 2) != "="
            {
                at += 2;
                continue;
            }
            if self.sign(at).starts_with('<') {
                while at < end && !self.sign(at).starts_with('>') {
                    at += 1;
                }
                while at < end && self.sign(at).starts_with('>') {
                    at += 1;
                }
                continue;
            }
            if self.is(at, &["begin"]) {
                self.declares = false;
                at += 1;
                while self.is(at, &["not", "atomic"]) {
                    at += 1;
                }
                continue;
            }
            if self.declares {
                return self.declaration(at, end);
            }
            if self.is(at, &["declare"]) {
                if self.dialect == Dialect::Mysql {
                    match self.handler(at, end) {
                        Some(statement) => at = statement,
                        None => return self.declaration(at + 1, end),
                    }
                } else {
                    self.declares = true;
                    at += 1;
                }
                continue;
            }
            if self.is(at, &["else", "loop", "repeat", "exception"]) {
                at += 1;
                continue;
            }
            let stops: &[&str] = if self.is(at, &["if", "elsif", "elseif", "when"]) {
                &["then"]
            } else if self.is(at, &["while", "for", "foreach"]) {
                &["loop", "do"]
            } else if self.is(at, &["case"]) {
                &["when"]
            } else if self.is(at, &["until"]) {
                &["end"]
            } else if self.is(at, &["end"]) {
                return;
            } else {
                return self.statement(at, end);
            };
            let is_loop = self.is(at, &["for", "foreach"]);
            let stop = self.stop(at + 1, end, stops);
            if is_loop {
                self.looped(at + 1, stop);
            } else {
                self.expression(at + 1..stop);
            }
            // `WHEN` begins the next arm.
            at = if self.is(stop, &["when"]) {
                stop
            } else {
                stop + 1
            };
        }
    }

    /// Where one of these words stands that belongs to no CASE or parenthesis in between.
    pub(super) fn stop(&self, from: usize, end: usize, words: &[&str]) -> usize {
        flow::stop(self.text, self.tokens, from..end, words)
    }

    /// The statement that a handler of MySQL runs.
    fn handler(&self, at: usize, end: usize) -> Option<usize> {
        const VERBS: &[&str] = &[
            "begin", "set", "insert", "update", "delete", "replace", "call", "signal", "resignal",
            "leave", "iterate", "rollback", "select", "return", "if",
        ];
        let handler = (at..end.min(at + 4)).find(|at| self.is(*at, &["handler"]))?;
        Some((handler..end).find(|at| self.is(*at, VERBS)).unwrap_or(end))
    }

    fn declaration(&mut self, at: usize, end: usize) {
        if self.is(at + 1, &["alias"]) {
            let is_old = |name: String| name.eq_ignore_ascii_case("old");
            if self.is_new(at + 3) || self.name(at + 3).is_some_and(is_old) {
                self.found.push(Deed::Unknown {
                    why: "gives the row that is written another name (ALIAS)".to_owned(),
                });
            }
            return;
        }
        let is_value = |at: &usize| {
            self.is(*at, &["default", "for"])
                || self.sign(*at) == "="
                || self.sign(*at).starts_with(":=")
        };
        let value = (at..end).find(is_value);
        if let Some(value) = value {
            let value = if self.sign(value) == ":" {
                value + 1
            } else {
                value
            };
            if self.is_row(at) {
                self.row_becomes(at, value + 1, end);
            }
            self.expression(value + 1..end);
        }
    }

    /// `r IN SELECT …`, `i IN 1..10`, `x IN ARRAY …`
    fn looped(&mut self, from: usize, end: usize) {
        let list = (from..end).find(|at| self.is(*at, &["in"]));
        if let Some(list) = list {
            self.given(from..list, list..end);
        }
        let query = (from..end).find(|at| self.is(*at, &["select", "with", "execute"]));
        match query {
            Some(query) => self.statement(query, end),
            None => {
                for at in from..end {
                    if self.kind(at + 1) == Some(Kind::Open)
                        && self.kind(at) == Some(Kind::Word)
                        && at > from + 1
                    {
                        self.expression(at..self.behind(at + 1).min(end));
                        return;
                    }
                }
            }
        }
    }

    /// What only computes may call what does not.
    pub(super) fn expression(&mut self, range: Range<usize>) {
        let may_call = range.clone().any(|at| self.kind(at) == Some(Kind::Open));
        if may_call {
            let sql = format!("SELECT {}", self.substituted(range));
            self.judge(&sql);
        }
    }

    /// The text of these tokens, in which the functions whose code is looked at elsewhere only compute.
    pub(super) fn substituted(&self, range: Range<usize>) -> String {
        let from = range.start;
        let tokens = self.tokens.get(range).unwrap_or_default();
        words::without_calls(self.text, tokens, |at| {
            let at = from + at;
            let is_own = self.name(at).is_some_and(|name| {
                let is_it = |own: &Own| self.dialect.may_be_same_name(&own.name, &name);
                self.own.iter().any(is_it)
            });
            // A setting of the application's own is how triggers tell each other to keep still.
            let is_setting = self.is(at, &["set_config"])
                && self.kind(at + 2) == Some(Kind::Literal)
                && self.sign(at + 2).contains('.');
            is_own || is_setting || self.is(at, HARMLESS)
        })
    }
}
